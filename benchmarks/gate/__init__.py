"""The gate of a CI job: has quality dropped since the baseline, by more than is tolerated and more than chance?

    tolerance.py    drops that are tolerated, and the noise that repeats of one version show
    verdict.py      clip by clip against the baseline: passed, failed, or not judged
    writers.py      for people, for a summary page, for CI (JUnit), for programs

How often it cries without reason and what it misses is measured by `python -m codeczoo.benchmarks.gate_simulation`:
results/statistics.
"""
