"""Whether audio of every length comes back, as long as it was, and what is not audio is refused."""

from __future__ import annotations

import numpy as np

from codeczoo.benchmarks.coding import StepFailed
from codeczoo.codecs import InvalidAudio
from codeczoo.codecs.frames import decoded_length

from .findings import Finding
from .patient import Patient
from .voice import FIRST, sung


def lengths(patient: Patient) -> Finding:
    """One sample, odd numbers, a frame and its neighbours."""
    import torch

    spec, frame = patient.spec, round(patient.frame)
    tried = sorted({1, 2, 1_023, *(length for length in (frame - 1, frame, frame + 1) if length > 0)})
    for length in tried:
        audio = patient.given(sung(FIRST, spec.sample_rate, length))
        try:
            decoded = patient.decode(patient.encode(audio))
        except StepFailed as failed:
            return Finding("lengths", "fail", f"{failed.step} fails on {length} sample(s): {failed.cause}")
        wanted = (1, spec.channels, decoded_length(length, spec))
        if tuple(decoded.shape) != wanted:
            got = f"{tuple(decoded.shape)}; expected {wanted}"
            return Finding(
                "lengths", "fail", f"{length} sample(s) come back as [B, C, T] = {got}.", decoded.shape[-1], str(wanted)
            )
        if decoded.dtype != torch.float32 or not bool(torch.isfinite(decoded).all()):
            return Finding("lengths", "fail", f"{length} sample(s) come back as {decoded.dtype}, or not finite.")
    said = ", ".join(map(str, tried))
    return Finding("lengths", "ok", f"Clips of {said} samples come back as long as they were.")


def refusals(patient: Patient) -> Finding:
    """Audio without samples, and with NaN, is an error and no tokens."""
    channels = patient.spec.channels
    broken = np.full((1, channels, 1_600), 0.1, np.float32)
    broken[:, :, 7] = np.nan
    for what, audio in (("without samples", np.zeros((1, channels, 0), np.float32)), ("with NaN", broken)):
        if (wrong := _taken(patient, audio)) is not None:
            return Finding("refusals", "fail", f"Audio {what} should be refused by InvalidAudio; {wrong}.")
    return Finding("refusals", "ok", "Audio without samples and audio with NaN are refused.")


def _taken(patient: Patient, audio: np.ndarray) -> str | None:
    """What happened instead of a refusal; None where it was refused."""
    import torch

    try:
        patient.encode(torch.from_numpy(audio))
    except StepFailed as failed:
        if isinstance(failed.cause, InvalidAudio):
            return None
        return f"it raises {type(failed.cause).__name__}: {failed.cause}"
    return "it is encoded"
