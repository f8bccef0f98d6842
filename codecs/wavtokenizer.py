"""WavTokenizer (Ji et al., 2024, arXiv 2408.16532): speech, music and sound as one stream of 40 or 75 tokens a second.

    audio -> SEANet encoder -> one codebook of 4096 entries -> Vocos with attention -> inverse STFT -> audio
             (section 3.1)     (section 3.2)                   (section 3.3)

Notation of shapes: `codeczoo.codecs.base`. A clip of T samples is ceil(T / hop) tokens, and N tokens are N hop samples.

Source: the paper, and the published implementation https://github.com/jishengpeng/WavTokenizer (MIT) at commit 5cf440d,
whose checkpoints load unchanged. What it can do and this cannot: nothing that works there. What differs: an audio batch
may hold clips of unequal lengths, the decoder gives exactly the samples asked for, and training is another
(`codeczoo.codecs.training`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from . import model_input
from .layers.fourier_head import FourierHead
from .layers.frame_config import FrameConfig
from .layers.seanet import SeanetConfig, SeanetDecoder, SeanetEncoder
from .layers.vocos import VocosBackbone, VocosConfig
from .layers.weight_norm import fold_weight_norm
from .quantizers.vector import VectorQuantizer


@dataclass(frozen=True)
class WavTokenizerConfig(FrameConfig):
    """Hyper-parameters. The defaults are the published model of 75 tokens a second; 40: `strides=(4, 5, 5, 6)`."""

    sample_rate: int = 24_000
    """Hz. Not in a published checkpoint, whose models are all of 24 kHz."""
    encoder: SeanetConfig = field(default_factory=SeanetConfig)
    entries: int = 4096
    """Of the codebook (Table 5: 1024 to 16384)."""
    decoder: VocosConfig | None = field(default_factory=VocosConfig)
    """None: the encoder's mirror image by transposed convolutions, the baseline of Table 7."""
    n_fft: int | None = None
    """Samples of the head's spectra; None: four hops, as published."""


@dataclass(frozen=True)
class Reconstruction:
    """What a training forward gives."""

    audio: Tensor
    """Float32 `[B, 1, T]`, as long as what was given."""
    codes: Tensor
    """int64 `[B, 1, N]`."""
    commitment: Tensor
    """float32 scalar: see `codeczoo.codecs.quantizers.Quantized.loss`."""
    statistics: Mapping[str, Tensor]
    """Of the codebook's use by this batch."""


class WavTokenizer(nn.Module):
    """One model: `encoder`, `quantizer`, and `backbone` with `head` (or, for the mirrored decoder, `decoder`)."""

    def __init__(self, config: WavTokenizerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or WavTokenizerConfig()
        self.encoder = SeanetEncoder(config.encoder)
        self.quantizer = VectorQuantizer(config.encoder.dimension, config.entries)
        if config.decoder is None:
            self.decoder = SeanetDecoder(config.encoder)
        else:
            self.backbone = VocosBackbone(config.decoder)
            self.head = FourierHead(config.decoder.width, config.window, config.hop)
        self.weights_digest = ""
        """Of a model from a checkpoint: SHA-256 of its tensors as they were read."""

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        sample_rate: int | None = None,
        trainable: bool = False,
        decoder_dtype: torch.dtype = torch.float32,
    ) -> WavTokenizer:
        """The model of a published `.ckpt`, or of a `.safetensors` of the same tensor names, in eval mode.

        Every hyper-parameter but the sample rate (Hz, 24 000 unless the file states it) is read off the tensors'
        shapes. `trainable` keeps the weight norm, which is folded otherwise; `decoder_dtype` see `decoder_to`. Raises
        WeightsMissing, WeightsCorrupt.
        """
        from .checkpoint_layout import digest
        from .wavtokenizer_checkpoint import read

        config, tensors = read(Path(path), sample_rate)
        # Made without memory first: drawing 72 million initial weights would take longer than reading them.
        with torch.device("meta"):
            model = cls(config)
        model.to_empty(device="cpu").load_state_dict(tensors)
        model.weights_digest = digest(tensors)
        model = model.eval() if trainable else model.for_inference()
        return model.decoder_to(decoder_dtype)

    def for_inference(self) -> WavTokenizer:
        """This model in eval mode, without gradients and with weight norm folded into the kernels; not to train on."""
        fold_weight_norm(self)
        return self.eval().requires_grad_(False)

    def forward(self, audio: Tensor, bandwidth_id: int = 0) -> Reconstruction:
        """Audio float `[B, 1, T]` through the whole model, with gradients: what training calls. In training mode the
        quantizer stages what its next `update` learns from."""
        found = self.quantizer(self.encoder(audio))
        estimate = self.synthesise(found.quantized, bandwidth_id)[..., : audio.shape[-1]]
        return Reconstruction(estimate, found.codes, found.loss, found.statistics)

    def decoder_to(self, dtype: torch.dtype) -> WavTokenizer:
        """This model with a decoder that computes in another precision, bfloat16 for speed.

        Encoder and codebook stay as they are, and so do the tokens; spectra and their inverse stay float32.
        """
        parts = [self.decoder] if self.config.decoder is None else [self.backbone, self.head.out]
        for part in parts:
            part.to(dtype)
        return self

    @torch.no_grad()
    def encode(self, audio: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """Audio float `[B, 1, T]` to codes int64 `[B, 1, ceil(T / hop)]`.

        With `lengths`, the samples of each clip of a padded batch, every clip gets the codes that it gets alone, and
        zeros behind its ceil(length / hop) codes. Raises InvalidAudio.
        """
        self.check_audio(audio, lengths)
        batch, _, samples = audio.shape
        codes = torch.zeros(batch, 1, self._frames(samples), dtype=torch.int64, device=audio.device)
        together = None if audio.device.type == "cpu" else self._codes(audio, lengths)
        for index, length in enumerate([samples] * batch if lengths is None else lengths):
            frames = self._frames(length)
            if together is None:
                # A batch gains a CPU nothing, and a near tie between two entries may not hang on who else is in it.
                codes[index, :, :frames] = self._codes(audio[index : index + 1, :, :length])[0]
            else:
                codes[index, :, :frames] = together[index, :, :frames]
        return codes

    def _frames(self, samples: int) -> int:
        return -(-samples // self.config.hop)

    def _codes(self, audio: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        return self.features_to_codes(self.encoder(audio.to(_dtype(self.encoder)), lengths))

    def features_to_codes(self, features: Tensor) -> Tensor:
        """The encoder's features `[B, D, N]` to the nearest entries, int64 `[B, 1, N]`. Raises InvalidAudio where audio
        was so loud that they are no numbers."""
        model_input.check_features("WavTokenizer", features)
        return self.quantizer.encode(features)

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
        if self.config.decoder is None:
            return self.decoder(features.to(_dtype(self.decoder))).float()
        return self.head(self.backbone(features.to(_dtype(self.backbone)), bandwidth_id))[:, None]

    @property
    def codebook_fingerprint(self) -> str:
        """16 hexadecimal digits that tell this codebook from any other, whatever its shape."""
        entries = self.quantizer.embed.detach().to("cpu", torch.float32).contiguous()
        return hashlib.sha256(entries.numpy().astype("<f4").tobytes()).hexdigest()[:16]

    def check_audio(self, audio: Tensor, lengths: Sequence[int] | None = None) -> None:
        """Raise InvalidAudio unless this is finite float `[B, 1, T]`, and `lengths` are B numbers of 1 to T."""
        model_input.check_audio("WavTokenizer", audio, lengths)

    def check_codes(self, codes: Tensor, length: int | None = None) -> None:
        """Raise InvalidTokens unless these are int64 `[B, 1, N]` of the codebook, and N codes for `length` samples."""
        model_input.check_codes("WavTokenizer", codes, self.config.entries, self.config.hop, length)

    def check_bandwidth(self, bandwidth_id: int) -> None:
        """Raise InvalidTokens unless the decoder has such a row."""
        model_input.check_bandwidth(bandwidth_id, self.config.bandwidths)


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
