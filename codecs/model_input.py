"""What native models of one codebook are given: checked, with errors that say what was wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from .errors import InvalidAudio, InvalidTokens


def check_audio(model: str, audio: Tensor, lengths: Sequence[int] | None = None) -> None:
    """Raise InvalidAudio unless this is finite float `[B, 1, T]`, and `lengths` are B numbers of 1 to T."""
    shape = tuple(audio.shape)
    if audio.dim() != 3 or shape[1] != 1 or not audio.is_floating_point():
        raise InvalidAudio(f"{model} takes float audio [B, 1, T]; got {audio.dtype} {shape}.")
    if 0 in shape:
        raise InvalidAudio(f"{model} was given audio without samples: {shape}.")
    low, high = torch.aminmax(audio.detach())
    if not (math.isfinite(float(low)) and math.isfinite(float(high))):
        raise InvalidAudio(f"{model} was given audio with NaN or infinite samples.")
    if lengths is not None and (len(lengths) != shape[0] or not all(_within(item, 1, shape[2]) for item in lengths)):
        raise InvalidAudio(f"lengths must be {shape[0]} numbers of 1 to {shape[2]} samples; got {list(lengths)}.")


def check_features(model: str, features: Tensor) -> None:
    """Raise InvalidAudio unless distances to the features `[B, D, N]` of audio are finite: to NaN any entry is near."""
    if not bool(features.float().square().sum(dim=1).isfinite().all()):
        raise InvalidAudio(
            f"This audio is too loud for the precision of {model}'s encoder: its features are NaN or infinite. Give "
            "audio within [-1, 1]."
        )


def check_codes(model: str, codes: Tensor, entries: int, hop: int, length: int | None = None) -> None:
    """Raise InvalidTokens unless these are int64 `[B, 1, N]` of a codebook of `entries`, and N codes of `hop` samples
    each are what `length` samples become."""
    shape = tuple(codes.shape)
    if codes.dim() != 3 or shape[1] != 1 or codes.dtype != torch.int64 or 0 in shape:
        raise InvalidTokens(f"{model} takes int64 codes [B, 1, N]; got {codes.dtype} {shape}.")
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= entries:
        raise InvalidTokens(f"The codebook has {entries} entries; got codes {low} to {high}.")
    samples = shape[2] * hop
    if length is not None and not _within(length, samples - hop + 1, samples):
        least = samples - hop + 1
        raise InvalidTokens(f"{shape[2]} codes stand for {least} to {samples} samples; got a length of {length}.")


def check_bandwidth(bandwidth_id: int, bandwidths: int) -> None:
    """Raise InvalidTokens unless the decoder has such a row."""
    if not _within(bandwidth_id, 0, bandwidths - 1):
        raise InvalidTokens(
            f"bandwidth_id must be 0 to {bandwidths - 1}, a number for all clips; got {bandwidth_id!r}."
        )


def _within(value: object, low: int, high: int) -> bool:
    """Whether this is a whole number from `low` to `high`: neither 1.0 nor True nor a tensor is one."""
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high
