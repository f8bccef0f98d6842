"""Registered names of transformers checkpoints: literal facts against the classes at their released configuration."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from codeczoo import codecs
from codeczoo.codecs import transformers_names as registered
from codeczoo.codecs.transformers_kinds import KINDS

_WAVLM = {"semantic_model_config": {"model_type": "wavlm"}}
_HIGGS = {
    "target_bandwidths": [0.5, 1, 1.5, 2],
    "acoustic_model_config": {
        "model_type": "dac",
        "encoder_hidden_size": 64,
        "decoder_hidden_size": 1024,
        "hidden_size": 256,
        "downsampling_ratios": [8, 5, 4, 2, 3],
        "upsampling_ratios": [8, 5, 4, 2, 3],
    },
}


@pytest.mark.parametrize(
    ("point", "model_type", "config"),
    [
        ("mimi:24khz@32q", "mimi", {}),
        ("xcodec:hubert-librispeech@4kbps", "xcodec", {}),
        ("xcodec:wavlm-mls@4kbps", "xcodec", _WAVLM),
        ("xcodec2:16khz", "xcodec2", {}),
        ("neucodec:24khz", "neucodec", {}),
        ("higgs:v2@2kbps", "higgs_audio_v2_tokenizer", _HIGGS),
    ],
)
def test_literal_facts_are_those_of_the_class(point: str, model_type: str, config: dict[str, Any]) -> None:
    import transformers

    kind = KINDS[model_type]
    model_class = getattr(transformers, kind.model_class)
    made_config = model_class.config_class(**config)
    with torch.device("meta"):
        model = model_class(made_config)
    spec, facts = codecs.spec(point), kind.facts(made_config)
    assert spec.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (spec.sample_rate, spec.output_sample_rate) == (facts.sample_rate, facts.output_sample_rate)
    assert set(spec.codebook_sizes) == {facts.entries}
    assert set(spec.frame_rates) == {facts.frame_rate_hz}
    assert dict(zip(codecs.family(point).rates, _counts(point), strict=True)) == facts.rates
    assert (spec.causal, spec.latency_s) == (facts.causal, facts.latency_s)


def _counts(point: str) -> list[int]:
    family = codecs.family(point)
    return [family.describe(rate).n_codebooks for rate in family.rates]


def test_registered_revisions() -> None:
    assert registered.MIMI.weights is not None
    assert registered.MIMI.weights.revision == "89091b3e466eb6a9d11e537bf26b144f194978f7"
    assert codecs.spec("mimi:24khz@1.1kbps") == codecs.spec("mimi:24khz@8q")
    assert codecs.spec("xcodec:hubert-general@8q").bitrate_kbps == pytest.approx(4)
    assert codecs.spec("xcodec2:16khz").bitrate_kbps == pytest.approx(0.8)
