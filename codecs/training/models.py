"""The models that the loop trains: each has an `encoder`, a `quantizer`, a `config`, and a forward that gives a
`Reconstruction`. What differs between them (how they are built, called, written and read) is said by their recipe."""

from __future__ import annotations

from codeczoo.codecs.taae import TAAE, TAAEConfig
from codeczoo.codecs.unicodec import UniCodec, UniCodecConfig
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig

from .discriminators import Discriminators
from .taae_discriminator import GoldenDiscriminator

TrainedModel = WavTokenizer | UniCodec | TAAE
ModelConfig = WavTokenizerConfig | UniCodecConfig | TAAEConfig
Judges = Discriminators | GoldenDiscriminator
