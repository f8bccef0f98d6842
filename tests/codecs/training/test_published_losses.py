"""All terms, their gradient and the keys against the published code's numbers, at full size.

The reference's weights follow from their key names by a rule, so a wrong name is a wrong number.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from codeczoo.codecs.training.discriminators import DiscriminatorConfig, Discriminators, Verdict
from codeczoo.codecs.training.losses import DiscriminatorLoss, GeneratorLoss, Losses
from codeczoo.codecs.training.mel_loss import MelLoss, mel_bands

SAMPLE_RATE_HZ = 24_000
PREFIXES = ("multiperioddisc.", "multiresddisc.", "dac.")

MEL = """
import sys
import numpy as np, torch
from codeczoo.codecs.training.mel_loss import MelLoss
oracle = np.load(sys.argv[1])
real, estimate = (torch.from_numpy(oracle[name])[:, None] for name in ("y", "y_hat"))
loss = MelLoss(24_000)
worst = (loss.log_mel(real).transpose(1, 2) - torch.from_numpy(oracle["logmel_y"])).abs().max()
print(float(loss(real, estimate)), float(worst))
"""


def generated(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The weight that the oracle's rule gives to a key."""
    values = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape).astype(np.float32)
    kind = key.rpartition(".")[2]
    if kind == "weight_g":
        values = np.float32(1.2) + np.float32(0.1) * np.abs(values)
    elif kind != "weight_v":
        values *= np.float32(0.05)
    return torch.from_numpy(values)


@dataclass(frozen=True)
class Computed:
    oracle: dict[str, np.ndarray]
    generator: GeneratorLoss
    discriminator: DiscriminatorLoss
    gradient: torch.Tensor
    verdict: Verdict


@pytest.fixture(scope="module")
def published() -> Discriminators:
    discriminators = Discriminators(DiscriminatorConfig())
    state = {key: generated(key, tuple(value.shape)) for key, value in discriminators.state_dict().items()}
    discriminators.load_state_dict(state)
    return discriminators


@pytest.fixture(scope="module")
def computed(shared: Path, published: Discriminators) -> Computed:
    oracle = dict(np.load(shared / "oracles" / "losses.npz"))
    real = torch.from_numpy(oracle["y"])[:, None]
    estimate = torch.from_numpy(oracle["y_hat"])[:, None].requires_grad_()
    condition = torch.from_numpy(oracle["bandwidth_id"]).reshape(1)
    losses = Losses(published, MelLoss(SAMPLE_RATE_HZ))
    discriminator = losses.discriminator_loss(real, estimate, condition)
    generator = losses.generator_loss(real, estimate, None, condition)
    (gradient,) = torch.autograd.grad(generator.total, estimate)
    with torch.no_grad():
        (verdict,) = published(real, condition=condition)
    return Computed(oracle, generator, discriminator, gradient[:, 0], verdict)


def test_discriminator_terms(computed: Computed) -> None:
    got = computed.discriminator.scalars()
    expected = {"period": "disc_mp", "resolution": "disc_mrd", "band": "disc_dac"}
    for name, key in expected.items():
        assert got[name] == pytest.approx(float(computed.oracle[key]), rel=1e-5), name
    assert got["total"] == pytest.approx(sum(float(computed.oracle[key]) for key in expected.values()), rel=1e-5)


def test_generator_terms(computed: Computed) -> None:
    got = computed.generator.scalars()
    expected = {
        "period_adversarial": "gen_mp",
        "resolution_adversarial": "gen_mrd",
        "band_adversarial": "dac_g",
        "period_features": "fm_mp",
        "resolution_features": "fm_mrd",
        "band_features": "dac_fm",
    }
    for name, key in expected.items():
        assert got[name] == pytest.approx(float(computed.oracle[key]), rel=1e-5), name
    assert "commitment" not in got
    # The mel term is compared below, where it can be compared exactly.
    mel_difference = got["mel"] - float(computed.oracle["mel"])
    total = float(computed.oracle["gen_total_no_commit"]) + 45 * mel_difference
    assert got["total"] == pytest.approx(total, rel=1e-5)
    assert abs(mel_difference) < 5e-3


def test_gradient_at_the_estimate(computed: Computed) -> None:
    expected = torch.from_numpy(computed.oracle["grad_y_hat"])
    assert float((computed.gradient - expected).norm() / expected.norm()) < 5e-5
    assert float((computed.gradient - expected).abs().max() / expected.abs().max()) < 5e-5


def test_mel_loss(shared: Path) -> None:
    """The oracle's signals have empty bands, where a mel spectrogram in float32 is the rounding of the FFT. MKL's
    differs between instruction sets; its reproducible mode, which a process must start with, is the oracle's."""
    if not torch.backends.mkl.is_available():
        pytest.skip("the rounding to be reproduced is MKL's")
    environment = os.environ | {"MKL_CBWR": "COMPATIBLE"}
    command = [sys.executable, "-c", MEL, str(shared / "oracles" / "losses.npz")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loss, worst = map(float, done.stdout.split()[-2:])
    oracle = np.load(shared / "oracles" / "losses.npz")
    # The triangles here come from float64, torchaudio's from float32.
    assert loss == pytest.approx(float(oracle["mel"]), rel=1e-5)
    assert worst < 1e-4


def test_mel_bands(shared: Path) -> None:
    oracle = np.load(shared / "oracles" / "losses.npz")
    np.testing.assert_allclose(mel_bands(SAMPLE_RATE_HZ, 1024, 100).numpy(), oracle["mel_fb"], atol=1e-5)


def test_shapes_of_the_maps(shared: Path, computed: Computed) -> None:
    meta = json.loads((shared / "oracles" / "wavtokenizer_meta.json").read_text(encoding="utf-8"))["fmap_shapes"]
    for kind, judgements in (("mp", computed.verdict.period), ("mrd", computed.verdict.resolution)):
        assert [[list(m.shape) for m in judgement.maps] for judgement in judgements] == meta[kind]
    # There the logits are listed as the last map, which is not matched.
    assert [[list(m.shape) for m in judgement.maps] for judgement in computed.verdict.band] == [
        shapes[:-1] for shapes in meta["dac"]
    ]


def test_keys_and_shapes_are_the_published_ones(shared: Path) -> None:
    """UniCodec's checkpoint holds the same discriminators, and its table of keys is at hand."""
    rows = (shared / "specs" / "unicodec_keys.tsv").read_text(encoding="utf-8").splitlines()
    table = {key: shape for key, shape, *_ in (row.split("\t") for row in rows) if key.startswith(PREFIXES)}
    with torch.device("meta"):
        state = Discriminators(DiscriminatorConfig()).state_dict()
    assert {key: str(tuple(value.shape)) for key, value in state.items()} == table
    counts = [sum(key.startswith(prefix) for key in state) for prefix in PREFIXES]
    assert counts == [95, 57, 324]


def test_parameter_counts() -> None:
    with torch.device("meta"):
        discriminators = Discriminators(DiscriminatorConfig())
    counts = [sum(p.numel() for p in part.parameters()) for part in discriminators.children()]
    assert counts == [41_126_250, 600_966, 42_519_760]
