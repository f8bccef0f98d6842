"""Everything that codeczoo.benchmarks raises on purpose.

BenchmarkError              base of all below; its text is a sentence for the user
├── InvalidCorpus           missing, empty, or two clips of one name
├── InvalidClip             one file: not audio, no samples, NaN (the run goes on without it)
│   └── ChangedClip         one file: another one while it was measured than before
├── UnknownSuite            no such suite or corpus; the nearest names are listed
├── InvalidSuite            a suite's file has an unknown key or a value of the wrong kind
├── InvalidProbe            a probe cannot be made: labels, divisions, a speaker on both sides
├── InvalidPublished        a file of published numbers is missing or garbled, or there is no such table
├── InvalidListeningTest    a listening test cannot be made, or its key cannot be read
├── InvalidAnswers          answers to a listening test that are damaged, doubled or to another test
├── InvalidRun              a run folder of another schema, or in use, or without records
├── ClusterUnavailable      a cluster that cannot be reached, has no workers, or was lost in the middle
└── WorkerUnfit             a worker cannot do the work: another codeczoo, no weights, files that it does not see
"""

from __future__ import annotations

from codeczoo.codecs import CodecError
from codeczoo.metrics import MetricError


class BenchmarkError(Exception):
    """Base class: catch it to show the user one sentence instead of a traceback."""


class InvalidCorpus(BenchmarkError):
    """A corpus cannot be used as a whole."""


class InvalidClip(BenchmarkError):
    """One clip of a corpus cannot be used."""


class ChangedClip(InvalidClip):
    """A clip is no longer of the content that was hashed."""


class UnknownSuite(BenchmarkError):
    """No suite or corpus of this name."""


class InvalidSuite(BenchmarkError):
    """A suite's file cannot be used."""


class InvalidRun(BenchmarkError):
    """A run folder cannot be continued or read."""


class ClusterUnavailable(BenchmarkError):
    """Work cannot be given to a cluster, or no longer."""


class WorkerUnfit(BenchmarkError):
    """One worker lacks what the coordinator has, so that its numbers would not be the same."""


class InvalidProbe(BenchmarkError):
    """Labelled clips cannot be probed as they are."""


class InvalidPublished(BenchmarkError):
    """Published numbers cannot be read, or there is no such table."""


class InvalidListeningTest(BenchmarkError):
    """A listening test cannot be made of what was given, or what was made cannot be read."""


class InvalidAnswers(BenchmarkError):
    """Answers of listeners cannot be analysed as they are."""


USER_ERRORS = (BenchmarkError, CodecError, MetricError)
"""What the command line shows as one sentence."""
