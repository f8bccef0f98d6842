"""Features: padding, pooling, the store, and clips that cannot be encoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from codeczoo.benchmarks.errors import InvalidRun
from codeczoo.benchmarks.probes import features, spectral
from codeczoo.benchmarks.probes.feature_store import FeatureStore
from codeczoo.benchmarks.probes.pooling import pool
from codeczoo.benchmarks.probes.task import Task
from codeczoo.benchmarks.run_folder import RunFolder
from codeczoo.codecs.base import Encoded

from .conftest import LevelCodec


def sha(number: int) -> str:
    return f"{number:064x}"


def test_padding_never_changes_a_feature() -> None:
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal((8, frames)).astype(np.float32) for frames in (3, 7, 1)]
    for filler in (0.0, 1e6, np.nan):
        batch = np.full((3, 8, 20), filler, np.float32)
        for row, clip in zip(batch, clips, strict=True):
            row[:, : clip.shape[1]] = clip
        for pooling in ("mean", "mean_std"):
            alone = [pool(clip[None], [clip.shape[1]], pooling)[0] for clip in clips]
            assert np.array_equal(pool(batch, [3, 7, 1], pooling), np.stack(alone))


def test_pooling_is_the_mean_and_the_deviation() -> None:
    frames = np.array([[[1.0, 3.0, 8.0], [2.0, 2.0, 2.0]]], np.float32)
    assert pool(frames, [3]).tolist() == [[4.0, 2.0]]
    assert pool(frames, [2]).tolist() == [[2.0, 2.0]]
    both = pool(frames, [3], "mean_std")[0]
    assert both == pytest.approx([4.0, 2.0, np.sqrt(26 / 3), 0.0], rel=1e-6)


@pytest.mark.parametrize(("lengths", "pooling"), [([4], "mean"), ([0], "mean"), ([1, 1], "mean"), ([3], "median")])
def test_pooling_refuses_what_cannot_be(lengths: list[int], pooling: str) -> None:
    with pytest.raises(ValueError, match=r"cannot have the lengths|There is no pooling"):
        pool(np.zeros((1, 2, 3), np.float32), lengths, pooling)


def test_the_store_gives_back_what_it_was_given_and_survives_a_torn_entry(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kept = rng.standard_normal((5, 6)).astype(np.float32)
    store = FeatureStore(tmp_path, "codec@1", "identity")
    for number, feature in enumerate(kept):
        store.add(sha(number), feature)
    assert np.array_equal(store.read([sha(3), sha(0)]), kept[[3, 0]])
    with store.path.open("ab") as file:
        file.write(b"killed here")
    again = FeatureStore(tmp_path, "codec@1", "identity")
    assert sha(4) in again
    assert sha(5) not in again
    again.add(sha(5), kept[0] + 1)
    third = FeatureStore(tmp_path, "codec@1", "identity")
    assert np.array_equal(third.read([sha(5), sha(4)]), np.stack([kept[0] + 1, kept[4]]))
    assert sha(1) not in FeatureStore(tmp_path, "codec@1", "another identity")


def test_clips_of_one_content_shift_no_other_feature(tmp_path: Path) -> None:
    kept = np.arange(8, dtype=np.float32).reshape(4, 2)
    store = FeatureStore(tmp_path, "codec", "identity")
    for number in (0, 1, 1, 2):
        store.add(sha(number), kept[number])
    assert np.array_equal(store.read([sha(0), sha(1), sha(2)]), kept[:3])
    # A file in which an entry stands twice, as it was written before.
    store.path.write_bytes(store.path.read_bytes() + bytes.fromhex(sha(0)) + kept[0].tobytes())
    again = FeatureStore(tmp_path, "codec", "identity")
    again.add(sha(3), kept[3])
    assert np.array_equal(again.read([sha(number) for number in range(4)]), kept)


def test_a_key_that_ends_in_zeros_is_found_again(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, "codec", "identity")
    store.add("ab" + "00" * 31, np.ones(2, np.float32))
    assert "ab" + "00" * 31 in FeatureStore(tmp_path, "codec", "identity")


def test_the_store_refuses_other_widths_and_what_is_not_finite(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, "codec", "identity")
    store.add(sha(0), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="among features"):
        store.add(sha(1), np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="not finite"):
        store.add(sha(1), np.array([0.0, np.nan, 0.0], np.float32))
    store.path.write_text("something else\n")
    with pytest.raises(InvalidRun, match="is no file of features"):
        FeatureStore(tmp_path, "codec", "identity")


def test_features_are_made_once_and_from_tokens_that_are_there(
    labelled: Callable[..., Task], level_codec: LevelCodec, tmp_path: Path
) -> None:
    task = labelled()
    with RunFolder(tmp_path / "run") as folder:
        sha256, broken = features.hashes(task)
        assert not broken
        first = features.of_codec(level_codec, task, sha256, folder, "made")
        assert level_codec.encoded == len(task.examples) == len(first.indices)
        assert np.array_equal(first.vectors.argmax(axis=1), [("a", "b", "c").index(e.labels[0]) for e in task.examples])
        again = features.of_codec(level_codec, task, sha256, folder, "made")
        assert np.array_equal(first.vectors, again.vectors)
        other = features.of_codec(level_codec, task, sha256, folder, "made", pooling="mean_std")
        assert level_codec.encoded == len(task.examples), "the tokens were kept"
        assert other.vectors.shape[1] == 2 * first.vectors.shape[1]
        assert other.identity != first.identity
        level_codec.fingerprint = "levels-2"
        features.of_codec(level_codec, task, sha256, folder, "made")
        assert level_codec.encoded == 2 * len(task.examples), "another version of the codec is another feature"


def test_a_clip_that_cannot_be_encoded_is_named_and_the_others_go_on(
    labelled: Callable[..., Task], level_codec: LevelCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = labelled()
    encode = level_codec.encode

    def failing(audio: torch.Tensor) -> Encoded:
        if level_codec.encoded == 2:
            level_codec.encoded += 1
            raise RuntimeError("too short for a window")
        return encode(audio)

    monkeypatch.setattr(level_codec, "encode", failing)
    with RunFolder(tmp_path / "run") as folder:
        sha256, _ = features.hashes(task)
        found = features.of_codec(level_codec, task, sha256, folder, "made")
    assert found.failed == {task.examples[2].clip.name: "RuntimeError: too short for a window"}
    assert found.indices == tuple(index for index in range(len(task.examples)) if index != 2)


def test_log_mel_and_mfcc_are_those_of_librosa() -> None:
    import librosa

    rng = np.random.default_rng(0)
    samples = rng.standard_normal(24_000).astype(np.float32) * 0.1
    window = np.hanning(spectral.WINDOW + 1)[:-1]
    spectrum = np.abs(librosa.stft(samples.astype(np.float64), n_fft=1024, hop_length=256, window=window, center=False))
    bands = librosa.filters.mel(sr=24_000, n_fft=1024, n_mels=80, htk=True, norm=None, dtype=np.float64)
    expected = np.log(np.maximum(bands @ spectrum, spectral.FLOOR))
    assert np.allclose(spectral.log_mel(samples), expected, atol=1e-9)
    assert np.allclose(spectral.mfcc(samples), librosa.feature.mfcc(S=expected, n_mfcc=20, norm="ortho"), atol=1e-9)


def test_a_clip_shorter_than_a_window_has_one_frame() -> None:
    assert spectral.log_mel(np.ones(10, np.float32)).shape == (80, 1)
