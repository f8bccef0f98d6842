"""Masked prediction: what is masked, what it is compared with, and a loss that knows the right answer."""

from __future__ import annotations

import math

import pytest
import torch

from codeczoo.codecs.unicodec_semantic import MaskedPrediction, SemanticPart


def test_about_the_share_is_masked_in_spans_and_as_much_in_every_clip() -> None:
    torch.manual_seed(0)
    masks = MaskedPrediction(share=0.1, span=5).masks(8, 750)
    counts = masks.sum(dim=1)
    assert len(counts.unique()) == 1
    # 15 spans of 5 or one more, less overlaps and what was dropped to be as many.
    assert 55 <= int(counts[0]) <= 80
    assert len({tuple(mask.tolist()) for mask in masks}) == 8
    runs = (masks[:, 1:] & masks[:, :-1]).sum() / masks.sum()
    assert runs > 0.7


def test_two_spans_at_least() -> None:
    torch.manual_seed(1)
    masks = MaskedPrediction(share=0.01, span=3).masks(1, 20)
    assert 4 <= int(masks.sum()) <= 6
    with pytest.raises(ValueError, match=r"Two spans of 5 frames do not fit into clips of 5 frames"):
        MaskedPrediction().masks(2, 5)


def test_no_distractor_is_the_frame_itself() -> None:
    torch.manual_seed(2)
    drawn = MaskedPrediction(distractors=400).distractors_of(2, 7)
    assert drawn.shape == (2, 7, 400)
    for frame in range(7):
        assert set(drawn[:, frame].flatten().tolist()) == set(range(7)) - {frame}


def part_of_identity(width: int) -> SemanticPart:
    part = SemanticPart(width, width)
    with torch.no_grad():
        for layer in (part.query, part.target):
            layer.weight.copy_(torch.eye(width))
            layer.bias.zero_()
    return part


def test_the_loss_against_its_definition() -> None:
    """Written out frame by frame; a distractor equal to the truth counts for nothing."""
    torch.manual_seed(3)
    part = part_of_identity(6)
    quantized, features = torch.randn(2, 6, 10), torch.randn(2, 6, 10)
    features[0, :, 4] = features[0, :, 3]
    masks = torch.zeros(2, 10, dtype=torch.bool)
    masks[0, [1, 3, 4]] = True
    masks[1, [0, 8, 9]] = True
    others = torch.tensor([[[1, 2], [2, 0], [0, 1]], [[1, 1], [0, 2], [0, 0]]])
    expected = 0.0
    for clip in range(2):
        frames = masks[clip].nonzero()[:, 0].tolist()
        for place, frame in enumerate(frames):
            x, y = quantized[clip, :, frame], features[clip, :, frame]
            candidates = [features[clip, :, frames[other]] for other in others[clip, place].tolist()]
            scores = [
                float(torch.dot(x, c) / (x.norm() * c.norm())) / 0.1
                for c in [y, *(c for c in candidates if not torch.equal(c, y))]
            ]
            expected += math.log(sum(math.exp(score) for score in scores)) - scores[0]
    found = part.predicted(quantized, features, masks, others, 0.1)
    assert found.frames == 3
    assert float(found.loss.detach()) == pytest.approx(expected / 2, rel=1e-5)


def test_the_right_answer_costs_nothing() -> None:
    part = part_of_identity(8)
    features = torch.eye(8)[None]
    masks = torch.ones(1, 8, dtype=torch.bool)
    others = MaskedPrediction(distractors=5).distractors_of(1, 8)
    assert float(part.predicted(features, features, masks, others, 0.1).loss.detach()) < 0.01
    shuffled = features.roll(1, dims=-1)
    assert float(part.predicted(shuffled, features, masks, others, 0.1).loss.detach()) > 1.0


def test_masked_frames_alone_are_scored() -> None:
    torch.manual_seed(4)
    part = SemanticPart(8, 4)
    quantized, features = torch.randn(2, 8, 30, requires_grad=True), torch.randn(2, 8, 30, requires_grad=True)
    masking = MaskedPrediction(distractors=20)
    masks = masking.masks(2, 30)
    others = masking.distractors_of(2, int(masks[0].sum()))
    part.predicted(quantized, features, masks, others, 0.1).loss.backward()
    for leaf in (quantized, features):
        assert leaf.grad is not None
        assert torch.equal(leaf.grad.abs().sum(dim=1) > 0, masks)


def test_accuracy_and_what_guessing_has_of_it() -> None:
    part = part_of_identity(8)
    features = torch.eye(8)[None]
    masks = torch.ones(1, 8, dtype=torch.bool)
    # Each frame against the two before it, drawn often.
    others = ((torch.arange(8)[:, None] - torch.tensor([1, 2, 2, 1])) % 8)[None]
    found = part.predicted(features, features, masks, others, 0.1)
    assert (float(found.accuracy), float(found.chance)) == (1.0, pytest.approx(1 / 3))
    half = torch.cat([features[..., :4], features.roll(1, dims=-1)[..., 4:]], dim=-1)
    assert float(part.predicted(half, features, masks, others, 0.1).accuracy) == 0.5
    alike = torch.ones(1, 8, 8)
    assert float(part.predicted(alike, features, masks, others, 0.1).accuracy) == 0.0
    # A distractor that equals the truth is no candidate.
    twice = features.clone()
    twice[..., 0] = twice[..., 7]
    found = part.predicted(twice, twice, masks, others, 0.1)
    assert float(found.chance) == pytest.approx((7 / 3 + 1 / 2) / 8)


def test_guessing_is_right_as_often_as_chance_says() -> None:
    torch.manual_seed(5)
    part, masking = part_of_identity(16), MaskedPrediction()
    told, chance = [], []
    for _ in range(40):
        masks = masking.masks(4, 75)
        others = masking.distractors_of(4, int(masks[0].sum()))
        found = part.predicted(torch.randn(4, 16, 75), torch.randn(4, 16, 75), masks, others, 0.1)
        told.append(float(found.accuracy))
        chance.append(float(found.chance))
    assert 1 / 11 < sum(chance) / 40 < 1 / 6
    assert sum(told) == pytest.approx(sum(chance), rel=0.25)


def test_masked_frames_are_the_learnt_vector() -> None:
    part = SemanticPart(4, 2)
    features, masks = torch.randn(1, 4, 3), torch.tensor([[False, True, False]])
    found = part.masked(features, masks)
    assert torch.equal(found[0, :, 1], part.mask_embedding)
    assert torch.equal(found[..., [0, 2]], features[..., [0, 2]])


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"span": 0}, {"distractors": 0}, {"temperature": 0.0}])
def test_settings_that_make_no_sense_are_told(wrong: dict) -> None:
    with pytest.raises(ValueError, match="Masked prediction masks a share"):
        MaskedPrediction(**wrong)
