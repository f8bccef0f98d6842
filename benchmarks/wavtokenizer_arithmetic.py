"""The arithmetic of WavTokenizer: floating-point operations of the matrix products in one pass over a clip.

A multiplication and the addition that follows are two operations. Counted are convolutions, linear layers, the LSTM's
and the attention's products and the search of the codebook: what a processor could do at the rate of a large matrix
product. Not counted: norms, activations, softmax, the inverse FFT. They are a thousandth of it.
"""

from __future__ import annotations

from codeczoo.codecs.layers.seanet import SeanetConfig
from codeczoo.codecs.wavtokenizer import WavTokenizerConfig


def encode_flop(config: WavTokenizerConfig, samples: int) -> int:
    """Operations to encode a clip of so many samples: the encoder and the search."""
    frames = -(-samples // config.hop)
    return _seanet(config.encoder, samples) + 2 * frames * config.encoder.dimension * config.entries


def decode_flop(config: WavTokenizerConfig, frames: int) -> int:
    """Operations to decode so many tokens. The mirrored decoder is the encoder's arithmetic backwards."""
    decoder = config.decoder
    if decoder is None:
        return _seanet(config.encoder, frames * config.hop)
    width = decoder.width
    a_frame = decoder.kernel * decoder.dimension * width
    if decoder.attention:
        a_frame += 4 * width**2 + 2 * frames * width
    a_frame += decoder.layers * (7 * width + 2 * width * decoder.intermediate)
    a_frame += width * (config.window + 2)
    return 2 * frames * a_frame + short_convolution_flop(config, frames)


def short_convolution_flop(config: WavTokenizerConfig, frames: int) -> int:
    """Those of them in the eight convolutions of three frames around the attention."""
    return 0 if config.decoder is None else 2 * frames * 8 * 3 * config.decoder.width**2


def _seanet(config: SeanetConfig, samples: int) -> int:
    steps, width = samples, config.width
    products = steps * config.kernel * width
    for stride in config.strides:
        hidden = width // config.compress
        residual = config.residual_kernel * width * hidden + hidden * width + width**2
        products += steps * config.residual_layers * residual
        steps = -(-steps // stride)
        products += steps * 2 * stride * width * 2 * width
        width *= 2
    products += steps * config.lstm_layers * 8 * width**2
    products += steps * config.last_kernel * width * config.dimension
    return 2 * products
