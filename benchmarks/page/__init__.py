"""The page: one self-contained HTML file that shows the records of a run and lets one hear what stands behind them.

writing.py      the report's numbers to the file, all of it
choice.py       which clips are worth hearing
sources.py      the audio of a record, checked against it
level.py        reference and estimates brought to one loudness, without clipping
embed.py        audio as a data URI
spectrogram.py  pictures of it
listening.py    clips, their versions, pictures and scores
facts.py        the table and the plot, out of the report's summary
html.py         data, style and script in one document that asks for nothing
self_contained.py  what such documents share, listening tests among them: policy, data, template, elements.js, voices.js
*.js, page.css  what the reader's browser runs: table.js, plot.js, codec.js, listen.js, player.js
"""
