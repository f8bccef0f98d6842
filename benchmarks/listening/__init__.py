"""Listening tests: a page that a listener takes, and what the answers say.

    anchor.py      the reference with its treble cut off, which every listener should find bad
    sources.py     audio of codecs: run now, or what a run measured
    stimuli.py     the signals of a trial: one level, one format, no two alike in their bytes
    key.py         which signal is which: kept by the experimenter, never given to listeners
    making.py      clips and codecs to a page and its key
    page/          the page itself: one HTML file, or a folder, that asks nothing of any network
    answers.py     the files that listeners bring back, read as if by an enemy
    screening.py   whose answers do not count: WavTokenizer's appendix C, ITU-R BS.1534-3
    mushra.py      means, intervals and pairwise tests of ratings
    abx.py         proportion of right answers, exact test, d'
    tables.py, figure.py, report.py   what is written of either

MUSHRA (ITU-R BS.1534-3): 0 to 100 with five words, an open and a hidden reference, anchors. ABX: which of two is X?
"""
