"""A mixture of experts as a transformer's feed-forward layer (DeepSeekMoE, Dai et al., 2024, arXiv 2401.06066).

Every frame goes through the shared experts; a gate sends it to `chosen` of the `routed` ones too, those of the highest
probability, and what they give is weighted by that probability:

    y = shared(x) + sum over the chosen i of p_i expert_i(x),        p = softmax(gate x)

Probabilities are not renormalised over those that are chosen, so a frame of which the gate is unsure gets less of its
expert; that is how the gate has a gradient with one expert chosen. Nothing balances the load: no loss, no bias, no
capacity. Experts are SwiGLU layers, w2(silu(w1 x) * w3 x), without biases. Several shared experts are one wide one.

Parameters have the names of DeepSeek's published code (`gate.weight`, `experts.I.w1.weight`, `shared_experts...`).

Fresh weights. That code leaves them to whoever loads a checkpoint: an untrained mixture is uninitialised memory, often
all zeros, whose gradients are zero for good. Here w1 and w3 begin so that hidden units have unit variance for unit
inputs, w2 so that a layer adds `scale` of that to its input, and the gate with small weights: near even probabilities,
so that every expert gets frames to learn from.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_GATE_STD = 0.02


class Expert(nn.Module):
    """A SwiGLU layer: `[M, D]` to `[M, D]`, `inner` wide inside."""

    def __init__(self, width: int, inner: int, scale: float = 1.0) -> None:
        super().__init__()
        self.w1 = nn.Linear(width, inner, bias=False)
        self.w2 = nn.Linear(inner, width, bias=False)
        self.w3 = nn.Linear(width, inner, bias=False)
        for layer in (self.w1, self.w3):
            nn.init.normal_(layer.weight, std=width**-0.5)
        nn.init.normal_(self.w2.weight, std=scale * inner**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Gate(nn.Module):
    """Which experts a frame goes to: `[M, D]` to probabilities and numbers of the chosen, `[M, chosen]` each."""

    def __init__(self, width: int, routed: int, chosen: int) -> None:
        super().__init__()
        self.chosen = chosen
        self.weight = nn.Parameter(torch.empty(routed, width))
        nn.init.normal_(self.weight, std=_GATE_STD)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # In float32 under every precision: which expert is chosen must not hang on rounding more than it has to.
        with torch.autocast(x.device.type, enabled=False):
            shares = F.linear(x.float(), self.weight.float()).softmax(dim=-1)
        probabilities, numbers = shares.topk(self.chosen, dim=-1)
        return probabilities, numbers


class MixtureOfExperts(nn.Module):
    """Frames `[..., D]` to `[..., D]`."""

    def __init__(
        self, width: int, inner: int, *, routed: int = 3, shared: int = 1, chosen: int = 1, scale: float = 1.0
    ) -> None:
        """Experts are `inner` wide inside. Fresh ones add `scale` of the input's deviation."""
        super().__init__()
        if not 1 <= chosen <= routed or shared < 1:
            raise ValueError(
                f"A mixture chooses 1 to all of its routed experts and has a shared one; got {chosen} of {routed} "
                f"routed, {shared} shared."
            )
        self.gate = Gate(width, routed, chosen)
        self.experts = nn.ModuleList(Expert(width, inner, scale) for _ in range(routed))
        self.shared_experts = Expert(width, shared * inner, scale)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        probabilities, numbers = self.gate(rows)
        shared = self.shared_experts(rows)
        routed = torch.zeros_like(shared)
        for index, expert in enumerate(self.experts):
            mine, place = torch.where(numbers == index)
            # Run without rows too: a process whose batch leaves an expert out must still have its gradient, of zeros.
            weighted = expert(rows[mine]) * probabilities[mine, place, None].to(shared.dtype)
            routed = routed.index_add(0, mine, weighted)
        return (routed + shared).reshape(x.shape)
