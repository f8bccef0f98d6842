"""A recipe: everything that decides what a training makes of its data, as one frozen dataclass.

Recipes are TOML files (`recipe_files`), those of the package in `codecs/training/recipes`:

    small-320, small-600     the published models of 75 and 40 tokens a second (section 4.1, appendix A)
    codebook-1024 ...        the ablations of Tables 5, 6 and 7, each small-320 with one thing changed
    tiny                     what two CPU cores can train in an hour
    unicodec-acoustic ...    UniCodec's three stages (`unicodec_recipe`)
    taae-pretrain ...        TAAE's two stages (`taae_recipe`)

Two runs of one recipe on the same data are the same to the last bit on one machine's CPU, however often they were
interrupted; `pace` alone does not count: it decides when things are logged and saved, not what is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from codeczoo.codecs.errors import InvalidRecipe
from codeczoo.codecs.quantizers.vector import UpdateOrder, VectorQuantizer
from codeczoo.codecs.wavtokenizer import Reconstruction, WavTokenizer, WavTokenizerConfig

from . import recipe_files, typed_tables
from .crops import CropSettings
from .discriminators import DiscriminatorConfig, Discriminators
from .loader import Batch
from .losses import GeneratorLoss, LossWeights
from .models import Judges, TrainedModel

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from .learning import Step

Batches = Callable[[], Generator[list[Batch], None, None]]
"""Batches of this process, each in its parts."""
Procedure = Literal["alternating", "joint"]
Precision = Literal["no", "bf16", "fp16"]


@dataclass(frozen=True)
class CodebookRecipe:
    """How the codebook learns: `codeczoo.codecs.quantizers.vector`."""

    decay: float = 0.99
    dead_below: float = 2.0
    dead_share: float = 0.1
    from_step: int = 0
    """Step after which frames are gathered for the first codebook. Until there is one, a batch's own frames stand for
    it: features pass as they are where a batch has no more frames than there are entries. Of UniCodec: step until which
    features pass as they are; then the codebook is made of them (`fit` of `codeczoo.codecs.quantizers.sim`)."""
    init_sample: int | None = None
    """Frames that the first codebook is made of; none: four an entry."""
    init_iterations: int = 50
    update_order: UpdateOrder = "ema_first"

    def __post_init__(self) -> None:
        if self.from_step < 0:
            raise ValueError(f"codebook.from_step is 0 or more; got {self.from_step}.")
        if self.from_step and self.update_order == "reference":
            raise ValueError("The published order makes its codebook of the first batch: it has no codebook.from_step.")


@dataclass(frozen=True)
class DataRecipe:
    """What is cut out of the data: `codeczoo.codecs.training.crops`."""

    seconds: float = 3.0
    peak_db: tuple[float, float] = (-6.0, -1.0)
    validation_peak_db: float = -3.0
    short: Literal["repeat", "leave out"] = "repeat"


@dataclass(frozen=True)
class OptimiserRecipe:
    """AdamW, one for the model and one for the discriminators, and their common rate."""

    learning_rate: float = 2e-4
    """The highest; it falls to 0 along half a cosine over the training's steps."""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    warmup_steps: int = 0
    """Over which the rate rises to the cosine."""
    max_gradient_norm: float | None = None
    """Longer gradients are shortened to this."""

    def __post_init__(self) -> None:
        positive = [self.learning_rate] + ([] if self.max_gradient_norm is None else [self.max_gradient_norm])
        if not all(0 < value < math.inf for value in positive):
            raise ValueError(f"learning_rate and max_gradient_norm are positive numbers; got {self}.")
        if not all(0 <= beta < 1 for beta in self.betas) or self.weight_decay < 0 or self.warmup_steps < 0:
            raise ValueError(f"betas lie in [0, 1), weight_decay and warmup_steps are 0 or more; got {self}.")


@dataclass(frozen=True)
class Pace:
    """How often something is done besides learning, in steps."""

    log_every: int = 50
    checkpoint_every: int = 500
    validate_every: int = 2000
    keep: int = 2
    """The latest checkpoints that are kept, beside that of the best validation."""

    def __post_init__(self) -> None:
        if min(self.log_every, self.checkpoint_every, self.validate_every, self.keep) < 1:
            raise ValueError(f"The numbers of a pace are 1 or more; got {self}.")


@dataclass(frozen=True)
class Recipe:
    """One training, of a WavTokenizer; those of other families are subclasses.

    All that the loop does not know of a model is here: how it is built, run, written and read.
    """

    family: ClassVar[str] = "wavtokenizer"
    """What the model is called where a codec is named: `wavtokenizer:RUN/model.safetensors`."""
    made_for: ClassVar[str] = "speech"
    """What an exported model says that it was made for, unless it is told: `codeczoo.codecs.Spec.domain`."""

    name: str
    description: str
    steps: int
    """Optimiser steps of each of model and discriminators."""
    batch_size: int
    """Crops a step, over all processes and accumulated parts."""
    model: WavTokenizerConfig = field(default_factory=WavTokenizerConfig)
    codebook: CodebookRecipe = field(default_factory=CodebookRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    discriminators: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    optimiser: OptimiserRecipe = field(default_factory=OptimiserRecipe)
    procedure: Procedure = "alternating"
    """Which discriminators the model meets: `codeczoo.codecs.training.losses`."""
    scale_features: bool = False
    """Whether the encoder starts with features of unit scale: `codeczoo.codecs.training.feature_scale`."""
    adversarial_from: int = 0
    """Step after which the discriminators join; until then the model learns from mel and commitment loss alone."""
    accumulate: int = 1
    """Parts that a process goes through its share of a batch in, to save memory."""
    precision: Precision = "no"
    """Of the networks' arithmetic; weights, codebook, spectra and losses are float32 in all of them."""
    patience: int = 20
    """Steps in a row without a finite gradient after which training gives up."""
    seed: int = 0
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is 1 or more; got {getattr(self, name)}.")
        if self.adversarial_from < 0 or not 0 <= self.seed < 2**63:
            raise ValueError(f"adversarial_from and seed are 0 or more; got {self.adversarial_from}, {self.seed}.")
        if self.procedure == "alternating" and self.accumulate > 1:
            raise ValueError(
                "The alternating procedure would hold the model's graph of every accumulated part, and save nothing; "
                "accumulate with procedure = 'joint'."
            )
        if self.procedure == "joint" and self.precision == "fp16":
            raise ValueError("The joint procedure cannot scale losses as fp16 needs it; take bf16, or 'alternating'.")
        # Raises what does not fit, now and not when the data is there.
        _ = self.crops, self._discriminators_fit(), self._quantizer_arguments_fit()

    @property
    def crops(self) -> CropSettings:
        """What a crop is, at the model's sample rate."""
        data = self.data
        return CropSettings(self.model.sample_rate, data.seconds, data.peak_db, data.validation_peak_db, data.short)

    def build_model(self) -> TrainedModel:
        """The model with fresh weights, drawn from torch's global generator."""
        model = WavTokenizer(self.model)
        model.quantizer = self._quantizer(self.model.encoder.dimension, self.model.entries)
        return model

    def before_step(self, model: TrainedModel, step: int, ahead: Batches) -> None:
        """What a step begins with; `ahead` gives its batches and those after it. Every process calls this."""

    def run_model(self, model: Any, batch: Batch, bandwidth_id: int) -> Reconstruction:
        """The training forward of a batch; `model` may be wrapped."""
        return model(batch.audio, bandwidth_id)

    def with_own_terms(self, loss: GeneratorLoss, made: Reconstruction) -> GeneratorLoss:
        """The model's loss with what this family's models are trained for beside it."""
        return loss

    def write_model(self, model: TrainedModel, path: Path, facts: Mapping[str, Any]) -> None:
        """Write the model as it is used and read again. Raises OSError."""
        from codeczoo.codecs.wavtokenizer_checkpoint import write

        assert isinstance(model, WavTokenizer)
        write(model, path, facts)

    def read_model(self, path: Path) -> TrainedModel:
        """A model of this family to go on training with. Raises WeightsMissing, WeightsCorrupt."""
        return WavTokenizer.from_checkpoint(path, sample_rate=self.model.sample_rate, trainable=True)

    def build_discriminators(self) -> Judges:
        """The discriminators with fresh weights, drawn from torch's global generator."""
        return Discriminators(self.discriminators)

    def build_step(self, accelerator: Accelerator, model: TrainedModel, judges: Judges) -> Step:
        """How model and discriminators learn from a batch."""
        from .step import TrainingStep

        assert isinstance(judges, Discriminators)
        return TrainingStep(self, accelerator, model, judges)

    def learning_rate(self, step: int) -> float:
        """A linear rise over the warm-up times half a cosine over all steps, so that the rate after the last is 0.
        Steps count from 1."""
        done = (step - 1) / self.steps
        risen = min(1.0, step / (self.optimiser.warmup_steps + 1))
        return self.optimiser.learning_rate * risen * 0.5 * (1.0 + math.cos(math.pi * done))

    @property
    def counted_entries(self) -> int:
        """Of what `counted` gives."""
        return self.model.entries

    def counted(self, codes: Tensor) -> Tensor:
        """Whose use is watched, for codes `[B, K, N]`: the entries of the codebook."""
        return codes

    def _quantizer(self, dim: int, entries: int) -> VectorQuantizer:
        learning = self.codebook
        return VectorQuantizer(
            dim,
            entries,
            decay=learning.decay,
            dead_below=learning.dead_below,
            dead_share=learning.dead_share,
            init_sample=learning.init_sample,
            init_iterations=learning.init_iterations,
            update_order=learning.update_order,
        )

    def _discriminators_fit(self) -> None:
        if self.discriminators.conditions not in (0, self.model.bandwidths):
            raise ValueError(
                f"discriminators.conditions is 0 or the number of the model's bandwidths, {self.model.bandwidths}; "
                f"got {self.discriminators.conditions}."
            )

    def _quantizer_arguments_fit(self) -> None:
        self._quantizer(1, self.model.entries)

    def facts(self) -> dict[str, Any]:
        """What decides the outcome, as plain values by dotted key: two runs with equal facts compute the same."""
        return {key: value for key, value in flat(asdict(self)).items() if key.partition(".")[0] not in _NO_FACTS}


_NO_FACTS = ("name", "description", "pace")


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe of the package by its name, or one's own by the path of its `.toml`; `overrides` read `key=value`.
    The key `family` says of which model it is, WavTokenizer unless given. Raises InvalidRecipe."""
    from .taae_recipe import TaaeRecipe
    from .unicodec_recipe import UniCodecRecipe

    kinds: dict[str, type[Recipe]] = {kind.family: kind for kind in (Recipe, UniCodecRecipe, TaaeRecipe)}
    table = dict(recipe_files.table(name, overrides))
    family = table.pop("family", Recipe.family)
    if family not in kinds:
        raise InvalidRecipe(f"`family` is {family!r} in the recipe; one of {', '.join(map(repr, kinds))} is needed.")
    return typed_tables.read(kinds[family], table)


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted keys; tuples as lists, as JSON has them."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[prefix + key] = (
                [list(v) if isinstance(v, tuple) else v for v in value] if isinstance(value, tuple) else value
            )
    return found
