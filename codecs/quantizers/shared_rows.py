"""Rows that lie on several processes, seen as one batch.

What a codebook learns from is the batch of a step: the rows of all processes, numbered through in the order of their
ranks. Sums and draws over it are equal on every process, and equal to those of one process that was given the whole
batch; only rows that were drawn travel. Without torch.distributed, or with one process, nothing is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


def many_processes() -> bool:
    """Whether this process is one of several."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def summed(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes, in place."""
    if many_processes():
        dist.all_reduce(tensor)
    return tensor


def from_first(tensor: Tensor) -> Tensor:
    """The first process's tensor, in place."""
    if many_processes():
        dist.broadcast(tensor, src=0)
    return tensor


def is_first() -> bool:
    """Whether this process is the one that draws for all."""
    return not many_processes() or dist.get_rank() == 0


def row_numbers(total: int, count: int, generator: torch.Generator | None = None) -> Tensor:
    """`count` random row numbers below `total`, int64 on the CPU; none twice unless there are fewer rows than that."""
    if count > total:
        return torch.randint(total, (count,), generator=generator)
    return torch.randperm(total, generator=generator)[:count]


@dataclass(frozen=True)
class SharedRows:
    """The rows of one step."""

    local: Tensor
    """`[M, D]`, of this process."""
    first: int
    """Number, within the whole batch, of this process's first row."""
    total: int
    """Rows of all processes."""

    @staticmethod
    def of(local: Tensor) -> SharedRows:
        """Every process calls this with its own rows, which may be none."""
        if not many_processes():
            return SharedRows(local, 0, len(local))
        counts = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=local.device)
        counts[dist.get_rank()] = len(local)
        per_rank = summed(counts).tolist()
        return SharedRows(local, sum(per_rank[: dist.get_rank()]), sum(per_rank))

    def pick(self, numbers: Tensor) -> Tensor:
        """The rows of these numbers, `[len(numbers), D]`, on every process."""
        here = numbers.to(self.local.device) - self.first
        mine = (here >= 0) & (here < len(self.local))
        picked = self.local.new_zeros(len(numbers), self.local.shape[1])
        picked[mine] = self.local[here[mine]]
        return summed(picked)

    def draw(self, count: int) -> Tensor:
        """`count` random rows (see `row_numbers`), the same on every process.

        The first process draws, on the CPU, from torch's global generator; the others' generators stay as they are.
        """
        numbers = row_numbers(self.total, count) if is_first() else torch.empty(count, dtype=torch.int64)
        return self.pick(from_first(numbers.to(self.local.device)))
