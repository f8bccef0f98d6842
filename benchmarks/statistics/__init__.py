"""From records to decisions: what a difference between means over clips is worth.

    bootstrap.py      intervals of means, clips of one speaker drawn together
    permutation.py    paired tests by flipping signs, one difference or all pairs of codecs at once
    corrections.py    Holm, Benjamini and Hochberg
    sample_size.py    clips needed to see a difference, difference seen with these clips
    groups.py         codecs that cannot be told apart
    paired.py         the clips that two codecs both have, or why they cannot be compared
    curves.py         quality at a given rate, interpolated between a family's points
    bjontegaard.py    mean difference of rate or quality between two families

Each is checked against scipy, statsmodels, the package bjontegaard, or a simulation of known truth;
`python -m codeczoo.benchmarks.gate_simulation` writes what was measured to results/statistics.
"""
