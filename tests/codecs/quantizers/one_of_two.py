"""One of the processes of `test_distributed`: learns from its half of each batch and saves what it has at the end.

    python one_of_two.py RANK PROCESSES RENDEZVOUS_FILE OUTPUT

With one process it is given the whole batches, in the order of the ranks.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from codeczoo.codecs.quantizers import Quantizer, ResidualQuantizer, VectorQuantizer

STEPS = 30
HALVES = ((1, 40), (2, 30))
"""Clips and frames of each process: unequal ones."""


def features(step: int, half: int) -> torch.Tensor:
    """What a process is given at a step: drawn apart, so that both ways of running get the same."""
    clips, frames = HALVES[half]
    generator = torch.Generator().manual_seed(1_000 * half + step)
    # The second half of the run lies elsewhere, so that entries die and are replaced.
    return torch.randn(clips, 4, frames, generator=generator) + (5 if step > STEPS // 2 else 0)


def learn(quantizer: Quantizer, halves: list[int]) -> int:
    """Train; gives the number of replaced entries."""
    replaced = 0
    for step in range(STEPS):
        for half in halves:
            quantizer(features(step, half))
        quantizer.update()
        replaced += quantizer.replaced
    return replaced


def main(rank: int, processes: int, rendezvous: Path, output: Path) -> None:
    torch.set_num_threads(1)
    if processes > 1:
        dist.init_process_group("gloo", init_method=rendezvous.as_uri(), rank=rank, world_size=processes)
    # What the processes draw otherwise must not matter: only the first one's generator decides.
    torch.manual_seed(7 if rank == 0 else 1_234)
    single = VectorQuantizer(4, 32, init_sample=150, decay=0.8)
    replaced = learn(single, [rank] if processes > 1 else [0, 1])
    torch.manual_seed(11)
    # All items of the first process may be cut before the last stage while those of the other are not.
    chain = ResidualQuantizer([VectorQuantizer(4, 8, init_sample=70) for _ in range(3)], dropout=0.9)
    torch.manual_seed(11 + rank)
    learn(chain, [rank] if processes > 1 else [0, 1])
    torch.save({"single": single.state_dict(), "chain": chain.state_dict(), "replaced": replaced}, output)
    if processes > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
