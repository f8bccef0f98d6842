"""The speed benchmark counts what is computed and compares forms that compute the same; token flips are counted."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from codeczoo.benchmarks import token_flips, wavtokenizer_naive, wavtokenizer_speed
from codeczoo.benchmarks.wavtokenizer_arithmetic import decode_flop, encode_flop
from codeczoo.benchmarks.wavtokenizer_floor import elus, recurrent_flop, recurrent_products
from codeczoo.benchmarks.wavtokenizer_material import for_inference, speech, trainable
from codeczoo.benchmarks.wavtokenizer_words import in_words
from codeczoo.codecs.layers.seanet import SeanetConfig
from codeczoo.codecs.layers.vocos import VocosConfig
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig

SMALL = WavTokenizerConfig(
    encoder=SeanetConfig(width=4, dimension=32),
    decoder=VocosConfig(dimension=32, width=64, intermediate=96, layers=2),
    entries=64,
)


@pytest.fixture(scope="module")
def model() -> WavTokenizer:
    return trainable(None, "demo", SMALL)


def test_the_published_arithmetic() -> None:
    """10 s at 75 tokens a second: about 32 GFLOP to encode, the search of 3.1 aside, and 93 to decode."""
    config = WavTokenizerConfig()
    search = 2 * 750 * 512 * 4096
    assert encode_flop(config, 240_000) - search == pytest.approx(32e9, rel=0.02)
    assert decode_flop(config, 750) == pytest.approx(93e9, rel=0.04)


def test_arithmetic_is_what_torch_counts(model: WavTokenizer) -> None:
    """PyTorch's own counter, which knows neither the LSTM nor a groupwise convolution: these are counted here."""
    audio = torch.randn(1, 1, 320 * 20)
    with FlopCounterMode(display=False) as encoding:
        codes = wavtokenizer_naive.encode(model, audio)
    lstm = 20 * 2 * 2 * 8 * 64**2
    assert encoding.get_total_flops() + lstm == encode_flop(SMALL, audio.shape[-1])
    with FlopCounterMode(display=False) as decoding:
        wavtokenizer_naive.decode(model, codes)
    counted = sum(decoding.get_flop_counts()["Global"].values())
    assert counted == pytest.approx(decode_flop(SMALL, 20), rel=1e-6)


def test_what_cannot_go_at_the_rate_of_a_large_product(model: WavTokenizer) -> None:
    """The published model's LSTM makes 1500 products of 4 MB for 10 s; its ELUs are counted as they are called."""
    config = WavTokenizerConfig().encoder
    assert recurrent_products(config, 240_000) == 1500
    assert recurrent_flop(config, 240_000) == 1500 * 2 * 2048 * 512
    audio = speech("demo", 2.0, SMALL.sample_rate)
    _, values = elus(model.encoder, audio)
    tile = model.encoder.tiles.samples
    # Channels of every stage's ELUs, before the unit, inside it and behind it, a sample; then the last features.
    per_sample = sum(2.5 * 4 * 2**stage / hop for stage, hop in enumerate((1, 2, 8, 40))) + 64 / 320
    assert values == pytest.approx(audio.shape[-1] // tile * tile * per_sample, rel=0.01)


def test_forms_agree(model: WavTokenizer) -> None:
    audio = speech("demo", 2.0, SMALL.sample_rate)
    figures = wavtokenizer_speed.compare(model, audio, repeats=1)
    assert figures["tokens"] == 150
    assert figures["distinct_tokens"] > 15
    assert figures["differing_tokens"] == 0
    assert figures["audio_to_naive_db"] is None or figures["audio_to_naive_db"] > 100
    assert 20 < figures["half_to_float32_db"] < 70
    least, limit = figures["least_s"], figures["limit_s"]
    assert figures["ratios"]["sum_to_limit"] == pytest.approx(
        (least["encode"] + least["decode"]) / (limit["encode"] + limit["decode"])
    )
    floor = figures["floor_s"]
    assert floor["encode"] > least["recurrent_products"] + least["elus"]
    assert floor["decode"] < limit["decode"]
    assert figures["ratios"]["floor_to_limit"] == pytest.approx(sum(floor.values()) / sum(limit.values()))
    figures |= {
        "machine": {"processor": "one", "threads": 2}, "device": "cpu", "weights": "random", "repeats": 1,
        "memory": {"seconds": 60.0, "ours_mib": 10.0, "naive_mib": 40.0, "ratio": 0.25},
        "real_time_factors": [{"decoder": "float32", "seconds": 5.0, "batch": 1, "real_time_factor": 0.5}],
    }  # fmt: skip
    text = in_words(figures)
    assert "Tokens that differ: 0." in text
    assert "ratio **0.25**" in text
    assert "| float32 | 1 | 5 | 0.50000 | 0.00377 |" in text


def test_deviation() -> None:
    signal = torch.tensor([3.0, 4.0])
    assert wavtokenizer_speed.deviation_db(signal, signal) is None
    assert wavtokenizer_speed.deviation_db(signal, signal + torch.tensor([0.3, 0.4])) == pytest.approx(20, abs=1e-5)


def test_real_time_factors_of_every_form(model: WavTokenizer) -> None:
    rows = wavtokenizer_speed.real_time_factors(model, "demo", [0.5, 1.0], [1, 2], "cpu", 1)
    assert [(row["decoder"], row["seconds"], row["batch"]) for row in rows] == [
        (decoder, seconds, batch) for decoder in ("float32", "bfloat16") for seconds in (0.5, 1.0) for batch in (1, 2)
    ]
    assert all(math.isfinite(row["real_time_factor"]) and row["real_time_factor"] > 0 for row in rows)


def test_flips_are_counted(model: WavTokenizer) -> None:
    clips = [speech("demo", seconds, SMALL.sample_rate) for seconds in (1.0, 2.0)]
    found = token_flips.flips(model, clips, [("cpu", torch.float32), *token_flips.forms("cpu")])
    assert found["tokens"] == 225
    assert found["cpu float32"] == 0
    # Eight bits of precision move some frames to another entry, eleven bits fewer.
    assert 0 < found["cpu bfloat16"] < 225
    assert found["cpu float16"] < found["cpu bfloat16"]
    assert "| cpu float32 | 0 | 0.00 |" in token_flips.in_words(found, "random")


def test_a_decoder_in_bfloat16_leaves_tokens_alone(model: WavTokenizer) -> None:
    exact, lower = for_inference(model), for_inference(model).decoder_to(torch.bfloat16)
    audio = speech("demo", 1.0, SMALL.sample_rate)
    codes = exact.encode(audio)
    assert torch.equal(lower.encode(audio), codes)
    assert torch.equal(lower.codes_to_features(codes), exact.codes_to_features(codes))
    decoded = lower.decode(codes)
    assert decoded.dtype == torch.float32
    assert {part.dtype for part in lower.backbone.parameters()} == {torch.bfloat16}
    assert lower.to(torch.bfloat16).head.istft.window.dtype == torch.float32
    torch.testing.assert_close(decoded, exact.decode(codes), rtol=0, atol=0.05 * float(decoded.abs().max()))
