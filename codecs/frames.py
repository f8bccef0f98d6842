"""The law that ties the number of frames to the number of samples, and its check before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable

from .base import Encoded, Spec, check_codes
from .errors import InvalidTokens


def ceil_div(samples: int, hop: int) -> int:
    """Frames that cover `samples` at `hop` samples a frame."""
    return -(-samples // hop)


def decoded_length(length: int, spec: Spec) -> int:
    """Samples that `decode` gives back for `length` samples in: the same time, rounded up, at the decoded rate."""
    return ceil_div(length * spec.decoded_sample_rate, spec.sample_rate)


def check_frames(encoded: Encoded, spec: Spec, frames: Callable[[int], int]) -> int:
    """Frames of every codebook, once the codes are known to fit `spec` and `encoded.length`. Raises InvalidTokens."""
    check_codes(encoded, spec)
    if encoded.length < 1:
        raise InvalidTokens(f"Tokens of {spec.name} must say how many samples they stand for; got {encoded.length}.")
    expected = (encoded.batch_size, frames(encoded.length))
    for index, codes in enumerate(encoded.codes):
        if tuple(codes.shape) != expected:
            raise InvalidTokens(
                f"{encoded.length} samples of {spec.name} are {expected} codes [B, N]; "
                f"codebook {index} has {tuple(codes.shape)}."
            )
    return expected[1]
