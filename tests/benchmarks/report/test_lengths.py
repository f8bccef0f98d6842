"""The length report: means by length, intervals over passages, paired changes; what may not be compared is marked."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.legend import Legend

from codeczoo.benchmarks import report
from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.report import canvas, length_figure, length_table, style, writers
from codeczoo.benchmarks.report.lengths import Lengths, summarise_lengths
from codeczoo.benchmarks.statistics.bootstrap import mean_interval

Record = dict[str, Any]

STOI = {
    # passage -> length -> value of each piece
    "p1": {5.0: (0.70, 0.80), 10.0: (0.78,)},
    "p2": {5.0: (0.90, 0.94), 10.0: (0.93,)},
    "p3": {5.0: (0.60, 0.70), 10.0: (0.71,)},
}


def records_of(made: SimpleNamespace, codec: str, shift: float = 0.0, **fields: Any) -> list[Record]:
    found: list[Record] = []
    for passage, lengths in STOI.items():
        for length, values in lengths.items():
            for number, value in enumerate(values):
                record = made.record(
                    codec, f"{passage}@{length:g}s-{number + 1}", {"stoi": value + shift}, seconds=length, **fields
                )
                parts = [
                    {"clip": f"{passage}.flac", "start_s": 0.0, "seconds": length / 2},
                    {"clip": "shared.flac", "start_s": 0.0, "seconds": length / 2},
                ]
                record["piece"] = {
                    "passage": passage, "length_s": length, "offset_s": number * length, "parts": parts,
                }  # fmt: skip
                record["timing"] |= {"encode_rtf": 0.1 / length, "decode_rtf": 0.02}
                found.append(record)
    return found


@pytest.fixture
def pieces(made: SimpleNamespace) -> list[Record]:
    return [*records_of(made, "a@6kbps"), *records_of(made, "b@3kbps", -0.1, kbps=3.0)]


def summed(found: list[Record], made: SimpleNamespace) -> Lengths:
    return summarise_lengths(found, facts=made.facts)


def test_means_are_over_pieces_and_intervals_over_passages(pieces: list[Record], made: SimpleNamespace) -> None:
    group = summed(pieces, made).groups[0]
    assert [line.codec for line in group.lines] == ["a@6kbps", "b@3kbps"]
    short, long = (group.lines[0].at[length].cells["stoi"] for length in (5.0, 10.0))
    assert (short.n, long.n) == (6, 3)
    assert short.mean == pytest.approx((0.70 + 0.80 + 0.90 + 0.94 + 0.60 + 0.70) / 6)
    assert long.mean == pytest.approx((0.78 + 0.93 + 0.71) / 3)
    values = [0.70, 0.80, 0.90, 0.94, 0.60, 0.70]
    of_passages = mean_interval(values, ["p1", "p1", "p2", "p2", "p3", "p3"])
    of_pieces = mean_interval(values, range(6))
    assert of_passages is not None and of_pieces is not None  # noqa: PT018
    assert short.interval == pytest.approx(of_passages)
    assert of_passages[1] - of_passages[0] > of_pieces[1] - of_pieces[0]


def test_passages_of_one_speaker_are_drawn_together(made: SimpleNamespace) -> None:
    found = records_of(made, "a@6kbps")
    for record in found:
        record["speaker"] = "x" if record["piece"]["passage"] in ("p1", "p2") else "y"
    cell = summed(found, made).groups[0].lines[0].at[10.0].cells["stoi"]
    assert cell.interval == pytest.approx(mean_interval([0.78, 0.93, 0.71], ["x", "x", "y"]))
    for record in found:
        record["speaker"] = "x"
    assert summed(found, made).groups[0].lines[0].at[10.0].cells["stoi"].interval is None


def test_the_change_is_paired_by_passage(pieces: list[Record], made: SimpleNamespace) -> None:
    differences = [0.78 - 0.75, 0.93 - 0.92, 0.71 - 0.65]
    change = summed(pieces, made).groups[0].lines[1].changes["stoi"]
    assert change.mean == pytest.approx(sum(differences) / 3)
    assert change.interval == pytest.approx(mean_interval(differences, range(3)))
    assert change.passages == 3


def test_a_passage_without_all_its_values_has_no_change(pieces: list[Record], made: SimpleNamespace) -> None:
    for record in pieces:
        if record["codec"] == "a@6kbps" and record["clip"] == "p2@5s-2":
            record["scores"], record["undefined"] = {}, {"stoi": "is silent"}
    found = summed(pieces, made)
    change = found.groups[0].lines[0].changes["stoi"]
    assert change.passages == 2
    assert change.mean == pytest.approx((0.78 - 0.75 + 0.71 - 0.65) / 2)
    text = writers.markdown(length_table.quality_by_length(found))
    assert "| `a@6kbps` | 5 | 6.00 | 0.7400 (n=5) |" in text
    assert "5 s: `a@6kbps`, STOI: 1 undefined (is silent)." in text


def test_a_run_that_is_not_complete_says_so_and_pairs_whole_passages_only(
    pieces: list[Record], made: SimpleNamespace
) -> None:
    found = summed([record for record in pieces if record["clip"] != "p3@5s-2"], made)
    assert found.groups[0].lines[0].changes["stoi"].passages == 2
    text = writers.markdown(length_table.quality_by_length(found))
    assert "`a@6kbps`, `b@3kbps`: not every length was measured on the same passages in full" in text


def test_real_time_factors_are_seconds_over_seconds(pieces: list[Record], made: SimpleNamespace) -> None:
    pieces[0]["timing"]["encode_rtf"] = 0.14
    row = summed(pieces, made).groups[0].lines[0].at[5.0]
    assert row.cells["encode_rtf"].mean == pytest.approx((0.14 + 5 * 0.02) / 6)
    assert row.cells["decode_rtf"].mean == pytest.approx(0.02)
    assert row.cells["decode_rtf"].interval == pytest.approx((0.02, 0.02))


def test_the_table(pieces: list[Record], made: SimpleNamespace) -> None:
    text = writers.markdown(length_table.quality_by_length(summed(pieces, made)))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows == [
        "| Model | Length (s) | Bandwidth (kbps) ↓ | STOI ↑ | Encode RTF ↓ | Decode RTF ↓ | n |",
        "| :--- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `a@6kbps` | 5 | 6.00 | 0.7733 | 0.020 | 0.020 | 6 |",
        "| `a@6kbps` | 10 | 6.00 | 0.8067 | 0.010 | 0.020 | 3 |",
        "| `a@6kbps` | change | – | +0.0333 ± 0.0250 | – | – | 3 |",
        "| `b@3kbps` | 5 | 3.00 | 0.6733 | 0.020 | 0.020 | 6 |",
        "| `b@3kbps` | 10 | 3.00 | 0.7067 | 0.010 | 0.020 | 3 |",
        "| `b@3kbps` | change | – | +0.0333 ± 0.0250 | – | – | 3 |",
    ]
    assert "3 passages of 10 s, joined from 4 clips" in text
    assert "Timed on: cpu, 1 thread, after a warm-up, 2 metric workers busy beside." in text
    assert "±" in writers.markdown(length_table.quality_by_length(summed(pieces, made), True)).splitlines()[6]


def test_the_references_own_scores_have_rows_of_their_own(pieces: list[Record], made: SimpleNamespace) -> None:
    for record in pieces:
        record["scores"]["utmos"] = 3.0
        record["reference_scores"] = {"utmos": 4.0 + record["piece"]["length_s"] / 100}
    text = writers.markdown(length_table.quality_by_length(summed(pieces, made)))
    assert [line for line in text.splitlines() if line.startswith("| Reference")] == [
        "| Reference | 5 | – | 4.050 | – | – | – | 6 |",
        "| Reference | 10 | – | 4.100 | – | – | – | 3 |",
        "| Reference | change | – | +0.050 ± 0.000 | – | – | – | 3 |",
    ]


def test_a_codec_that_fails_at_a_length_is_counted_there(pieces: list[Record], made: SimpleNamespace) -> None:
    for record in pieces:
        if record["codec"] == "a@6kbps" and record["piece"]["length_s"] == 10.0:
            record |= {"scores": {}, "identities": {}, "timing": {}, "bits": {}, "failed": {"encode": "out of memory"}}
    found = summed(pieces, made)
    assert "stoi" not in found.groups[0].lines[0].changes
    text = writers.markdown(length_table.quality_by_length(found))
    assert "| `a@6kbps` | 10 | – | – | – | – | 3 |" in text
    assert "10 s: `a@6kbps`, STOI: 3 failed (encode: out of memory)." in text


def test_csv_is_tidy(pieces: list[Record], made: SimpleNamespace) -> None:
    rows = list(csv.DictReader(io.StringIO(length_table.csv_text(summed(pieces, made)))))
    assert len(rows) == 2 * (2 * 3 + 1)
    assert all(None not in row and None not in row.values() for row in rows)
    first = rows[0]
    assert (first["codec"], first["value"], first["length_s"], first["metric"]) == ("a@6kbps", "mean", "5", "stoi")
    assert (first["n"], first["pieces"], first["passages"], first["kbps_measured"]) == ("6", "6", "3", "6")
    changes = [row for row in rows if row["value"] == "change"]
    assert [(row["from_length_s"], row["length_s"], row["n"]) for row in changes] == [("5", "10", "3")] * 2
    assert float(changes[0]["mean"]) == pytest.approx(0.1 / 3)
    assert {row["metric"] for row in rows} == {"stoi", "encode_rtf", "decode_rtf"}


def test_the_figure_draws_the_means_at_their_lengths(pieces: list[Record], made: SimpleNamespace) -> None:
    for record in pieces:
        record["scores"]["mel_distance"] = 1.5
        record["identities"]["mel_distance"] = "x"
    pieces[0]["scores"].pop("stoi")
    pieces[0]["undefined"] = {"stoi": "is silent"}
    found = summed(pieces, made)
    looks = style.styles(["a@6kbps", "b@3kbps"])
    with canvas.settings():
        drawn = length_figure.figure(found.groups[0], found.metrics, looks)
        assert drawn is not None
        drawn.canvas.draw()
    panels = [axes for axes in drawn.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels] == [
        "STOI ↑", "Mel distance (nats) ↓", "Encode RTF ↓", "Decode RTF ↓",
    ]  # fmt: skip
    assert [axes.yaxis_inverted() for axes in panels] == [False, True, True, True]
    for axes in panels:
        assert [label.get_text() for label in axes.get_xticklabels()] == ["5", "10"]
        assert axes.get_xscale() == "log"
    lines = [line for line in panels[0].lines if len(line.get_xdata()) == 2 and line.get_marker() not in ("x", "None")]  # pyright: ignore
    means = [[row.cells["stoi"].mean for row in line.at.values()] for line in found.groups[0].lines]
    assert [list(line.get_ydata()) for line in lines] == means  # pyright: ignore
    crosses = [line for line in panels[0].lines if line.get_marker() == "x"]
    assert [list(line.get_ydata()) for line in crosses] == [[means[0][0]]]  # pyright: ignore
    keys = [str(text.get_text()) for legend in drawn.findobj(Legend) for text in legend.get_texts()]  # pyright: ignore
    assert keys == ["a@6kbps", "b@3kbps", "over fewer pieces (see n in the table)"]


def test_files_are_written_and_clips_have_theirs(pieces: list[Record], made: SimpleNamespace, tmp_path: Path) -> None:
    paths = report.write(report.numbers_of(pieces, facts=made.facts), tmp_path / "pieces")
    assert [path.relative_to(tmp_path / "pieces").as_posix() for path in paths] == [
        "length.md", "length.tex", "length.csv", "length/demo.png", "length/demo.pdf", "length/demo.svg",
    ]  # fmt: skip
    again = report.write(report.numbers_of(pieces[::-1], facts=made.facts), tmp_path / "again")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    clips = [made.record("a@6kbps", f"{number}.flac", {"pesq_wb": 2.0}) for number in range(3)]
    both = report.write(report.numbers_of([*clips, *pieces], facts=made.facts), tmp_path / "both", figures=False)
    assert [path.name for path in both] == [
        "quality.md", "quality.tex", "quality.csv", "harness.md", "harness.tex", "harness.csv",
        "length.md", "length.tex", "length.csv",
    ]  # fmt: skip
    assert (tmp_path / "both" / "length.md").read_bytes() == paths[0].read_bytes()
    assert "STOI" not in (tmp_path / "both" / "quality.md").read_text(encoding="utf-8")


def test_metrics_chosen_for_a_report_of_both_kinds(pieces: list[Record], made: SimpleNamespace, tmp_path: Path) -> None:
    clips = [made.record("a@6kbps", f"{number}.flac", {"pesq_wb": 2.0, "utmos": 3.0}) for number in range(3)]
    chosen = ["pesq_wb", "stoi"]
    report.write(report.numbers_of([*clips, *pieces], metrics=chosen, facts=made.facts), tmp_path, figures=False)
    assert "UTMOS" not in (tmp_path / "quality.md").read_text(encoding="utf-8")
    assert "| STOI" in (tmp_path / "length.md").read_text(encoding="utf-8")
    with pytest.raises(BenchmarkError, match="No record scores si_sdr"):
        report.numbers_of([*clips, *pieces], metrics=["si_sdr"], facts=made.facts)
    with pytest.raises(BenchmarkError, match="No record scores si_sdr"):
        report.numbers_of(pieces, metrics=["si_sdr"], facts=made.facts)
