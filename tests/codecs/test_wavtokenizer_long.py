"""WavTokenizer over long clips: encoding in blocks is encoding, decoding in windows is what the plan says."""

from __future__ import annotations

import math
import os
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
from codeczoo.codecs.wavtokenizer_long import (
    decode_blocks,
    decoder_reach,
    encode_blocks,
    encoder_reach,
    vocos_reach,
    windows,
)

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
    whole = model.encode(audio)
    assert len(codes.unique()) > 20
    # Silence comes very near to several entries at once. Wherever the codes differ, it must be such a tie.
    features = model.encoder(audio)[0].t().double()
    away = [(features - model.codes_to_features(found)[0].t()).square().sum(dim=1) for found in (codes, whole)]
    assert float((away[0] - away[1]).abs().max()) < 1e-3 * float(features.var(dim=0).sum())
    assert float((codes != whole).float().mean()) < 0.01


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


VOCODER = MODELS["dilated, short hop"]
"""Six samples a token, so that windows are cheap."""


def some_codes(frames: int, batch: int = 1) -> Tensor:
    return torch.randint(48, (batch, 1, frames), generator=torch.Generator().manual_seed(frames))


@settings(deadline=None, max_examples=30)
@given(frames=st.integers(1, 200), lack=st.integers(0, 5), overlap=st.integers(0, 39), fade=st.integers(0, 39))
def test_decoded_blocks_are_windows_decoded_alone_and_faded(frames: int, lack: int, overlap: int, fade: int) -> None:
    """The rule written out a second time, window by window, with the weights of each."""
    plan = Windows(40, overlap, min(fade, overlap))
    codes, hop, length = some_codes(frames, batch=2), VOCODER.config.hop, frames * VOCODER.config.hop - lack
    made = torch.cat(list(decode_blocks(VOCODER, codes, length, 1, plan)), dim=-1)
    expected = torch.zeros(2, 1, frames * hop)
    for index, start in enumerate(plan.starts(frames)):
        window = VOCODER.decode(codes[..., start : start + 40], bandwidth_id=1)
        first, end = (0, 0) if index == 0 else (frame * hop for frame in plan.fades(frames)[index - 1])
        rising = 0.5 - 0.5 * torch.cos(torch.pi * (torch.arange(end - first) + 0.5) / max(1, end - first))
        faded = window[..., first - start * hop : end - start * hop]
        expected[..., first:end] += rising * (faded - expected[..., first:end])
        expected[..., end : start * hop + window.shape[-1]] = window[..., end - start * hop :]
    torch.testing.assert_close(made, expected[..., :length], rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_what_fits_into_one_window_is_the_model_s_own() -> None:
    codes = some_codes(40)
    (made,) = decode_blocks(VOCODER, codes, 237, 1, Windows(40, 10, 5))
    assert torch.equal(made, VOCODER.decode(codes, 237, 1))


def test_published_models_decode_a_minute_whole_and_more_by_windows_of_a_minute() -> None:
    """The convolutions see 49 frames: 3 + 8 + 12 x 3 + 1.5. Two such sides and a fade of a quarter of a second."""
    assert windows(WavTokenizerConfig()) == Windows(4_500, 19 + 2 * 49, 19)
    assert windows(WavTokenizerConfig(encoder=SeanetConfig(strides=(4, 5, 5, 6)))) == Windows(2_400, 10 + 2 * 49, 10)
    assert windows(WavTokenizerConfig()).starts(4_500) == [0]
    assert windows(WavTokenizerConfig()).starts(4_501) == [0, 1]
    with pytest.raises(ValueError, match="mirrored decoder is not given windows"):
        windows(MIRRORED["no LSTM"].config)


def test_nothing_but_the_fade_is_made_of_frames_whose_surroundings_are_cut_off() -> None:
    """Without attention and group normalisation only the ends of a window differ from the whole: seams then vanish."""
    vocos = replace(VOCOS, attention=False, layers=1)
    model = random_model(SEANETS["dilated, short hop"], vocos)
    model.backbone.pos_net[-1] = torch.nn.Identity()
    for block in model.backbone.pos_net:
        for name in ("norm1", "norm2"):
            setattr(block, name, torch.nn.Identity())
    codes = some_codes(500)
    whole = model.decode(codes)
    reach = math.ceil(vocos_reach(model.config))
    assert reach == 3 + 8 + 3 + 2
    made = torch.cat(list(decode_blocks(model, codes, plan=Windows(100, 2 * reach + 4, 4))), dim=-1)
    torch.testing.assert_close(made, whole, rtol=0, atol=1e-5 * float(whole.abs().max()))
    made = torch.cat(list(decode_blocks(model, codes, plan=Windows(100, 0))), dim=-1)
    assert float((made - whole).abs().max()) > 1e-2 * float(whole.abs().max())


@pytest.mark.parametrize("decoder", [VOCODER, MIRRORED["no LSTM"]], ids=["windows", "mirrored"])
def test_wrong_tokens_are_told_before_anything_is_decoded(decoder: WavTokenizer) -> None:
    hop = decoder.config.hop
    with pytest.raises(InvalidTokens, match="48 entries; got codes 48 to 48"):
        decode_blocks(decoder, torch.full((1, 1, 3), 48))
    with pytest.raises(InvalidTokens, match=r"int64 codes \[B, 1, N\]"):
        decode_blocks(decoder, torch.zeros(1, 3, dtype=torch.int64))
    with pytest.raises(InvalidTokens, match=f"3 codes stand for {2 * hop + 1} to {3 * hop} samples; got a length of 5"):
        decode_blocks(decoder, some_codes(3), 5)
    with pytest.raises(InvalidTokens, match="bandwidth_id must be 0 to"):
        decode_blocks(decoder, some_codes(3), bandwidth_id=2)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], "audio without samples: no blocks"),
        ([torch.zeros(1, 1, 0)], "audio without samples"),
        ([torch.zeros(1, 1, 5), torch.zeros(1, 2, 5)], r"\[B, 1, T\]; got torch.float32 \(1, 2, 5\)"),
        ([torch.zeros(1, 1, 5), torch.full((1, 1, 5), torch.nan)], "NaN or infinite"),
        ([torch.zeros(1, 1, 5), torch.zeros(2, 1, 5)], r"as many clips; got \(2, 1, 5\) after 1"),
    ],
)
def test_wrong_blocks_are_told(blocks: list[Tensor], message: str) -> None:
    with pytest.raises(InvalidAudio, match=message):
        encode_blocks(VOCODER, blocks)


_PEAKS = """
from pathlib import Path
import torch
from codeczoo.codecs.layers.seanet import SeanetConfig
from codeczoo.codecs.layers.vocos import VocosConfig
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig
from codeczoo.codecs.wavtokenizer_long import decode_blocks, encode_blocks

torch.set_num_threads(1)
seanet = SeanetConfig(strides=(8, 8, 10), width=2, dimension=8, lstm_layers=1, kernel=3)
vocos = VocosConfig(dimension=8, width=32, intermediate=32, layers=1)
model = WavTokenizer(WavTokenizerConfig(encoder=seanet, decoder=vocos, entries=8))
model.quantizer.embed.normal_()
model.quantizer.inited.fill_(1)
model.for_inference()

def peak_mib():
    # Not getrusage: its peak is that of the process that started this one, too.
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

for minutes in (2, 10):
    blocks = (torch.rand(1, 1, 240_000) - 0.5 for _ in range(6 * minutes))
    codes, length = encode_blocks(model, blocks)
    assert length == minutes * 1_440_000
    assert sum(block.shape[-1] for block in decode_blocks(model, codes, length)) == length
    print(peak_mib())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of the memory from /proc")
def test_memory_is_that_of_a_short_clip() -> None:
    """8 minutes more are 44 MiB of samples, and several times that in features."""
    # glibc's heap, with its gaps, would grow by some MiB: freed blocks are given back to the system at once.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "100000"}
    done = subprocess.run([sys.executable, "-c", _PEAKS], capture_output=True, text=True, check=True, env=environment)
    short, long = map(float, done.stdout.split())
    assert long - short < 15
