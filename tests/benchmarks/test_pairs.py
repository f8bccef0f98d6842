"""Audio that other programs decoded: matched by exact names, so that no score is ever of another clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import pairs
from codeczoo.benchmarks.errors import InvalidCorpus
from codeczoo.codecs import DecodedAudioMissing
from codeczoo.codecs.decoded import DecodedAudio


def wav(path: Path, samples: int = 1600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(samples, 0.1), 16_000)
    return path


def point_of(found: pairs.Pairs, index: int = 0) -> DecodedAudio:
    loaded = found.points[index].load()
    assert isinstance(loaded, DecodedAudio)
    return loaded


def test_folders_are_matched_by_path_without_suffix(tmp_path: Path) -> None:
    for name in ("x/a.wav", "y/a.wav", "b.wav"):
        wav(tmp_path / "ref" / name)
    for name in ("y/a.flac", "b.flac", "extra.flac"):
        wav(tmp_path / "est" / name)
    found = pairs.from_folders(tmp_path / "ref", tmp_path / "est", kbps=1.5, domain="music")
    assert (found.unused, found.missing) == (("extra",), 1)
    assert [(clip.name, clip.domain) for clip in found.corpus] == [
        ("b.wav", "music"),
        ("x/a.wav", "music"),
        ("y/a.wav", "music"),
    ]
    (point,) = found.points
    assert point.name == "est@1.5kbps"
    loaded = point_of(found)
    assert loaded.bind("y/a.wav").spec.sample_rate == 16_000
    with pytest.raises(DecodedAudioMissing, match=r"no file for the clip x/a\.wav"):
        loaded.bind("x/a.wav")  # y/a.flac has its bare name, and is of another clip


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("a.wav,e.wav,,3", "row 3 has no codec; every pair needs reference, estimate, codec"),
        (",,mine,3", "row 3 has no reference and no estimate"),
        ("a.wav,e.wav,mine,fast", "row 3: kbps is 'fast'; it takes a positive number or nothing"),
        ("a.wav,e.wav,mine,nan", "row 3: kbps is 'nan'"),
        ("a.wav,e.wav,mine,-1", "row 3: kbps is '-1'"),
        ("a.wav,f.wav,mine,3", "row 3: mine has a.wav twice at one bitrate"),
        ("a.flac,e.wav,mine,3", "row 3: a.flac and a.wav are two references of one name"),
        ("b.wav,e.wav,:x,3", "':x' cannot name a codec in tables"),
    ],
)
def test_what_a_table_may_not_say(tmp_path: Path, row: str, sentence: str) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(f"reference,estimate,codec,kbps\na.wav,e.wav,mine,3\n{row}\n")
    with pytest.raises(InvalidCorpus, match=sentence):
        pairs.from_table(table)


def test_a_table_without_rows_or_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("reference,estimate,codec,kbps\n")
    with pytest.raises(InvalidCorpus, match=r"empty\.csv has no rows"):
        pairs.from_table(tmp_path / "empty.csv")
    (tmp_path / "pairs.xlsx").touch()
    with pytest.raises(InvalidCorpus, match=r"is not a table of pairs: they end in \.csv, \.tsv, \.jsonl"):
        pairs.from_table(tmp_path / "pairs.xlsx")


def test_codecs_of_a_table_cover_their_own_references(tmp_path: Path) -> None:
    table = tmp_path / "pairs.jsonl"
    table.write_text(
        '{"reference": "r/a.wav", "estimate": "e/a.wav", "codec": "one", "kbps": 3, "domain": "speech"}\n'
        '{"reference": "r/b.wav", "estimate": "e/b.wav", "codec": "one", "kbps": 3}\n'
        '{"reference": "r/a.wav", "estimate": "f/a.wav", "codec": "one", "kbps": 6}\n'
        '{"reference": "r/a.wav", "estimate": "g/a.wav", "codec": "two@9q"}\n'
    )
    found = pairs.from_table(table)
    assert [point.name for point in found.points] == ["one@3kbps", "one@6kbps", "two@9q"]
    assert [[point.covers(clip.name) for clip in found.corpus] for point in found.points] == [
        [True, True],
        [True, False],
        [True, False],
    ]
    assert [clip.domain for clip in found.corpus] == ["speech", None]
    assert found.points[1].covers("r/a.wav#0-30")
    wav(tmp_path / "f" / "a.wav")
    assert point_of(found, 1).bind("r/a.wav").spec.requested_kbps == 6
    with pytest.raises(DecodedAudioMissing):
        point_of(found, 2).bind("r/a.wav")
