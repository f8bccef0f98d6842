"""UniCodec over a clip of any length, in memory that does not grow with it, and what that changes.

Encoding: every frame attends to every frame of what the transformer is given, so a token is a token of its clip, and a
clip cut in two is not the same tokens. A clip of up to a minute is encoded whole. A longer one is encoded in windows of
a minute that overlap by 10 s; their tokens meet in the middle of the overlap, with 5 s of context on either side: half
of what the published model was trained on. Where the reference attends over the whole of a long clip, tokens differ.

Decoding: the decoder is WavTokenizer's, and so are its windows (`codeczoo.codecs.wavtokenizer_long`).

However a clip is cut into blocks, codes and audio are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from .errors import InvalidAudio
from .long_audio import Blocks, Windows, cut_to, windowed
from .quantizers.partitioned import Domains
from .unicodec import UniCodec, UniCodecConfig
from .wavtokenizer_long import windows as decoding_windows
from .window_length import WINDOW_S

OVERLAP_S = 10.0


def encoding_windows(config: UniCodecConfig, window_s: float = WINDOW_S) -> Windows:
    """How the encoder is given a long clip."""
    frames = round(window_s * config.frame_rate_hz)
    # A window so short that it hardly holds the overlap is still mostly its own.
    return Windows(max(2, frames), min(round(OVERLAP_S * config.frame_rate_hz), max(2, frames) // 2))


def encode_blocks(
    model: UniCodec, blocks: Iterable[Tensor], domain: Domains | None = None, plan: Windows | None = None
) -> tuple[Tensor, int]:
    """Blocks float `[B, 1, T_i]`, in order, of clips to their codes int64 `[B, 1, N]`, and their samples.

    `plan` is how they are cut, `encoding_windows` unless given; what fits into one window is `model.encode` of it.
    Raises InvalidAudio, UnknownDomain.
    """
    audio = Blocks(blocks, model.check_audio)

    def encode(window: Tensor) -> Tensor:
        return model.encode(window, domain)

    plan = plan or encoding_windows(model.config)
    codes = list(windowed(audio, encode, steps_in=model.config.hop, steps_out=1, windows=plan))
    if not codes:
        raise InvalidAudio("UniCodec was given audio without samples: no blocks.")
    return torch.cat(codes, dim=-1), audio.length


def decode_blocks(
    model: UniCodec, codes: Tensor, length: int | None = None, bandwidth_id: int = 0, plan: Windows | None = None
) -> Iterator[Tensor]:
    """Codes int64 `[B, 1, N]` to audio float32, in blocks `[B, 1, T_i]` of `length` samples in all (None: N hop).

    `plan` is how it is cut, `decoding_windows` unless given; what fits into one window is `model.decode` of it. Raises
    InvalidTokens, at once.
    """
    model.check_codes(codes, length)
    model.check_bandwidth(bandwidth_id)
    hop = model.config.hop

    def decode(window: Tensor) -> Tensor:
        return model.decode(window, bandwidth_id=bandwidth_id)

    blocks = windowed([codes], decode, steps_in=1, steps_out=hop, windows=plan or decoding_windows(model.config))
    return cut_to(codes.shape[-1] * hop if length is None else length, blocks)
