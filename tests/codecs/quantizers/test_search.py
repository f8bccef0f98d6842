"""The nearest entry, against float64 differences and the plain formula."""

from __future__ import annotations

import pytest
import torch

from codeczoo.codecs.quantizers import search


def test_equals_float64_differences() -> None:
    rows, codebook = torch.randn(500, 16), torch.randn(300, 16)
    squared = (rows.double()[:, None] - codebook.double()).square().sum(dim=2)
    index, distances = search.nearest(rows, codebook)
    assert torch.equal(index, squared.argmin(dim=1))
    torch.testing.assert_close(distances.double(), squared.amin(dim=1), rtol=1e-5, atol=1e-5)


def test_rounds_as_the_published_formula() -> None:
    rows, codebook = 5 * torch.randn(700, 32), 5 * torch.randn(257, 32)
    product = rows @ codebook.t()
    score = -(rows.pow(2).sum(1, keepdim=True) - 2 * product + codebook.pow(2).sum(1)[None])
    index, distances = search.nearest(rows, codebook)
    assert torch.equal(distances, -score.max(dim=1).values)
    assert torch.equal(index, score.max(dim=1).indices)


def test_the_first_of_equals_wins() -> None:
    codebook = torch.tensor([[9.0, 9.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    rows = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]])
    assert search.nearest(rows, codebook)[0].tolist() == [1, 1, 2]


@pytest.mark.parametrize("scores", [1, 300, 4_096, 1 << 20])
def test_no_more_than_a_chunk_is_held(monkeypatch: pytest.MonkeyPatch, scores: int) -> None:
    """Every chunk size gives the same; and none holds more distances than it says, but for one row."""
    rows, codebook = torch.randn(97, 8), torch.randn(64, 8)
    expected = search.nearest(rows, codebook)[0]
    seen: list[int] = []
    real = torch.add

    def watched(*arguments: torch.Tensor, **keywords: float) -> torch.Tensor:
        seen.append(arguments[1].numel())
        return real(*arguments, **keywords)

    monkeypatch.setattr(search, "_CHUNK_SCORES", scores)
    monkeypatch.setattr(torch, "add", watched)
    assert torch.equal(search.nearest(rows, codebook)[0], expected)
    assert max(seen) <= max(scores, len(codebook))
    assert sum(seen) == 97 * 64
