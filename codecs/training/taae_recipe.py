"""How TAAE is trained: two stages, each a recipe of its own.

    taae-pretrain    500 000 steps of batches of 128 crops of 5.12 s, from fresh weights       (equation 8)
    taae-finetune    150 000 steps more, in the features of WavLM-Large                        (equation 10)
    taae-causal      200 000 steps of the same, from a finetuned model, attention and
                     convolutions seeing the past alone                                        (appendix A.4)
    taae-tiny, taae-tiny-finetune    the same two stages, for a CPU or an afternoon of a GPU

    codeczoo train taae-pretrain --data all.csv --out runs/pretrain
    codeczoo train taae-finetune --data all.csv --out runs/finetune --init runs/pretrain/checkpoints/step-...pt

Both: AdamW at a constant rate of 8e-4, weight decay 0.01 for the model and none for the discriminators, float16 as
published. The feature model comes from the hub, or is what `features` names (`codeczoo.codecs.training.perceptual`).

What the published code does and this does not: it takes a batch for the discriminators and the next one for the model
(here each is for both); its quantizer has one number of levels where the paper draws one of three a step.

Source: Parker et al., 2024, section 4.2 and appendix A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from codeczoo.codecs.errors import WeightsCorrupt
from codeczoo.codecs.quantizers.digits import to_digits
from codeczoo.codecs.taae import TAAE, TAAEConfig

from .models import Judges, TrainedModel
from .perceptual import WAVLM_LARGE, PerceptualLoss, feature_model
from .random_levels import RandomLevels
from .recipe import CodebookRecipe, DataRecipe, OptimiserRecipe, Recipe
from .taae_discriminator import GoldenConfig, GoldenDiscriminator
from .taae_losses import Stage, TaaeLossSettings

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from .taae_step import TaaeStep


@dataclass(frozen=True)
class BottleneckRecipe:
    """How quantization is learnt: `codeczoo.codecs.training.random_levels`."""

    levels: tuple[int, ...] = (17, 9, 5)
    """Of all channels; the first are the model's own."""
    noise_share: float = 0.5
    continuous_share: float = 0.0

    def __post_init__(self) -> None:
        # Raises what does not fit.
        RandomLevels(1, self.levels, noise_share=self.noise_share, continuous_share=self.continuous_share)


@dataclass(frozen=True)
class TaaeRecipe(Recipe):
    """One stage of TAAE's training."""

    family: ClassVar[str] = "taae"

    model: TAAEConfig = field(  # pyright: ignore[reportIncompatibleVariableOverride] - this family's own
        default_factory=TAAEConfig
    )
    data: DataRecipe = field(default_factory=lambda: DataRecipe(seconds=5.12))
    discriminators: GoldenConfig = field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default_factory=GoldenConfig
    )
    losses: TaaeLossSettings = field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default_factory=TaaeLossSettings
    )
    optimiser: OptimiserRecipe = field(default_factory=lambda: OptimiserRecipe(learning_rate=8e-4))
    """Of the model; the discriminators have the same without weight decay. The rate is constant after its rise."""
    stage: Stage = "pretrain"
    bottleneck: BottleneckRecipe = field(default_factory=BottleneckRecipe)
    features: str = WAVLM_LARGE
    """Finetune: the feature model, by its name on the hub, its folder, or `package.module:callable`."""

    def __post_init__(self) -> None:
        if self.codebook != CodebookRecipe() or self.scale_features or self.adversarial_from:
            raise ValueError(
                "TAAE has no codebook that learns: leave out [codebook], scale_features, adversarial_from."
            )
        if self.procedure != "alternating":
            raise ValueError("TAAE's model meets the discriminators after their update: procedure is 'alternating'.")
        super().__post_init__()
        if set(self.model.levels) != {self.bottleneck.levels[0]}:
            raise ValueError(
                f"The first of bottleneck.levels are the model's own, in every channel: {self.model.levels}; got "
                f"{self.bottleneck.levels}."
            )
        longest = max(*self.discriminators.frames, self.losses.n_fft)
        if self.crops.samples < longest:
            raise ValueError(f"A crop of {self.data.seconds:g} s is shorter than a spectrum of {longest} samples.")

    def learning_rate(self, step: int) -> float:
        return self.optimiser.learning_rate * min(1.0, step / (self.optimiser.warmup_steps + 1))

    def build_model(self) -> TAAE:
        model = TAAE(self.model)
        bottleneck = self.bottleneck
        model.quantizer = RandomLevels(
            self.model.latent_dim,
            bottleneck.levels,
            noise_share=bottleneck.noise_share,
            continuous_share=bottleneck.continuous_share,
        )
        return model

    def build_discriminators(self) -> GoldenDiscriminator:
        return GoldenDiscriminator(self.discriminators)

    def build_perceptual(self) -> PerceptualLoss | None:
        """Of the stage finetune. Raises InvalidRecipe, WeightsMissing, MissingDependency."""
        if self.stage == "pretrain":
            return None
        return PerceptualLoss(feature_model(self.features), self.model.sample_rate)

    def build_step(self, accelerator: Accelerator, model: TrainedModel, judges: Judges) -> TaaeStep:
        from .taae_step import TaaeStep

        assert isinstance(model, TAAE)
        assert isinstance(judges, GoldenDiscriminator)
        return TaaeStep(self, accelerator, model, judges, self.build_perceptual())

    def write_model(self, model: TrainedModel, path: Path, facts: Mapping[str, Any]) -> None:
        from codeczoo.codecs.taae_checkpoint import write

        assert isinstance(model, TAAE)
        write(model, path, facts)

    def read_model(self, path: Path) -> TAAE:
        config = None if path.suffix == ".safetensors" else self.model
        found = TAAE.from_checkpoint(path, config, trainable=True)
        # A causal model goes on from one that is not: window and padding are not in the weights.
        like = replace(found.config, causal=self.model.causal, sliding_window=self.model.sliding_window)
        if like != self.model:
            raise WeightsCorrupt(f"{path} is another model than the recipe's: {found.config}.")
        return found

    @property
    def counted_entries(self) -> int:
        return sum(self.model.levels)

    def counted(self, codes: Tensor) -> Tensor:
        """The levels of each channel: of millions of entries no batch uses a share worth telling."""
        before = torch.tensor([0, *self.model.levels[:-1]], device=codes.device).cumsum(0)
        return to_digits(codes, self.model.levels) + before[:, None]

    def _discriminators_fit(self) -> None:
        """They know no bandwidth ids."""

    def _quantizer_arguments_fit(self) -> None:
        """Said by the configuration of the model and by `bottleneck`."""
