"""How well tokens are predicted by a small transformer that was trained on tokens of other clips.

Beside the n-gram model (`token_ngram`): the same question, put to the kind of model that tokens are made for. Several
codebooks go by the delay pattern (`token_delay`). What a token costs does not depend on tokens of later steps, and the
costs of a clip add up to the length of a code that could be decoded (the length of the clip is not paid for).

Training takes random crops of clips (AdamW, rate constant after a linear warm-up) and is as long as the validation
clips say: they are measured every `validate_every` steps, with weights averaged over about 1 / (1 - `average`) steps,
the best of these is kept, and `patience` measurements without a better one end it. The first measurement is at step 0,
the 1-gram model: where nothing more can be learnt, that is what remains. One seed, one machine and one number of
threads give one result.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .base import MetricError, Undefined
from .token_delay import Codes, delayed, undelayed

if TYPE_CHECKING:
    from torch import Tensor

    from .token_transformer import TokenNetwork

logger = logging.getLogger(__name__)

_WINDOWS = 16
"""Windows that are predicted at once."""


@dataclass(frozen=True)
class TransformerRecipe:
    """Everything that changes the result beside the tokens."""

    width: int = 96
    layers: int = 2
    heads: int = 4
    context: int = 256
    """Steps the network looks back at; also the length of a crop."""
    dropout: float = 0.1
    batch: int = 4
    """Crops a step."""
    learning_rate: float = 4e-3
    weight_decay: float = 0.1
    warm_up: int = 50
    """Steps."""
    average: float = 0.98
    validate_every: int = 25
    """Steps."""
    validation_windows: int = 32
    """At most so many windows of `context` steps, evenly chosen, are measured each time."""
    patience: int = 4
    """Measurements."""
    most_steps: int = 2000
    seed: int = 0

    @property
    def identity(self) -> str:
        """Of the model, as text: `transformer|delay|width:96|...|torch:2.11.0`."""
        parts = [f"{field.name}:{getattr(self, field.name):g}" for field in fields(self)]
        return "|".join(["transformer", "delay", *parts, f"torch:{version('torch')}"])


class TokenTransformer:
    """Predicts the tokens of codebooks of these sizes."""

    def __init__(
        self,
        sizes: Sequence[int],
        learnt: Iterable[Sequence[Codes]],
        validation: Iterable[Sequence[Codes]],
        recipe: TransformerRecipe | None = None,
    ) -> None:
        """Trains on the first clips for as long as the second ones ask for; a clip is the tokens `[N]` of each
        codebook. Raises MetricError; Undefined where either has no tokens."""
        import torch

        self.sizes = tuple(sizes)
        self.recipe = recipe or TransformerRecipe()
        _check(self.recipe)
        grids = [grid for clip in learnt if len(grid := delayed(clip, self.sizes))]
        watched = [grid for clip in validation if len(grid := delayed(clip, self.sizes))]
        if not grids or not watched:
            raise Undefined(f"no tokens to {'validate with' if grids else 'learn from'}")
        # The caller's random numbers are left as they were.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            self._network, self.steps, self.validation_bits = self._trained(grids, watched)

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self._network.parameters())

    @property
    def stopped_early(self) -> bool:
        """Whether validation ended the training, and not `most_steps`."""
        return self.steps + self.recipe.patience * self.recipe.validate_every <= self.recipe.most_steps

    def bits(self, codes: Sequence[Codes]) -> list[NDArray[np.float64]]:
        """What each token of a clip costs, `[N]` a codebook. Raises MetricError."""
        grid = delayed(codes, self.sizes)
        if not len(grid):
            return [np.zeros(0, np.float64) for _ in self.sizes]
        costs = np.zeros(grid.shape, np.float64)
        # Windows overlap by half: beyond the first, every step has at least half a context before it.
        half = self.recipe.context // 2
        windows = [(begin, begin + (half if begin else 0)) for begin in range(0, max(len(grid) - half, 1), half)]
        for at in range(0, len(windows), _WINDOWS):
            found = self._costs(self._network, [_Window(grid, begin) for begin, _ in windows[at : at + _WINDOWS]])
            for (begin, counted), cost in zip(windows[at : at + _WINDOWS], found, strict=True):
                end = min(begin + self.recipe.context, len(grid))
                costs[counted:end] = cost[counted - begin : end - begin]
        return undelayed(costs)

    def _trained(
        self, grids: Sequence[NDArray[np.int64]], watched: Sequence[NDArray[np.int64]]
    ) -> tuple[TokenNetwork, int, float]:
        import torch
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        from .token_transformer import TokenNetwork, TransformerSize

        recipe = self.recipe
        size = TransformerSize(recipe.width, recipe.layers, recipe.heads, recipe.context, recipe.dropout)
        network = TokenNetwork(self.sizes, size)
        network.begin_at([torch.from_numpy(share).float() for share in self._shares(grids)])
        averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))
        decayed = [weight for weight in network.parameters() if weight.ndim > 1]
        kept = [weight for weight in network.parameters() if weight.ndim <= 1]
        optimiser = torch.optim.AdamW(
            [{"params": decayed}, {"params": kept, "weight_decay": 0.0}],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=(0.9, 0.98),
        )
        windows = self._validation_windows(watched)
        best, best_step = self._mean_bits(network, windows), 0
        weights = copy.deepcopy(network.state_dict())
        for step in range(1, recipe.most_steps + 1):
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * min(1.0, step / recipe.warm_up)
            network.train()
            grid, first = self._batch(self._crops(grids))
            costs = network.nats(grid, first)
            loss = costs.sum() / (grid < network.none).sum().clamp(min=1)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            averaged.update_parameters(network)
            if step % recipe.validate_every == 0:
                candidate = averaged.module
                assert isinstance(candidate, TokenNetwork)
                found = self._mean_bits(candidate, windows)
                logger.debug("step %d: %.4f bits a token of validation, best %.4f", step, found, best)
                if found < best:
                    best, best_step = found, step
                    weights = copy.deepcopy(candidate.state_dict())
                elif step >= best_step + recipe.patience * recipe.validate_every:
                    break
        network.load_state_dict(weights)
        return network.eval(), best_step, best

    def _shares(self, grids: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
        """Of the tokens of each codebook, by Witten and Bell: none is 0."""
        shares: list[NDArray[np.float64]] = []
        for codebook, size in enumerate(self.sizes):
            counts = sum(np.bincount(grid[:, codebook], minlength=size + 1)[:size] for grid in grids)
            counts = np.asarray(counts, np.float64)
            different = np.count_nonzero(counts)
            shares.append((counts + different / size) / (counts.sum() + different))
        return shares

    def _crops(self, grids: Sequence[NDArray[np.int64]]) -> list[_Window]:
        """Random ones: every step of every clip is as likely to be the middle of one."""
        import torch

        context = self.recipe.context
        ends = np.cumsum([len(grid) for grid in grids])
        middles = torch.randint(int(ends[-1]), (self.recipe.batch,)).numpy()
        crops: list[_Window] = []
        for middle, clip in zip(middles, np.searchsorted(ends, middles, side="right"), strict=True):
            grid = grids[clip]
            begin = int(middle) - int(ends[clip]) + len(grid) - context // 2
            crops.append(_Window(grid, max(0, min(begin, len(grid) - context))))
        return crops

    def _validation_windows(self, grids: Sequence[NDArray[np.int64]]) -> list[_Window]:
        windows = [_Window(grid, begin) for grid in grids for begin in range(0, len(grid), self.recipe.context)]
        count = min(len(windows), self.recipe.validation_windows)
        return [windows[round(at)] for at in np.linspace(0, len(windows) - 1, count)]

    def _mean_bits(self, network: TokenNetwork, windows: Sequence[_Window]) -> float:
        total, tokens = 0.0, 0
        sizes = np.array(self.sizes)
        for at in range(0, len(windows), _WINDOWS):
            part = windows[at : at + _WINDOWS]
            total += sum(float(cost.sum()) for cost in self._costs(network, part))
            tokens += sum(int((window.grid[window.begin :][: self.recipe.context] < sizes).sum()) for window in part)
        if not tokens:
            raise Undefined("no tokens to validate with")
        return total / tokens

    def _costs(self, network: TokenNetwork, windows: Sequence[_Window]) -> NDArray[np.float64]:
        """Bits, `[windows, S, K]`; 0 where there is no token."""
        import torch

        network.eval()
        with torch.inference_mode():
            nats = network.nats(*self._batch(windows))
        return nats.numpy().astype(np.float64) / math.log(2)

    def _batch(self, windows: Sequence[_Window]) -> tuple[Tensor, Tensor]:
        """Grids of one length `[B, S, K]`, filled at their ends, and the steps before them `[B, K]`."""
        import torch

        none = np.array(self.sizes, np.int64)
        cut = [window.grid[window.begin :][: self.recipe.context] for window in windows]
        grid = np.tile(none, (len(windows), max(map(len, cut)), 1))
        for row, part in zip(grid, cut, strict=True):
            row[: len(part)] = part
        first = [window.grid[window.begin - 1] if window.begin else none for window in windows]
        return torch.from_numpy(grid), torch.from_numpy(np.stack(first))


@dataclass(frozen=True)
class _Window:
    """Part of the grid of a clip, `context` steps from `begin` on or up to its end."""

    grid: NDArray[np.int64]
    begin: int


def _check(recipe: TransformerRecipe) -> None:
    if recipe.width % (2 * recipe.heads) or recipe.context < 2 or recipe.context % 2:
        raise MetricError(
            f"A transformer has a width that is a multiple of twice its heads, and an even context; got width "
            f"{recipe.width}, {recipe.heads} heads, context {recipe.context}."
        )
    whole = (recipe.layers, recipe.batch, recipe.warm_up, recipe.validate_every, recipe.patience, recipe.most_steps)
    if min(*whole, recipe.validation_windows) < 1:
        raise MetricError(f"Layers, crops, steps and windows are 1 or more; got {replace(recipe)}.")
