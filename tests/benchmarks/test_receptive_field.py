"""Receptive field and latency, measured: of kernels whose reach is known, and of the native models."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from codeczoo import codecs
from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.benchmarks.receptive_field import Parts, measure, seen_steps
from codeczoo.benchmarks.receptive_field_models import measure as measure_codec
from codeczoo.benchmarks.receptive_field_models import taae_parts
from codeczoo.codecs.taae import TAAEConfig
from codeczoo.codecs.taae_config import streaming
from codeczoo.codecs.taae_names import latency_s


def convolution(left: int, right: int) -> Parts:
    """An encoder of 10 samples a token that sees `left` samples before and `right` behind them; a decoder of its own
    token alone."""
    kernel = torch.rand(1, 1, left + 10 + right, dtype=torch.float64) + 0.1

    def encode(audio: Tensor) -> Tensor:
        return F.conv1d(F.pad(audio, (left, right)), kernel, stride=10)

    return Parts(encode, lambda tokens: tokens.repeat_interleave(10, dim=-1), 1, 10, 1_000, longest_tokens=256)


@pytest.mark.parametrize(("left", "right"), [(0, 0), (7, 0), (0, 33), (500, 20)])
def test_of_a_convolution(left: int, right: int) -> None:
    reach = measure(convolution(left, right))
    assert reach.past_s == pytest.approx(left / 1_000)
    assert reach.future_s == pytest.approx((10 + right) / 1_000)
    assert reach.total_s == pytest.approx((left + 10 + right) / 1_000)


def test_what_sees_everything_is_unlimited() -> None:
    whole = replace(convolution(0, 0), decode=lambda x: (x - x.mean()).repeat_interleave(10, dim=-1))
    reach = measure(whole)
    assert (reach.past_s, reach.future_s) == (math.inf, math.inf)
    assert reach.tried_s == 2.56


def test_what_fades_out_is_unlimited() -> None:
    """A memory that halves with each step leaves float64 after a thousand of them, not because it ends."""
    decaying = replace(convolution(0, 0), decode=_remembered, longest_tokens=4_096)
    reach = measure(decaying)
    assert reach.past_s == math.inf
    assert reach.future_s == pytest.approx(0.01)


def _remembered(tokens: Tensor) -> Tensor:
    state, states = torch.zeros_like(tokens[..., 0]), []
    for token in tokens.unbind(-1):
        state = state / 2 + token
        states.append(state)
    return torch.stack(states, -1).repeat_interleave(10, dim=-1)


def test_no_dependence_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not depend on the input"):
        seen_steps(lambda x: x * 0, (1, 1, 8), [3])


SHALLOW = TAAEConfig(transformer_depths=(1, 2))


def test_of_taae_is_the_sum_of_its_layers() -> None:
    """Every layer adds its window, every convolution its kernel, at the rate that it works at."""
    reach = measure(taae_parts(SHALLOW))
    patches = 2 * (1 * 63 + 2 * 2 * 63) + 2 * 3 + 2 * (2 * 1) + 1 + 1
    assert reach.past_s * 50 == pytest.approx(patches, abs=1)
    assert reach.future_s == pytest.approx(latency_s(SHALLOW))
    assert reach.layer_s == pytest.approx(128 / 25)


def test_the_published_model_agrees_with_table_11() -> None:
    """5.12 s a layer, as printed. The total of "about 200 s" is that of the 40 layers at 25 Hz, 204.8 s; with the 16
    at 50 Hz and the convolutions it is 244 s."""
    reach = measure_codec("taae:speech-16k")
    assert reach.layer_s == pytest.approx(5.12)
    assert 40 * reach.layer_s == pytest.approx(204.8)
    assert reach.total_s == pytest.approx(40 * 127 / 25 + 16 * 127 / 50, abs=1)
    assert reach.future_s == pytest.approx(codecs.spec("taae:speech-16k@native").latency_s)


def test_the_causal_model_agrees_with_table_11() -> None:
    """2.56 s a layer and a latency of 40 ms; 40 layers make 102.4 s, all that is there makes 121.5 s."""
    reach = measure(taae_parts(streaming()))
    assert reach.layer_s == pytest.approx(2.56)
    assert reach.future_s == pytest.approx(0.04)
    assert reach.future_s == pytest.approx(latency_s(streaming()))
    assert reach.total_s == pytest.approx(40 * 63 / 25 + 16 * 63 / 50, abs=1)


@pytest.mark.parametrize("name", ["wavtokenizer:small-320", "unicodec:base@speech"])
def test_attention_without_a_window_sees_the_whole_clip(name: str) -> None:
    reach = measure_codec(name)
    assert (reach.past_s, reach.future_s) == (math.inf, math.inf)
    assert codecs.spec(name).latency_s == reach.future_s


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "wavtokenizer:tiny-speech-216", "--measure", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["measured_latency_s"] == told["latency_s"] == "infinite"
    assert main(["info", "opus", "--measure"]) != 0
    assert "is not one of the native models" in capsys.readouterr().err
    with pytest.raises(BenchmarkError, match="native models"):
        measure_codec("opus@12kbps")
