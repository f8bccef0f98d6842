"""The file itself: what is in it, what is refused, and that nothing of a record can become markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from codeczoo import codecs
from codeczoo.benchmarks import records as run_records
from codeczoo.benchmarks.audio import content_sha256
from codeczoo.benchmarks.errors import BenchmarkError, InvalidRun
from codeczoo.benchmarks.page import html, writing
from codeczoo.benchmarks.page.sources import RunAudio, RunSource, owners_of
from codeczoo.benchmarks.report import numbers_of
from codeczoo.benchmarks.report.summary import summarise

HERE = Path(html.__file__).parent


def silent(records: list, spool: Path) -> RunAudio:
    return RunAudio(owners_of([(RunSource(spool, (), lambda name: 1 / 0, "the audio is elsewhere"), records)]), spool)


def data_of(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


class Elements(HTMLParser):
    """Tags of a document, the attributes of each, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.texts: list[tuple[str, str]] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.texts.append((self._inside, data))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def test_the_numbers_are_those_of_the_report(made: SimpleNamespace, tmp_path: Path) -> None:
    records = made.run(clips=6, families=("opus", "mimi:24khz"))
    wanted = writing.Wanted("t", clips=2)
    written = writing.write(
        numbers_of(records, facts=made.facts, resamples=100), tmp_path, silent(records, tmp_path), wanted
    )
    data = data_of(written.path.read_text(encoding="utf-8"))
    summary = summarise(records, facts=made.facts, resamples=100)
    assert [group["name"] for group in data["groups"]] == [group.name for group in summary.groups]
    for shown, group in zip(data["groups"], summary.groups, strict=True):
        rows = [row for row in shown["rows"] if not row["reference"]]
        assert [row["codec"] for row in rows] == [row.codec for row in group.rows]
        for theirs, row in zip(rows, group.rows, strict=True):
            for name, cell in row.cells.items():
                assert theirs["cells"][name]["mean"] == pytest.approx(cell.mean, rel=1e-5)
                assert theirs["cells"][name]["low"] == pytest.approx(cell.interval[0], rel=1e-5)
                assert theirs["cells"][name]["n"] == cell.n
    speech = next(group for group in data["groups"] if group["name"] == "speech")
    lost = speech["rows"][1]["cells"]["pesq_wb"]
    assert lost["lost"] == ["1 undefined: the reference holds no utterance"]
    assert not lost["complete"]


def test_without_audio_the_page_says_why(made: SimpleNamespace, tmp_path: Path) -> None:
    records = made.run(clips=6, families=("opus",))
    written = writing.write(
        numbers_of(records, facts=made.facts, resamples=50),
        tmp_path,
        silent(records, tmp_path),
        writing.Wanted("t", clips=3),
    )
    assert written.heard == 0
    assert written.not_heard == ("the audio is elsewhere",)
    data = data_of(written.path.read_text(encoding="utf-8"))
    assert [clip["missing"] for clip in data["clips"]] == ["the audio is elsewhere"] * 3
    assert all(clip["reasons"] for clip in data["clips"])


def test_a_page_beyond_its_limit_is_not_written(made: SimpleNamespace, tmp_path: Path) -> None:
    records = made.run(clips=3, families=("opus",))
    wanted = writing.Wanted("t", clips=0, limit_mb=0.01)
    with pytest.raises(BenchmarkError, match=r"would have 0\.\d MB, .* at most 0\.01 MB are allowed.*--page-mb"):
        writing.write(numbers_of(records, facts=made.facts, resamples=50), tmp_path, silent(records, tmp_path), wanted)
    assert not (tmp_path / "page.html").exists()


def test_a_page_far_beyond_its_limit_is_not_even_begun(made: SimpleNamespace, tmp_path: Path) -> None:
    """4 s at 24 kHz are likely to take 4 x 24000 bytes, and 4/3 of that as base64."""
    records = made.run(clips=3)
    points = len({record["codec"] for record in records})
    wanted = writing.Wanted("t", patterns=("*",), limit_mb=9.0)
    numbers = numbers_of(records, facts=made.facts, resamples=50)
    about = round(6 * points * 4 * 24_000 * 4 / 3 / 1e6)
    with pytest.raises(BenchmarkError, match=f"would have about {about} MB of audio of 6 clips, and at most 9 MB"):
        writing.write(numbers, tmp_path, silent(records, tmp_path), wanted)


def test_the_same_records_give_the_same_page(page_file: Path, run_folder: Path, corpus, tmp_path: Path) -> None:
    known = run_records.load(run_folder)
    source = RunSource(run_folder, (corpus,), codecs.load)
    audio = RunAudio(owners_of([(source, known)]), tmp_path)
    again = writing.write(
        numbers_of(known, resamples=200), tmp_path, audio, writing.Wanted("a small run", clips=2)
    ).path
    assert again.read_bytes() == page_file.read_bytes()


def test_a_codec_called_reference_is_not_mixed_up_with_it(corpus, tmp_path: Path, made: SimpleNamespace) -> None:
    clip = next(iter(corpus))
    sha256 = content_sha256(clip)
    record = made.record("Reference", clip.name, {"stoi": 0.5}, clip_sha256=sha256)
    source = RunSource(tmp_path, (corpus,), codecs.load)
    audio = RunAudio(owners_of([(source, [record])]), tmp_path)
    wanted = writing.Wanted("t", clips=1)
    written = writing.write(numbers_of([record], facts=made.facts, resamples=50), tmp_path, audio, wanted)
    assert written.heard == 1
    assert written.not_heard == ("its name is that of the reference; score it under another one",)


def test_pieces_of_passages_are_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    piece = {"passage": "p", "length_s": 3.0, "offset_s": 0.0, "parts": []}
    records = [made.record("a", "0.wav", {"stoi": 0.5}, piece=piece)]
    with pytest.raises(InvalidRun, match="pieces of passages"):
        writing.write(numbers_of(records, facts=made.facts), tmp_path, silent(records, tmp_path), writing.Wanted("t"))


def test_what_was_heard_is_counted(page_file: Path) -> None:
    data = data_of(page_file.read_text(encoding="utf-8"))
    assert len(data["clips"]) == 2
    for clip in data["clips"]:
        assert [version["name"] for version in clip["versions"]] == ["Reference", *data_codecs(data)]
        gains = [version["gainDb"] for version in clip["versions"]]
        assert all(abs(gain - gains[0]) < 12 for gain in gains)
    assert sum("file" in version for clip in data["clips"] for version in clip["versions"]) == 8


def data_codecs(data: dict) -> list[str]:
    return [row["codec"] for row in data["groups"][0]["rows"] if not row["reference"]]


HOSTILE = (
    '</script><script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "<!--<script>", "@@script@@", "]]>&lt;&amp;", "\u2028\u2029\u202e\x00\x1b", "'+alert(1)+'", "\udcff", "__proto__",
)  # fmt: skip


def test_no_text_of_a_record_ends_the_data(made: SimpleNamespace, tmp_path: Path) -> None:
    records = [
        {
            **made.record("x", "x", {"stoi": 0.5}, undefined={"pesq_wb": text}),
            "codec": f"{text}@6kbps",
            "clip": f"{text}.wav",
            "corpus": text,
            "domain": text,
        }
        for text in HOSTILE
    ]
    written = writing.write(
        numbers_of(records, facts=made.facts, resamples=50),
        tmp_path,
        silent(records, tmp_path),
        writing.Wanted(HOSTILE[0]),
    )
    text = written.path.read_text(encoding="utf-8")
    data = data_of(text)
    assert {row["codec"] for group in data["groups"] for row in group["rows"]} == {f"{name}@6kbps" for name in HOSTILE}
    assert data["title"] == HOSTILE[0]
    block = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1]
    assert not re.search(r"[<>&\x00-\x1f\x7f-\U0010ffff]", block)
    elements = Elements(text)
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert "img" not in {tag for tag, _ in elements.found}


def test_the_policy_allows_this_script_and_style_and_no_request(page_file: Path) -> None:
    elements = Elements(page_file.read_text(encoding="utf-8"))
    policies = [found["content"] for tag, found in elements.found if "http-equiv" in found]
    rules = dict(rule.split(" ", 1) for rule in policies[0].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert not {"connect-src", "media-src", "font-src", "frame-src"} & set(rules)
    style, script = (next(text for tag, text in elements.texts if tag == kind) for kind in ("style", "script"))
    script = next(text for tag, text in elements.texts if tag == "script" and text.startswith('"use strict"'))
    for rule, text in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_nothing_in_the_page_names_another_place(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    for _, found in Elements(text).found:
        for name in ("src", "href"):
            assert found.get(name, "#").startswith(("#", "data:"))


@pytest.mark.parametrize("name", [*html.SCRIPTS, "page.css", "page.html"])
def test_parts_are_small_and_never_make_markup_of_data(name: str) -> None:
    text = (HERE / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\(|XMLHttp", text
    )
    assert "</script" not in text or name == "page.html"
