"""A recipe of TAAE: one of its two stages, everything that decides what a training makes of its data.

    pretrain   500 000 steps of batches of 128 crops of 5.12 s, from fresh weights
    finetune   150 000 steps more, from the pretrained model (`begin_with`), in the features of WavLM-Large

Both: AdamW at a constant rate of 8e-4, weight decay 0.01 for the model and none for the discriminators, float16 as
published (bfloat16 where the GPU has it). The causal model is the finetune stage for 200 000 steps on a model whose
`causal` and `sliding_window` are changed.

Source: Parker et al., 2024, section 4.2 and appendix A.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from codeczoo.codecs.errors import InvalidRecipe
from codeczoo.codecs.taae import TAAE, TAAEConfig

from .crops import CropSettings
from .perceptual import WAVLM_LARGE, PerceptualLoss, WavLmFeatures
from .random_levels import RandomLevels
from .recipe import DataRecipe, OptimiserRecipe, Pace, Precision
from .taae_discriminator import GoldenConfig, GoldenDiscriminator
from .taae_losses import Stage, TaaeLossSettings


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
class TaaeRecipe:
    """One training."""

    name: str
    description: str
    steps: int
    batch_size: int
    """Crops a step, over all processes."""
    stage: Stage = "pretrain"
    model: TAAEConfig = field(default_factory=TAAEConfig)
    bottleneck: BottleneckRecipe = field(default_factory=BottleneckRecipe)
    data: DataRecipe = field(default_factory=lambda: DataRecipe(seconds=5.12))
    discriminators: GoldenConfig = field(default_factory=GoldenConfig)
    losses: TaaeLossSettings = field(default_factory=TaaeLossSettings)
    optimiser: OptimiserRecipe = field(default_factory=lambda: OptimiserRecipe(learning_rate=8e-4))
    """Of the model; the discriminators have the same without weight decay."""
    begin_with: str = ""
    """File of the model to go on from; empty: fresh weights."""
    features: str = WAVLM_LARGE
    """Finetune: the feature model, by its name on the hub or its folder."""
    precision: Precision = "no"
    patience: int = 20
    """Steps in a row without a finite gradient after which training gives up."""
    seed: int = 0
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.patience) < 1 or not 0 <= self.seed < 2**63:
            raise ValueError(f"steps, batch_size and patience are 1 or more, the seed 0 or more; got {self}.")
        if set(self.model.levels) != {self.bottleneck.levels[0]}:
            raise ValueError(
                f"The first of bottleneck.levels are the model's own, in every channel: {self.model.levels}; got "
                f"{self.bottleneck.levels}."
            )
        longest = max(*self.discriminators.frames, self.losses.n_fft)
        if self.crops.samples < longest:
            raise ValueError(f"A crop of {self.data.seconds:g} s is shorter than a spectrum of {longest} samples.")

    @property
    def crops(self) -> CropSettings:
        """What a crop is, at the model's sample rate."""
        data = self.data
        return CropSettings(self.model.sample_rate, data.seconds, data.peak_db, data.validation_peak_db, data.short)

    def build_model(self) -> TAAE:
        """The model to train, fresh from torch's global generator, or that of `begin_with`. Raises InvalidRecipe,
        WeightsMissing, WeightsCorrupt."""
        model = TAAE.from_checkpoint(Path(self.begin_with), trainable=True) if self.begin_with else TAAE(self.model)
        # A causal model goes on from one that is not: window and padding are not in the weights.
        if replace(model.config, causal=self.model.causal, sliding_window=self.model.sliding_window) != self.model:
            raise InvalidRecipe(f"{self.begin_with} is another model than the recipe's: {model.config}.")
        if model.config != self.model:
            begun, model = model, TAAE(self.model)
            model.load_state_dict(begun.state_dict())
        bottleneck = self.bottleneck
        model.quantizer = RandomLevels(
            self.model.latent_dim,
            bottleneck.levels,
            noise_share=bottleneck.noise_share,
            continuous_share=bottleneck.continuous_share,
        )
        return model.train()

    def build_discriminators(self) -> GoldenDiscriminator:
        """The discriminators with fresh weights, drawn from torch's global generator."""
        return GoldenDiscriminator(self.discriminators)

    def build_perceptual(self) -> PerceptualLoss | None:
        """Of the stage finetune. Raises WeightsMissing."""
        if self.stage == "pretrain":
            return None
        return PerceptualLoss(WavLmFeatures.pretrained(self.features), self.model.sample_rate)

    def learning_rate(self, step: int) -> float:
        """A linear rise over the warm-up, then constant. Steps count from 1."""
        return self.optimiser.learning_rate * min(1.0, step / (self.optimiser.warmup_steps + 1))
