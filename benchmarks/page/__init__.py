"""The page: one self-contained HTML file that shows the records of a run and lets one hear what stands behind them.

level.py    reference and estimates brought to one loudness, without clipping
embed.py    audio as a data URI
"""
