"""The single codebook: WavTokenizer's numbers, the averages, its first codebook, its dead entries, exact resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.cluster import KMeans
from torch import Tensor
from vector_quantize_pytorch import VectorQuantize

from codeczoo.codecs import CodebookMissing
from codeczoo.codecs.quantizers import VectorQuantizer

from .builders import vector

PREFIX = "feature_extractor.encodec.quantizer.vq.layers.0._codebook."


def arrays(path: Path) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in np.load(path).items()}


# What is published


@pytest.mark.parametrize("case", "abcde")
def test_tokens_of_wavtokenizer(shared: Path, case: str) -> None:
    weights = load_file(shared / "oracles" / "tiny320.safetensors")
    known = arrays(shared / "oracles" / f"tiny320_{case}.npz")
    quantizer = VectorQuantizer(32, 64).eval()
    quantizer.load_state_dict({key.removeprefix(PREFIX): w for key, w in weights.items() if key.startswith(PREFIX)})
    out = quantizer(known["enc15"])
    assert torch.equal(out.codes[:, 0], known["codes"][0])
    assert torch.equal(out.quantized, known["quantized"])


def test_the_published_update_step(shared: Path) -> None:
    known = arrays(shared / "oracles" / "tiny320_ema_step.npz")
    quantizer = VectorQuantizer(32, 64, update_order="reference")
    quantizer.load_state_dict({key.removeprefix("before_"): v for key, v in known.items() if key.startswith("before_")})
    z = known["z"].requires_grad_()
    out = quantizer(z)
    (0.01 * out.quantized.square().sum() + 1000 * out.loss).backward()
    assert torch.equal(out.codes[:, 0], known["codes"][0])
    torch.testing.assert_close(out.quantized, known["quantized"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(out.loss, known["penalty"], rtol=1e-5, atol=0)
    torch.testing.assert_close(z.grad, known["grad_z"], rtol=1e-5, atol=1e-6)
    for key, value in quantizer.state_dict().items():
        torch.testing.assert_close(value, known[f"after_{key}"], rtol=1e-5, atol=1e-6)


def test_what_the_published_first_codebook_does() -> None:
    """Few frames for many entries: the duplicates own no frame, and the first averages throw them out."""
    quantizer = VectorQuantizer(8, 256, update_order="reference")
    features = torch.randn(1, 8, 100)
    quantizer(features)
    surplus = quantizer.cluster_size == 0
    assert int(surplus.sum()) >= 156
    assert float(quantizer.embed[surplus].norm(dim=1).mean()) > 1e4


def test_the_published_replacement_has_no_effect() -> None:
    one = vector(8, 64)
    features = torch.randn(4, 8, 50)
    changed = []
    for dead_below in (0.0, 2.0):
        quantizer = VectorQuantizer(8, 64, dead_below=dead_below, update_order="reference")
        quantizer.load_state_dict(one.state_dict())
        out = [quantizer(features) for _ in range(5)][-1]
        assert float(out.statistics["replaced"]) == 0 or dead_below
        changed.append(quantizer.embed)
    assert torch.equal(*changed)


# The averages


def test_averages_equal_vector_quantize_pytorch() -> None:
    """Ten steps of both from one codebook, nothing replaced; tokens, features, commitment, gradient and buffers."""
    ours = vector(8, 32)
    ours.dead_below = 0.0
    theirs = VectorQuantize(
        8, 32, decay=0.99, eps=1e-5, threshold_ema_dead_code=0, channel_last=False, rotation_trick=False
    )
    book = theirs._codebook
    for name in ("embed", "embed_avg", "cluster_size"):
        getattr(book, name).data.copy_(getattr(ours, name)[None])
    for _ in range(10):
        one = torch.randn(3, 8, 40).requires_grad_()
        two = one.detach().clone().requires_grad_()
        quantized, indices, loss = theirs(one)
        out = ours(two)
        ours.update()
        assert torch.equal(out.codes[:, 0], indices)
        torch.testing.assert_close(out.quantized, quantized)
        torch.testing.assert_close(out.loss, loss.reshape(()))
        (quantized.square().sum() + loss.sum()).backward()
        (out.quantized.square().sum() + out.loss).backward()
        torch.testing.assert_close(two.grad, one.grad)
    for name in ("embed", "embed_avg", "cluster_size"):
        torch.testing.assert_close(getattr(ours, name), getattr(book, name)[0], rtol=1e-4, atol=1e-5)


def test_an_update_against_the_formula_in_float64() -> None:
    quantizer = vector(4, 16)
    before = {key: value.double().numpy() for key, value in quantizer.state_dict().items()}
    features = torch.randn(2, 4, 60)
    codes = quantizer(features).codes.flatten().numpy()
    quantizer.update()
    rows = features.transpose(1, 2).reshape(-1, 4).double().numpy()
    counts = np.bincount(codes, minlength=16)
    sizes = 0.99 * before["cluster_size"] + 0.01 * counts
    sums = np.stack([rows[codes == entry].sum(axis=0) for entry in range(16)])
    averages = 0.99 * before["embed_avg"] + 0.01 * sums
    smoothed = (sizes + 1e-5) / (sizes.sum() + 16e-5) * sizes.sum()
    assert np.allclose(quantizer.cluster_size, sizes, rtol=1e-6)
    assert np.allclose(quantizer.embed_avg, averages, rtol=1e-5, atol=1e-6)
    assert np.allclose(quantizer.embed, averages / smoothed[:, None], rtol=1e-5, atol=1e-6)


def test_several_forwards_of_a_step_are_one_batch() -> None:
    whole, parts = vector(8, 32), VectorQuantizer(8, 32)
    parts.load_state_dict(whole.state_dict())
    features = torch.randn(6, 8, 40)
    rng = torch.get_rng_state()
    whole(features)
    whole.update()
    torch.set_rng_state(rng)
    for part in features.split(2):
        parts(part)
    parts.update()
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in parts.state_dict().items())


def test_forward_changes_nothing_before_update_and_discard_forgets() -> None:
    quantizer = vector(8, 32)
    before = quantizer.embed.clone()
    quantizer(torch.randn(2, 8, 50))
    assert torch.equal(quantizer.embed, before)
    quantizer.discard()
    quantizer.update()
    assert torch.equal(quantizer.embed, before)
    quantizer(torch.randn(2, 8, 50))
    quantizer.update()
    assert not torch.equal(quantizer.embed, before)


def test_a_forgotten_update_is_an_error() -> None:
    quantizer = vector(1, 2)
    for _ in range(1_024):
        quantizer(torch.zeros(1, 1, 1))
    with pytest.raises(RuntimeError, match="without `update`"):
        quantizer(torch.zeros(1, 1, 1))


def test_the_averages_converge_to_k_means() -> None:
    """To the quality of scikit-learn's k-means of the same distribution, on frames that neither has seen."""
    quantizer = VectorQuantizer(2, 16)
    for _ in range(300):
        quantizer(torch.randn(8, 2, 50))
        quantizer.update()
    theirs = KMeans(16, n_init=3, random_state=0).fit(torch.randn(4_000, 2).numpy())
    unseen = torch.randn(1, 2, 4_000)
    ours = float((quantizer.eval()(unseen).quantized - unseen).square().sum(dim=1).mean())
    assert ours == pytest.approx(-theirs.score(unseen[0].t().numpy()) / 4_000, rel=0.1)


# The first codebook


def test_no_codebook_is_made_in_eval() -> None:
    quantizer = VectorQuantizer(4, 8).eval()
    features = torch.randn(2, 4, 50)
    for use in (quantizer, quantizer.encode, lambda _: quantizer.decode(torch.zeros(1, 1, 1, dtype=torch.int64))):
        with pytest.raises(CodebookMissing, match="8 entries has not been made yet"):
            use(features)
    quantizer.update()
    assert not quantizer.initialised
    assert float(quantizer.embed.abs().max()) == 0


def test_the_first_codebook_is_of_a_bounded_sample_of_the_first_steps() -> None:
    quantizer = VectorQuantizer(4, 16, init_sample=250)
    seen = []
    for step, frames in enumerate((60, 60, 60, 60, 60)):
        assert quantizer.initialised == (step == 5)
        features = torch.randn(1, 4, frames)
        seen.append(features[0].t())
        out = quantizer(features)
        assert torch.equal(out.quantized[0].t()[0], seen[-1][0])
        quantizer.update()
    assert quantizer.initialised
    assert len(quantizer.sample) == 0
    # 240 frames are all in it, and 10 of the last 60: sizes are those of a step of 60.
    assert float(quantizer.cluster_size.sum()) == pytest.approx(60, rel=1e-5)
    mean = quantizer.embed_avg.sum(dim=0) / 60
    torch.testing.assert_close(mean, torch.cat(seen).mean(dim=0), atol=0.2, rtol=0)
    torch.testing.assert_close(quantizer.embed * quantizer.cluster_size[:, None], quantizer.embed_avg)


def test_a_step_larger_than_the_sample_is_sampled() -> None:
    quantizer = VectorQuantizer(1, 4, init_sample=100)
    quantizer(torch.arange(1_000.0)[None, None])
    quantizer.update()
    assert quantizer.initialised
    assert float(quantizer.cluster_size.sum()) == pytest.approx(1_000, rel=1e-5)
    # Four centroids of random frames of 0..999, not of the first hundred.
    assert torch.all((quantizer.embed.flatten().sort().values - torch.tensor([125, 375, 625, 875])).abs() < 60)


def test_until_then_frames_of_the_batch_are_the_entries() -> None:
    quantizer = VectorQuantizer(4, 8, init_sample=10_000)
    features = torch.randn(1, 4, 16)
    out = quantizer(features)
    assert out.codes[0, 0, ::2].tolist() == list(range(8))
    assert torch.equal(out.quantized[..., ::2], features[..., ::2])
    few = torch.randn(1, 4, 5)
    assert torch.equal(quantizer(few).quantized, few)


# Dead entries


def test_an_empty_batch_before_there_is_a_codebook() -> None:
    quantizer = VectorQuantizer(3, 8).train()
    for shape in ((0, 3, 5), (2, 3, 0)):
        assert quantizer(torch.zeros(shape)).codes.shape == (shape[0], 1, shape[2])
    quantizer.update()
    assert not quantizer.initialised


def test_a_replacement_stands_and_utilisation_rises() -> None:
    """Half of the entries are far from all data: replaced at once, in use at the next step, and still many steps on."""
    quantizer = vector(8, 64)
    quantizer.embed[32:] += 1_000
    quantizer.cluster_size.fill_(50)
    quantizer.cluster_size[32:] = 1e-3
    quantizer.embed_avg.copy_(quantizer.embed * quantizer.cluster_size[:, None])
    far = quantizer.embed[32:].clone()
    before = quantizer(torch.randn(16, 8, 100))
    assert float(before.statistics["utilisation"]) == 0.5
    quantizer.update()
    assert quantizer.replaced == 32
    placed = quantizer.embed[32:].clone()
    assert float(placed.abs().max()) < 10 < float(far.abs().min())
    torch.testing.assert_close(quantizer.cluster_size[32:], torch.full((32,), 24.9), rtol=0.01, atol=0)
    torch.testing.assert_close(quantizer.embed_avg[32:], placed * quantizer.cluster_size[32:, None])
    after = quantizer(torch.randn(16, 8, 100))
    quantizer.update()
    assert quantizer.replaced == 0
    assert float(after.statistics["replaced"]) == 32
    assert float(after.statistics["utilisation"]) > 0.95
    assert float((quantizer.embed[32:] - placed).norm(dim=1).max()) < 0.1
    for _ in range(100):
        after = quantizer(torch.randn(16, 8, 100))
        quantizer.update()
    assert float(after.statistics["utilisation"]) > 0.95


def test_replacements_are_distinct_frames_of_the_step() -> None:
    quantizer = vector(4, 64)
    quantizer.embed += 100
    quantizer.embed_avg.copy_(quantizer.embed * 1e-5)
    quantizer.cluster_size.fill_(1e-5)
    features = torch.randn(1, 4, 40)
    quantizer(features)
    quantizer.update()
    # One entry won all frames and lives; of the 63 dead, as many as there are frames are replaced.
    assert quantizer.replaced == 40
    placed = (quantizer.embed[:, None] == features[0].t()).all(dim=2)
    assert placed.sum(dim=0).tolist() == [1] * 40


def test_small_batches_do_not_replace_the_whole_codebook() -> None:
    """1,024 entries and 100 frames a step: all are used less than twice a step, hardly one is dead."""
    quantizer = VectorQuantizer(4, 1_024)
    replaced = 0
    for step in range(300):
        quantizer(torch.randn(1, 4, 100))
        quantizer.update()
        replaced += quantizer.replaced if step > 100 else 0
    assert quantizer.initialised
    assert replaced < 0.05 * 1_024 * 2
    assert float(quantizer.cluster_size.max()) < 2


def test_larger_batches_than_before_do_not_kill_the_codebook() -> None:
    """A checkpoint of small steps goes on with steps of 50 times the frames: its sizes look small, none is dead."""
    quantizer = VectorQuantizer(4, 64)
    for _ in range(50):
        quantizer(torch.randn(1, 4, 100))
        quantizer.update()
    kept = quantizer.embed.clone()
    quantizer(torch.randn(10, 4, 500))
    quantizer.update()
    assert quantizer.replaced == 0
    assert float((quantizer.embed - kept).norm(dim=1).max()) < 1


# State


def test_a_trained_codebook_has_the_published_keys() -> None:
    assert list(vector(4, 8).state_dict()) == ["inited", "cluster_size", "embed", "embed_avg"]
    assert {key: tuple(value.shape) for key, value in vector(4, 8).state_dict().items()} == {
        "inited": (1,),
        "cluster_size": (8,),
        "embed": (8, 4),
        "embed_avg": (8, 4),
    }


@pytest.mark.parametrize("stop", [2, 5, 30])
def test_resuming_is_exact(stop: int) -> None:
    """Stopped while gathering, before the first codebook, or later: the state dict and the generator are enough."""

    def run(quantizer: VectorQuantizer, steps: range) -> None:
        for step in steps:
            features = torch.randn(2, 4, 20, generator=torch.Generator().manual_seed(step))
            quantizer(features)
            quantizer.update()

    def make() -> VectorQuantizer:
        return VectorQuantizer(4, 32, init_sample=170, dead_share=0.8, dead_below=10.0)

    undisturbed = make()
    torch.manual_seed(1)
    run(undisturbed, range(40))
    first, second = make(), make()
    torch.manual_seed(1)
    run(first, range(stop))
    saved, rng = {key: value.clone() for key, value in first.state_dict().items()}, torch.get_rng_state()
    assert ("sample" in saved) == (stop < 5)
    torch.manual_seed(99)
    torch.set_rng_state(rng)
    second.load_state_dict(saved)
    run(second, range(stop, 40))
    assert undisturbed.state_dict().keys() == second.state_dict().keys()
    assert all(torch.equal(value, second.state_dict()[key]) for key, value in undisturbed.state_dict().items())


def test_a_wrong_state_is_refused() -> None:
    quantizer = VectorQuantizer(4, 8)
    state = vector(4, 8).state_dict()
    with pytest.raises(RuntimeError, match="size mismatch for embed"):
        quantizer.load_state_dict(state | {"embed": torch.zeros(8, 5)})
    with pytest.raises(RuntimeError, match=r"Missing key.*embed_avg"):
        quantizer.load_state_dict({key: value for key, value in state.items() if key != "embed_avg"})
    with pytest.raises(RuntimeError, match="size mismatch for sample"):
        quantizer.load_state_dict(state | {"sample": torch.zeros(3, 5)})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_buffers_stay_float32(dtype: torch.dtype) -> None:
    quantizer = vector(4, 8)
    before = {key: value.clone() for key, value in quantizer.state_dict().items()}
    quantizer.to(dtype)
    assert all(torch.equal(value, before[key]) for key, value in quantizer.state_dict().items())
    assert all(value.dtype == torch.float32 for value in quantizer.state_dict().values())
    out = quantizer(torch.randn(1, 4, 9, dtype=dtype))
    assert out.quantized.dtype == dtype
    assert out.loss.dtype == torch.float32


def test_half_precision_trains_the_float32_codebook() -> None:
    one, two = vector(4, 16), VectorQuantizer(4, 16)
    two.load_state_dict(one.state_dict())
    half = torch.randn(2, 4, 100).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        one(half)
        one.update()
    two(half.float())
    two.update()
    assert torch.equal(one.embed, two.embed)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 wide"):
        VectorQuantizer(0, 8)
    with pytest.raises(ValueError, match="one frame an entry"):
        VectorQuantizer(4, 8, init_sample=7)
    with pytest.raises(ValueError, match="decay"):
        VectorQuantizer(4, 8, decay=1.0)
