"""The models that the loop trains: each has an `encoder`, a `quantizer`, a `config`, and a forward that gives a
`Reconstruction`. What differs between them (how they are built, called, written and read) is said by their recipe."""

from __future__ import annotations

from codeczoo.codecs.unicodec import UniCodec, UniCodecConfig
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig

TrainedModel = WavTokenizer | UniCodec
ModelConfig = WavTokenizerConfig | UniCodecConfig
