"""Audio files in: what is read equals what was written, and every file that cannot be measured gets its sentence."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codeczoo.benchmarks import audio
from codeczoo.benchmarks.clip import Clip
from codeczoo.benchmarks.errors import InvalidClip


def noise(frames: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels)).astype(np.float32)
    return samples[:, 0] if channels == 1 else samples


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "caf", "w64", "au"])
@pytest.mark.parametrize("bits", [16, 24])
def test_integer_files_give_back_their_samples(tmp_path: Path, suffix: str, bits: int) -> None:
    path = tmp_path / f"a.{suffix}"
    steps = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 3000)
    soundfile.write(path, (steps << (32 - bits)).astype(np.int32), 44_100, subtype=f"PCM_{bits}")
    read, sample_rate = audio.read_mono(path)
    assert (read.dtype, sample_rate) == (np.float32, 44_100)
    np.testing.assert_array_equal(read, steps / 2 ** (bits - 1))
    assert audio.probe(path) == audio.AudioInfo(44_100, 1, 3000, f"PCM_{bits}")
    assert audio.probe(path).seconds == 3000 / 44_100


@pytest.mark.parametrize("suffix", ["wav", "w64", "au"])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_float_files_give_back_their_samples(tmp_path: Path, suffix: str, subtype: str) -> None:
    soundfile.write(tmp_path / f"a.{suffix}", noise(3000), 22_050, subtype=subtype)
    np.testing.assert_array_equal(audio.read_mono(tmp_path / f"a.{suffix}")[0], noise(3000))


@pytest.mark.parametrize(("suffix", "subtype"), [("ogg", "VORBIS"), ("opus", "OPUS"), ("mp3", "MPEG_LAYER_III")])
def test_lossy_files_keep_length_and_place(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"a.{suffix}"
    t = np.arange(48_000) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 440 * t) * np.exp(-(((t - 0.5) / 0.1) ** 2))).astype(np.float32)
    soundfile.write(path, tone, 48_000, format="MP3" if suffix == "mp3" else "OGG", subtype=subtype)
    read, _ = audio.read_mono(path)
    assert len(read) == 48_000
    assert np.sum((read - tone) ** 2) < 1e-2 * np.sum(tone**2)


def test_real_speech_is_what_soundfile_reads(demo_audio: Path) -> None:
    path = demo_audio / "en" / "counting.wav"
    read, sample_rate = audio.read_mono(path)
    expected, expected_rate = soundfile.read(path, dtype="float32")
    assert sample_rate == expected_rate == 16_000
    np.testing.assert_array_equal(read, expected)


def test_mono_is_the_mean_of_eight_channels(tmp_path: Path) -> None:
    samples = noise(1000, channels=8)
    soundfile.write(tmp_path / "a.wav", samples, 192_000, subtype="FLOAT")
    read, sample_rate = audio.read_mono(tmp_path / "a.wav")
    assert sample_rate == 192_000
    np.testing.assert_allclose(read, samples.astype(np.float64).mean(axis=1), rtol=0, atol=1e-7)


def test_float_values_beyond_one_are_kept(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([1.5, -3.25, 0.0]), 8_000, subtype="FLOAT")
    assert audio.read_mono(tmp_path / "a.wav")[0].tolist() == [1.5, -3.25, 0.0]


def test_one_sample_is_a_signal(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.25]), 8_000, subtype="FLOAT")
    assert audio.read_mono(tmp_path / "a.wav")[0].tolist() == [0.25]


@pytest.mark.parametrize("block_frames", [1, 7, 1000, 5000])
def test_blocks_are_the_whole(tmp_path: Path, block_frames: int) -> None:
    soundfile.write(tmp_path / "a.flac", noise(1003, channels=2), 16_000)
    blocks = list(audio.read_blocks(tmp_path / "a.flac", block_frames=block_frames))
    assert [len(block) for block in blocks[:-1]] == [block_frames] * (len(blocks) - 1)
    np.testing.assert_array_equal(np.concatenate(blocks), audio.read_mono(tmp_path / "a.flac")[0])


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 44_100])
@pytest.mark.parametrize("stretch_s", [0.1, 1 / 3, 0.12345])
def test_consecutive_stretches_share_no_sample_and_lose_none(
    tmp_path: Path, sample_rate: int, stretch_s: float
) -> None:
    written = noise(sample_rate + 11)
    soundfile.write(tmp_path / "a.wav", written, sample_rate, subtype="FLOAT")
    count = int(np.ceil(len(written) / sample_rate / stretch_s))
    parts = [audio.read_mono(tmp_path / "a.wav", index * stretch_s, stretch_s)[0] for index in range(count)]
    np.testing.assert_array_equal(np.concatenate(parts), written)


def test_a_stretch_ends_with_the_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(8_000), 8_000)
    assert len(audio.read_mono(tmp_path / "a.wav", 0.75, 10.0)[0]) == 2_000
    assert len(audio.read_mono(tmp_path / "a.wav", 0.75)[0]) == 2_000


INTERRUPTED = """\
import os, signal, sys, threading, time
from pathlib import Path
import numpy as np
from codeczoo.benchmarks import audio, corpora
from codeczoo.benchmarks.errors import InvalidClip

# What a shell starts in the background ignores the signal, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
clips = list(corpora.folder(Path(sys.argv[1])))
expected = {clip.name: audio.clip_samples(clip)[0] for clip in clips}
outcomes = []
for attempt in range(60):
    sent = threading.Event()
    def interrupt():
        time.sleep(0.003 + attempt * 0.00017)
        os.kill(os.getpid(), signal.SIGINT)
        sent.set()
    thread = threading.Thread(target=interrupt)
    outcome = "swallowed"
    try:
        thread.start()
        rounds = 0
        while rounds < 3:
            rounds += sent.is_set()
            for clip in clips:
                if not np.array_equal(audio.clip_samples(clip)[0], expected[clip.name]):
                    outcome = "wrong samples"
    except InvalidClip:
        outcome = "taken for a damaged file"
    except KeyboardInterrupt:
        outcome = "interrupted" if outcome == "swallowed" else outcome
    thread.join()
    outcomes.append(outcome)
print({outcome: outcomes.count(outcome) for outcome in outcomes})
"""


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_an_interrupt_while_files_are_read_is_not_swallowed(tmp_path: Path, suffix: str) -> None:
    for number in range(8):
        soundfile.write(tmp_path / f"{number}.{suffix}", noise(2_000, channels=2, seed=number), 16_000)
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("{'interrupted': 60}\n", "")


def test_the_hash_is_that_of_the_bytes_and_of_the_stretch(tmp_path: Path) -> None:
    first, second = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(first, noise(800), 8_000)
    second.write_bytes(first.read_bytes())
    whole = audio.content_sha256(Clip("a", first))
    assert whole == hashlib.sha256(first.read_bytes()).hexdigest() == audio.content_sha256(Clip("b", second))
    assert audio.content_sha256(Clip("a", first, 1, 2)) == audio.content_sha256(Clip("a", first, 1.0, 2.0))
    stretches = {audio.content_sha256(Clip("a", first, *at)) for at in ((0.0, 0.05), (0.05, 0.05), (0.05, None))}
    assert len(stretches | {whole}) == 4
    soundfile.write(first, noise(800, seed=1), 8_000)
    os.utime(first, ns=(0, 0))
    assert audio.content_sha256(Clip("a", first)) != whole


def _write(samples: np.ndarray, sample_rate: int = 8_000, subtype: str = "FLOAT") -> Callable[[Path], object]:
    return lambda path: soundfile.write(path, samples, sample_rate, subtype=subtype)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.write_bytes(b""), "is an empty file"),
        (lambda path: path.write_text("hello " * 100), "cannot be read as audio"),
        (_write(np.zeros(0)), "holds no samples"),
        (_write(np.array([0, np.nan, 0])), r"NaN or infinite samples, the first at 0\.000 s"),
        (_write(np.r_[np.zeros(800), np.inf]), r"NaN or infinite samples, the first at 0\.100 s"),
        (_write(np.array([1e300]), subtype="DOUBLE"), "NaN or infinite"),
        (_write(np.zeros(9), sample_rate=3_999), "3999 Hz; 4000 to 192000 Hz"),
        (_write(np.zeros(9), sample_rate=384_000), "384000 Hz"),
    ],
)
def test_unusable_files_get_a_sentence(tmp_path: Path, make: Callable[[Path], object], sentence: str) -> None:
    path = tmp_path / "a.wav"
    make(path)
    for read in (
        lambda: audio.read_mono(path),
        lambda: list(audio.read_blocks(path, block_frames=64)),
        lambda: audio.clip_samples(Clip("a.wav", path)),
    ):
        with pytest.raises(InvalidClip, match=sentence) as caught:
            read()
        assert str(path) in str(caught.value)


def test_nan_in_a_late_block_is_found_after_the_blocks_before_it(tmp_path: Path) -> None:
    samples = np.zeros((100, 2))
    samples[75, 1] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 8_000, subtype="FLOAT")
    blocks = audio.read_blocks(tmp_path / "a.wav", block_frames=25)
    assert [len(next(blocks)) for _ in range(3)] == [25, 25, 25]
    with pytest.raises(InvalidClip, match="NaN"):
        next(blocks)


def test_a_truncated_file_is_not_a_shorter_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(80_000), 8_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InvalidClip, match=r"truncated|cannot be read as audio"):
        audio.read_mono(path)


@pytest.mark.parametrize(
    ("start_s", "seconds", "sentence"),
    [(1.0, None, "is 1.000 s long"), (-0.5, 1.0, "is not in it"), (0.5, 0.0, "no samples"), (0.5, 1e-9, "no samples")],
)
def test_stretches_outside_of_the_file(tmp_path: Path, start_s: float, seconds: float | None, sentence: str) -> None:
    soundfile.write(tmp_path / "a.wav", noise(8_000), 8_000)
    with pytest.raises(InvalidClip, match=sentence):
        audio.read_mono(tmp_path / "a.wav", start_s, seconds)


@pytest.mark.parametrize("suffix", [".m4a", ".raw"])
def test_formats_that_are_not_read_say_what_to_do(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(bytes(1000))
    with pytest.raises(InvalidClip, match="convert"):
        audio.read_mono(tmp_path / f"a{suffix}")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(10), 8_000)
    path.chmod(0)
    with pytest.raises(InvalidClip, match="Permission denied"):
        audio.read_mono(path)
    with pytest.raises(InvalidClip, match="Permission denied"):
        audio.content_sha256(Clip("a", path))
