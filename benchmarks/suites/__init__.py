"""Suites: codecs, metrics and corpus of a measurement as one TOML file each."""

from .suite import Suite, SuiteCorpus, load, names

__all__ = ["Suite", "SuiteCorpus", "load", "names"]
