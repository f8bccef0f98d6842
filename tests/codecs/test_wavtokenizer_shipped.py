"""The WavTokenizer that comes with the package: what is said of it is so, and it has learnt to code speech."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pystoi import stoi

from codeczoo import codecs
from codeczoo.codecs import WeightsCorrupt, WeightsMissing, wavtokenizer_shipped
from codeczoo.codecs.wavtokenizer_names import facts_of_file

from .speech import batch, speech

NAME = wavtokenizer_shipped.NAME


def test_its_facts_are_those_of_the_file() -> None:
    spec, stated = codecs.spec(NAME), facts_of_file(wavtokenizer_shipped.FILE)
    assert (spec.sample_rate, spec.codebook_sizes, spec.parameters) == (
        stated["sample_rate"],
        (stated["entries"],),
        stated["parameters"],
    )
    assert spec.tokens_per_second == pytest.approx(16_000 / 216)
    assert stated["hop"] == 216
    assert wavtokenizer_shipped.FILE.stat().st_size < 20e6


def test_its_card_names_licences_recipe_and_scores() -> None:
    card = wavtokenizer_shipped.FILE.with_suffix(".md").read_text(encoding="utf-8")
    for said in ("CC BY 4.0", "Apache-2.0", "CC0", "cli train tiny", "PESQ", "STOI", wavtokenizer_shipped.SHA256):
        assert said in card


def test_it_codes_speech(demo_audio: Path) -> None:
    """Intelligibly, at 0.89 kbps; the bound lies well below what was measured."""
    codec = codecs.load(NAME)
    audio = batch(speech(demo_audio, 16_000, 4), 1)
    encoded = codec.encode(audio)
    decoded = codec.decode(encoded)
    assert stoi(audio[0, 0].numpy(), decoded[0, 0].numpy(), 16_000) > 0.65
    assert len(encoded.codes[0].unique()) > 150


def test_a_file_that_is_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "model.safetensors"
    content = bytearray(wavtokenizer_shipped.FILE.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    monkeypatch.setattr(wavtokenizer_shipped, "FILE", copy)
    with pytest.raises(WeightsCorrupt, match="install codeczoo anew"):
        codecs.load(NAME)
    copy.unlink()
    with pytest.raises(WeightsMissing, match="part of codeczoo, is not there"):
        codecs.load(NAME)


def test_its_tokens_are_told_from_those_of_other_models() -> None:
    codec = codecs.load(NAME)
    encoded = codec.encode(torch.zeros(1, 1, 4321))
    assert encoded.codebook
    assert encoded.codes[0].shape == (1, 21)
    assert codec.decode(encoded).shape == (1, 1, 4321)
