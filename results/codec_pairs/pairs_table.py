"""From a manifest of references and decoded files to the table of pairs that `codeczoo score --pairs` takes.

    python pairs_table.py MANIFEST.csv FOLDER > FOLDER/pairs.csv

The manifest has the columns path, pair_id, role (ref or deg), codec, kbps (a number, or a label where the source gives
none), domain, dataset, speaker; FOLDER holds the audio files under their bare names.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

COLUMNS = ("reference", "estimate", "codec", "kbps", "domain", "dataset", "speaker")


def main(manifest: Path, folder: Path) -> None:
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["pair_id"] and (folder / Path(row["path"]).name).is_file()]
    references = {row["pair_id"]: row for row in rows if row["role"] == "ref"}
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if row["role"] != "deg":
            continue
        reference = references[row["pair_id"]]
        stated = row["kbps"].replace(".", "", 1).isdigit()
        label = row["kbps"].replace("_tkr", " token rate")
        writer.writerow(
            {
                "reference": Path(reference["path"]).name,
                "estimate": Path(row["path"]).name,
                "codec": row["codec"] if stated or not label else f"{row['codec']} ({label})",
                "kbps": row["kbps"] if stated else "",
                **{column: reference[column] for column in COLUMNS[4:]},
            }
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
