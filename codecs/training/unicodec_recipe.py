"""How UniCodec is trained: three stages, each a recipe of its own that begins with the weights of the one before.

    unicodec-acoustic     WavTokenizer's losses; domains of crops choose the part of the codebook       (section 3)
    unicodec-semantic     the same, with masked frames and the contrastive loss of predicting them      (section 3.4)
    unicodec-finetune     the mel loss ten times as heavy, a lower rate, good speech alone              (appendix C)

    codeczoo train unicodec-acoustic --data all.csv --out runs/acoustic
    codeczoo train unicodec-semantic --data all.csv --out runs/semantic --init runs/acoustic/checkpoints/step-...pt
    codeczoo train unicodec-finetune --data speech.csv --out runs/finetune --init runs/semantic/checkpoints/step-...pt

A crop's domain is that of its clip (column `domain` of a manifest, or `--domain`); crops of unknown domain are searched
in the whole codebook. All stages train models of the same tensors: what only masked prediction needs is there in all of
them, and rests in those that do not mask.

What the published code does and this does not, because it cannot have been meant: its band discriminator is a second
instance that no optimiser knows, random to the end; its contrastive projections are in no optimiser; its warm-up on the
mel loss alone fails; its semantic stage, resumed, freezes the decoder; experts begin as uninitialised memory. And where
paper and code differ, this follows the paper: spans of 5 masked frames (3 in the code), a rate of 2e-4 (5e-5).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from codeczoo.codecs.domains import parts
from codeczoo.codecs.unicodec import UniCodec, UniCodecConfig, UniCodecReconstruction
from codeczoo.codecs.unicodec_semantic import MaskedPrediction
from codeczoo.codecs.wavtokenizer import Reconstruction

from .loader import Batch
from .losses import GeneratorLoss
from .models import TrainedModel
from .recipe import Batches, CodebookRecipe, Recipe


@dataclass(frozen=True)
class SemanticRecipe:
    """The semantic stage: what is masked, and what its prediction counts."""

    masking: MaskedPrediction = field(default_factory=MaskedPrediction)
    weight: float = 0.01
    """Of the loss summed over the masked frames of a crop, mean over crops; the published 0.001 is of its sum over ten
    crops."""

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"semantic.weight is a positive number; got {self.weight}.")


@dataclass(frozen=True)
class UniCodecRecipe(Recipe):
    """One stage of UniCodec's training."""

    family: ClassVar[str] = "unicodec"
    made_for: ClassVar[str] = "general"

    model: UniCodecConfig = field(  # pyright: ignore[reportIncompatibleVariableOverride] - this family's own
        default_factory=UniCodecConfig
    )
    semantic: SemanticRecipe | None = None
    """None: nothing is masked."""

    def __post_init__(self) -> None:
        if self.codebook != CodebookRecipe(from_step=self.codebook.from_step):
            raise ValueError(
                "UniCodec's codebook is learnt by gradients: of [codebook] its recipes have from_step alone."
            )
        super().__post_init__()
        if self.semantic is not None:
            # Raises what does not fit, now and not at the first step.
            frames = -(-self.crops.samples // self.model.hop)
            if frames < self.semantic.masking.span + 1:
                raise ValueError(
                    f"Two spans of {self.semantic.masking.span} frames do not fit into crops of {frames} frames; take "
                    "longer crops."
                )

    def build_model(self) -> TrainedModel:
        model = UniCodec(self.model, trainable=True)
        assert model.semantic is not None
        # Weights that no loss reaches would be waited for where several processes train together.
        model.semantic.requires_grad_(self.semantic is not None)
        return model

    def run_model(self, model: Any, batch: Batch, bandwidth_id: int) -> Reconstruction:
        return model(batch.audio, bandwidth_id, batch.domains, self.semantic and self.semantic.masking)

    def before_step(self, model: TrainedModel, step: int, ahead: Batches) -> None:
        assert isinstance(model, UniCodec)
        first = self.codebook.from_step + 1
        model.quantizer.passes = step < first
        if step == first > 1:
            with closing(ahead()) as batches:
                self._fit_codebook(model, batches)

    def _fit_codebook(self, model: UniCodec, batches: Iterator[list[Batch]]) -> None:
        """From about two frames an entry."""
        frames = self.batch_size * -(-self.crops.samples // self.model.hop)
        count = -(-2 * self.model.entries // frames)
        parts = [part for batch in itertools.islice(batches, count) for part in batch]
        latents = torch.cat([model.encode_to_latents(part.audio) for part in parts])
        model.quantizer.fit(latents, [domain for part in parts for domain in part.domains])

    def with_own_terms(self, loss: GeneratorLoss, made: Reconstruction) -> GeneratorLoss:
        if self.semantic is None:
            return loss
        assert isinstance(made, UniCodecReconstruction)
        found = made.prediction
        assert found is not None
        return replace(
            loss,
            total=loss.total + self.semantic.weight * found.loss,
            contrastive=found.loss / found.frames,
            masked_accuracy=found.accuracy,
            masked_chance=found.chance,
        )

    def write_model(self, model: TrainedModel, path: Path, facts: Mapping[str, Any]) -> None:
        from codeczoo.codecs.unicodec_checkpoint import write

        assert isinstance(model, UniCodec)
        write(model, path, facts)

    def read_model(self, path: Path) -> TrainedModel:
        config = None if path.suffix == ".safetensors" else self.model
        return UniCodec.from_checkpoint(path, config, trainable=True)

    def _quantizer_arguments_fit(self) -> None:
        parts(self.model.entries)
