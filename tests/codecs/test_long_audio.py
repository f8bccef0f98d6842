"""Laws of processing in stretches, on transforms whose result over the whole clip is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from codeczoo.codecs.long_audio import Windows, convolved, windowed


def cut(clip: Tensor, seed: int) -> Iterator[Tensor]:
    """The clip in pieces of 1 to 40 steps."""
    drawn = np.random.default_rng(seed)
    at = 0
    while at < clip.shape[-1]:
        size = int(drawn.integers(1, 41))
        yield clip[..., at : at + size]
        at += size


def smoothed(x: Tensor) -> Tensor:
    """A convolution of 9 steps, mirrored at both ends; a clip too short for a mirror image is repeated."""
    kernel = torch.arange(1.0, 10.0)[None, None]
    mode = "reflect" if x.shape[-1] > 4 else "replicate"
    return F.conv1d(F.pad(x, (4, 4), mode=mode), kernel)


def frame_means(x: Tensor) -> Tensor:
    """Mean of every 5 steps, the last frame filled up by zeros."""
    return F.avg_pool1d(F.pad(x, (0, -x.shape[-1] % 5)), 5)


@st.composite
def plans(draw: st.DrawFn) -> Windows:
    frames = draw(st.integers(1, 30))
    overlap = draw(st.integers(0, frames - 1))
    return Windows(frames, overlap, draw(st.integers(0, overlap)))


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 400), block=st.integers(1, 60), halo=st.integers(4, 20), seed=st.integers(0, 99))
def test_convolved_is_the_convolution(length: int, block: int, halo: int, seed: int) -> None:
    clip = torch.rand(2, 1, length, generator=torch.Generator().manual_seed(seed))
    made = list(convolved(cut(clip, seed), smoothed, steps_in=1, steps_out=1, block=block, halo=halo))
    torch.testing.assert_close(torch.cat(made, -1), smoothed(clip), rtol=0, atol=1e-4)
    assert all(piece.shape[-1] == block for piece in made[:-1])


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 400), block=st.integers(1, 20), halo=st.integers(0, 5), seed=st.integers(0, 99))
def test_steps_become_frames(length: int, block: int, halo: int, seed: int) -> None:
    clip = torch.rand(1, 1, length)
    made = convolved(cut(clip, seed), frame_means, steps_in=5, steps_out=1, block=block, halo=halo)
    torch.testing.assert_close(torch.cat(list(made), -1), frame_means(clip))


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 300), plan=plans(), seed=st.integers(0, 99))
def test_windows_of_what_sees_one_step_are_the_clip(length: int, plan: Windows, seed: int) -> None:
    """Nothing is lost, moved or doubled, however it is cut, and fading from a sound into itself changes nothing."""
    clip = torch.rand(1, 2, length)

    def doubled(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, dim=-1)

    made = list(windowed(cut(clip, seed), doubled, steps_in=1, steps_out=2, windows=plan))
    torch.testing.assert_close(torch.cat(made, -1), doubled(clip), rtol=0, atol=1e-6)
    assert len(made) == len(plan.starts(length))


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 900), plan=plans(), seed=st.integers(0, 99))
def test_windows_of_samples_give_tokens(length: int, plan: Windows, seed: int) -> None:
    """Five samples a token, the last one of fewer; tokens are cut and not faded."""
    clip = torch.arange(float(length))[None, None]
    cutting = Windows(plan.frames, plan.overlap)

    def tokens(x: Tensor) -> Tensor:
        return x[..., ::5].long()

    made = list(windowed(cut(clip, seed), tokens, steps_in=5, steps_out=1, windows=cutting))
    assert torch.equal(torch.cat(made, -1), tokens(clip))
    assert all(piece.shape[-1] for piece in made)


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 300), plan=plans(), seed=st.integers(0, 99))
def test_windows_are_whole_and_lie_where_the_plan_says(length: int, plan: Windows, seed: int) -> None:
    seen: list[tuple[int, int]] = []

    def note(x: Tensor) -> Tensor:
        seen.append((int(x[0, 0, 0]), x.shape[-1]))
        return x

    made = windowed(cut(torch.arange(float(length))[None, None], seed), note, steps_in=1, steps_out=1, windows=plan)
    assert sum(piece.shape[-1] for piece in made) == length
    assert seen == [(start, min(length, plan.frames)) for start in plan.starts(length)]
    assert seen[-1][0] + seen[-1][1] == length


@settings(deadline=None, max_examples=60)
@given(plan=plans(), length=st.integers(1, 200), seed=st.integers(0, 99))
def test_fades_are_raised_cosines_around_the_middle_of_the_overlap(plan: Windows, length: int, seed: int) -> None:
    """Each window gives its own number: what comes out is the share of each, computed here from the plan alone."""
    starts, steps = plan.starts(length), 3
    numbers = np.random.default_rng(seed).normal(size=len(starts))
    expected = np.full(length * steps, numbers[0])
    for index, start in enumerate(starts[1:], 1):
        middle = start + (starts[index - 1] + plan.frames - start - plan.fade) // 2
        width = plan.fade * steps
        rising = 0.5 - 0.5 * np.cos(np.pi * (np.arange(width) + 0.5) / max(1, width))
        fade = slice(middle * steps, middle * steps + width)
        expected[fade] = (1 - rising) * expected[fade] + rising * numbers[index]
        expected[fade.stop :] = numbers[index]
    given_out = iter(numbers)

    def number(x: Tensor) -> Tensor:
        return torch.full((1, 1, x.shape[-1] * steps), float(next(given_out)), dtype=torch.float64)

    made = windowed(cut(torch.zeros(1, 1, length), seed), number, steps_in=1, steps_out=steps, windows=plan)
    np.testing.assert_allclose(torch.cat(list(made), -1)[0, 0].numpy(), expected, atol=1e-6)
    fades = [((first * steps), end * steps) for first, end in plan.fades(length)]
    assert all(end - first == plan.fade * steps for first, end in fades)
    assert len(fades) == len(starts) - 1


@pytest.mark.parametrize("way", ["convolved", "windowed"])
def test_a_clip_is_read_no_further_than_needed(way: str) -> None:
    """What comes out of the first second does not wait for the last one."""
    read = 0

    def endless() -> Iterator[Tensor]:
        nonlocal read
        while True:
            read += 10
            yield torch.ones(1, 1, 10)

    def same(x: Tensor) -> Tensor:
        return x

    ways: dict[str, Callable[[], Iterator[Tensor]]] = {
        "convolved": lambda: convolved(endless(), same, steps_in=1, steps_out=1, block=100, halo=5),
        "windowed": lambda: windowed(endless(), same, steps_in=1, steps_out=1, windows=Windows(100, 20, 10)),
    }
    made = ways[way]()
    for index in range(1, 20):
        next(made)
        assert read <= 100 * index + 120


@pytest.mark.parametrize("numbers", [(10, 10, 0), (10, 4, 5), (10, -1, 0), (0, 0, 0), (10, 4, -1)])
def test_windows_that_cannot_be_joined_are_told(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="Windows overlap by less than their length, and fade within the overlap"):
        Windows(*numbers)
