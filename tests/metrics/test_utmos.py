"""UTMOS: the package's model with weights from our folders; half a model, or none, is an error that says what to do."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from codeczoo.metrics import MetricError, MetricWeightsMissing, Undefined, measure, metric, score, weights

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.nn.utils.weight_norm. is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def weight_folder(tmp_path_factory) -> Path:
    """The real model with random weights, in the layout of $CODECZOO_WEIGHTS."""
    from utmos_pytorch.utmos_torch import UTMOSModel

    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("weights")
    (folder / "utmos").mkdir()
    torch.save(UTMOSModel().state_dict(), folder / "utmos" / "utmos_state_dict.pt")
    return folder


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    monkeypatch.delenv("CODECZOO_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_it_is_the_package_number(speech_16k, rng, weight_folder, monkeypatch):
    from utmos_pytorch import UTMOSScoreTorch

    monkeypatch.setenv("CODECZOO_WEIGHTS", f"/nowhere:{weight_folder}")
    clip = speech_16k[:32_000]
    scorer = UTMOSScoreTorch(ckpt_path=str(weight_folder / "utmos" / "utmos_state_dict.pt")).eval()
    expected = float(scorer.score(torch.from_numpy(clip)))
    assert score("utmos", rng.standard_normal(32_000).astype(np.float32), clip, 16_000) == pytest.approx(
        expected, abs=1e-5
    )
    found = measure("utmos")
    assert found.analyse is not None
    assert found.reference_scores is not None
    own = found.reference_scores(found.analyse(clip, 16_000))
    assert own["utmos"] == pytest.approx(expected, abs=1e-5)


def test_the_identity_names_the_weights(weight_folder, monkeypatch, no_weights):
    assert metric("utmos").identity.endswith("sha256:absent")
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(weight_folder))
    content = (weight_folder / "utmos" / "utmos_state_dict.pt").read_bytes()
    assert metric("utmos").identity.endswith(f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert measure("utmos") is measure("utmos")


def test_missing_weights_say_how_to_get_them(speech_16k, no_weights):
    with pytest.raises(MetricWeightsMissing) as caught:
        score("utmos", speech_16k, speech_16k, 16_000)
    text = str(caught.value)
    for part in ("codeczoo fetch utmos", "Blinorot/UTMOS-PyTorch", "utmos/utmos_state_dict.pt", "CODECZOO_WEIGHTS"):
        assert part in text


def test_folders_come_before_the_users_cache(tmp_path, monkeypatch, no_weights):
    cached = weights.user_cache() / "utmos" / "utmos_state_dict.pt"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"cached")
    assert weights.find(weights.UTMOS) == cached
    listed = tmp_path / "listed" / "utmos" / "utmos_state_dict.pt"
    listed.parent.mkdir(parents=True)
    listed.write_bytes(b"listed")
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(tmp_path / "listed"))
    assert weights.find(weights.UTMOS) == listed


def test_fetch_asks_the_hub_for_the_file(monkeypatch, tmp_path, no_weights):
    commit = "0123456789abcdef0123456789abcdef01234567"
    asked = []

    class Hub:
        def model_info(self, repo, *, revision, files_metadata):
            asked.append((repo, revision, files_metadata))
            lfs = SimpleNamespace(sha256=hashlib.sha256(b"weights").hexdigest())
            return SimpleNamespace(sha=commit, siblings=[SimpleNamespace(rfilename="utmos_state_dict.pt", lfs=lfs)])

    def download(repo, file, *, revision, local_dir):
        asked.append((repo, file, revision))
        path = Path(local_dir) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    content = b"damaged"
    with pytest.raises(MetricWeightsMissing, match="arrived damaged"):
        weights.fetch(weights.UTMOS)
    with pytest.raises(MetricWeightsMissing, match="is not on this machine"):
        weights.find(weights.UTMOS)
    content = b"weights"
    path = weights.fetch(weights.UTMOS)
    assert asked[-2:] == [
        ("Blinorot/UTMOS-PyTorch", weights.UTMOS.hub_revision, True),
        ("Blinorot/UTMOS-PyTorch", "utmos_state_dict.pt", commit),
    ]
    assert weights.find(weights.UTMOS) == path


@pytest.mark.parametrize("damage", ["other names", "not weights"])
def test_half_a_model_is_refused(speech_16k, monkeypatch, tmp_path, damage):
    path = tmp_path / "utmos" / "utmos_state_dict.pt"
    path.parent.mkdir()
    torch.save({"extra": torch.zeros(1)}, path)
    if damage == "not weights":
        path.write_bytes(b"<html>404</html>")
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(tmp_path))
    with pytest.raises(MetricError, match=r"\d+ names differ, such as 'extra'|does not hold PyTorch weights"):
        score("utmos", speech_16k, speech_16k, 16_000)


@pytest.mark.parametrize(("length", "reason"), [(1, "too short"), (16_000, "silent")])
def test_too_short_and_silent_are_undefined(length, reason):
    silence = np.zeros(length, dtype=np.float32)
    with pytest.raises(Undefined, match=reason):
        score("utmos", silence, silence, 16_000)
