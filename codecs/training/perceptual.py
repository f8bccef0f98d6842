"""The perceptual loss: distance in the layers of a model that has learnt to understand speech (equation 9).

Any feature model serves: a module with a `sample_rate`, from audio `[B, 1, T]` to its layers. Its weights are frozen,
it stays in eval mode, and what it makes of real audio has no graph. A recipe names it:

    features = "microsoft/wavlm-large"                                                a WavLM on the hub, or its folder
    features = "codeczoo.codecs.training.distillmos_features:DistillMosFeatures"      what makes one, without arguments

TAAE's is WavLM-Large, all 24 layers (Chen et al., 2022, arXiv 2110.13900; weights `microsoft/wavlm-large` on the
Hugging Face hub, CC BY-SA 3.0). The published code divides by the standard deviation of the target's features where the
paper has their mean magnitude; this is the paper's.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any, Protocol, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.errors import InvalidAudio, InvalidRecipe, MissingDependency, WeightsMissing

from .judgement import in_float32
from .relative_matching import relative_distance

WAVLM_LARGE = "microsoft/wavlm-large"
_FLOOR = 1e-5
_MAKER = re.compile(r"[A-Za-z_]\w*(\.\w+)+:[A-Za-z_]\w*")
"""Neither a name on the hub nor, with its dot, the folder of a drive has this form."""


class FeatureModel(Protocol):
    """What the loss can be taken in."""

    sample_rate: int

    def __call__(self, audio: Tensor) -> Sequence[Tensor]:
        """Audio float `[B, 1, T]` at `sample_rate` to the features of each layer, differentiable."""
        ...


def feature_model(name: str) -> FeatureModel:
    """The model that a recipe names: `package.module:callable`, or what WavLmFeatures.pretrained takes.

    Raises InvalidRecipe, WeightsMissing, MissingDependency.
    """
    if not _MAKER.fullmatch(name):
        return WavLmFeatures.pretrained(name)
    module, attribute = name.split(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidRecipe(
            f"There is no feature model {name}: {error}. It is named package.module:callable."
        ) from error
    try:
        made = make() if callable(make) else None
    except ImportError as error:
        raise MissingDependency(f"The feature model {name} needs a package that is not installed: {error}.") from error
    if not (callable(made) and isinstance(getattr(made, "sample_rate", None), int)):
        raise InvalidRecipe(f"{name} makes no feature model: that is called on audio and has a sample_rate in Hz.")
    return cast("FeatureModel", made)


class WavLmFeatures(nn.Module):
    """The layers of a WavLM (or wav2vec 2.0, HuBERT) of transformers, at 16 kHz.

    Each clip is brought to mean 0 and variance 1 first, as these models were trained on. Of WavLM-Large the last
    layer stands behind the final normalisation, which torchaudio's copy leaves out.
    """

    sample_rate = 16_000

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model.requires_grad_(False).eval()

    @classmethod
    def pretrained(cls, name: str = WAVLM_LARGE) -> WavLmFeatures:
        """By a name on the hub, or the folder of a copy. Raises WeightsMissing."""
        from transformers import AutoModel

        try:
            return cls(AutoModel.from_pretrained(name))
        except (OSError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WeightsMissing(
                f"The feature model {name} is neither a folder nor to be had from the hub: {reason} "
                "Fetch it where there is a network, and name its folder."
            ) from error

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode: dropout would be noise in the loss."""
        return super().train(False)

    def forward(self, audio: Tensor) -> Sequence[Tensor]:
        """Audio `[B, 1, T]` to the output of each layer `[B, N, D]`."""
        signal = F.layer_norm(in_float32(audio[:, 0]), audio.shape[-1:])
        return self.model(signal, output_hidden_states=True).hidden_states[1:]


class PerceptualLoss:
    """The loss in one feature model."""

    def __init__(self, features: FeatureModel, sample_rate: int) -> None:
        """`sample_rate` in Hz, of the audio; it must be the feature model's."""
        if features.sample_rate != sample_rate:
            raise InvalidAudio(f"The feature model takes {features.sample_rate} Hz; the codec has {sample_rate} Hz.")
        self.features = features

    def __call__(self, real: Tensor, estimate: Tensor) -> Tensor:
        """Audio `[B, 1, T]`, both; the gradient goes to the estimate alone."""
        with torch.no_grad():
            targets = self.features(real)
        return relative_distance(targets, self.features(estimate), _FLOOR)
