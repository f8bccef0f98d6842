"""Suites: codecs, metrics and corpus of a measurement as one TOML file each."""

from .suite import Suite, load, names

__all__ = ["Suite", "load", "names"]
