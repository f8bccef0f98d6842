"""Linear probes: how much of what is said of a clip (emotion, instrument, sound) can be read off its tokens.

A `Task` is a set of labelled clips with its official splits. Every clip becomes one feature, every feature set is given
to one linear classifier, and what that gets right on clips it has not seen is the result. ARCH's 12 data sets are read
as they are unpacked; so is any labelled folder or manifest.
"""
