"""Whether a codec gives the same tokens, and the same audio, whatever else is going on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codeczoo.benchmarks.coding import StepFailed
from codeczoo.codecs import Encoded

from .findings import Finding, Status
from .patient import SHORT_S, Differences, Patient, differences
from .voice import FIRST, SECOND

if TYPE_CHECKING:
    from torch import Tensor

FEW = 0.01
"""Share of tokens that rounding may flip where the order of additions is another; more is another computation."""
_SAME_AUDIO = 1e-5


def again(patient: Patient) -> Finding:
    """The same clip twice."""
    audio = patient.say(FIRST, SHORT_S)
    kept = audio.clone()
    first, second = patient.encode(audio), patient.encode(audio)
    if not bool((audio == kept).all()):
        return Finding("again", "fail", "Encoding changes the audio that it is given.")
    return _exactly("again", "Coded twice", first, second, patient.decode(first), patient.decode(first))


def state(patient: Patient) -> Finding:
    """The same clip before and after another: nothing may pass from clip to clip."""
    audio, other = patient.say(FIRST, SHORT_S), patient.say(SECOND, SHORT_S)
    before = patient.encode(audio)
    heard = patient.decode(before)
    patient.decode(patient.encode(other))
    after = patient.encode(audio)
    return _exactly("state", "Coded before and after another clip", before, after, heard, patient.decode(before))


def batch(patient: Patient) -> Finding:
    """Three clips at once against each alone."""
    import torch

    first, second = patient.say(FIRST, SHORT_S), patient.say(SECOND, SHORT_S)
    clips = [first, second, first.flip(2)]
    together = patient.encode(torch.cat(clips))
    alone = [patient.encode(clip) for clip in clips]
    found = differences(together, _joined(alone))
    heard = patient.decode(together)
    apart = torch.cat([patient.decode(each) for each in alone])
    if not found.differ and (heard.shape != apart.shape or _furthest(heard, apart) > _SAME_AUDIO):
        return Finding("batch", "fail", f"In a batch of 3 and alone, {found}, and the decoded audio is another.")
    return Finding("batch", _of(found), f"In a batch of 3 and alone, {found}.", found.differ, "0")


def threads(patient: Patient) -> Finding | None:
    """Another number of torch's threads; None for codecs without a network."""
    if patient.spec.parameters == 0:
        return None
    import torch

    audio = patient.say(FIRST, SHORT_S)
    before = torch.get_num_threads()
    other = 1 if before > 1 else 2
    first = patient.encode(audio)
    try:
        torch.set_num_threads(other)
        second = patient.encode(audio)
    finally:
        torch.set_num_threads(before)
    found = differences(first, second)
    return Finding("threads", _of(found), f"On {other} thread(s) instead of {before}, {found}.", found.differ, "0")


def device(patient: Patient, on_cpu: Patient | None) -> Finding | None:
    """Another device against the CPU; None where the codec runs on the CPU anyway."""
    if on_cpu is None:
        return None
    audio = patient.say(FIRST, SHORT_S)
    found = differences(patient.encode(audio), on_cpu.encode(audio))
    said = f"On {patient.device} instead of the CPU, {found}."
    return Finding("device", _of(found), said, found.differ, f"at most {100 * FEW:g} %")


def precision(patient: Patient) -> Finding | None:
    """Tokens under autocast to bfloat16: counted, and held against nobody. None where nothing heeds autocast: no
    network, not one of torch's, or one that sets its own precision."""
    if patient.spec.parameters == 0 or not patient.spec.codebook_sizes:
        return None
    import torch

    audio = patient.say(FIRST, SHORT_S)
    full = patient.encode(audio)
    try:
        with torch.autocast(patient.device.partition(":")[0], torch.bfloat16):
            lower = patient.encode(audio)
    except StepFailed as failed:
        reason = str(failed.cause).strip().partition("\n")[0]
        return Finding("precision", "ok", f"It does not run in bfloat16, and need not: {reason}")
    found = differences(full, lower)
    if not found.differ:
        return None
    said = f"Encoded in bfloat16 (autocast) instead of float32, {found}; nothing is promised of it."
    return Finding("precision", "ok", said, found.differ)


def _exactly(check: str, how: str, first: Encoded, second: Encoded, one: Tensor, other: Tensor) -> Finding:
    found = differences(first, second)
    if found.differ:
        return Finding(check, "fail", f"{how}, {found}.", found.differ, "0")
    furthest = _furthest(one, other)
    if furthest > 0:
        said = f"{how}, {found}, but the decoded audio is another, by up to {furthest:.2g} of full scale."
        return Finding(check, "fail", said, furthest, "0")
    return Finding(check, "ok", f"{how}, {found}, and so is the decoded audio.", 0, "0")


def _of(found: Differences) -> Status:
    return "ok" if not found.differ else "warning" if found.share <= FEW else "fail"


def _furthest(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max()) if first.shape == second.shape else float("inf")


def _joined(clips: list[Encoded]) -> Encoded:
    """Encodings of single clips as that of their batch."""
    import torch

    codes = tuple(torch.cat(parts) for parts in zip(*(clip.codes for clip in clips), strict=True))
    side = {key: torch.cat([clip.side[key] for clip in clips]) for key in clips[0].side}
    payload = b"".join(clip.payload or b"" for clip in clips) if clips[0].payload is not None else None
    sizes = tuple(sizes for clip in clips for sizes in clip.packet_sizes)
    return replace(clips[0], codes=codes, side=side, payload=payload, packet_sizes=sizes)
