"""Everything that codeczoo.codecs raises on purpose.

CodecError                  base of all below; its text is a sentence for the user
├── UnknownCodec            no such name; the nearest names are listed
├── UnknownRate             the codec exists, this rate does not; its rates are listed
├── MissingDependency       an optional package is not installed; the extra is named
├── WeightsMissing          weights are not on this machine; how to get them is said
├── WeightsCorrupt          weights are there, but not the ones this codec is defined by
├── CodebookMissing         a quantizer is used before its codebook was learnt or loaded
├── InvalidFeatures         features given to a quantizer are NaN or infinite
├── InvalidAudio            the audio breaks the contract (shape, dtype, NaN, empty)
├── InvalidTokens           tokens break the contract, or belong to another codec
├── UnknownDomain           a domain that a codec does not treat apart; those it does are listed
├── InvalidAudioFile        one file: not audio, no samples, NaN, cut short
├── InvalidTable            a CSV, TSV or JSON lines file cannot be read as a table
├── InvalidClips            training data as a whole: no clips, a missing column, nothing readable
├── InvalidRecipe           a training recipe: no such one, an unknown key, a value that does not fit
├── InvalidTraining         a training cannot start: its folder, its checkpoint, another configuration
├── TrainingFailed          a training had to end: no finite gradients, a checkpoint that cannot be written
└── DecodedAudioMissing     `decoded:DIR` holds no usable file for a clip
"""

from __future__ import annotations


class CodecError(Exception):
    """Base class: catch it to show the user one sentence instead of a traceback."""


class UnknownCodec(CodecError):
    """The name is not in the registry."""


class UnknownRate(CodecError):
    """The codec has no operating point of this rate."""


class MissingDependency(CodecError):
    """A package of an extra is needed and not installed."""


class WeightsMissing(CodecError):
    """The weights are in none of the places that are searched."""


class WeightsCorrupt(CodecError):
    """A weight file's checksum, size or layout is not the declared one."""


class CodebookMissing(CodecError):
    """A quantizer is asked for tokens or features before there is a codebook."""


class InvalidFeatures(CodecError):
    """The features given to a quantizer are no numbers."""


class InvalidAudio(CodecError):
    """The audio given to a codec breaks its contract."""


class InvalidTokens(CodecError):
    """The tokens given to a codec break its contract."""


class UnknownDomain(CodecError):
    """The codec has no such domain."""


class InvalidAudioFile(CodecError):
    """A file cannot be read as audio."""


class InvalidTable(CodecError):
    """A file cannot be read as a table."""


class InvalidClips(CodecError):
    """A set of training clips cannot be used as a whole."""


class InvalidRecipe(CodecError):
    """A training recipe cannot be used."""


class InvalidTraining(CodecError):
    """A training cannot start, or not in this folder."""


class TrainingFailed(CodecError):
    """A training had to end before its last step; its last checkpoint is intact."""


class DecodedAudioMissing(CodecError):
    """A folder of decoded audio lacks the file for a clip, or holds two."""
