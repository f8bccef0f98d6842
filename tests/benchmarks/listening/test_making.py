"""What is put into a test: filters, levels, lengths, names, clips; and what is refused."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import corpora, runner
from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.errors import InvalidListeningTest
from codeczoo.benchmarks.listening import key as keys
from codeczoo.benchmarks.listening import stimuli
from codeczoo.benchmarks.listening.anchor import low_pass
from codeczoo.benchmarks.listening.key import LOW_ANCHOR, MID_ANCHOR, REFERENCE
from codeczoo.benchmarks.listening.making import Made
from codeczoo.benchmarks.page import level
from codeczoo.benchmarks.request import Request, points

from .conftest import CODECS, RATE_HZ

Maker = Callable[..., Made]


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("cut_off_hz", [3500, 7000])
def test_anchors_are_within_the_mask_of_bs1534(rate_hz: int, cut_off_hz: int) -> None:
    """Ripple of 0.1 dB up to the cut-off, 25 dB down at 4 kHz and 50 dB at 4.5 kHz (twice that for 7 kHz), no delay."""
    impulse = np.zeros(rate_hz, np.float32)
    impulse[rate_hz // 2] = 1
    made = low_pass(impulse, rate_hz, cut_off_hz)
    assert len(made) == len(impulse)
    assert np.argmax(np.abs(made)) == rate_hz // 2
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(made.astype(np.float64))) + 1e-12)
    hz = np.fft.rfftfreq(rate_hz, 1 / rate_hz)
    assert np.abs(gain_db[hz <= cut_off_hz]).max() < 0.1
    assert gain_db[hz >= cut_off_hz * 4.0 / 3.5].max(initial=-np.inf) < -100


def test_a_reference_that_would_be_its_own_anchor_is_refused() -> None:
    with pytest.raises(
        InvalidListeningTest, match="An anchor of 7 kHz needs a reference above 15400 Hz; this one has 8000"
    ):
        low_pass(np.zeros(100, np.float32), 8000, 7000)


def signals(out: Path) -> dict[str, np.ndarray]:
    """16-bit samples by name, from the page."""
    text = (out / "page" / "test.html").read_text(encoding="utf-8")
    found = re.findall(r'id="audio-([0-9a-f]+)">([^<]*)<', text)
    return {name: np.frombuffer(base64.b64decode(samples), "<i2") for name, samples in found}


def test_the_key_says_which_signal_is_which(make_test: Maker, sounds: Path, tmp_path: Path) -> None:
    made = make_test("mushra", tmp_path / "test")
    key = keys.read(tmp_path / "test")
    assert key == made.key
    audio = signals(tmp_path / "test")
    assert len(audio) == 3 * 6
    assert key.conditions == (REFERENCE, LOW_ANCHOR, MID_ANCHOR, *sorted(CODECS))
    for trial in key.trials.values():
        original, _ = soundfile.read(sounds / trial.clip, dtype="float32")
        by_condition = {of.condition: audio[name] / 32768 for name, of in trial.stimuli.items()}
        assert {len(samples) for samples in by_condition.values()} == {len(original)}
        loudness = {name: level.loudness(samples.astype(np.float32), RATE_HZ) for name, samples in by_condition.items()}
        # Fades of 5 ms and dither are all that moves a clip of one second from the target.
        assert all(found == pytest.approx(level.TARGET_LUFS, abs=0.05) for found in loudness.values()), loudness
        hidden = by_condition[REFERENCE]
        gain = 10 ** (next(s.gain_db for s in trial.stimuli.values() if s.condition == REFERENCE) / 20)
        assert np.abs(hidden[200:-200] - gain * original[200:-200]).max() < 2.6 / 32768
        assert all(np.abs(samples[[0, -1]]).max() <= 1 / 32768 for samples in by_condition.values())

        def above(samples: np.ndarray, hz: float) -> float:
            power = np.abs(np.fft.rfft(samples)) ** 2
            return float(power[np.fft.rfftfreq(len(samples), 1 / RATE_HZ) > hz].sum() / power.sum())

        assert above(by_condition[LOW_ANCHOR], 3900) < 1e-5 < above(by_condition[MID_ANCHOR], 3900)
        assert above(by_condition[MID_ANCHOR], 7750) < 1e-5 < above(hidden, 7750)


def test_x_is_either_of_the_two_in_equal_bytes_of_its_own(make_test: Maker, tmp_path: Path) -> None:
    made = make_test("abx", tmp_path / "test", repeats=3, training=False)
    assert len(made.key.trials) == 2 * 2 * 3
    audio = signals(tmp_path / "test")
    assert len(audio) == 2 * 2 * 4
    for trial in made.key.trials.values():
        assert sorted(trial.stimuli[name].role for name in trial.compared) == ["codec", "reference"]
        hidden = [name for name in trial.stimuli if name not in trial.compared]
        for name in hidden:
            twin = next(one for one in trial.compared if trial.stimuli[one].role == trial.stimuli[name].role)
            apart = audio[name].astype(int) - audio[twin]
            assert np.abs(apart).max() <= 3
            assert np.mean(apart != 0) > 0.4


def test_dither_has_no_bias_and_no_memory() -> None:
    rng = np.random.default_rng(1)
    audio = np.full(40_000, 0.3 / 32767, np.float32)
    one, other = (np.frombuffer(stimuli.pcm(audio, 16_000, rng), "<i2").astype(float)[200:-200] for _ in range(2))
    assert one.mean() == pytest.approx(0.3, abs=0.02)
    # Triangular dither: the error's power is a quarter of a step's, whatever the signal.
    assert np.var(one - 0.3) == pytest.approx(0.25, abs=0.01)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_clips_are_drawn_alike_and_names_never(make_test: Maker, tmp_path: Path) -> None:
    made = [make_test("mushra", tmp_path / str(number), seed=seed).key for number, seed in enumerate((5, 5, 6))]
    clips = [sorted(trial.clip for trial in key.trials.values()) for key in made]
    assert clips[0] == clips[1]
    assert len({key.id for key in made}) == len({key.sha256 for key in made}) == 3
    assert not set(made[0].trials) & set(made[1].trials)


def test_what_cannot_be_judged_is_passed_over_and_named(make_test: Maker, sounds: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(sounds, corpus)
    soundfile.write(corpus / "short.wav", np.ones(8000) * 0.1, RATE_HZ)
    soundfile.write(corpus / "silent.wav", np.zeros(20_000), RATE_HZ)
    (corpus / "broken.wav").write_bytes(b"RIFF")
    made = make_test("mushra", tmp_path / "test", corpus=corpus, clips=4)
    assert sorted(made.key.trials[name].clip for name in made.key.trials) == [
        f"clip{number}.wav" for number in range(4)
    ]
    assert made.passed_over["short.wav"] == "a clip of 0.50 s is too short to be judged by ear"
    assert made.passed_over["silent.wav"] == "a clip of silence says nothing about a codec"
    assert "broken.wav" in made.passed_over
    assert made.key.facts["passed_over"] == made.passed_over
    with pytest.raises(InvalidListeningTest, match=r"corpus gives 4 of 5 clips that can be used \("):
        make_test("mushra", tmp_path / "more", corpus=corpus, clips=5)
    assert not (tmp_path / "more").exists()


def test_long_clips_are_cut(make_test: Maker, tmp_path: Path) -> None:
    made = make_test("mushra", tmp_path / "test", longest_s=1.1)
    assert {trial.seconds for trial in made.key.trials.values()} == {1.1}
    assert {len(samples) for samples in signals(tmp_path / "test").values()} == {17_600}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"codecs": [f"opus@{kbps}kbps" for kbps in (6, 8, 12, 16, 24, 32, 48, 64)] + ["g722@64kbps", "g726@32kbps"]},
         "10 codecs, the hidden reference and 2 anchor(s) are 13 signals a trial; BS.1534 allows 12. Choose at most 9"),
        ({"codecs": []}, "A listening test compares codecs; name some with --codecs."),
        ({"clips": 0}, "--clips is 1 or more; got 0."),
        ({"per_listener": 3}, "--per-listener is 1 to 2"),
        ({"longest_s": 0.5}, "--longest-s is 1 to 60 s; got 0.5."),
        ({"title": "Is Opus good?"}, "tells listeners of opus@6kbps"),
        ({"title": " "}, "is empty or longer than 100 characters"),
    ],
)  # fmt: skip
def test_what_is_refused(changes: dict[str, Any], sentence: str, make_test: Maker, tmp_path: Path) -> None:
    with pytest.raises(InvalidListeningTest) as caught:
        make_test("mushra", tmp_path / "test", **changes)
    assert sentence in str(caught.value)
    assert not (tmp_path / "test").exists()


def test_a_test_is_never_overwritten(make_test: Maker, tmp_path: Path) -> None:
    (tmp_path / "answers").mkdir()
    with pytest.raises(InvalidListeningTest, match="is never overwritten"):
        make_test("mushra", tmp_path)


def test_a_title_may_have_a_codec_name_inside_of_a_word(make_test: Maker, tmp_path: Path) -> None:
    made = make_test("mushra", tmp_path / "test", title="The <corpus> & its </script> listeners", clips=1)
    text = (tmp_path / "test" / "page" / "test.html").read_text(encoding="utf-8")
    assert "<title>The &lt;corpus&gt; &amp; its &lt;/script&gt; listeners</title>" in text
    assert text.count("</script>") == 2 + len(signals(tmp_path / "test"))
    assert made.key.kind == "mushra"


@pytest.fixture(scope="module")
def run_folder(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of two codecs on a copy of the sounds, and that copy."""
    folder = tmp_path_factory.mktemp("measured")
    shutil.copytree(sounds, folder / "clips")
    corpus = corpora.resolve(str(folder / "clips"))
    command = f"codeczoo bench --codecs {' '.join(CODECS)} --corpus {folder / 'clips'} --metrics si_sdr --out run"
    runner.run(Request(points(CODECS), corpus, ("si_sdr",), folder / "run", workers=0, command=command))
    return folder / "run", folder / "clips"


def test_a_run_is_heard_as_it_was_measured(run_folder: tuple[Path, Path], tmp_path: Path) -> None:
    run, clips = run_folder
    out = tmp_path / "test"
    assert main(["listen", "make", str(run), "--test", "mushra", "--clips", "2", "--out", str(out)]) == 0
    key = keys.read(out)
    assert key.conditions == (REFERENCE, LOW_ANCHOR, MID_ANCHOR, *sorted(CODECS))
    records = [json.loads(line) for line in (run / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    known = {(record["codec"], record["clip"]): record for record in records}
    for trial in key.trials.values():
        for stimulus in trial.stimuli.values():
            if stimulus.role == "codec":
                record = known[stimulus.condition, trial.clip]
                assert stimulus.codec_fingerprint == record["codec_fingerprint"]
                assert trial.clip_sha256 == record["clip_sha256"]
    # One file is another one now: the rest is still heard, and that it is not is said.
    moved = tmp_path / "moved"
    shutil.copytree(clips, moved)
    soundfile.write(moved / "clip1.wav", np.random.default_rng(3).uniform(-0.1, 0.1, 20_000), RATE_HZ)
    again = ["listen", "make", str(run), "--test", "mushra", "--clips", "4", "--audio", str(moved)]
    shutil.move(clips, tmp_path / "away")
    try:
        assert main([*again, "--out", str(tmp_path / "four")]) == 2
        again[6] = "3"
        assert main([*again, "--out", str(tmp_path / "three")]) == 0
    finally:
        shutil.move(tmp_path / "away", clips)
    facts = keys.read(tmp_path / "three").facts
    assert facts["passed_over"] == {"clip1.wav": "the clip's file has changed since it was measured"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--codecs", "opus@6kbps"], "Name what is to be heard with --codecs and --corpus, or a run that measured it."),
        (["--codecs", "opus@6kbps", "--corpus", "demo", "--audio", "x"], "--audio says where the clips of a run are"),
        (["RUN", "--where", "path=a*"], "--where chooses clips of a corpus; of a run they are those that it measured."),
        (["RUN", "--no-mid-anchor"], "--no-mid-anchor is of MUSHRA: an ABX test compares"),
        (["RUN", "--codecs", "nothing*"], "matches nothing*; it holds opus@6kbps, g722@64kbps."),
        (["RUN", "--audio", "/nowhere"], "/nowhere"),
    ],
)
def test_wrong_requests(
    arguments: list[str],
    sentence: str,
    run_folder: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = [str(run_folder[0]) if word == "RUN" else word for word in arguments]
    assert main(["listen", "make", *command, "--test", "abx", "--clips", "1", "--out", str(tmp_path / "test")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("codeczoo: ")
    assert sentence in said
    assert not (tmp_path / "test").exists()


def test_without_more_words_it_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen"]) == 2
    assert "make|analyse" in capsys.readouterr().out
