"""The command line as its user meets it: one sentence and an exit status for everything that goes wrong, and nothing
changed where the request itself is wrong."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo import codecs, metrics
from codeczoo.benchmarks import corpora, records, suites
from codeczoo.benchmarks.cli import main

Run = Callable[..., tuple[int, str, str]]
"""Arguments to (exit status, standard output, standard error)."""

VERBS = (
    *("list", "info", "bench", "score", "report", "compare", "check", "tokens", "probe", "encode", "decode", "fetch"),
    *("convert", "train", "listen"),
)


@pytest.fixture
def codeczoo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process, in an empty folder, on a machine without weights or network."""
    home = tmp_path / "home"
    work = tmp_path / "work"
    for folder in (home, work):
        folder.mkdir()
    for name in ("CODECZOO_WEIGHTS", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.chdir(work)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def tree(folder: Path) -> dict[str, str]:
    """Every file and folder below a folder, files with the hash of their content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def tone(path: Path, seconds: float = 1.0, rate: int = 16_000, channels: int = 1, subtype: str = "PCM_16") -> Path:
    """A file of speech-like level that every metric but the speech models accepts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = max(1, round(seconds * rate))
    rng = np.random.default_rng(samples)
    wave = 0.3 * np.sin(2 * np.pi * 220 * np.arange(samples) / rate) + 0.05 * rng.standard_normal(samples)
    soundfile.write(path, np.repeat(wave[:, None], channels, 1), rate, subtype)
    return path


# --- help and lists -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_teaches(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert f"codeczoo {verb} " in text.partition("examples:")[2]
    assert "None" not in text


def test_without_a_verb_the_help_is_shown_and_the_status_is_2(codeczoo: Run) -> None:
    status, out, _ = codeczoo()
    assert status == 2
    assert all(f"\n    {verb} " in out for verb in VERBS)


def test_codecs_are_listed_a_family_a_line_and_in_full_for_programs(codeczoo: Run) -> None:
    status, out, _ = codeczoo("list")
    lines = out.partition("\n\n")[0].splitlines()[1:]
    assert status == 0
    assert tuple(line.split()[0] for line in lines) == codecs.families()
    assert max(map(len, lines)) <= 140
    mimi = next(line for line in lines if line.startswith("mimi:24khz"))
    assert "0.138 to 4.4" in mimi
    assert "1q 2q ... 32q (32)" in mimi
    assert mimi.endswith("needs weights")
    rates = codeczoo("list", "--rates")[1].splitlines()[1:]
    assert tuple(line.split()[0] for line in rates) == codecs.names()
    found = json.loads(codeczoo("list", "codecs", "--json")[1])
    assert tuple(row["codec"] for row in found) == codecs.names()
    (row,) = [row for row in found if row["codec"] == "mimi:24khz@8q"]
    assert row["codebook_sizes"] == [2048] * 8
    assert row["kbps"] == pytest.approx(1.1)
    assert row["tokens_per_second"] == 100
    assert (row["runs_here"], row["missing"]) == (False, "weights: codeczoo fetch mimi:24khz")


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("metrics", metrics.names()),
        ("suites", suites.names()),
        ("corpora", tuple(corpora.descriptions())),
    ],
)
def test_the_other_lists_are_complete(codeczoo: Run, what: str, names: tuple[str, ...]) -> None:
    rows = json.loads(codeczoo("list", what, "--json")[1])
    assert tuple(row[what.removesuffix("s").replace("corpora", "corpus")] for row in rows) == names
    text = codeczoo("list", what)[1]
    assert max(map(len, text.splitlines())) <= 120
    assert [line.split()[0] for line in text.splitlines()[1:] if not line.startswith(" ")] == list(names)


@pytest.mark.parametrize("name", [*codecs.families(), *metrics.names(), *suites.names(), "mimi:24khz@8q", "opus@6kbps"])
def test_everything_has_facts_in_words_and_json(codeczoo: Run, name: str) -> None:
    status, out, _ = codeczoo("info", name)
    assert status == 0
    assert out.splitlines()[0].split()[1] == name
    assert name in json.loads(codeczoo("info", name, "--json")[1]).values()


def test_facts_of_a_family_are_those_of_all_its_rates(codeczoo: Run) -> None:
    facts = json.loads(codeczoo("info", "codec2", "--json")[1])
    assert "notes" not in facts, "the notes of codec2 differ from rate to rate"
    assert (facts["kbps"], facts["sample_rate"]) == ("0.7 to 3.2", 8000)
    assert [point["codec"] for point in facts["operating_points"]] == list(codecs.expand("codec2@*"))
    facts = json.loads(codeczoo("info", "dac:44khz@9q", "--json")[1])
    assert facts["kbps"] == pytest.approx(9 * 10 * 44100 / 512 / 1000)
    assert facts["weights_licence"] == "MIT"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pesq", "There is no metric named 'pesq'. Nearest: pesq_wb, pesq_nb"),
        ("demmo", "There is no suite named 'demmo'. Nearest: demo."),
        ("opsu", "There is no codec named 'opsu'. Nearest: opus."),
        ("mini", "There is no codec named 'mini'. Nearest: mimi:24khz."),
        ("opus@13kbps", "opus has no rate '13kbps'; it has: opus@6kbps, opus@8kbps"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(codeczoo: Run, name: str, sentence: str) -> None:
    status, out, err = codeczoo("info", name)
    assert (status, out) == (2, "")
    assert err.startswith(f"codeczoo: {sentence}")
    assert err.count("\n") == 1


# --- wrong requests: one sentence, status 2, nothing changed --------------------------------------------------------

BENCH = "bench --codecs opus@12kbps --metrics stoi --out run --corpus clips"
PROBE = "probe --codecs pcm:16 --out run --corpus clips"
SCORE = "score --metrics stoi --out run"

WRONG = [
    (f"{BENCH}/absent", "clips/absent does not exist; a corpus is a folder, a glob, a manifest or one of demo"),
    (f"{BENCH} --corpus empty", "empty holds no audio: no file in it ends in .wav"),
    (f"{BENCH} --corpus notes.txt", "notes.txt is neither audio (.wav"),
    (f"{BENCH} --corpus demmo", "There is no corpus, file or folder named 'demmo'. Nearest: demo."),
    (f"{BENCH} --corpus librispeech", "librispeech needs the folder where the data set is: librispeech:/path/to/"),
    (f"{BENCH} --corpus clips/*.flac", "No audio file (.wav"),
    (f"{BENCH} --codecs opsu@12kbps", "There is no codec named 'opsu'. Nearest: opus"),
    (f"{BENCH} --codecs opus@13kbps", "opus has no rate '13kbps'; it has: opus@6kbps"),
    (f"{BENCH} --codecs opus", "opus has several rates and no silent default; name one of: opus@6kbps"),
    (f"{BENCH} --codecs zzz*", "No codec matches 'zzz*'."),
    (f"{BENCH} --codecs mimi:24khz@8q", "The weights kyutai--mimi ("),
    (f"{BENCH} --codecs decoded:absent@1kbps", "There is no folder absent of decoded audio."),
    (f"{BENCH} --metrics pesq", "There is no metric named 'pesq'. Nearest: pesq_wb, pesq_nb"),
    (f"{BENCH} --metrics stoi utmos", "utmos needs utmos_state_dict.pt (about 400 MB), which is not on this machine."),
    (f"{BENCH} --suite demmo", "There is no suite named 'demmo'. Nearest: demo."),
    (f"{BENCH} --suite absent.toml", "The suite absent.toml does not exist."),
    (f"{BENCH} --suite wrong.toml", "wrong.toml has an unknown key `codec`; is `codecs` meant?"),
    (f"{BENCH} --limit 0", "A corpus is limited to at least one clip; got 0."),
    (f"{BENCH} --segment-s -1", "Clips are cut into stretches of a positive number of seconds; got -1.0."),
    (
        f"{BENCH} --suite length",
        "clips has too little audio for one passage of 60 s: clips are joined within one folder",
    ),
    (f"{BENCH} --lengths-s 3 3", "Lengths of pieces are 3, 3: 3 s follows 3 s; lengths rise, and each is named once."),
    (f"{BENCH} --lengths-s 1 --segment-s 1", "Clips are cut by --segment-s or joined and cut by --lengths-s; give one"),
    (f"{BENCH} --lengths-s 1 --limit 0", "A corpus is limited to at least one passage; got 0."),
    (f"{BENCH} --where domain", "'domain' is not a condition; they read FIELD=PATTERN, as in domain=speech."),
    (f"{BENCH} --where domain=music", "No clip of clips has domain=music: domain is nowhere given."),
    (f"{BENCH} --workers -1", "--workers is 0 or more; got -1."),
    (f"{BENCH} --threads 0", "--threads is 1 or more; got 0."),
    (f"{BENCH} --device abacus", "Codecs cannot run on the device 'abacus' here: "),
    ("bench --suite speech --out run", "No corpus is named (the suite speech leaves its corpus to you); name one with"),
    ("bench --corpus clips --codecs pcm:16 --out run", "There is nothing to measure; name metrics with --metrics"),
    ("bench --corpus clips --metrics stoi --out run", "There is no codec to measure; name some with --codecs"),
    (f"{BENCH} --out notes.txt", "notes.txt is a file; --out takes a folder, new or made by an earlier run."),
    (f"{BENCH} --out clips", "clips is not empty and not a run folder (no run.json); name another one."),
    (f"{BENCH} --out old", "old is a run of schema 0; this version continues schema 1 only."),
    (f"{BENCH} --out oldlines", "oldlines/records.jsonl:1 has schema 0; this version reads schema 1."),
    (f"{BENCH} --out torn", "torn/run.json is not JSON; the run folder is damaged. Name another one."),
    (f"{SCORE} --reference absent --estimate clips", "absent does not exist"),
    (f"{SCORE} --reference clips --estimate empty", "empty holds no audio"),
    (f"{SCORE} --reference clips --estimate other", "No file of other has the relative path of one of clips, suffixes"),
    (f"{SCORE} --reference clips --estimate twice", "twice holds two files of one name, a.flac and a.wav; keep one"),
    (f"{SCORE} --reference twice --estimate clips", "twice holds two files of one name, a.flac and a.wav; keep one"),
    (f"{SCORE} --reference clips", "Name what to score: --reference DIR with --estimate DIR, or --pairs TABLE."),
    (f"{SCORE} --reference clips --estimate clips --kbps 0", "--kbps is a positive number of kbit/s; got 0.0."),
    (f"{SCORE} --reference clips --estimate clips --name :", "':' cannot name a codec in tables"),
    (f"{SCORE} --pairs absent.csv", "The table of pairs absent.csv does not exist."),
    (f"{SCORE} --pairs pairs.csv --kbps 3", "--kbps does not go with --pairs: the table says it for every pair."),
    (f"{SCORE} --pairs pairs.csv", "pairs.csv, row 2 has no codec; every pair needs reference, estimate, codec."),
    (f"{SCORE} --reference clips --estimate clips --metrics pesq", "There is no metric named 'pesq'."),
    ("report empty", "empty holds no records (records.jsonl). A run folder is made by `codeczoo bench`."),
    ("report absent", "absent holds no records (records.jsonl). A run folder is made by `codeczoo bench`."),
    ("report oldlines", "oldlines/records.jsonl:1 has schema 0; this version reads schema 1."),
    (PROBE.replace(" --corpus clips", ""), "There is nothing to probe; name labelled clips with --corpus"),
    (f"{PROBE}/absent", "clips/absent does not exist"),
    (PROBE, "No clip of clips has a label; a manifest has a column `label`, a folder has a folder a label."),
    (f"{PROBE} --corpus ravdess", "ravdess needs the folder where it is unpacked: ravdess:/path/to/it."),
    (f"{PROBE} --corpus ravdes:clips", "There is no data set 'ravdes' to probe; did you mean ravdess?"),
    (f"{PROBE} --corpus ravdess:absent", "absent does not exist"),
    (f"{PROBE} --corpus esc-50:clips", "clips holds none of meta/esc50.csv, nor does a folder in it"),
    (f"{PROBE} --corpus esc-50:clips --limit 3", "--limit does not go with an official data set, which is whole."),
    (f"{PROBE} --codecs opsu", "There is no codec named 'opsu'."),
    (f"{PROBE} --codecs mimi:24khz@8q", "The weights kyutai--mimi ("),
    (f"{PROBE} --seeds 0", "--seeds is 1 or more; got 0."),
    (f"{PROBE} --workers 0", "--workers is 1 or more; got 0."),
    (f"{PROBE} --threads 0", "--threads is 1 or more; got 0."),
    (f"{PROBE} --device abacus", "Codecs cannot run on the device 'abacus' here: "),
    (f"{PROBE} --out clips", "clips is not empty and not a run folder (no run.json); name another one."),
    (f"{PROBE} --out notes.txt", "notes.txt is a file; --out takes a folder, new or made by an earlier run."),
    ("probe --report --out empty", "empty holds no probes (probes.jsonl); codeczoo probe makes some."),
    ("fetch opsu", "There is no codec named 'opsu'. Nearest: opus."),
    ("encode --codec opsu@1kbps --corpus clips --out tokens", "There is no codec named 'opsu'."),
    ("encode --codec mimi:24khz@8q --corpus clips --out tokens", "The weights kyutai--mimi ("),
    ("encode --codec opus@12kbps --corpus empty --out tokens", "empty holds no audio"),
    ("encode --codec opus@12kbps --corpus clips --out notes.txt", "notes.txt is a file; --out takes a folder."),
    ("encode --codec opus@12kbps --corpus clips --out t --workers 0", "--workers is 1 or more; got 0."),
    ("decode absent --out wav", "absent does not exist; name token files (*.safetensors) or folders of them."),
    ("decode clips --out wav", "clips holds no token files (*.safetensors)."),
]


@pytest.mark.parametrize(("command", "sentence"), WRONG, ids=[command for command, _ in WRONG])
def test_a_wrong_request_gets_one_sentence_and_changes_nothing(
    codeczoo: Run, tmp_path: Path, command: str, sentence: str
) -> None:
    work = tmp_path / "work"
    tone(work / "clips" / "a.wav")
    for path in ("other/b.wav", "twice/a.wav", "twice/a.flac"):
        tone(work / path)
    for folder in ("empty", "old", "oldlines", "torn"):
        (work / folder).mkdir()
    (work / "notes.txt").write_text("not audio")
    (work / "wrong.toml").write_text('name = "wrong"\ndescription = "x"\ncodec = ["pcm:16"]\nmetrics = ["stoi"]\n')
    (work / "pairs.csv").write_text("reference,estimate,codec\nclips/a.wav,clips/a.wav,\n")
    (work / "old" / "run.json").write_text('{"schema": 0}')
    (work / "torn" / "run.json").write_text('{"schema": 1')
    (work / "oldlines" / "run.json").write_text('{"schema": 1, "invocations": []}')
    (work / "oldlines" / "records.jsonl").write_text('{"schema": 0}\n')
    before = tree(tmp_path)
    status, out, err = codeczoo(*command.split())
    assert status == 2, err
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"codeczoo: {sentence}")
    assert tree(tmp_path) == before


def test_a_run_folder_in_use_is_left_alone(codeczoo: Run, tmp_path: Path) -> None:
    tone(tmp_path / "work" / "clips" / "a.wav")
    command = [*BENCH.split(), "--codecs", "pcm:16", "--metrics", "si_sdr", "--workers", "0", "--no-report"]
    assert codeczoo(*command)[0] == 0
    with (tmp_path / "work" / "run" / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = tree(tmp_path)
        status, _, err = codeczoo(*command)
        assert (status, err) == (
            2,
            "codeczoo: run is in use by another process; wait for it or name another folder.\n",
        )
        assert tree(tmp_path) == before
    assert codeczoo(*command)[0] == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_sentence(codeczoo: Run, tmp_path: Path) -> None:
    tone(tmp_path / "work" / "clips" / "a.wav")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    status, _, err = codeczoo(*BENCH.split(), "--out", closed / "run")
    assert status == 1
    assert err.endswith("Permission denied.\n")


# --- clips that cannot be used: recorded, the run goes on -----------------------------------------------------------


def test_every_kind_of_file_is_measured_or_its_reason_recorded(codeczoo: Run, tmp_path: Path) -> None:
    clips = tmp_path / "work" / "clips"
    measured = {
        "stereo.wav": {"channels": 2},
        "eight_channels.wav": {"channels": 8, "rate": 48_000},
        "8khz.wav": {"rate": 8_000},
        "192khz.flac": {"rate": 192_000, "subtype": "PCM_24"},
        "24bit.wav": {"rate": 44_100, "subtype": "PCM_24"},
        "float.wav": {"subtype": "FLOAT"},
        "double.wav": {"subtype": "DOUBLE"},
    }
    for name, how in measured.items():
        tone(clips / name, **how)  # pyright: ignore[reportArgumentType]
    tone(clips / "one_sample.wav", seconds=0)
    soundfile.write(clips / "silence.wav", np.zeros(16_000), 16_000)
    for name, bad in (("nan.wav", np.nan), ("inf.wav", np.inf)):
        soundfile.write(clips / name, np.array([0.1, bad, 0.1] * 4000, np.float32), 16_000, "FLOAT")
    soundfile.write(clips / "zero_samples.wav", np.zeros(0), 16_000)
    (clips / "not_audio.wav").write_text("this is not a sound")
    (clips / "empty.wav").write_bytes(b"")
    broken = {
        "nan.wav": "nan.wav has NaN or infinite samples, the first at 0.000 s.",
        "inf.wav": "inf.wav has NaN or infinite samples, the first at 0.000 s.",
        "zero_samples.wav": "zero_samples.wav holds no samples.",
        "not_audio.wav": "not_audio.wav cannot be read as audio",
        "empty.wav": "empty.wav is an empty file.",
    }
    command = "bench --codecs opus@12kbps --metrics si_sdr stft_distance --workers 0 --corpus clips --out run"
    status, out, err = codeczoo(*command.split())
    assert status == 1
    found = {record["clip"]: record for record in records.load(tmp_path / "work" / "run")}
    assert len(found) == len(measured) + len(broken) + 2
    for name, reason in broken.items():
        assert found[name]["scores"] == found[name]["undefined"] == {}
        assert list(found[name]["failed"]) == ["read"]
        assert reason in found[name]["failed"]["read"]
    for name in measured:
        assert set(found[name]["scores"]) == {"si_sdr", "stft_distance"}, name
        assert found[name]["failed"] == {}
    assert "si_sdr" in found["silence.wav"]["undefined"]
    assert set(found["one_sample.wav"]["undefined"]) == {"si_sdr", "stft_distance"}
    assert "failed: read 5" in err
    assert "undefined: si_sdr 2, stft_distance 1" in err
    assert "12 (codec, clip) pairs" in err or "14 (codec, clip) pairs" in err
    assert "5 failed" in out
    assert codeczoo(*command.split(), "--no-report")[0] == 1, "what failed before still counts"


# --- suites ---------------------------------------------------------------------------------------------------------

SUITE = """\
name = "mine"
description = "All that a suite may say."
codecs = ["pcm:16"]
metrics = ["si_sdr"]
[corpus]
source = "demo"
where = { label = ["en", "fr"] }
limit = 4
seed = 5
segment_s = 1.5
[report]
group_by = "dataset"
intervals = true
"""


def test_all_that_a_suite_says_is_done_and_options_win(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    (tmp_path / "work" / "mine.toml").write_text(SUITE)
    command = ["bench", "--suite", "mine.toml", "--workers", "0", "--no-tokens", "--out"]
    status, out, _ = codeczoo(*command, "run")
    assert status == 0
    assert "### pytest-audioeval" in out
    assert "confidence" in out
    expected = corpora.resolve("demo", where={"label": ("en", "fr")}, limit=4, seed=5, segment_s=1.5)
    assert [record["clip"] for record in records.load(tmp_path / "work" / "run")] == [clip.name for clip in expected]
    assert len(expected) > 4
    options = "--codecs pcm:12 --metrics si_sdr_aligned --limit 2 --seed 6 --segment-s 99 --group-by corpus"
    status, out, _ = codeczoo(*command, "other", *options.split(), "--where", "label=pl")
    assert status == 0
    assert "### demo" in out
    found = records.load(tmp_path / "work" / "other")
    chosen = corpora.resolve("demo", where={"label": ("pl",)}, limit=2, seed=6)
    assert [record["clip"] for record in found] == [clip.name for clip in chosen]
    assert {record["codec"] for record in found} == {"pcm:12"}
    assert set(found[0]["scores"]) == {"si_sdr_aligned"}


def test_a_suite_with_lengths_makes_a_report_by_length(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    text = SUITE.replace("segment_s = 1.5", "lengths_s = [1, 3]").replace("limit = 4", "limit = 1")
    (tmp_path / "work" / "mine.toml").write_text(text)
    command = ["bench", "--suite", "mine.toml", "--codecs", "pcm:16", "--metrics", "si_sdr", "--workers", "0"]
    status, out, err = codeczoo(*command, "--out", "run")
    assert status == 0, err
    assert [line.split("|")[2].strip() for line in out.splitlines() if line.startswith("| `pcm:16`")] == [
        "1", "3", "change",
    ]  # fmt: skip
    assert {record["piece"]["length_s"] for record in records.load(tmp_path / "work" / "run")} == {1.0, 3.0}
    written = (tmp_path / "work" / "run" / "report").rglob("*")
    assert {path.name for path in written if path.is_file()} == {
        *(f"length.{form}" for form in ("md", "tex", "csv")),
        *(f"pytest-audioeval.{form}" for form in ("png", "pdf", "svg")),
    }
    status, out, _ = codeczoo(*command, "--lengths-s", "2", "--no-report", "--out", "other")
    assert [record["seconds"] for record in records.load(tmp_path / "work" / "other")] == [2.0]
    status, out, _ = codeczoo(*command, "--segment-s", "9", "--no-report", "--out", "cut")
    assert all("piece" not in record for record in records.load(tmp_path / "work" / "cut"))


def test_another_corpus_is_not_cut_by_the_suites_choice_of_clips(codeczoo: Run, tmp_path: Path) -> None:
    (tmp_path / "work" / "mine.toml").write_text(SUITE)
    tone(tmp_path / "work" / "clips" / "a.wav")
    assert (
        codeczoo(
            *["bench", "--suite", "mine.toml", "--corpus", "clips", "--workers", "0", "--no-report", "--out", "run"]
        )[0]
        == 0
    )
    assert [record["clip"] for record in records.load(tmp_path / "work" / "run")] == ["a.wav"]


def test_what_a_suite_names_and_cannot_run_here_is_left_out_and_noted(codeczoo: Run, tmp_path: Path) -> None:
    text = SUITE.replace('"pcm:16"', '"pcm:16", "mimi:24khz@*", "dac:44khz@9q"').replace(
        '"si_sdr"', '"si_sdr", "utmos"'
    )
    (tmp_path / "work" / "mine.toml").write_text(text)
    tone(tmp_path / "work" / "clips" / "a.wav")
    command = "bench --suite mine.toml --corpus clips --workers 0 --threads 1 --no-report --out run"
    status, _, err = codeczoo(*command.split())
    assert status == 0
    assert [line for line in err.splitlines() if line.startswith("left out")] == [
        "left out: mimi:24khz (32 rates): weights: codeczoo fetch mimi:24khz",
        "left out: dac:44khz (1 rate): weights: codeczoo fetch dac:44khz",
        "left out: utmos: weights: codeczoo fetch utmos",
    ]
    (invocation,) = json.loads((tmp_path / "work" / "run" / "run.json").read_text())["invocations"]
    assert invocation["codecs"] == ["pcm:16"]
    assert len(invocation["skipped_codecs"]) == 33
    assert invocation["threads"] == 1
    assert invocation["command"].startswith("codeczoo bench --suite mine.toml")


def test_threads_are_applied_and_recorded(codeczoo: Run, tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    tone(tmp_path / "work" / "clips" / "a.wav")
    try:
        command = "bench --codecs pcm:16 --metrics si_sdr --corpus clips --workers 0 --no-report --threads 3 --out run"
        assert codeczoo(*command.split())[0] == 0
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    (record,) = records.load(tmp_path / "work" / "run")
    assert record["timing"]["threads"] == 3


# --- encode, decode, score: the round trip through files ------------------------------------------------------------


def test_files_to_tokens_to_files_to_scores(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    work = tmp_path / "work"
    status, _, err = codeczoo(
        *["encode", "--codec", "opus@12kbps", "--corpus", "demo", "--limit", "3", "--workers", "1", "--out", "tokens"]
    )
    assert (status, err) == (0, "3 written, 0 already there, 0 failed\n")
    status, _, err = codeczoo(*["decode", "tokens", "--workers", "1", "--out", "wav"])
    assert (status, err) == (0, "3 written, 0 already there, 0 failed\n")
    names = sorted(str(path.relative_to(work / "wav")) for path in (work / "wav").rglob("*.wav"))
    assert names == sorted(clip.name for clip in corpora.resolve("demo", limit=3))
    score = ["score", "--reference", demo_audio, "--estimate", "wav", "--name", "mine", "--metrics", "si_sdr"]
    tone(work / "wav" / "of_no_reference.wav")
    status, out, err = codeczoo(*score, "--workers", "0", "--out", "scored")
    assert status == 1
    assert "1 estimates belong to no reference and are not used.\n" in err
    assert "24 references have no estimate; they are recorded as failed.\n" in err
    assert "kbps" not in out, "nobody stated a bitrate"
    scored = {record["clip"]: record for record in records.load(work / "scored") if record["scores"]}
    command = "bench --codecs opus@12kbps --corpus demo --limit 3 --metrics si_sdr --workers 0 --no-report --out coded"
    assert codeczoo(*command.split())[0] == 0
    for record in records.load(work / "coded"):
        assert scored[record["clip"]]["scores"] == record["scores"], "the same audio, whichever way it went"
        assert scored[record["clip"]]["bits"] == {}


def test_pairs_of_a_table(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    clip = next(demo_audio.rglob("*.wav"))
    audio, rate = soundfile.read(clip)
    work = tmp_path / "work"
    soundfile.write(work / "ref.wav", audio, rate, "FLOAT")
    for number, level in enumerate((0.001, 0.1)):
        noise = np.random.default_rng(number).standard_normal(len(audio))
        soundfile.write(work / f"est{number}.wav", audio + level * noise, rate, "FLOAT")
    rows = ["ref.wav,est0.wav,good,8,speech", "ref.wav,est1.wav,bad,,speech"]
    (work / "pairs.csv").write_text("\n".join(["reference,estimate,codec,kbps,domain", *rows]))
    status, out, _ = codeczoo(
        *["score", "--pairs", "pairs.csv", "--metrics", "si_sdr", "--workers", "0", "--out", "run"]
    )
    assert status == 0
    good, bad = records.load(work / "run")
    assert (good["codec"], bad["codec"]) == ("good@8kbps", "bad")
    assert good["scores"]["si_sdr"] == pytest.approx(bad["scores"]["si_sdr"] + 40, abs=1)
    assert good["bits"] == {"stated": pytest.approx(8000 * len(audio) / rate)}
    assert bad["bits"] == {}
    assert "`good@8kbps` | 8.00 † |" in out
    assert "`bad` | – |" in out


def test_codecs_chosen_in_a_report_by_pattern(codeczoo: Run, tmp_path: Path) -> None:
    tone(tmp_path / "work" / "clips" / "a.wav")
    command = "bench --codecs pcm:8 pcm:16 --metrics si_sdr --corpus clips --workers 0 --no-report --out run"
    assert codeczoo(*command.split())[0] == 0
    status, out, _ = codeczoo("report", "run", "--codecs", "pcm:1*")
    assert status == 0
    assert "`pcm:16`" in out
    assert "`pcm:8`" not in out
    status, _, err = codeczoo("report", "run", "--codecs", "opus*")
    assert (status, err) == (2, "codeczoo: No record's codec matches opus*.\n")


# --- fetch ----------------------------------------------------------------------------------------------------------


def test_what_needs_no_weights_is_said(codeczoo: Run) -> None:
    assert codeczoo("fetch", "opus")[:2] == (0, "opus needs no weights.\n")
    assert codeczoo("fetch", "stoi")[:2] == (0, "stoi needs no weights, or its package carries them.\n")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("dac:44khz", "codeczoo: https://github.com/descriptinc/descript-audio-codec/releases/"),
        ("mimi:24khz", "codeczoo: The hub repository kyutai/mimi cannot be fetched: "),
        (
            "utmos",
            "codeczoo: utmos_state_dict.pt of Blinorot/UTMOS-PyTorch cannot be fetched from the Hugging Face hub",
        ),
    ],
)
def test_without_a_network_fetch_is_one_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    """In a process of its own, since the hub's library keeps its connections. A proxy that nobody runs: no network."""
    nobody = "http://127.0.0.1:9"
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HTTPS_PROXY": nobody, "https_proxy": nobody, "HF_HOME": "hub"}
    environment.pop("CODECZOO_WEIGHTS", None)
    done = subprocess.run(
        [sys.executable, "-m", "codeczoo.benchmarks.cli", "fetch", name],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(sentence)
    assert done.stdout.startswith(f"{name}: licence of the weights: ")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".pt", ".pth", ".th", ".safetensors"}]


# --- probes ---------------------------------------------------------------------------------------------------------


def test_a_probe_prints_its_table_and_continues(codeczoo: Run, tmp_path: Path, demo_audio: Path) -> None:
    assert demo_audio.is_dir()
    command = ["probe", "--codecs", "pcm:16", "--corpus", "demo", "--seeds", "1", "--threads", "1", "--out", "run"]
    status, out, err = codeczoo(*command)
    assert status == 3, err
    assert "| chance (uniform) | 11.1 |" in out
    assert "- `pcm:16`: undefined, no embeddings" in out
    assert "pytest-audioeval (linear): 9 labels, 27 test clips" in out
    assert "21 probes: 21 made now" in err
    status, again, err = codeczoo(*command)
    assert (status, again) == (3, out)
    assert "21 probes: 0 made now" in err
    assert codeczoo("probe", "--report", "--out", "run")[1] == out
    assert {path.name for path in (tmp_path / "work" / "run" / "report" / "probes").iterdir()} == {
        "probes.md", "probes.tex", "probes.csv",
    }  # fmt: skip
