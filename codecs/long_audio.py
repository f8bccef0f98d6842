"""A clip that comes in pieces, through something that takes stretches of it: in memory that the clip's length leaves
alone.

Conventions. A *piece* is `[..., L]`, time last; pieces in order are one clip, cut anywhere. A *frame* is `steps_in`
steps of what goes in and `steps_out` steps of what comes out (a hop of samples to one token, one token to a hop of
samples); only the clip's last frame may lack steps. Neither function looks at how the clip was cut into pieces: the
stretches lie where the frames say, so the result is the same to the last bit.

`Blocks` and `cut_to` are for its two ends. Between them two ways, for two kinds of models:

`convolved`   for what sees only so many frames around each: exact, the stretches overlap by what is seen.
`windowed`    for what sees all that it is given (attention, group normalisation): windows that overlap, joined by a
              cross-fade. A clip that fits into one window is not cut; a longer one becomes something else than it would
              whole, since each window is a clip of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import InvalidAudio

Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Windows:
    """How a long clip is cut: windows of `frames`, a new one every `frames - overlap`; the last one is moved back to
    end with the clip, so that every window is whole.

    Where two windows overlap, the first is left for the second in the middle, by a cross-fade of `fade` frames (equal
    gain: both halves are the same sound). What lies beyond the cross-fade, with less context, is thrown away.
    """

    frames: int
    overlap: int
    fade: int = 0
    """0: a cut, which tokens need."""

    def __post_init__(self) -> None:
        if not 0 <= self.fade <= self.overlap < self.frames:
            raise ValueError(
                "Windows overlap by less than their length, and fade within the overlap; got windows of "
                f"{self.frames} frames, an overlap of {self.overlap} and a fade of {self.fade}."
            )

    @property
    def stride(self) -> int:
        """Frames between the starts of two windows."""
        return self.frames - self.overlap

    def starts(self, frames: int) -> list[int]:
        """The first frame of each window of a clip of so many frames; `[0]` where the clip fits into one."""
        last = max(0, frames - self.frames)
        return [*range(0, last, self.stride), last]

    def fades(self, frames: int) -> list[tuple[int, int]]:
        """The stretch of frames, first and end, over which each window of such a clip goes over into the next."""
        starts = self.starts(frames)
        return [self.fade_between(before + self.frames, after) for before, after in itertools.pairwise(starts)]

    def fade_between(self, end: int, start: int) -> tuple[int, int]:
        """The fade from a window that ends at the frame `end` to the one that begins at `start`."""
        first = (start + end - self.fade) // 2
        return first, first + self.fade


class Blocks:
    """Blocks of the same clips, `[B, 1, T_i]`, checked and counted as they are taken."""

    def __init__(self, blocks: Iterable[Tensor], check: Callable[[Tensor], None]) -> None:
        self._blocks = blocks
        self._check = check
        self.length = 0
        """Samples a clip that were taken so far."""

    def __iter__(self) -> Iterator[Tensor]:
        batch: int | None = None
        for block in self._blocks:
            self._check(block)
            batch = batch or len(block)
            if len(block) != batch:
                raise InvalidAudio(f"Blocks must be of as many clips; got {tuple(block.shape)} after {batch}.")
            self.length += block.shape[-1]
            yield block


def cut_to(length: int, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
    """Blocks without what lies behind `length` samples."""
    for block in blocks:
        yield block[..., :length]
        length -= block.shape[-1]


def convolved(
    pieces: Iterable[Tensor], transform: Transform, *, steps_in: int, steps_out: int, block: int, halo: int
) -> Iterator[Tensor]:
    """Pieces of what `transform` makes of the whole clip, `block` frames each, the last one more or fewer.

    `transform` must not see more than `halo` frames to either side of a frame, mirror images at the ends included.
    """
    held = _Held(pieces)
    context = 0
    while held.fill((context + block + halo) * steps_in):
        made = transform(held.first((context + block + halo) * steps_in))
        yield made[..., context * steps_out : (context + block) * steps_out]
        held.drop(max(0, context + block - halo) * steps_in)
        context = min(halo, context + block)
    if held.steps:
        yield transform(held.first(held.steps))[..., context * steps_out :]


def windowed(
    pieces: Iterable[Tensor], transform: Transform, *, steps_in: int, steps_out: int, windows: Windows
) -> Iterator[Tensor]:
    """Pieces of what `transform` makes of the clip's windows, one a window, cross-faded.

    A clip of at most `windows.frames` frames is transformed whole.
    """
    held = _Held(pieces)
    size, start, given = windows.frames * steps_in, 0, 0
    rest: Tensor | None = None
    while held.fill(size + 1):
        # There is a window after this one: a whole stride on or, at the end of the clip, less.
        made = transform(held.first(size))
        held.fill(windows.stride * steps_in + size)
        following = start + min(windows.stride, math.ceil(held.steps / steps_in) - windows.frames)
        first, end = windows.fade_between(start + windows.frames, following)
        joined = _joined(rest, made[..., (given - start) * steps_out :])
        kept = (first - given) * steps_out
        yield joined[..., :kept]
        rest = joined[..., kept : kept + (end - first) * steps_out]
        held.drop((following - start) * steps_in)
        start, given = following, first
    if held.steps:
        yield _joined(rest, transform(held.first(held.steps))[..., (given - start) * steps_out :])


def _joined(before: Tensor | None, after: Tensor) -> Tensor:
    """The end of a window, faded into the one that begins with it."""
    steps = 0 if before is None else before.shape[-1]
    if before is None or not steps:
        return after
    # Half a step from either end, so that no step is of one window alone.
    phase = (torch.arange(steps, device=after.device, dtype=torch.float32) + 0.5) / steps
    rising = (torch.sin(phase * (math.pi / 2)) ** 2).to(after.dtype)
    return torch.cat([torch.lerp(before, after[..., :steps], rising), after[..., steps:]], dim=-1)


class _Held:
    """The steps of a clip that have come and are still wanted."""

    def __init__(self, pieces: Iterable[Tensor]) -> None:
        self._pieces = iter(pieces)
        self._parts: list[Tensor] = []
        self.steps = 0

    def fill(self, steps: int) -> bool:
        """Take pieces until so many steps are held; False if the clip ends before."""
        while self.steps < steps:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._parts.append(piece)
            self.steps += piece.shape[-1]
        return True

    def first(self, steps: int) -> Tensor:
        """The first steps held."""
        # Joined when they are looked at: pieces of one sample would otherwise be copied a million times each.
        if len(self._parts) > 1:
            self._parts = [torch.cat(self._parts, dim=-1)]
        return self._parts[0][..., :steps]

    def drop(self, steps: int) -> None:
        """Let go of the first steps."""
        # A view, and not a copy: a clip that comes in one piece would be copied at every stretch.
        self._parts = [self.first(self.steps)[..., steps:]]
        self.steps -= steps
