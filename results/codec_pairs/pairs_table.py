"""From a manifest of references and decoded files to the tables that codeczoo takes.

    python pairs_table.py MANIFEST.csv FOLDER > FOLDER/pairs.csv                      for codeczoo score --pairs
    python pairs_table.py MANIFEST.csv FOLDER --references > REFERENCES/pairs.csv     for codeczoo bench --corpus

REFERENCES holds copies of the references of speech alone. Its table has the other's name, so that a report of both
takes their clips for the same ones.

The manifest has the columns path, pair_id, role (ref or deg), codec, kbps (a number, or a label where the source gives
none), domain, dataset, speaker; FOLDER holds the audio files under their bare names.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ABOUT_CLIPS = ("domain", "dataset", "speaker")


def main(manifest: Path, folder: Path, only_references: bool) -> None:
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["pair_id"] and (folder / Path(row["path"]).name).is_file()]
    references = {row["pair_id"]: row for row in rows if row["role"] == "ref"}
    estimates = [row for row in rows if row["role"] == "deg"]
    if only_references:
        _write_references([references[pair] for pair in dict.fromkeys(row["pair_id"] for row in estimates)])
    else:
        _write_pairs(estimates, references)


def _write_references(references: Sequence[Mapping[str, str]]) -> None:
    writer = csv.DictWriter(sys.stdout, ("path", *ABOUT_CLIPS), lineterminator="\n")
    writer.writeheader()
    for row in references:
        if row["domain"] == "speech":
            writer.writerow({"path": Path(row["path"]).name, **{column: row[column] for column in ABOUT_CLIPS}})


def _write_pairs(estimates: Sequence[Mapping[str, str]], references: Mapping[str, Mapping[str, str]]) -> None:
    writer = csv.DictWriter(sys.stdout, ("reference", "estimate", "codec", "kbps", *ABOUT_CLIPS), lineterminator="\n")
    writer.writeheader()
    for row in estimates:
        reference = references[row["pair_id"]]
        stated = row["kbps"].replace(".", "", 1).isdigit()
        label = row["kbps"].replace("_tkr", " token rate")
        writer.writerow(
            {
                "reference": Path(reference["path"]).name,
                "estimate": Path(row["path"]).name,
                "codec": row["codec"] if stated or not label else f"{row['codec']} ({label})",
                "kbps": row["kbps"] if stated else "",
                **{column: reference[column] for column in ABOUT_CLIPS},
            }
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), "--references" in sys.argv[3:])
