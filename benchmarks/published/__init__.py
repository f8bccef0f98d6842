"""What papers print beside what was measured here: rows, what they are of, and where the two differ.

rows.py          results/published/*.csv as typed rows, strict
quantities.py    a printed column -> what we measure, with the condition under which the two may be compared
systems.py       a printed row -> operating points of codeczoo
sets.py          a printed data set -> clips of ours
papers.py        the tables: title, kind, what their protocol says
ours.py          means and intervals out of runs: records, probes, tokens, figures of speed and reach
comparison.py    the two side by side: beyond the interval, within it, or not to be compared and why
"""
