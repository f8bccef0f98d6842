"""What the tables print: digits, emphasis, marks, notes, and that no writer can be broken by a name or a reason."""

from __future__ import annotations

import csv
import io
import re

import pytest

from codeczoo.benchmarks.report import columns, harness, table, tidy, writers
from codeczoo.benchmarks.report.summary import summarise


def quality(records, made, **options):
    return table.quality(summarise(records, facts=made.facts, resamples=200), **options)


def lines(text: str) -> dict[str, list[str]]:
    """Rows of a Markdown text by their first cell; tables must be rectangular."""
    found = {}
    width = 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            width = 0
            continue
        width = width or len(cells)
        assert len(cells) == width, line
        found[cells[0]] = cells
    return found


def test_columns_of_wavtokenizer_table_1_come_first(made):
    head = quality(made.run(clips=2, families=("unicodec", "opus")), made).head
    assert head == (
        *("Model", "Bandwidth (kbps) ↓", "Nq ↓", "tokens/s ↓", "UTMOS ↑", "PESQ ↑", "STOI ↑", "V/UV F1 ↑"),
        *("SI-SDR (dB) ↑", "Mel distance (nats) ↓", "n"),
    )


def test_a_row_in_markdown(made):
    scores = {"pesq_wb": 2.70254, "stoi": 0.93911, "si_sdr": 7.126, "mel_distance": 0.7}
    worse = {"pesq_wb": 1.5, "stoi": 0.9, "si_sdr": 2.0, "mel_distance": 0.9}
    records = [
        made.record("lyra:v2@3.2kbps", "1", worse, kbps=3.2, tokens_per_second=200.0),
        made.record("encodec:24khz@6kbps", "1", scores, kbps=6.0, tokens_per_second=600.0),
        made.record("opus@12kbps", "1", worse, kbps=11.234, tokens_per_second=None),
    ]
    rows = lines(writers.markdown(quality(records, made)))
    means = ["**2.703**", "**0.9391**", "**7.13**", "**0.700**"]
    assert rows["`encodec:24khz@6kbps`"] == ["`encodec:24khz@6kbps`", "6.00", "8", "600", *means, "1"]
    assert rows["`opus@12kbps`"][:5] == ["`opus@12kbps`", "11.2", "–", "–", "<u>1.500</u>"]
    assert rows["`lyra:v2@3.2kbps`"][4] == "<u>1.500</u>"  # equal means share a place


def test_lower_is_better_where_it_is(made):
    records = [made.record("a", "1", {"mel_distance": 0.5}), made.record("b", "1", {"mel_distance": 0.7})]
    summary = summarise(records, facts=made.facts)
    assert table.ranks(summary.groups[0], made.facts["mel_distance"]) == {"a": "best", "b": "second"}


def test_unequal_clip_sets_are_marked_and_not_ranked(made):
    records = [made.record(codec, clip, {"stoi": 0.5 + 0.1 * (codec == "a")}) for codec in "ab" for clip in "123"]
    records += [made.record("c@9q", clip, {"stoi": 0.99}) for clip in "12"]
    text = writers.markdown(quality(records, made))
    rows = lines(text)
    assert rows["`c@9q` ‡"][-2:] == ["0.9900", "2"]
    assert rows["`a`"][-2] == "**0.6000**"
    assert "‡ `c@9q` was measured on 2 clips, of which 2 are among the 3 of the other rows" in text


def test_a_lone_mean_is_not_called_best(made):
    text = writers.markdown(quality([made.record("a", "1", {"stoi": 0.5})], made))
    assert lines(text)["`a`"][-2] == "0.5000"


def test_what_has_no_value_is_counted_with_its_reason(made):
    records = [
        made.record("a", "1", {"stoi": 0.5}),
        made.record("a", "2", undefined={"stoi": "silent | all zero"}),
        made.record("b", "1", undefined={"stoi": "too short"}),
        made.record("b", "2", failed={"stoi": "ValueError: x\ny"}),
    ]
    text = writers.markdown(quality(records, made))
    rows = lines(text)
    assert rows["`a`"][-2:] == ["0.5000 (n=1)", "2"]
    assert rows["`b`"][-2:] == ["–", "2"]
    assert "- `a`, STOI: 1 undefined (silent \\| all zero)." in text
    assert "- `b`, STOI: 1 undefined (too short)." in text
    assert "- `b`, STOI: 1 failed (ValueError: x y)." in text


def test_the_most_frequent_reason_and_who_shares_it(made):
    records = [
        made.record(codec, str(clip), undefined={"stoi": "silence" if clip else "too short"})
        for codec in ("a", "b")
        for clip in range(3)
    ]
    assert "- every codec, STOI: 3 undefined (2 of them: silence)." in writers.markdown(quality(records, made))
    text = writers.markdown(quality(records[1:3], made))
    assert "- `a`, STOI: 2 undefined (silence)." in text
    text = writers.markdown(quality(records[:2], made))
    assert "- `a`, STOI: 2 undefined (each for another reason, one of them: too short)." in text


def test_identities_and_versions_that_differ_are_said(made):
    records = [made.record(codec, clip, {"stoi": 0.5}) for codec in "ab" for clip in "12"]
    for record in records[2:]:
        record["identities"] = {"stoi": "ffffffff"}
    records[0]["codec_fingerprint"] = "older"
    notes = quality(records, made).sections[0].notes
    assert "`a` mixes records of 2 versions of the codec or its weights." in notes
    assert any("STOI was computed under different identities" in note and "ffffffff: `b`" in note for note in notes)


def test_measured_and_nominal_and_stated_bitrates(made):
    records = [made.record(name, "1", {"stoi": 0.5}, seconds=1.0) for name in ("t", "near", "s")]
    records[0]["bits"]["packed"] = 6120
    records[1]["bits"]["packed"] = 6010
    records[2] |= {"bits": {"stated": 3000}, "tokens": None}
    text = writers.markdown(quality(records, made))
    rows = lines(text)
    assert [rows[name][1] for name in ("`t`", "`near`", "`s`")] == ["6.12 (nominal 6.00)", "6.01", "3.00 †"]
    assert "† bitrate as stated" in text


def test_intervals_are_optional(made):
    records = [made.record("a", str(clip), {"stoi": 0.5 + 0.01 * clip}) for clip in range(20)]
    assert "±" not in writers.markdown(quality(records, made))
    assert re.search(r"0\.5950 ± 0\.02\d\d", writers.markdown(quality(records, made, intervals=True)))


def test_csv_is_complete(made):
    records = made.run(clips=6, families=("opus", "dac:24khz"))
    summary = summarise(records, facts=made.facts, resamples=2000)
    found = list(csv.DictReader(io.StringIO(tidy.text(summary))))
    keys = [(line["group"], line["codec"], line["metric"]) for line in found]
    assert len(set(keys)) == len(keys)
    assert {key for key in keys if key[1] != "Reference"} == {
        (record["domain"], record["codec"], name)
        for record in records
        for name in (*record["scores"], *record["undefined"])
    }
    line = next(
        line
        for line in found
        if (line["group"], line["codec"], line["metric"]) == ("speech", "dac:24khz@3kbps", "pesq_wb")
    )
    values = [
        record["scores"]["pesq_wb"]
        for record in records
        if record["codec"] == "dac:24khz@3kbps" and record["domain"] == "speech" and "pesq_wb" in record["scores"]
    ]
    assert float(line["mean"]) == pytest.approx(sum(values) / len(values), rel=1e-8)
    assert float(line["ci_low"]) < float(line["mean"]) < float(line["ci_high"])
    counts = [line[name] for name in ("n", "undefined", "failed", "not_measured", "clips")]
    assert counts == ["4", "1", "1", "0", "6"]
    facts = [line[name] for name in ("kbps_measured", "kbps_kind", "kbps_nominal", "tokens_per_second", "n_codebooks")]
    assert facts == ["3", "packed", "3", "300", "4"]
    assert line["comparable"] == "false"


def braces_balance(text: str) -> bool:
    depth = 0
    for character in re.sub(r"\\[\\{}]", "", text):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


def check_latex(text: str) -> list[str]:
    """Structure of a booktabs table: environments nest, braces balance, rows have the columns of the head."""
    assert braces_balance(text)
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)
    assert columns is not None
    body = text[columns.end() : text.index(r"\end{tabular}")]
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    for row in rows:
        width = len(re.split(r"(?<!\\)&", row))
        spanned = re.match(r"\\multicolumn\{(\d+)\}", row)
        assert (int(spanned.group(1)) if spanned else width) == len(columns.group(1)), row
    assert [body.count(rule) for rule in (r"\toprule", r"\bottomrule")] == [1, 1]
    assert not re.search(r"(?<!\\)[#%_]", text.replace(r"\label{tab:codeczoo}", "").replace(r"\label{tab:x_y}", ""))
    assert text.isascii()
    return rows


@pytest.mark.parametrize("intervals", [False, True])
def test_latex_is_well_formed(made, intervals):
    records = made.run(clips=4, families=("opus", "dac:24khz", "taae:speech-16k"))
    records.append(made.record(r"we_ird:50%&{#}~^\x$@1", "speech/0", {"stoi": 0.3}, kbps=0.4))
    records[-1] |= {"bits": {"stated": 1600}, "tokens": None}
    rows = check_latex(writers.latex(quality(records, made, intervals=intervals)))
    codecs = len({record["codec"] for record in records})
    assert len(rows) == 1 + 2 + 2 * codecs - 1 + 1  # head, sections, codecs of both (one only of speech), reference
    weird = next(row for row in rows if row.startswith(r"we\_ird"))
    assert weird.startswith(r"we\_ird:50\%\&\{\#\}\textasciitilde{}\textasciicircum{}\textbackslash{}x\$@1$\ddagger$ &")
    assert r"0.400$\dagger$" in weird


def test_latex_emphasis(made):
    records = [made.record("a", "1", {"stoi": 0.5}), made.record("b", "1", {"stoi": 0.7})]
    text = writers.latex(quality(records, made))
    assert r"\textbf{0.7000}" in text
    assert r"\underline{0.5000}" in text
    assert r"STOI $\uparrow$" in text


def test_harness_table(made):
    records = [made.record("a", "1", seconds=1.0), made.record("a", "2", seconds=3.0)]
    records[0] |= {"delay_ms": 0.0, "clipped": {"input": 1, "output": 5}, "length_difference": -3}
    records[1] |= {"delay_ms": 9.0, "clipped": {"input": 0, "output": 7}, "length_difference": 0}
    records[0]["timing"] = {**records[0]["timing"], "encode_s": 1.0, "decode_s": 0.0012}
    records[1]["timing"] = {**records[1]["timing"], "encode_s": 7.0, "decode_s": 0.0012}
    records.append(made.record("b", "1", timing=None, delay_ms=None, clipped=None, length_difference=None))
    made_table = harness.table(harness.by_group(records, "corpus"))
    text = writers.markdown(made_table)
    rows = lines(text)
    # 8 s of computing for 4 s of audio: not the mean of 1 and 2.33
    assert rows["`a`"] == ["`a`", "4.5 (0.0 to 9.0)", "1", "12", "-3 to 0", "2.0", "6.0e-04", "2"]
    assert rows["`b`"] == ["`b`", "–", "–", "–", "–", "–", "–", "1"]
    assert "Timed on: cpu, 1 thread, after a warm-up, 2 metric workers busy beside." in text
    check_latex(writers.latex(made_table))
    found = list(csv.DictReader(io.StringIO(harness.csv_text(harness.by_group(records, "corpus"), "corpus"))))
    assert [found[0][name] for name in ("encode_rtf", "delay_ms_max", "clipped_output_samples")] == ["2", "9", "12"]


def test_times_under_different_conditions_are_told_apart(made):
    records = [made.record("a", "1"), made.record("b", "1")]
    records[1]["timing"] = {**records[1]["timing"], "device": "cuda", "warm_up": False}
    notes = harness.table(harness.by_group(records, "corpus")).sections[0].notes
    assert notes == (
        "Timed on: cpu, 1 thread, after a warm-up, 2 metric workers busy beside: `a`.",
        "Timed on: cuda, 1 thread, without a warm-up, 2 metric workers busy beside: `b`.",
        "Times taken under different conditions are not comparable.",
    )


@pytest.mark.parametrize(
    ("kbps", "text"), [(0.675, "0.675"), (0.9, "0.900"), (6.0, "6.00"), (12.04, "12.0"), (768.0, "768")]
)
def test_bitrates_have_three_digits(kbps, text):
    assert columns.kbps_text(kbps) == text


def test_clips_of_one_content_are_said_and_are_one_draw(made):
    """Copies of a file made every interval narrower and every difference certain."""
    values = (0.5, 0.6, 0.8)
    once = [made.record("a", str(clip), {"stoi": value}, speaker=None) for clip, value in enumerate(values)]
    copies = [
        {**record, "clip": f"{record['clip']} copy {number}"}
        for record in once
        for number in range(4)
    ]  # fmt: skip
    alone, copied = (quality(found, made, intervals=True) for found in (once, [*once, *copies]))
    row, again = (found.sections[0].rows[-1] for found in (alone, copied))
    assert [cell.text for cell in row][:-1] == [cell.text for cell in again][:-1]
    assert (row[-1].text, again[-1].text) == ("3", "15")
    assert not any("different audio" in note for note in alone.sections[0].notes)
    assert any("Of the 15 clips 3 are different audio" in note for note in copied.sections[0].notes)
