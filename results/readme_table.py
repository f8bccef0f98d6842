"""The table that README.md opens with, made from the committed records of results/speech.

python results/readme_table.py            write it into README.md, between its two marks
python results/readme_table.py --check    exit 1 where README.md does not hold it
"""

from __future__ import annotations

import sys
from pathlib import Path

from codeczoo.benchmarks import records
from codeczoo.benchmarks.report import summarise, table, writers

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"
CODECS = (
    "pcm:16", "g722@64kbps", "mp3:16khz@32kbps", "aac:16khz@32kbps", "opus@24kbps", "opus@12kbps", "opus@6kbps",
    "amr-nb@12.2kbps", "lyra:v2@9.2kbps", "lyra:v2@6kbps", "lyra:v2@3.2kbps", "codec2@3.2kbps", "codec2@1.2kbps",
    "wavtokenizer:tiny-speech-216",
)  # fmt: skip
METRICS = ("pesq_wb", "stoi", "vuv_f1_yin", "distillmos", "mel_distance", "si_sdr_aligned")


def made() -> str:
    """The table's Markdown."""
    found = records.load(ROOT / "results" / "speech")
    chosen = [record for record in found if record["codec"] in CODECS]
    written = writers.markdown(table.quality(summarise(chosen, "corpus", METRICS)))
    lines = [line for line in written.splitlines() if line.startswith("|")]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    wanted = f"{before}{BEGIN}\n{made()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        return int(text != wanted)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
