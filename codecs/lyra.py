"""Lyra v2 (Google, release 1.3.2): SoundStream (Zeghidour et al., 2021, arXiv 2107.03312) as three TFLite graphs.

Conventions. 16 kHz mono, 320 samples a frame, 50 frames a second. The encoder makes 64 features a frame, the residual
quantizer up to 46 codes of 16 entries: n codes are 0.2 n kbit/s, and the codes of a rate are the first codes of every
higher rate. The official rates are 3.2, 6 and 9.2 kbit/s; every multiple of 0.2 up to 9.2 is taken, as `1.6kbps` or
`8q`. The last frame is padded with zeros; the decoded audio is cut to the length of the input.

Encoder and decoder keep what they have heard in variables of the interpreter, which resetting does not clear; so every
clip gets interpreters of its own. They run on one thread of the CPU.

The pipeline that Google builds around the codec (resampling, discontinuous transmission, packet-loss concealment,
comfort noise) is not part of it.

Source: https://github.com/google/lyra at 47698dadf0010abff6a848e02642f55f806d4842 (lyra/model_coeffs).
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import Codec, Encoded, Family, Spec, check_audio
from .errors import CodecError, MissingDependency
from .fingerprint import fingerprint
from .frames import ceil_div, check_frames
from .weights import WeightFile, Weights, find, fingerprint_parts

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SAMPLE_RATE_HZ = 16_000
HOP = 320
ENTRIES = 16
CODEBOOKS = 46
FEATURES = 64
_STEP_KBPS = Decimal("0.2")
_URL = "https://raw.githubusercontent.com/google/lyra/47698dadf0010abff6a848e02642f55f806d4842/lyra/model_coeffs/"

WEIGHTS = Weights(
    name="lyra-1.3.2",
    codec="lyra:v2",
    files=tuple(
        WeightFile(path, sha256, url=_URL + path)
        for path, sha256 in (
            ("lyra_config.binarypb", "2d88972e9536ba54deed37db380728b3c58eab9bca1d173ae523098b0774cdf5"),
            ("lyragan.tflite", "50e7839cda4f30599a3a34cfaddcd9c98449b049eee884e1a74295780448ad06"),
            ("quantizer.tflite", "841ee05989687d32d1f616a8ad1419fc7eda37599d3c05c7cf5a0d60ccf8ac5c"),
            ("soundstream_encoder.tflite", "237da0b16226fb0a68d49551c81bebf614e42142af72764448359f68581e88f1"),
        )
    ),
    licence="Apache-2.0",
    source="https://github.com/google/lyra",
)


class LyraCodec:
    """One rate of Lyra v2."""

    def __init__(self, spec: Spec, folder: Path, identity: str) -> None:
        self.spec = spec
        self.fingerprint = identity
        self._folder = folder

    def encode(self, audio: Tensor) -> Encoded:
        import torch

        check_audio(audio, self.spec)
        length = audio.shape[-1]
        padded = torch.nn.functional.pad(audio, (0, _frames(length) * HOP - length)).numpy()
        codes = torch.stack([torch.from_numpy(self._encode_clip(clip)) for clip in padded[:, 0]])
        return Encoded(tuple(codes.to(torch.int64).unbind(1)), length)

    def _encode_clip(self, clip: np.ndarray) -> np.ndarray:
        """Samples [N * 320] to codes [K, N]."""
        import numpy as np

        encoder = _Graph(self._folder / "soundstream_encoder.tflite")
        quantize = _interpreter(self._folder / "quantizer.tflite").get_signature_runner("encode")
        count = np.array(self.spec.n_codebooks, dtype=np.int32)
        columns = []
        for frame in clip.reshape(-1, 1, HOP):
            answer = quantize(input_frames=encoder(frame), num_quantizers=count)
            columns.append(answer["output_0"].reshape(-1)[: self.spec.n_codebooks])
        return np.stack(columns, axis=1)

    def decode(self, encoded: Encoded) -> Tensor:
        import numpy as np
        import torch

        features = self.embed(encoded).numpy()
        clips = []
        for clip in features:
            decoder = _Graph(self._folder / "lyragan.tflite")
            clips.append(np.concatenate([decoder(frame.reshape(1, 1, FEATURES)).reshape(-1) for frame in clip.T]))
        return torch.from_numpy(np.stack(clips))[:, None, : encoded.length]

    def embed(self, encoded: Encoded) -> Tensor:
        """The sum of codebook vectors, float32 `[B, 64, N]`: what the decoder is given."""
        import numpy as np
        import torch

        check_frames(encoded, self.spec, _frames)
        codes = torch.stack(encoded.codes, dim=1).numpy()
        # A slot that is not sent holds -1.
        slots = np.full((codes.shape[0], CODEBOOKS, codes.shape[2]), -1, dtype=np.int32)
        slots[:, : codes.shape[1]] = codes
        quantizer = _interpreter(self._folder / "quantizer.tflite").get_signature_runner("decode")
        features = np.empty((codes.shape[0], FEATURES, codes.shape[2]), dtype=np.float32)
        for item, frame in np.ndindex(codes.shape[0], codes.shape[2]):
            answer = quantizer(encoding_indices=slots[item, :, frame].reshape(CODEBOOKS, 1, 1))
            features[item, :, frame] = answer["output_0"].reshape(-1)
        return torch.from_numpy(features)


class _Graph:
    """A graph of one input and one output, with the state that its earlier calls have left."""

    def __init__(self, path: Path) -> None:
        self._interpreter = _interpreter(path)
        self._interpreter.allocate_tensors()
        # Output names differ between releases of Lyra; the order does not.
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, value: np.ndarray) -> np.ndarray:
        self._interpreter.set_tensor(self._input, value)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(path), num_threads=1)


def _frames(length: int) -> int:
    return ceil_div(length, HOP)


def _codebooks(rate: str) -> int | None:
    """`3.2kbps` to 16; None where the rate is not a multiple of 0.2 kbit/s in reach."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)kbps", rate)
    if not match:
        return None
    kbps = Decimal(match[1])
    count = kbps / _STEP_KBPS
    if count != int(count) or not 1 <= count <= CODEBOOKS or f"{kbps.normalize():f}" != match[1]:
        return None
    return int(count)


def _rate(count: int) -> str:
    return f"{(count * _STEP_KBPS).normalize():f}kbps"


def _describe(rate: str) -> Spec:
    count = _codebooks(rate)
    if count is None:
        raise CodecError(f"{rate!r} is not a rate of lyra:v2; it has multiples of 0.2kbps from 0.2kbps to 9.2kbps.")
    return Spec(
        name=f"lyra:v2@{rate}",
        sample_rate=SAMPLE_RATE_HZ,
        frame_rates=(SAMPLE_RATE_HZ / HOP,) * count,
        codebook_sizes=(ENTRIES,) * count,
        domain="speech",
        causal=True,
        latency_s=HOP / SAMPLE_RATE_HZ,
        parameters=None,
        paper="https://arxiv.org/abs/2107.03312",
        source="https://github.com/google/lyra",
        licence="Apache-2.0",
        weights_licence="Apache-2.0",
        training_data="none stated",
        notes="Release 1.3.2, part int8; runs on the CPU. Codes may differ in places between kinds of CPU.",
    )


def _build(rate: str, device: str) -> Codec:
    if device != "cpu":
        raise CodecError(f"lyra:v2 runs on the CPU only; it was asked for {device!r}. Load it with device='cpu'.")
    try:
        import ai_edge_litert  # noqa: F401
    except ImportError as error:
        raise MissingDependency("lyra:v2 needs ai-edge-litert: pip install 'codeczoo[lyra]'") from error
    folder = find(WEIGHTS)
    spec = _describe(rate)
    parts = fingerprint_parts(WEIGHTS, folder)
    return LyraCodec(spec, folder, fingerprint(spec.name, adapter=__file__, packages=("ai-edge-litert",), parts=parts))


V2 = Family(
    name="lyra:v2",
    rates=tuple(_rate(count) for count in (4, 8, 12, 16, 24, 30, 38, 46)),
    describe=_describe,
    build=_build,
    aliases={f"{count}q": _rate(count) for count in range(1, CODEBOOKS + 1)},
    weights=WEIGHTS,
    extra="lyra",
    open_rates=lambda rate: _codebooks(rate) is not None,
)
