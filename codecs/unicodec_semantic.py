"""Masked prediction, UniCodec's semantic stage (section 3.4), after wav2vec 2.0 (Baevski et al., 2020).

    convolutional features y --(spans replaced by one learnt vector)--> transformer --> quantizer --> quantized x
    loss: of all masked frames of its clip, which y belongs to this x?

* Spans: floor(share N / span + U(0, 1)) of them in a clip of N frames, two at least, each `span` frames long, starts
  drawn without replacement; they may overlap. Every clip of a batch keeps as many masked frames as the one with fewest.
  A share of 0.1 and spans of 5 are the paper's: a tenth of the frames is masked, not half. Its code has spans of 3.
* Loss of one masked frame: cross-entropy of the cosine between its projected x and projected y, over those with
  `distractors` frames drawn evenly from the other masked ones of the clip, all divided by the temperature. A distractor
  equal to the true y is left out. Summed over the masked frames of a clip, mean over clips: in the published code the
  sum is over the ten clips of a process, so that its weight of 0.001 is one of 0.01 here.
* x carries the straight-through gradient; y its own, as there.
* Accuracy is the share of masked frames whose y is nearer than that of every distractor. Guessing has `chance`: one in
  as many as there are different candidates, which short clips have few of, however many distractors are drawn.

Chance is where it stays at first. All masked frames enter the transformer as one vector and attention adds a hundredth
to it (`expert_transformer`), so that they get one entry of the codebook; with one x for all, the loss is least where
all cosines are equal: ln(1 + distractors) a frame. It is left once attention has grown, after a rise of the layers'
scales that a small learning rate takes thousands of steps for.

The paper has it that no module is added. Its code has two, linear maps of x and of y into a smaller space, and leaves
them out of its optimisers: they stay the random projections that they begin as. Here they are weights of the model and
are trained with it, as in wav2vec 2.0. Published checkpoints hold them (`wav2vec_contrastive_loss.final_proj`, of x;
`project_y`), and the vector that stands for masked frames (`mask_emb`, drawn from U(0, 1)).

Draws are made on the CPU from torch's global generator, as all of training's are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class MaskedPrediction:
    """Of what is masked, and what it is compared with; the defaults are the published ones."""

    share: float = 0.1
    """Of frames that are masked, about."""
    span: int = 5
    """Frames."""
    distractors: int = 100
    temperature: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or min(self.span, self.distractors) < 1 or self.temperature <= 0:
            raise ValueError(
                "Masked prediction masks a share between 0 and 1 in spans of a frame at least, against a distractor at "
                f"least, at a positive temperature; got {self}."
            )

    def masks(self, clips: int, frames: int) -> Tensor:
        """Which frames are masked, bool `[clips, frames]`, as many in every clip. Raises ValueError where clips are too
        short."""
        places = frames - self.span + 1
        if places < 2:
            raise ValueError(
                f"Two spans of {self.span} frames do not fit into clips of {frames} frames; take longer crops."
            )
        masks = torch.zeros(clips, frames, dtype=torch.bool)
        for mask in masks:
            spans = int(self.share * frames / self.span + float(torch.rand(())))
            starts = torch.randperm(places)[: min(max(2, spans), places)]
            mask[(starts[:, None] + torch.arange(self.span)).flatten()] = True
        fewest = int(masks.sum(dim=1).min())
        for mask in masks:
            masked = mask.nonzero()[:, 0]
            mask[masked[torch.randperm(len(masked))[fewest:]]] = False
        return masks

    def distractors_of(self, clips: int, masked: int) -> Tensor:
        """For each of a clip's masked frames the numbers of its distractors among them, int64
        `[clips, masked, distractors]`: never its own."""
        drawn = torch.randint(masked - 1, (clips, masked, self.distractors))
        return drawn + (drawn >= torch.arange(masked)[:, None])


@dataclass(frozen=True)
class Prediction:
    """What became of the masked frames of a batch."""

    loss: Tensor
    """float32 scalar: summed over the masked frames of a clip, mean over clips."""
    frames: int
    """Masked in a clip."""
    accuracy: Tensor
    """float32 scalar: share of the masked frames that are told from all their distractors."""
    chance: Tensor
    """float32 scalar: the accuracy of guessing."""


class SemanticPart(nn.Module):
    """What a UniCodec that is trained has beside the codec: the vector of masked frames, and both projections."""

    def __init__(self, width: int, projected: int) -> None:
        super().__init__()
        self.mask_embedding = nn.Parameter(torch.rand(width))
        self.query = nn.Linear(width, projected)
        """Of what is quantized."""
        self.target = nn.Linear(width, projected)
        """Of convolutional features."""

    def masked(self, features: Tensor, masks: Tensor) -> Tensor:
        """Features `[B, D, N]` with the learnt vector at the masked frames `[B, N]`."""
        return torch.where(masks[:, None], self.mask_embedding.to(features.dtype)[:, None], features)

    def predicted(
        self, quantized: Tensor, features: Tensor, masks: Tensor, distractors: Tensor, temperature: float
    ) -> Prediction:
        """Of `[B, D, N]` both, at the masked frames `[B, N]`, as many in every clip."""
        clips = len(masks)
        rows = (x.transpose(1, 2)[masks].unflatten(0, (clips, -1)) for x in (quantized, features))
        x, y = (project(row) for project, row in zip((self.query, self.target), rows, strict=True))
        # Not cosines of all pairs: there are as many as a clip has masked frames, and no more are asked for.
        others = y[torch.arange(clips, device=y.device)[:, None, None], distractors]
        candidates = torch.cat([y[:, :, None], others], dim=2)
        with torch.autocast(x.device.type, enabled=False):
            scores = F.cosine_similarity(x.float()[:, :, None], candidates.float(), dim=-1) / temperature
            equal = (others == y[:, :, None]).all(dim=-1)
            scores = torch.cat([scores[..., :1], scores[..., 1:].masked_fill(equal, -torch.inf)], dim=-1)
            loss = -scores.log_softmax(dim=-1)[..., 0].sum() / clips
        # A tie is not told apart: where all is alike, accuracy is 0 and not 1.
        told = scores[..., 0] > scores[..., 1:].amax(dim=-1)
        return Prediction(loss, x.shape[1], told.float().mean(), _chance(distractors, equal))


def _chance(distractors: Tensor, equal: Tensor) -> Tensor:
    """One in the different candidates of a frame, mean; those of `equal` are none."""
    clips, masked, _ = distractors.shape
    asked = torch.zeros(clips, masked, masked, device=distractors.device)
    asked.scatter_(2, distractors, (~equal).float())
    return (1 / (1 + asked.sum(dim=-1))).mean()
