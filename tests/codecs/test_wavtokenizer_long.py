"""WavTokenizer over long clips: encoding in blocks is encoding, decoding in windows is what the plan says."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from codeczoo.codecs import InvalidAudio, InvalidTokens
from codeczoo.codecs.layers.seanet import SeanetConfig
from codeczoo.codecs.layers.vocos import VocosConfig
from codeczoo.codecs.long_audio import Windows
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig
from codeczoo.codecs.wavtokenizer_long import decode_blocks, decoder_reach, encode_blocks, encoder_reach, windows

VOCOS = VocosConfig(dimension=16, width=32, intermediate=48, layers=2, bandwidths=2)

SEANETS = {
    "75 tokens a second": SeanetConfig(width=2, dimension=16),
    "40 tokens a second": SeanetConfig(strides=(4, 5, 5, 6), width=2, dimension=16),
    "dilated, short hop": SeanetConfig(strides=(2, 3), width=4, dimension=16, residual_layers=3, lstm_layers=1),
    "even kernels": SeanetConfig(strides=(3, 2, 1), width=4, dimension=16, kernel=4, residual_kernel=4, last_kernel=2),
    "no LSTM": SeanetConfig(strides=(4, 2), width=4, dimension=16, lstm_layers=0, last_kernel=9),
}


def random_model(
    seanet: SeanetConfig, decoder: VocosConfig | None = VOCOS, heard: Tensor | None = None
) -> WavTokenizer:
    """A model whose every tensor is random; the codebook's entries lie near the features of what it `heard`."""
    torch.manual_seed(3)
    model = WavTokenizer(WavTokenizerConfig(encoder=seanet, decoder=decoder, entries=48))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        audio = noise(60 * seanet.hop) if heard is None else heard
        # Around zero, or what features have in common would hide what tells them apart behind its rounding.
        model.encoder.model[-1].bias.sub_(model.encoder(audio).mean(dim=(0, 2)))
        features = model.encoder(audio).transpose(1, 2).flatten(0, 1)
        model.quantizer.embed.copy_(features[torch.linspace(0, len(features) - 1, 48).long()])
        model.quantizer.inited.fill_(1)
    return model.for_inference()


def noise(length: int, batch: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(batch, 1, length, generator=torch.Generator().manual_seed(seed)) - 0.5


MODELS = {name: random_model(config) for name, config in SEANETS.items()}
MIRRORED = {name: random_model(config, None) for name, config in SEANETS.items()}


def cut(audio: Tensor, sizes: list[int]) -> list[Tensor]:
    """Blocks of these sizes, again and again, until the audio is used up."""
    blocks, at = [], 0
    while at < audio.shape[-1]:
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(audio[..., at : at + size])
        at += size
    return blocks


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(list(MODELS)),
    frames=st.integers(0, 45),
    more=st.integers(1, 600),
    sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=6),
    block=st.integers(1, 20),
)
def test_blocks_give_the_codes_of_the_whole(name: str, frames: int, more: int, sizes: list[int], block: int) -> None:
    model = MODELS[name]
    audio = noise(frames * model.config.hop + min(more, model.config.hop), seed=more)
    codes, length = encode_blocks(model, cut(audio, sizes), block / model.config.frame_rate_hz)
    assert length == audio.shape[-1]
    assert torch.equal(codes, model.encode(audio))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_blocks_of_one_sample(model: WavTokenizer) -> None:
    audio = noise(7 * model.config.hop + 1)
    codes, _ = encode_blocks(model, audio.split(1, dim=2), 2 / model.config.frame_rate_hz)
    assert torch.equal(codes, model.encode(audio))


def test_how_a_clip_is_cut_into_blocks_changes_nothing_at_all() -> None:
    """A batch of two; features and not codes, so that the last bit is seen."""
    model = MODELS["75 tokens a second"]
    audio = noise(20_001, batch=2)
    found: list[Tensor] = []
    encode = model.quantizer.encode

    def note(features: Tensor) -> Tensor:
        found.append(features)
        return encode(features)

    model.quantizer.encode = note  # type: ignore[method-assign]
    try:
        results = []
        for size in (20_001, 320, 777, 9_600):
            found.clear()
            encode_blocks(model, audio.split(size, dim=2), 0.1)
            results.append(torch.cat(found, dim=-1))
    finally:
        del model.quantizer.encode
    assert results[0].shape == (2, 16, 63)
    assert all(torch.equal(results[0], result) for result in results[1:])


def test_real_speech_in_blocks(demo_audio: Path) -> None:
    """Silence, onsets and speech, through the model of published size but for its widths."""
    import soundfile

    clips = [soundfile.read(path, dtype="float32")[0] for path in sorted(demo_audio.rglob("*.wav"))[:4]]
    audio = torch.from_numpy(np.concatenate(clips))[None, None]
    model = random_model(SeanetConfig(width=8, dimension=16), heard=audio)
    codes, _ = encode_blocks(model, audio.split(160_000, dim=2), 1.0)
    assert torch.equal(codes, model.encode(audio))
    assert len(codes.unique()) > 20


def touched(both: Tensor) -> Tensor:
    """Steps at which the two of a batch, float64, differ by more than rounding."""
    return ((both[0] - both[1]).abs().amax(dim=0) > 1e-13 * both.abs().max()).nonzero().flatten()


@pytest.mark.parametrize("name", MODELS)
def test_reach_is_what_the_convolutions_see(name: str) -> None:
    """One sample changed: the features that change in front of the LSTM are those within reach, and no others."""
    model, config = random_model(SEANETS[name]).double(), SEANETS[name]
    hop, reach = config.hop, encoder_reach(config)[0]
    frames = 2 * math.ceil(reach) + 3
    layers = list(model.encoder.model)[: -3 if config.lstm_layers else -2]
    seen_before, seen_after = 0, 0
    for sample in range((frames // 2) * hop, (frames // 2 + 1) * hop):
        audio = noise(frames * hop).double()
        changed = audio.clone()
        changed[..., sample] += 10.0
        both = torch.cat([audio, changed])
        for layer in layers:
            both = layer(both)
        frames_changed = touched(both) * hop
        seen_before = max(seen_before, int(frames_changed.max()) - sample)
        seen_after = max(seen_after, sample - int(frames_changed.min()))
    assert seen_before <= reach * hop
    # Even kernels see further back than ahead, and the larger side counts.
    assert seen_after <= reach * hop if name == "even kernels" else seen_after == reach * hop


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(list(MIRRORED)), frames=st.integers(1, 60), block=st.integers(1, 20), lack=st.integers(0, 599)
)
def test_mirrored_decoder_in_blocks_is_the_decoder(name: str, frames: int, block: int, lack: int) -> None:
    model = MIRRORED[name]
    codes = torch.randint(48, (1, 1, frames), generator=torch.Generator().manual_seed(frames))
    length = frames * model.config.hop - min(lack, model.config.hop - 1)
    made = list(decode_blocks(model, codes, length, block_s=block / model.config.frame_rate_hz))
    whole = model.decode(codes, length)
    assert all(piece.shape[-1] for piece in made)
    torch.testing.assert_close(torch.cat(made, -1), whole, rtol=0, atol=1e-5 * float(whole.abs().max()))


def test_mirrored_decoder_sees_no_further_than_stated() -> None:
    for name, config in SEANETS.items():
        model = random_model(config, None).double()
        reach = math.ceil(decoder_reach(config)[1])
        layers = list(model.decoder.model)[2 if config.lstm_layers else 1 :]
        frames = torch.randn(1, config.widest, 8 * reach + 1, dtype=torch.float64)
        changed = frames.clone()
        changed[..., 4 * reach] += 1.0
        both = torch.cat([frames, changed])
        for layer in layers:
            both = layer(both)
        away = (touched(both) // config.hop - 4 * reach).abs().max()
        assert 1 <= away <= reach, name
