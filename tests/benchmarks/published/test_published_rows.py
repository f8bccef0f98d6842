"""The files of published numbers: read back as printed, in one unit, strictly; and every row is in our terms."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from codeczoo import codecs, metrics
from codeczoo.benchmarks.errors import InvalidPublished
from codeczoo.benchmarks.layouts import LAYOUTS
from codeczoo.benchmarks.probes.datasets import DATASETS
from codeczoo.benchmarks.published import papers, rows, sets
from codeczoo.benchmarks.published.quantities import item, length_s, quantity
from codeczoo.benchmarks.published.rows import PublishedRow, published, read
from codeczoo.benchmarks.published.systems import NATIVE_SPEED, REFERENCE, points
from codeczoo.benchmarks.report.published_probes import published as published_probes

EVERY = tuple(rows.every())

HEAD = ",".join(rows.COLUMNS)
GOOD = "1,libritts-test-clean,Encodec,,6.0,8,600,stoi,1,0.9391,,"


def value(paper: str, table: int, dataset: str, system: str, metric: str, **more: object) -> PublishedRow:
    found = [
        row
        for row in published(paper)
        if (row.table, row.dataset, row.system, row.metric) == (table, dataset, system, metric)
        and all(getattr(row, name) == wanted for name, wanted in more.items())
    ]
    assert len(found) == 1
    return found[0]


def test_numbers_as_the_papers_print_them() -> None:
    """Read off the papers by hand, one of each kind."""
    assert [len(published(paper)) for paper in rows.PAPERS] == [321, 266, 449]
    assert (
        value("wavtokenizer", 1, "libritts-test-clean", "WavTokenizer", "utmos", tokens_per_second=75).value == 4.0486
    )
    assert value("wavtokenizer", 1, "ljspeech", "Ground Truth", "utmos").value == 4.3794
    assert value("wavtokenizer", 1, "libritts-test-other", "Encodec", "pesq_wb", kbps=6.0).value == 2.6818
    assert value("unicodec", 2, "musdb-test", "UniCodec", "stft_distance").value == 2.1822
    assert value("unicodec", 3, "libritts-test-clean", "Mimi", "vuv_f1").printed == "0.912"
    assert value("unicodec", 8, "", "UniCodec", "rtf_60s").value == 0.00187
    assert value("taae", 2, "librispeech-test-clean", "TAAE", "si_sdr", kbps=0.7).value == 4.73
    assert value("taae", 2, "librispeech-test-clean", "DAC", "si_sdr", kbps=1.0).value == -6.51
    assert value("taae", 9, "librispeech-train-clean-360", "Encodec", "huffman_bps").value == 2510
    assert value("taae", 11, "", "Encodec", "latency_s").value == 0.013


def test_units_are_made_one() -> None:
    """UniCodec prints WavTokenizer's accuracies times 100; a model of 76 M has 76 million parameters."""
    fraction = value("wavtokenizer", 3, "esc50", "WavTokenizer", "accuracy")
    percent = value("unicodec", 5, "esc50", "WavTokenizer", "accuracy")
    assert (fraction.printed, percent.printed) == ("0.2550", "25.50")
    assert fraction.value == percent.value == 0.255
    assert (fraction.rounding, percent.rounding) == pytest.approx((0.00005, 0.00005))
    assert value("taae", 10, "", "DAC", "params_m").value == 76e6
    assert value("taae", 10, "", "DAC", "params_m").rounding == 0.5e6
    assert (
        value("unicodec", 9, "musdb-test", "UniCodec", "utilization", variant="w/o domain id; music codebook").value
        == 1
    )


def test_rows_that_repeat_another_paper_are_equal_to_it() -> None:
    """What UniCodec marks with a dagger is WavTokenizer's number: two files, transcribed apart."""
    original = {(row.dataset, row.metric, row.value) for row in published("wavtokenizer")}
    repeated = [row for row in published("unicodec") if row.note.startswith("dagger")]
    assert len(repeated) == 52
    for row in repeated:
        assert (row.dataset, row.metric, row.value) in original, row


def test_unlimited_and_illegible() -> None:
    unlimited = [row for row in EVERY if row.value is not None and math.isinf(row.value)]
    assert [(row.suite, row.metric) for row in unlimited] == [
        ("taae-table11", name) for _ in range(3) for name in ("per_layer_receptive_field_s", "receptive_field_s")
    ]
    illegible = [row for row in EVERY if row.value is None]
    assert len(illegible) == 8
    assert {(row.suite, row.system) for row in illegible} == {("taae-table7", "Encodec")}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (GOOD.replace("0.9391", "0,9391"), "more fields than the header"),
        (GOOD.replace("0.9391", "high"), "value is 'high'; a number is needed"),
        (GOOD.replace("0.9391", "nan"), "value is 'nan'"),
        (GOOD.replace("0.9391", "inf"), "value is 'inf'"),
        (GOOD.replace("0.9391", "٣"), "value is '٣'"),
        (GOOD.replace("0.9391", ""), "has no value"),
        (GOOD.replace(",stoi,", ",,"), "has no metric"),
        (GOOD.replace(",1,0.9391", ",furlong,0.9391"), "'furlong' is no unit known here"),
        (GOOD.replace("1,libritts", "one,libritts"), "table is 'one'; a whole number from 1 on"),
        (GOOD.replace("1,libritts", "0,libritts"), "table is '0'"),
        (GOOD.replace(",8,600", ",8.5,600"), "n_quantizers is '8.5'"),
        (GOOD.replace("6.0", "-6.0"), "bitrate_kbps is '-6.0'"),
        (GOOD.replace("6.0", "6\0.0"), "bitrate_kbps is"),
        (f"{GOOD}\n{GOOD}", "lines 2 and 3 are of one cell, table 1, libritts-test-clean, Encodec, stoi"),
        ("", "has no rows"),
    ],
)  # fmt: skip
def test_a_garbled_file_gets_a_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "wavtokenizer.csv"
    path.write_text(f"{HEAD}\n{line}\n", encoding="utf-8")
    with pytest.raises(InvalidPublished, match=sentence) as caught:
        read(path)
    assert "wavtokenizer.csv" in str(caught.value)


def test_other_columns_bytes_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "taae.csv"
    with pytest.raises(InvalidPublished, match="are not there: reinstall"):
        read(path)
    path.write_text(HEAD.replace(",unit", "") + "\n" + GOOD + "\n", encoding="utf-8")
    with pytest.raises(InvalidPublished, match="taae"):
        read(path)
    path.write_text(HEAD.replace("unit", "units") + "\n" + GOOD + "\n", encoding="utf-8")
    with pytest.raises(InvalidPublished, match=r"has the columns table, .* they are table, "):
        read(path)
    path.write_bytes(b"\xff\xfe\x00table")
    with pytest.raises(InvalidPublished, match="not a readable table"):
        read(path)


@pytest.mark.parametrize("paper", rows.PAPERS)
def test_every_row_is_mapped_or_says_why_not(paper: str) -> None:
    for row in published(paper):
        found, where = quantity(row), points(row)
        assert found.ours or (found.kind == "none" and found.why), row
        assert found.same or found.why or not found.ours, row
        assert where.same or where.why, row
        assert not (where.same and where.near), row
        assert sets.of_name(row.dataset).title
        if found.kind == "score":
            assert set(found.ours) <= set(metrics.names()), row
        if found.kind == "speed":
            assert length_s(row) in (5, 10, 30, 60)
            assert item(row) == f"{length_s(row):g}"


def test_operating_points_exist_and_have_the_printed_rates() -> None:
    """Where a row is mapped to one operating point, that has the tokens a second and the bitrate that is printed."""
    checked = 0
    for row in EVERY:
        for pattern in points(row).patterns:
            if pattern == REFERENCE or pattern.startswith(NATIVE_SPEED) or "+" in pattern:
                continue
            assert codecs.expand(pattern), pattern
            if pattern in points(row).same and "*" not in pattern:
                spec = codecs.spec(pattern)
                if row.tokens_per_second is not None:
                    assert spec.tokens_per_second == pytest.approx(row.tokens_per_second), row
                    checked += 1
                if row.kbps is not None and spec.bitrate_kbps is not None:
                    assert spec.bitrate_kbps == pytest.approx(row.kbps, abs=0.0501), row
    assert checked > 200


def test_sets_are_of_layouts_and_probes_there_are() -> None:
    for name, of in sets.SETS.items():
        assert not of.dataset or of.dataset in {**LAYOUTS, **DATASETS}, name


def test_every_definition_is_met_by_the_metric_as_it_is_here() -> None:
    """The parts that a comparison asks of an identity are those that the metric's identity has today."""
    from codeczoo.benchmarks.protocol import metric_identity

    for found in {quantity(row) for row in EVERY}:
        if found.kind == "score" and found.same:
            identity = metric_identity(metrics.metric(found.ours[0])).split("|")
            assert set(found.parts) <= set(identity), found.label


def test_items_of_token_tables() -> None:
    named = {row.variant: item(row) for row in EVERY if quantity(row).kind == "tokens"}
    assert named["RVQ-3, codebook size 1024"] == "2"
    assert named["FSQ-1, codebook size 46656"] == "0"
    assert named["RFSQ-2, codebook size 15625"] == "1"
    assert named["all codebooks"] == "all"
    assert named["w. domain id; audio codebook"] == "sound"
    assert named["w/o domain id; whole codebook"] == "whole"
    assert named["codebook 1024"] == "whole"


def test_tables_by_name() -> None:
    assert len(papers.names()) == 9 + 8 + 11
    assert papers.load("taae-table10").sets == ("",)
    assert papers.load("wavtokenizer-table1").sets == ("libritts-test-clean", "libritts-test-other", "ljspeech")
    assert papers.load("unicodec-table2").caption.startswith("UniCodec, arXiv 2502.20067, Table 2: mel and STFT")
    for wrong in ("wavtokenizer-table10", "taae-table1", "wavtokenizer-table01", "", "speech"):
        with pytest.raises(InvalidPublished, match="no published numbers named"):
            papers.load(wrong)
    with pytest.raises(InvalidPublished, match="Nearest: wavtokenizer-table1"):
        papers.load("wavtokeniser-table1")


def test_a_column_of_no_known_definition_is_refused() -> None:
    row = value("taae", 2, "librispeech-test-clean", "DAC", "si_sdr", kbps=1.0)
    from dataclasses import replace

    with pytest.raises(InvalidPublished, match="prints 'visqol', of which no definition is known"):
        quantity(replace(row, metric="visqol"))
    with pytest.raises(InvalidPublished, match="is named rtf_30s"):
        quantity(replace(row, metric="rtf_xs"))


def test_the_probe_report_shows_the_same_numbers() -> None:
    found = published_probes()
    assert [(of.paper, of.system, of.codebooks, of.tokens_per_second) for of in found[:2]] == [
        ("WavTokenizer", "DAC", 9, 900),
        ("WavTokenizer", "Encodec", 8, 600),
    ]
    assert len(found) == 9
    assert found[0].values["ravdess"] == 37.5
    assert found[7].values == {
        "ravdess": 40.28, "audiomnist": 70.94, "magnatagatune": 29.55, "medley-solos-db": 59.29, "esc-50": 26.0,
        "vivae": 34.17,
    }  # fmt: skip
