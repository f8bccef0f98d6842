"""Both predictions of DNSMOS for all windows of a signal, sharing what the windows have in common.

Windows of 9.01 s start every second, so that eight ninths of a window are in the next one too, and a short clip is
repeated to fill them. Both networks are convolutional up to a global maximum.

* P.835: frames of 320 samples every 160; log10 of their power (not below 1e-12) is an image `[900, 161]`. The four
  convolutions at full resolution are 97 % of the work. They are run once over the whole signal, over one period of a
  repeated one; only the four frames at each end of a window, which see its border, are run for that window alone
* P.808: frames of 321 samples every 160, centred, zeros beyond the window; 120 Slaney mel bands of their power, in dB
  below the window's strongest (80 dB at most), plus 40, over 40: `[900, 120]`. The windows share the bands' power

Values are those of the package's ONNX graphs up to the order of summation.

Source: package speechmos; C. Reddy et al., ICASSP 2021 (P.808) and 2022 (P.835).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .base import Audio
from .dnsmos_network import Network, halved, network
from .mel import bands_of_bins

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE_HZ = 16_000
HOP = 160
WINDOW_FRAMES = 900

P835_FRAME = 320
LEAST_POWER = 1e-12
BORDER_FRAMES = 4
"""Four convolutions of three frames see four frames to each side."""
BLOCK_FRAMES = 200
"""Frames convolved at once: their maps stay near the processor."""
WINDOWS_AT_ONCE = 32
"""Windows that share maps, so that a long signal costs the memory of half a minute."""
_FULL_RESOLUTION = ("conv2d", "conv2d_1", "conv2d_2", "conv2d_3")

P808_FRAME = 321
MEL_BANDS = 120
LEAST_MEL_POWER = 1e-10
DYNAMIC_RANGE_DB = 80.0


def p835(samples: Audio, starts: Sequence[int], period: int | None) -> Audio:
    """Raw signal, background and overall quality `[W, 3]` of the windows that start at these frames, which ascend in
    even numbers. A signal that repeats itself every `period` samples says so."""
    groups = (starts[at : at + WINDOWS_AT_ONCE] for at in range(0, len(starts), WINDOWS_AT_ONCE))
    return np.concatenate(
        [_p835_group(samples[group[0] * HOP :], [start - group[0] for start in group], period) for group in groups]
    )


def _p835_group(samples: Audio, starts: Sequence[int], period: int | None) -> Audio:
    """`p835` of windows whose shared maps are in memory together."""
    import torch

    net = network("sig_bak_ovr.onnx", "mos_estimator_logpow")
    with torch.inference_mode():
        image = _log_power(net, samples, starts[-1] + WINDOW_FRAMES)
        shared = _shared(net, image, period)
        borders = _borders(net, image, starts)
        windows = [_p835_of(net, shared, start, border) for start, border in zip(starts, borders, strict=True)]
        return torch.cat(windows).numpy()


def _log_power(net: Network, samples: Audio, frames: int) -> Tensor:
    """`[frames, 161]`."""
    import torch

    cut = torch.from_numpy(np.lib.stride_tricks.sliding_window_view(samples, P835_FRAME)[: frames * HOP : HOP].copy())
    real, imaginary = (cut @ net.tensors[f"time2freq/stft-{part}/kernel:0"][..., 0].T for part in ("real", "imag"))
    power = (real * real + imaginary * imaginary).clamp(min=LEAST_POWER)
    return power.log() / net.tensors[f"{net.prefix}/truediv/y:0"]


def _full_resolution(net: Network, maps: Tensor, time_padding: int) -> Tensor:
    """The four convolutions and the first maximum: `[B, 1, N, 161]` to `[B, 32, N' / 2, 80]`."""
    for name in _FULL_RESOLUTION:
        maps = net.convolved(maps, name, (time_padding, 1))
    return halved(maps)


def _shared(net: Network, image: Tensor, period: int | None) -> Tensor:
    """Maps `[1, 32, M, 80]` of all frames but `BORDER_FRAMES` at each end, as if no window ended between."""
    import torch

    first, last = BORDER_FRAMES, len(image) - BORDER_FRAMES
    wanted = (last - first) // 2
    if period is not None and period % HOP == 0:
        frames = period // HOP
        last = min(last, first + (frames if frames % 2 == 0 else 2 * frames))
    blocks = [
        image[begin - BORDER_FRAMES : min(last, begin + BLOCK_FRAMES) + BORDER_FRAMES]
        for begin in range(first, last, BLOCK_FRAMES)
    ]
    maps = torch.cat([_full_resolution(net, block[None, None], 0) for block in blocks], dim=2)
    return maps if maps.shape[2] == wanted else maps[:, :, torch.arange(wanted) % maps.shape[2]]


def _borders(net: Network, image: Tensor, starts: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """For each window the maps `[1, 32, 2, 80]` of its first and of its last four frames."""
    import torch

    seen = 2 * BORDER_FRAMES
    strips = [image[at : at + seen] for start in starts for at in (start, start + WINDOW_FRAMES - seen)]
    maps = _full_resolution(net, torch.stack(strips)[:, None], 1)
    half = BORDER_FRAMES // 2
    return [(maps[at : at + 1, :, :half], maps[at + 1 : at + 2, :, half:]) for at in range(0, len(maps), 2)]


def _p835_of(net: Network, shared: Tensor, start: int, border: tuple[Tensor, Tensor]) -> Tensor:
    """`[1, 3]` of one window."""
    import torch

    inner = shared[:, :, start // 2 : (start + WINDOW_FRAMES) // 2 - BORDER_FRAMES]
    maps = torch.cat((border[0], inner, border[1]), dim=2)
    maps = maps.contiguous(memory_format=torch.channels_last)
    maps = halved(net.convolved(maps, "conv2d_4"))
    maps = halved(net.convolved(maps, "conv2d_5"))
    maps = net.convolved(maps, "conv2d_6")
    return net.dense(maps.amax(dim=(2, 3)), ("dense", "dense_1", "dense_3"))


def p808(samples: Audio, starts: Sequence[int]) -> Audio:
    """Overall quality `[W]` of the windows that start at these frames."""
    import torch

    net = network("model_v8.onnx", "mos_estimator_small_1")
    with torch.inference_mode():
        power = _mel_power(samples)
        images = (_relative_db(power, samples, start) for start in starts)
        return torch.cat([_p808_of(net, image[None, None]) for image in images]).numpy()


@lru_cache(maxsize=1)
def _mel_weights() -> tuple[Tensor, Tensor]:
    """The windowed Fourier matrix `[321, 322]`, real parts first, and the bands `[161, 120]`. The frame's length is
    three times a prime, for which a product is faster than an FFT."""
    import torch

    instants = np.arange(P808_FRAME)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * instants / P808_FRAME)
    phases = 2 * np.pi / P808_FRAME * np.outer(instants, np.arange(P808_FRAME // 2 + 1))
    fourier = window[:, None] * np.concatenate((np.cos(phases), np.sin(phases)), axis=1)
    bins_hz = np.arange(P808_FRAME // 2 + 1, dtype=np.float64) * (SAMPLE_RATE_HZ / P808_FRAME)
    bands = bands_of_bins(bins_hz, SAMPLE_RATE_HZ, MEL_BANDS, "slaney")
    return torch.from_numpy(fourier).float(), torch.from_numpy(bands).float()


def _bands_of(frames: NDArray[np.float32]) -> Tensor:
    import torch

    fourier, bands = _mel_weights()
    parts = torch.from_numpy(frames.copy()) @ fourier
    bins = parts.shape[1] // 2
    return (parts[:, :bins].square() + parts[:, bins:].square()) @ bands


def _mel_power(samples: Audio) -> Tensor:
    """`[N, 120]` of frames centred on every 160th sample, zeros beyond the signal."""
    half = P808_FRAME // 2
    padded = np.pad(samples, (half, half))
    return _bands_of(np.lib.stride_tricks.sliding_window_view(padded, P808_FRAME)[::HOP])


def _relative_db(power: Tensor, samples: Audio, start: int) -> Tensor:
    """The image of one window: its own first and last frame, which reach beyond it, and the shared ones between."""
    import torch

    window = samples[start * HOP : (start + WINDOW_FRAMES) * HOP]
    half = P808_FRAME // 2
    ends = np.stack((np.pad(window[: half + 1], (half, 0)), np.pad(window[-(P808_FRAME - 1) :], (0, 1))))
    first, last = _bands_of(ends).split(1)
    own = torch.cat((first, power[start + 1 : start + WINDOW_FRAMES - 1], last))
    level = 10 * own.clamp(min=LEAST_MEL_POWER).log10()
    level -= level.max()
    return (level.clamp(min=-DYNAMIC_RANGE_DB) + 40) / 40


def _p808_of(net: Network, image: Tensor) -> Tensor:
    """`[1]` of one window."""
    maps = halved(net.convolved(image, "conv2d_5"))
    maps = halved(net.convolved(maps, "conv2d_6"))
    maps = net.convolved(maps, "conv2d_7")
    maps = halved(net.convolved(maps, "conv2d_8"))
    maps = net.convolved(maps, "conv2d_9")
    return net.dense(maps.amax(dim=(2, 3)), ("dense_3", "dense_4", "dense_5"))[:, 0]
