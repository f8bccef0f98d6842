"""A convolution of three frames by half the products: the minimal filtering of Winograd (1980; Lavin & Gray, 2016).

Four neighbouring outputs of a three-tap filter are linear in six inputs, and are usually computed as twelve products.
Six are enough: outputs = A [(G kernel) * (B inputs)], with constant matrices A, B and G. Here a product is a matrix
product over channels and `*` pairs six of them, so a layer 768 channels wide takes 0.57 of the time. The price is
rounding: 1e-6 of the output where the plain sum has 2e-7. That is for synthesis alone, where no token depends on it.

Used by weights that do not learn, in float32 on a CPU, on at least `FEWEST_FRAMES`; otherwise this is `nn.Conv1d`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEWEST_FRAMES = 64
"""Below, reading six matrices takes longer than the products of three."""

GROUPS_AT_ONCE = 256
"""What is between input and output is three times as large as they are, so a long clip goes through in parts."""

OUTPUTS, INPUTS = 4, 6
A = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    (0.0, 1.0, -1.0, 2.0, -2.0, 0.0),
    (0.0, 1.0, 1.0, 4.0, 4.0, 0.0),
    (0.0, 1.0, -1.0, 8.0, -8.0, 1.0),
)
B = (
    (4.0, 0.0, -5.0, 0.0, 1.0, 0.0),
    (0.0, -4.0, -4.0, 1.0, 1.0, 0.0),
    (0.0, 4.0, -4.0, -1.0, 1.0, 0.0),
    (0.0, -2.0, -1.0, 2.0, 1.0, 0.0),
    (0.0, 2.0, -1.0, -2.0, 1.0, 0.0),
    (0.0, 4.0, 0.0, -5.0, 0.0, 1.0),
)
G = (
    (1 / 4, 0.0, 0.0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0.0, 0.0, 1.0),
)


class ShortConv1d(nn.Conv1d):
    """Convolution of 3 frames with zeros beyond the clip: `[B, C_in, N]` to `[B, C_out, N]`."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1)
        self._kernels = torch.empty(0)
        self._kernels_of: tuple[int, int] | None = None

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - its name in the base class
        # What was made of a weight that learns is soon wrong: PyTorch's fused optimisers change it without a trace.
        learns = self.weight.requires_grad or torch.is_grad_enabled()
        plain = learns or self.weight.is_inference() or input.shape[-1] < FEWEST_FRAMES
        if plain or input.device.type != "cpu" or input.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        batch, channels, frames = input.shape
        groups = -(-frames // OUTPUTS)
        # Rows of frames, with the zeros beyond the clip; each group of inputs overlaps the next by two.
        rows = F.pad(input.transpose(1, 2), (0, 0, 1, OUTPUTS * groups + 1 - frames)).contiguous()
        overlapping = rows.as_strided(
            (batch, groups, INPUTS, channels), (rows.stride(0), OUTPUTS * channels, channels, 1)
        )
        outputs = rows.new_empty(batch, groups, OUTPUTS, self.out_channels)
        for found, part in zip(outputs.split(GROUPS_AT_ONCE, 1), overlapping.split(GROUPS_AT_ONCE, 1), strict=True):
            inputs = torch.matmul(rows.new_tensor(B), part).flatten(0, 1).transpose(0, 1)
            products = torch.bmm(inputs, self._transformed()).flatten(1)
            found.copy_((rows.new_tensor(A) @ products).view(OUTPUTS, *found.shape[:2], -1).permute(1, 2, 0, 3))
        assert self.bias is not None
        return outputs.flatten(1, 2)[:, :frames].add_(self.bias).transpose(1, 2)

    def _transformed(self) -> Tensor:
        """G times the kernel, `[6, C_in, C_out]`, kept until the weight is another or has changed."""
        now = (self.weight.data_ptr(), self.weight._version)
        if self._kernels_of != now:
            # In float64: sixths are not exact, and this happens once.
            exact = torch.einsum("tk,oik->tio", self.weight.new_tensor(G, dtype=torch.float64), self.weight.double())
            self._kernels, self._kernels_of = exact.float().contiguous(), now
        return self._kernels
