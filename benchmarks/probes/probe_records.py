"""Records of probes: one JSON object a (task, features, mode, seed, fold) in RUN/probes.jsonl, append-only.

{"schema": 1, "task": "ravdess", "metric": "accuracy", "classes": 8, "domain": "speech",
 "features": "lyra:v2@3.2kbps",        an operating point, `log-mel`, `mfcc`, `chance (majority)`, `chance (uniform)`
 "codec_facts": {...},                 of operating points; as in the records of codeczoo bench
 "features_identity": "lyra:v2@3.2kbps|3f0c...|layer:embed|pooling:mean|...",
 "mode": "linear", "mode_identity": "logistic|...", "pooling": "mean",
 "task_identity": "9d...",             clips by content, labels and division
 "seed": 0, "fold": "1",
 "identity": "51...",                  of all of the above and of the clips in each part: done is not done again
 "clips": {"train": 80, "validation": 20, "test": 24},
 "scores": {"accuracy": 0.41, "macro_f1": 0.39},     or map, map_weighted, labels_scored
 "interval": [0.35, 0.47],             map alone: 95 %, bootstrap over groups of test clips
 "groups": {"actor 01": [7, 16]},      accuracy alone: clips of each group told right, and tested
 "chosen": {"C": 0.01, ...},
 "undefined": "reason",                instead of scores
 "failed": {"a.wav": "reason"},        clips without a feature, left out
 "group_is": "speaker", "leak": "", "notes": [...]}
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from codeczoo.benchmarks import records
from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.run_folder import drop_torn_line

SCHEMA = records.SCHEMA
PROBES_FILE = "probes.jsonl"

Record = dict[str, Any]


class ProbeRecords:
    """The records of a run, read once at opening and appended to."""

    def __init__(self, run: Path) -> None:
        self._path = run / PROBES_FILE
        drop_torn_line(self._path)
        found = records.read_lines(self._path) if self._path.is_file() else ()
        self._known = {str(record["identity"]): record for record in found}

    def find(self, identity: str) -> Record | None:
        """The record of this identity."""
        return self._known.get(identity)

    def append(self, record: Record) -> None:
        """Write one record; it outlives a kill of this process when this returns."""
        line = (json.dumps(record, sort_keys=True, allow_nan=False) + "\n").encode()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.write(descriptor, line) != len(line):
                raise InvalidRun(f"{self._path} took only a part of a record; is the disk full?")
        finally:
            os.close(descriptor)
        self._known[record["identity"]] = record


def load(run: Path) -> list[Record]:
    """The records of a run folder or of one file, in order. Raises InvalidRun."""
    file = run
    if run.is_dir():
        file = run / PROBES_FILE
        if not file.is_file():
            file = run / f"{PROBES_FILE}.gz"
    if not file.is_file():
        raise InvalidRun(f"{run} holds no probes ({PROBES_FILE}); codeczoo probe makes some.")
    return list(records.read_lines(file))
