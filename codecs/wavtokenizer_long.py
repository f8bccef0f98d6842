"""WavTokenizer over a clip of any length, in memory that does not grow with it, and what that changes.

Encoding: nothing. The encoder's convolutions see few frames to either side (`encoder_reach`: not 2 before the LSTM, and
3 behind it, in the published models), so stretches that overlap by as many, mirrored at the clip's true ends alone,
become the same features; the LSTM goes on from the state in which the last stretch left it. Only the last bits of
sums may differ from the whole clip's, so that a frame as near to one entry of the codebook as to another may choose
the other.

Decoding by transposed convolutions: nothing either, for the same reason.

Decoding by Vocos: a clip of up to a minute is decoded whole. A longer one is decoded by windows of a minute, each a
clip of its own (`codeczoo.codecs.long_audio`), because its group normalisation takes its averages over all frames it
is given and its attention looks at all of them. Two windows overlap by what the convolutions see (`vocos_reach`: 49
frames) on either side of a cross-fade of a quarter of a second, so no sample is made of frames whose surroundings are
cut off. What is left is that averages and attention are those of a minute and not of the clip. It is spread over the
whole window and does not gather at seams. Averages of the whole clip would take two thirds of its power away, for a
pass over the clip for each of ten normalisations; and the whole clip is not the better standard: the published models
were trained on 3 seconds.

Measured on 200 s of LibriSpeech (`codeczoo.benchmarks.seams.measure`) with a small decoder, 6 blocks, 256 wide, 50
tokens a second, that was trained for 200 steps, enough for rough speech: RMS of the difference to the audio of the
whole clip, in dB relative to that, within half a second of seams | elsewhere; and PESQ (wide band; 4.64 is no
difference) of 4 s around seams | between them.

    window 10 s   -19.8 | -19.2 dB   4.53 | 4.54
    window 30 s   -22.1 | -23.0 dB   4.58 | 4.58
    window 60 s   -32.1 | -26.9 dB   4.60 | 4.61
    window 10 s, averages of the whole clip   -24.9 | -24.0 dB   4.60 | 4.61
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import torch
from torch import Tensor, nn

from .errors import InvalidAudio
from .layers.convolution import Lstm
from .layers.frame_config import FrameConfig
from .layers.seanet import SeanetConfig
from .long_audio import Blocks, Transform, Windows, convolved, cut_to, windowed
from .wavtokenizer import WavTokenizer
from .window_length import WINDOW_S

BLOCK_S = 5.0
"""Seconds of a stretch where the result does not depend on it."""
FADE_S = 0.25
_RESIDUAL_BLOCKS = 4
"""In `pos_net`."""


def windows(config: FrameConfig) -> Windows:
    """How Vocos is given a long clip: windows of a minute, that overlap by what its convolutions see beside a fade."""
    if config.decoder is None:
        raise ValueError("A mirrored decoder is not given windows: its audio does not depend on how a clip is cut.")
    fade = round(FADE_S * config.frame_rate_hz)
    overlap = fade + 2 * math.ceil(vocos_reach(config))
    # A model of a rate so low that a minute hardly holds the overlap still gets windows that are mostly its own.
    return Windows(max(round(WINDOW_S * config.frame_rate_hz), 4 * overlap), overlap, fade)


def encode_blocks(model: WavTokenizer, blocks: Iterable[Tensor], block_s: float = BLOCK_S) -> tuple[Tensor, int]:
    """Blocks float `[B, 1, T_i]`, in order, of clips to their codes int64 `[B, 1, N]`, and their samples.

    However the clips are cut into blocks, the codes are the same to the last bit, because stretches of `block_s` are
    encoded whatever the blocks; `model.encode` of the whole gives them but for rounding. Raises InvalidAudio.
    """
    audio = Blocks(blocks, model.check_audio)
    dtype = next(model.encoder.parameters()).dtype
    typed = (block.to(dtype) for block in audio)
    with torch.no_grad():
        codes = [model.features_to_codes(features) for features in _features(model, typed, block_s)]
    if not codes:
        raise InvalidAudio("WavTokenizer was given audio without samples: no blocks.")
    return torch.cat(codes, dim=-1), audio.length


def decode_blocks(
    model: WavTokenizer,
    codes: Tensor,
    length: int | None = None,
    bandwidth_id: int = 0,
    plan: Windows | None = None,
    block_s: float = BLOCK_S,
) -> Iterator[Tensor]:
    """Codes int64 `[B, 1, N]` to audio float32, in blocks `[B, 1, T_i]` of `length` samples in all (None: N hop).

    `plan` is how it is cut, `windows` unless given; what fits into one window is `model.decode` of it. A mirrored
    decoder has no windows but blocks of `block_s`, and its audio is that of the whole clip but for rounding. Raises
    InvalidTokens, at once.
    """
    model.check_codes(codes, length)
    model.check_bandwidth(bandwidth_id)
    hop = model.config.hop
    if model.config.decoder is None:
        blocks = _mirrored(model, codes, block_s)
    else:

        @torch.no_grad()
        def decode(window: Tensor) -> Tensor:
            return model.decode(window, bandwidth_id=bandwidth_id)

        blocks = windowed([codes], decode, steps_in=1, steps_out=hop, windows=plan or windows(model.config))
    return cut_to(codes.shape[-1] * hop if length is None else length, blocks)


def _features(model: WavTokenizer, audio: Iterator[Tensor], block_s: float) -> Iterator[Tensor]:
    """Pieces of audio `[B, 1, T_i]` to pieces of the encoder's features `[B, D, N_i]`."""
    config = model.config.encoder
    block = max(1, round(block_s * model.config.frame_rate_hz))
    encoder = model.encoder
    before, after = torch.no_grad()(encoder.stages), torch.no_grad()(encoder.projected)
    halo_before, halo_after = encoder_reach(config)
    x = convolved(audio, before, steps_in=config.hop, steps_out=1, block=block, halo=math.ceil(halo_before))
    x = _resumed(x, encoder.lstm)
    return convolved(x, after, steps_in=1, steps_out=1, block=block, halo=math.ceil(halo_after))


def _mirrored(model: WavTokenizer, codes: Tensor, block_s: float) -> Iterator[Tensor]:
    """Codes to pieces of audio `[B, 1, T_i]`, by transposed convolutions."""
    config = model.config.encoder
    block = max(1, round(block_s * model.config.frame_rate_hz))
    # In front of the LSTM there is the first convolution.
    before, lstm, after = _split(model.decoder.model, 1)
    halo_before, halo_after = decoder_reach(config)
    dtype = next(model.decoder.parameters()).dtype
    features = (model.codes_to_features(part).to(dtype) for part in codes.split(block, dim=-1))
    x = convolved(features, before, steps_in=1, steps_out=1, block=block, halo=math.ceil(halo_before))
    x = _resumed(x, lstm)
    made = convolved(x, after, steps_in=1, steps_out=config.hop, block=block, halo=math.ceil(halo_after))
    return (piece.float() for piece in made)


def _split(layers: Iterable[nn.Module], place: int) -> tuple[Transform, Lstm | None, Transform]:
    """The layers before the LSTM, the LSTM (or None), and the layers behind it; `place` is where it is or would be."""
    parts = list(layers)
    lstm = parts[place]
    if isinstance(lstm, Lstm):
        return _applied(parts[:place]), lstm, _applied(parts[place + 1 :])
    return _applied(parts[:place]), None, _applied(parts[place:])


def _applied(layers: list[nn.Module]) -> Transform:
    @torch.no_grad()
    def apply(x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    return apply


def _resumed(pieces: Iterator[Tensor], lstm: Lstm | None) -> Iterator[Tensor]:
    """Pieces through an LSTM that remembers the ones before."""
    if lstm is None:
        yield from pieces
        return
    state = None
    for piece in pieces:
        with torch.no_grad():
            made, state = lstm.resume(piece, state)
        yield made


def encoder_reach(config: SeanetConfig) -> tuple[Fraction, Fraction]:
    """Frames that the encoder's convolutions before and behind its LSTM see to either side of a frame's first sample.

    The larger of both sides, layer by layer, so that it holds for mirror images at the clip's ends as well.
    """
    rate = config.hop  # steps a frame
    before = _reach(config.kernel, rate)
    for stride in config.strides:
        before += _residuals(config, rate) + _reach(2 * stride, rate, stride)
        rate //= stride
    return before, _reach(config.last_kernel, rate)


def decoder_reach(config: SeanetConfig) -> tuple[Fraction, Fraction]:
    """The same of the mirrored decoder, in frames to either side of the frame that a sample is of."""
    rate = 1
    behind = Fraction(0)
    for stride in reversed(config.strides):
        # A transposed convolution of 2 s steps hands a step on to its own s steps and to about half as many on either
        # side, so that what comes out is made of no more than one step beside its own.
        behind += Fraction(1, rate)
        rate *= stride
        behind += _residuals(config, rate)
    return _reach(config.kernel, 1), behind + _reach(config.last_kernel, rate)


def vocos_reach(config: FrameConfig) -> Fraction:
    """Frames that the convolutions and the inverse Fourier transform of a Vocos decoder see to either side of a frame;
    its group normalisation and its attention see all there are."""
    assert config.decoder is not None
    # Of 3 frames in the residual blocks, two in each; of 7 in each ConvNeXt block.
    convolutions = config.decoder.kernel // 2 + _RESIDUAL_BLOCKS * 2 + config.decoder.layers * 3
    return convolutions + Fraction(math.ceil((config.window - config.hop) / 2), config.hop)


def _residuals(config: SeanetConfig, rate: int) -> Fraction:
    """Frames seen by the residual units of one stage, at `rate` steps a frame."""
    units = (_reach(config.residual_kernel, rate, dilation=2**index) for index in range(config.residual_layers))
    return sum(units, Fraction(0))


def _reach(kernel: int, rate: int, stride: int = 1, dilation: int = 1) -> Fraction:
    """Frames seen by one convolution, at `rate` steps a frame in its input."""
    padding = (kernel - 1) * dilation + 1 - stride
    return Fraction(max(padding - padding // 2, padding // 2 + stride - 1), rate)
