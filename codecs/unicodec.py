"""UniCodec (Jiang et al., 2025, arXiv 2502.20067): speech, music and sound as one stream of 75 tokens a second.

    audio -> SEANet convolutions -> transformer with experts -> partitioned codebook -> Vocos, inverse STFT -> audio
             (encoder)              (sections 3.1, 3.3)         (section 3.2)           (WavTokenizer's decoder)

WavTokenizer with another encoder and codebook. Notation of shapes: `codeczoo.codecs.base`. A clip of T samples is
ceil(T / hop) tokens, and N tokens are N hop samples. What a token is depends on the whole clip: every frame attends to
every frame.

A domain, where one is given, is that part of the codebook that tokens are chosen from
(`codeczoo.codecs.quantizers.partitioned`); the paper evaluates without one. Decoding needs none.

Source: the paper, and the published implementation https://github.com/Jiang-Yidi/UniCodec (no licence stated) at commit
8f90335, whose checkpoint loads under its own names. What differs: tokens are decoded from codes alone (there the frozen
vectors are looked up without their linear map); an unknown domain is an error; an audio batch may hold clips of unequal
lengths; the decoder gives exactly the samples asked for; what that implementation never runs (a second feed-forward
layer a block, a whole SEANet decoder) is not here; experts begin with weights; and training is another
(`codeczoo.codecs.training`). The paper says 274 million parameters; the published configuration has 185 that count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import model_input
from .domains import one_a_clip
from .errors import CodecError
from .layers.expert_transformer import ExpertTransformer, ExpertTransformerConfig
from .layers.fourier_head import FourierHead
from .layers.frame_config import FrameConfig
from .layers.seanet import SeanetConfig, SeanetEncoder
from .layers.vocos import VocosBackbone, VocosConfig
from .layers.weight_norm import fold_weight_norm
from .quantizers.partitioned import Domains, PartitionedSimQuantizer
from .unicodec_semantic import MaskedPrediction, Prediction, SemanticPart
from .wavtokenizer import Reconstruction


@dataclass(frozen=True)
class UniCodecConfig(FrameConfig):
    """Hyper-parameters. The defaults are the published model."""

    sample_rate: int = 24_000
    """Hz."""
    encoder: SeanetConfig = field(default_factory=lambda: SeanetConfig(lstm_layers=0))
    transformer: ExpertTransformerConfig = field(default_factory=ExpertTransformerConfig)
    entries: int = 16_384
    """Of the codebook."""
    decoder: VocosConfig = field(default_factory=VocosConfig)
    n_fft: int | None = None
    """Samples of the head's spectra; None: four hops, as published."""
    projected: int = 256
    """Width of the space in which masked frames are compared; of a model that is trained."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder.lstm_layers:
            raise CodecError("UniCodec has a transformer behind its convolutions: encoder.lstm_layers must be 0.")


@dataclass(frozen=True)
class UniCodecReconstruction(Reconstruction):
    """What a training forward gives."""

    prediction: Prediction | None = None
    """Of masked frames; None where nothing was masked."""


class UniCodec(nn.Module):
    """One model: `encoder`, `transformer`, `quantizer`, and `backbone` with `head`; one to train has `semantic`."""

    def __init__(self, config: UniCodecConfig | None = None, *, trainable: bool = False) -> None:
        super().__init__()
        self.config = config = config or UniCodecConfig()
        width = config.encoder.dimension
        self.encoder = SeanetEncoder(config.encoder)
        self.transformer = ExpertTransformer(width, config.transformer)
        self.quantizer = PartitionedSimQuantizer(width, config.entries)
        self.backbone = VocosBackbone(config.decoder)
        self.head = FourierHead(config.decoder.width, config.window, config.hop)
        self.semantic = SemanticPart(width, config.projected) if trainable else None
        """What masked prediction needs; None in a model that only infers."""
        self.weights_digest = ""
        """Of a model from a checkpoint: SHA-256 of its tensors as they were read."""

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        config: UniCodecConfig | Mapping[str, Any] | None = None,
        *,
        trainable: bool = False,
        decoder_dtype: torch.dtype = torch.float32,
    ) -> UniCodec:
        """The model of the published `.ckpt`, or of a `.safetensors` of the same tensor names, in eval mode.

        `config`: a table says what shapes do not (`heads`, `topk`, `sample_rate`; whatever else it says must agree with
        the tensors); None is what the file itself states, or else the published configuration. `trainable` keeps weight
        norm and `semantic`, whose tensors are drawn anew where the file has none.

        Raises WeightsMissing, WeightsCorrupt.
        """
        from .checkpoint_layout import digest
        from .unicodec_checkpoint import read

        found, tensors = read(Path(path), config)
        of_training = [name for name in tensors if name.startswith("semantic.")]
        semantic = {name.removeprefix("semantic."): tensors.pop(name) for name in of_training}
        # Made without memory first: drawing 185 million initial weights would take longer than reading them.
        with torch.device("meta"):
            model = cls(found)
        model.to_empty(device="cpu").load_state_dict(tensors)
        model.weights_digest = digest(tensors)
        model.quantizer.embedding.weight.requires_grad_(False)
        if trainable:
            model.semantic = SemanticPart(found.encoder.dimension, found.projected)
            model.semantic.load_state_dict({**model.semantic.state_dict(), **semantic})
            model.eval()
        else:
            model.for_inference()
        return model.decoder_to(decoder_dtype)

    def for_inference(self) -> UniCodec:
        """This model in eval mode, without gradients, without `semantic`, with weight norm folded; not to train on.

        The deepest convolutions compute in float64, so that tokens do not hang on the order of sums: what follows them
        amplifies their rounding, ten times in the small model that tests compare with, where one token of 150 was not
        the reference's without it. In the published size it takes 7 % more of a CPU's time to encode.
        """
        self.semantic = None
        fold_weight_norm(self)
        self.encoder.compute_deep_layers_exactly()
        return self.eval().requires_grad_(False)

    def forward(
        self,
        audio: Tensor,
        bandwidth_id: int = 0,
        domain: Domains | None = None,
        masking: MaskedPrediction | None = None,
    ) -> UniCodecReconstruction:
        """Audio float `[B, 1, T]` through the whole model, with gradients: what training calls. `masking` masks frames
        before the transformer, and asks for the loss of predicting them."""
        features = self.encoder(audio)
        if masking is None:
            found = self.quantizer(self.transformer(features), domain)
            prediction = None
        else:
            if self.semantic is None:
                raise CodecError("This UniCodec is for inference alone; make it with trainable=True.")
            masks = masking.masks(features.shape[0], features.shape[-1])
            others = masking.distractors_of(len(masks), int(masks[0].sum()))
            masks, others = masks.to(features.device), others.to(features.device)
            found = self.quantizer(self.transformer(self.semantic.masked(features, masks)), domain)
            prediction = self.semantic.predicted(found.quantized, features, masks, others, masking.temperature)
        estimate = self.synthesise(found.quantized, bandwidth_id)[..., : audio.shape[-1]]
        return UniCodecReconstruction(estimate, found.codes, found.loss, found.statistics, prediction)

    def decoder_to(self, dtype: torch.dtype) -> UniCodec:
        """This model with a decoder that computes in another precision, bfloat16 for speed.

        Encoder, transformer and codebook stay as they are, and so do the tokens; spectra and their inverse stay
        float32.
        """
        for part in (self.backbone, self.head.out):
            part.to(dtype)
        return self

    @torch.no_grad()
    def encode(self, audio: Tensor, domain: Domains | None = None, lengths: Sequence[int] | None = None) -> Tensor:
        """Audio float `[B, 1, T]` to codes int64 `[B, 1, ceil(T / hop)]`.

        `domain` (`speech`, `music`, `sound`, None: not known) is that of all clips, or one a clip. With `lengths`, the
        samples of each clip of a padded batch, every clip gets the codes that it gets alone, and zeros behind its
        ceil(length / hop) codes. Raises InvalidAudio, UnknownDomain.
        """
        self.check_audio(audio, lengths)
        batch, _, samples = audio.shape
        domains = one_a_clip(domain, batch)
        codes = torch.zeros(batch, 1, self._frames(samples), dtype=torch.int64, device=audio.device)
        together = None if audio.device.type == "cpu" else self._codes(audio, domains, lengths)
        for index, length in enumerate([samples] * batch if lengths is None else lengths):
            frames = self._frames(length)
            if together is None:
                # A batch gains a CPU nothing, and a near tie between two entries may not hang on who else is in it.
                alone = audio[index : index + 1, :, :length]
                codes[index, :, :frames] = self._codes(alone, domains[index : index + 1])[0]
            else:
                codes[index, :, :frames] = together[index, :, :frames]
        return codes

    @torch.no_grad()
    def encode_to_latents(self, audio: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """Audio float `[B, 1, T]` to what the quantizer is given, float `[B, D, N]`. Raises InvalidAudio."""
        self.check_audio(audio, lengths)
        return self._latents(audio, lengths)

    def _frames(self, samples: int) -> int:
        return -(-samples // self.config.hop)

    def _latents(self, audio: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        features = self.encoder(audio.to(_dtype(self.encoder)), lengths).to(_dtype(self.transformer))
        frames = None if lengths is None else [self._frames(length) for length in lengths]
        return self.transformer(features, frames)

    def _codes(self, audio: Tensor, domain: Domains | None, lengths: Sequence[int] | None = None) -> Tensor:
        return self.quantizer.encode(self._latents(audio, lengths), domain)

    @torch.no_grad()
    def decode(self, codes: Tensor, length: int | None = None, bandwidth_id: int = 0) -> Tensor:
        """Codes int64 `[B, 1, N]` to audio float32 `[B, 1, length]`; None: all N hop samples. Raises InvalidTokens."""
        self.check_codes(codes, length)
        return self.synthesise(self.codes_to_features(codes), bandwidth_id)[..., :length]

    @torch.no_grad()
    def codes_to_features(self, codes: Tensor) -> Tensor:
        """The codebook's entries, what the decoder is given: codes `[B, 1, N]` to float `[B, D, N]`."""
        self.check_codes(codes)
        return self.quantizer.decode(codes)

    def synthesise(self, features: Tensor, bandwidth_id: int = 0) -> Tensor:
        """Features `[B, D, N]` to audio float32 `[B, 1, N hop]`."""
        self.check_bandwidth(bandwidth_id)
        return self.head(self.backbone(features.to(_dtype(self.backbone)), bandwidth_id))[:, None]

    @property
    def codebook_fingerprint(self) -> str:
        """16 hexadecimal digits that tell this codebook from any other, whatever its shape."""
        # Of the vectors and their map, and not of the product, which rounds otherwise on another machine.
        found = hashlib.sha256()
        quantizer = self.quantizer
        for tensor in (quantizer.embedding.weight, quantizer.embedding_proj.weight, quantizer.embedding_proj.bias):
            found.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().astype("<f4").tobytes())
        return found.hexdigest()[:16]

    def check_audio(self, audio: Tensor, lengths: Sequence[int] | None = None) -> None:
        """Raise InvalidAudio unless this is finite float `[B, 1, T]`, and `lengths` are B numbers of 1 to T."""
        model_input.check_audio("UniCodec", audio, lengths)

    def check_codes(self, codes: Tensor, length: int | None = None) -> None:
        """Raise InvalidTokens unless these are int64 `[B, 1, N]` of the codebook, and N codes for `length` samples."""
        model_input.check_codes("UniCodec", codes, self.config.entries, self.config.hop, length)

    def check_bandwidth(self, bandwidth_id: int) -> None:
        """Raise InvalidTokens unless the decoder has such a row."""
        model_input.check_bandwidth(bandwidth_id, self.config.bandwidths)


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
