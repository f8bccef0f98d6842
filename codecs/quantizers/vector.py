"""Vector quantization with one codebook that learns by exponential moving averages (van den Oord et al., 2017, appendix
A.1; as in EnCodec, arXiv 2210.13438, and WavTokenizer, arXiv 2408.16532).

A frame becomes the nearest of `entries` vectors. An entry is the running mean of the frames that chose it; a gradient
pulls only the encoder: the loss is the commitment, the mean over all elements of (features - quantized)^2.

State, named as in published checkpoints so that their keys fit by a prefix: `inited` [1] (1 once there is a codebook),
`cluster_size` [entries] (average frames a step that chose the entry), `embed` [entries, D], `embed_avg` [entries, D].
They are float32 for good: moving the module to half precision moves them not.

How it learns (`update_order="ema_first"`), once a step, in `update`, over all forwards and processes of the step
1. The first steps only gather a sample of `init_sample` frames; then k-means of it makes the codebook. Meanwhile a
   forward quantizes with `entries` evenly spaced frames of its own batch, and such codes mean nothing beyond it. The
   sample is saved with the state (key `sample`, gone when the codebook is there). Nothing is ever gathered in eval, and
   to use a codebook that is not there raises CodebookMissing.
2. Averages: cluster_size and embed_avg move by 1 - decay towards the counts and sums of the step, and
   embed = embed_avg / cluster_size, the sizes smoothed by `epsilon`.
3. Then dead entries are replaced by random frames of the step, in all three buffers, with the weight of an entry of
   average use, so that the replacement stands. An entry is dead if its cluster_size is below `dead_below` and below
   `dead_share` of the mean one too: where the mean itself is below `dead_below` (small batches, or a checkpoint of
   smaller ones), that bound alone would replace most of the codebook, step after step.

`update_order="reference"` is what the published WavTokenizer and EnCodec code does, to measure what it costs: k-means
of the first training batch alone, which may leave duplicates that own no frame (with embed_avg = embed and cluster_size
= 0 their first averages throw them out by a factor of 1 / epsilon); dead entries are overwritten *before* the averages,
which overwrite the replacement in turn, so that it has no effect; changed in every training forward, twice where a
step runs two; every process learns from its own frames alone (DistributedDataParallel then makes the first one's
buffers everybody's). `update` has nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from codeczoo.codecs.errors import CodebookMissing

from .base import Quantized, Quantizer, from_rows, squared_error, straight_through, to_rows
from .k_means import cluster_sums, k_means
from .search import nearest
from .shared_rows import SharedRows, from_first, is_first, row_numbers, summed

UpdateOrder = Literal["ema_first", "reference"]

_BUFFERS = ("inited", "cluster_size", "embed", "embed_avg", "sample")
_MOST_STAGED = 1024
"""Forwards without an `update` before it is taken to be forgotten: more than anybody accumulates gradients over."""


class VectorQuantizer(Quantizer):
    """One learnt codebook of `entries` vectors `dim` wide."""

    inited: Tensor
    cluster_size: Tensor
    embed: Tensor
    embed_avg: Tensor
    sample: Tensor

    def __init__(
        self,
        dim: int,
        entries: int,
        *,
        decay: float = 0.99,
        epsilon: float = 1e-5,
        dead_below: float = 2.0,
        dead_share: float = 0.1,
        init_sample: int | None = None,
        init_iterations: int = 50,
        update_order: UpdateOrder = "ema_first",
    ) -> None:
        """`decay` of the averages a step; `dead_below` frames a step and `dead_share` of the mean size (0: none is ever
        dead); `init_sample` frames (4 an entry unless given) and at most `init_iterations` for k-means."""
        super().__init__(dim, (entries,))
        self.entries = entries
        self.decay = decay
        self.epsilon = epsilon
        self.dead_below = dead_below
        self.dead_share = dead_share
        self.init_sample = 4 * entries if init_sample is None else init_sample
        self.init_iterations = init_iterations
        self.update_order: UpdateOrder = update_order
        if not 0 <= decay < 1 or not 0 <= dead_share <= 1 or self.init_sample < entries:
            raise ValueError(
                "A codebook needs 0 <= decay < 1, 0 <= dead_share <= 1 and a sample of at least one frame an entry; "
                f"got decay {decay}, dead_share {dead_share}, {self.init_sample} frames for {entries} entries."
            )
        self.register_buffer("inited", torch.zeros(1))
        self.register_buffer("cluster_size", torch.zeros(entries))
        self.register_buffer("embed", torch.zeros(entries, dim))
        self.register_buffer("embed_avg", torch.zeros(entries, dim))
        self.register_buffer("sample", torch.zeros(0, dim), persistent=False)
        self._staged: list[tuple[Tensor, Tensor]] = []
        self._known_inited = False
        self._replaced = 0

    @property
    def initialised(self) -> bool:
        """Whether there is a codebook."""
        # Remembered, because asking a GPU waits for it.
        self._known_inited = self._known_inited or bool(self.inited.item())
        return self._known_inited

    @property
    def replaced(self) -> int:
        return self._replaced

    def forward(self, features: Tensor) -> Quantized:
        self.check_features(features)
        rows = to_rows(features.detach())
        if not self.training:
            self._demand_codebook()
        if self.training and self.update_order == "reference":
            codes, chosen = self._reference_step(rows)
        else:
            codebook = self.embed if self.initialised else _spread_rows(rows, self.entries)
            codes = nearest(rows, codebook)[0]
            chosen = F.embedding(codes, codebook)
            if self.training:
                self._stage(rows, codes)
        batch, _, frames = features.shape
        quantized = from_rows(chosen, batch, frames)
        loss = squared_error(features, quantized) if self.training else quantized.new_zeros(())
        codes = codes.reshape(batch, 1, frames)
        return Quantized(straight_through(features, quantized), codes, loss, self.statistics(codes))

    def encode(self, features: Tensor) -> Tensor:
        self.check_features(features)
        self._demand_codebook()
        return nearest(to_rows(features), self.embed)[0].reshape(features.shape[0], 1, features.shape[2])

    def decode(self, codes: Tensor) -> Tensor:
        self.check_codes(codes)
        self._demand_codebook()
        return F.embedding(codes[:, 0], self.embed).transpose(1, 2)

    @torch.no_grad()
    def update(self) -> None:
        if self.update_order == "reference":
            return
        self._replaced = 0
        # A process that has staged nothing (quantizer dropout) takes part with no rows: the others wait for it.
        rows = torch.cat([self.embed[:0], *(rows for rows, _ in self._staged)])
        codes = torch.cat([self.embed.new_zeros(0, dtype=torch.int64), *(codes for _, codes in self._staged)])
        self._staged.clear()
        step = SharedRows.of(rows)
        if not step.total:
            return
        if not self.initialised:
            self._gather(step)
            return
        self._average(*(summed(part) for part in cluster_sums(rows, codes, self.entries)))
        self._replace_dead(step)

    def discard(self) -> None:
        self._staged.clear()

    @torch.no_grad()
    def initialise(self, rows: Tensor, *, rows_a_step: float | None = None) -> None:
        """Make the codebook by k-means of rows `[M, D]`. `rows_a_step` is how many a training step will bring (M unless
        given): it scales `cluster_size`. The first process computes, all get its result."""
        if is_first():
            found = k_means(rows, self.entries, iterations=self.init_iterations)
            self.cluster_size.copy_(found.counts * ((rows_a_step or len(rows)) / len(rows)))
            self.embed.copy_(found.centroids)
        from_first(self.cluster_size)
        from_first(self.embed)
        self.embed_avg.copy_(self.embed * self.cluster_size[:, None])
        self.inited.fill_(1)
        self.sample = self.sample[:0]

    def _demand_codebook(self) -> None:
        if not self.initialised:
            raise CodebookMissing(
                f"This codebook of {self.entries} entries has not been made yet: load a checkpoint, or train on until "
                f"{self.init_sample} frames were seen ({len(self.sample)} so far; `update` must be called every step)."
            )

    def _stage(self, rows: Tensor, codes: Tensor) -> None:
        if len(self._staged) == _MOST_STAGED:
            raise RuntimeError(
                f"{_MOST_STAGED} training forwards have gone by without `update`: this codebook learns nothing. Call "
                "`update()` once an optimiser step, `discard()` for a step that is skipped, or `eval()` the module."
            )
        self._staged.append((rows, codes))

    def _gather(self, step: SharedRows) -> None:
        missing = self.init_sample - len(self.sample)
        more = step.pick(torch.arange(step.total)) if step.total <= missing else step.draw(missing)
        self.sample = torch.cat([self.sample, more])
        if len(self.sample) == self.init_sample:
            self.initialise(self.sample, rows_a_step=step.total)

    def _average(self, counts: Tensor, sums: Tensor) -> None:
        self.cluster_size.lerp_(counts, 1 - self.decay)
        self.embed_avg.lerp_(sums, 1 - self.decay)
        total = self.cluster_size.sum()
        smoothed = (self.cluster_size + self.epsilon) / (total + self.entries * self.epsilon) * total
        self.embed.copy_(self.embed_avg / smoothed[:, None])

    def _replace_dead(self, step: SharedRows) -> None:
        mean = self.cluster_size.mean()
        dead = (self.cluster_size < (self.dead_share * mean).clamp(max=self.dead_below)).nonzero()[:, 0]
        if len(dead) > step.total:
            # A frame makes one entry: its duplicates would stay dead. The least used come first, the others later.
            dead = dead[self.cluster_size[dead].argsort(stable=True)[: step.total]]
        self._replaced = len(dead)
        if not self._replaced:
            return
        fresh = step.draw(self._replaced)
        self.embed[dead] = fresh
        self.embed_avg[dead] = fresh * mean
        self.cluster_size[dead] = mean

    @torch.no_grad()
    def _reference_step(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and entries of the rows, found before the codebook changes."""
        if not self.initialised:
            found = k_means(rows, self.entries, iterations=self.init_iterations)
            self.cluster_size.copy_(found.counts)
            self.embed.copy_(found.centroids)
            self.embed_avg.copy_(found.centroids)
            self.inited.fill_(1)
        codes = nearest(rows, self.embed)[0]
        chosen = F.embedding(codes, self.embed)
        dead = self.cluster_size < self.dead_below
        self._replaced = int(dead.sum())
        if self._replaced:
            self.embed[dead] = rows[row_numbers(len(rows), self._replaced).to(rows.device)]
        self._average(*cluster_sums(rows, codes, self.entries))
        return codes, chosen

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves to a device, never to another dtype."""
        exact = {name: getattr(self, name) for name in _BUFFERS}
        super()._apply(fn, recurse)
        for name, buffer in exact.items():
            moved = getattr(self, name)
            if moved.dtype != buffer.dtype:
                setattr(self, name, buffer.to(moved.device))
        return self

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if len(self.sample):
            destination[prefix + "sample"] = self.sample

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        sample = state_dict.pop(prefix + "sample", self.sample.new_zeros(0, self.dim))
        if sample.dim() != 2 or sample.shape[1] != self.dim or len(sample) >= self.init_sample:
            expected = f"[fewer than {self.init_sample}, {self.dim}]"
            error_msgs.append(f"size mismatch for {prefix}sample: got {list(sample.shape)}, expected {expected}.")
        else:
            self.sample = sample.to(self.sample, copy=True)
        self._known_inited = False
        self._staged.clear()
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


def _spread_rows(rows: Tensor, count: int) -> Tensor:
    """`count` evenly spaced rows; repeated where there are fewer. No draw, so nothing random depends on it."""
    if not len(rows):
        return rows.new_zeros(count, rows.shape[1])
    return rows[torch.arange(count, device=rows.device) * len(rows) // count]
