"""The laws of the native WavTokenizer, on random weights of several shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from encodec.modules import SEANetDecoder, SEANetEncoder
from torch import Tensor

from codeczoo.codecs import CodecError, InvalidAudio, InvalidTokens
from codeczoo.codecs.layers.fourier_head import InverseStft
from codeczoo.codecs.layers.seanet import SeanetConfig, SeanetDecoder, SeanetEncoder
from codeczoo.codecs.layers.vocos import VocosConfig
from codeczoo.codecs.wavtokenizer import WavTokenizer, WavTokenizerConfig
from codeczoo.codecs.wavtokenizer_long import encode_blocks

SEANET = SeanetConfig(width=4, dimension=32)
VOCOS = VocosConfig(dimension=32, width=64, intermediate=96, layers=2)

CONFIGS = {
    "hop 320": WavTokenizerConfig(encoder=SEANET, decoder=VOCOS, entries=64),
    "hop 600": WavTokenizerConfig(
        encoder=SeanetConfig(strides=(4, 5, 5, 6), width=8, dimension=24),
        decoder=VocosConfig(dimension=24, width=32, intermediate=64, layers=3, bandwidths=2),
        entries=100,
    ),
    "no attention, 16 kHz, wide window": WavTokenizerConfig(
        sample_rate=16_000,
        encoder=SeanetConfig(strides=(2, 3), width=6, dimension=16, residual_layers=2, lstm_layers=1, compress=1),
        decoder=VocosConfig(dimension=16, width=32, intermediate=48, layers=1, bandwidths=1, attention=False),
        n_fft=32,
        entries=16,
    ),
    "odd hop": WavTokenizerConfig(
        sample_rate=44_100,
        encoder=SeanetConfig(strides=(7, 9), width=4, dimension=16),
        decoder=VocosConfig(dimension=16, width=64, intermediate=32, layers=1),
        entries=32,
    ),
    "mirrored": WavTokenizerConfig(encoder=SEANET, decoder=None, entries=64),
}


def random_model(config: WavTokenizerConfig, seed: int = 0) -> WavTokenizer:
    """A model whose every tensor is random, gains and scales as well; entries lie where its features lie, so that
    codes differ from frame to frame."""
    torch.manual_seed(seed)
    model = WavTokenizer(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        loudness = torch.linspace(0, 1, config.entries * config.hop).square() * torch.randn(config.entries * config.hop)
        features = model.eval().encoder(loudness[None, None])[0].T
        model.quantizer.embed.copy_(features + 0.1 * features.std(dim=0) * torch.randn_like(features))
        model.quantizer.embed_avg.copy_(model.quantizer.embed)
        model.quantizer.inited.fill_(1)
    return model.eval()


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def model(request: pytest.FixtureRequest) -> WavTokenizer:
    return random_model(request.param)


def noise(length: int, batch: int = 1, seed: int = 0) -> Tensor:
    return torch.rand(batch, 1, length, generator=torch.Generator().manual_seed(seed)) - 0.5


@pytest.mark.parametrize("length", [1, 2, 5, 17, 319, 320, 321, 1_999, 6_000, 6_001])
def test_length_law(model: WavTokenizer, length: int) -> None:
    hop = model.config.hop
    codes = model.encode(noise(length))
    assert codes.shape == (1, 1, -(-length // hop))
    assert codes.dtype == torch.int64
    assert model.decode(codes).shape == (1, 1, codes.shape[-1] * hop)
    assert model.decode(codes, length).shape == (1, 1, length)


@torch.no_grad()
def test_a_padded_batch_is_its_clips(model: WavTokenizer) -> None:
    """Lengths around every multiple of a stride, and clips shorter than a mirror image."""
    lengths = [6_001, 1, 5_999, 319, 4_000, 3, 601, 12]
    clips = [noise(length, seed=length) for length in lengths]
    padded = torch.full((len(lengths), 1, max(lengths) + 700), 0.7)
    for row, clip in zip(padded, clips, strict=True):
        row[:, : clip.shape[-1]] = clip[0]
    codes = model.encode(padded, lengths)
    for row, clip in zip(codes, clips, strict=True):
        alone = model.encode(clip)[0]
        assert torch.equal(row[:, : alone.shape[-1]], alone)
        assert not row[:, alone.shape[-1] :].any()
    # What a GPU does with the same batch at once.
    features = model.encoder(padded, lengths)
    for row, clip in zip(features, clips, strict=True):
        alone = model.encoder(clip)[0]
        torch.testing.assert_close(row[:, : alone.shape[-1]], alone, rtol=0, atol=1e-6)


def test_a_batch_is_its_clips(model: WavTokenizer) -> None:
    audio = noise(2_500, batch=3)
    codes = model.encode(audio)
    assert torch.equal(codes, torch.cat([model.encode(clip[None]) for clip in audio]))
    assert len(codes.unique()) > 3
    decoded = torch.cat([model.decode(code[None]) for code in codes])
    torch.testing.assert_close(model.decode(codes), decoded, rtol=0, atol=1e-4 * float(decoded.abs().max()))


def test_folding_weight_norm_changes_nothing(model: WavTokenizer) -> None:
    audio = noise(3_000)
    codes = model.encode(audio)
    before = model.decode(codes)
    model.for_inference()
    assert torch.equal(model.encode(audio), codes)
    torch.testing.assert_close(model.decode(codes), before, rtol=0, atol=1e-5 * float(before.abs().max()))
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(name.endswith(("weight_g", "weight_v")) for name in model.state_dict())


def test_bandwidth_ids_are_rows_of_the_tables(model: WavTokenizer) -> None:
    codes = model.encode(noise(2_000))
    if model.config.bandwidths == 1:
        with pytest.raises(InvalidTokens, match=r"bandwidth_id must be 0 to 0, .*; got 1"):
            model.decode(codes, bandwidth_id=1)
        return
    first, second = model.decode(codes, bandwidth_id=0), model.decode(codes, bandwidth_id=1)
    assert float((first - second).abs().max()) > 1e-3 * float(first.abs().max())
    with torch.no_grad():
        for part in model.backbone.modules():
            if hasattr(part, "scale"):
                part.scale.weight[1] = part.scale.weight[0]
                part.shift.weight[1] = part.shift.weight[0]
    assert torch.equal(model.decode(codes, bandwidth_id=1), first)


SEANETS = {
    "published, 75 tokens a second": SeanetConfig(width=2, dimension=6),
    "published, 40 tokens a second": SeanetConfig(strides=(4, 5, 5, 6), width=2, dimension=6),
    "others": SeanetConfig(
        strides=(3, 2), width=4, dimension=5, residual_layers=3, lstm_layers=1, kernel=5, last_kernel=3, compress=1
    ),
}


def copied(theirs: torch.nn.Module, ours: torch.nn.Module) -> None:
    """Give our module the weights of the package's, whose wrappers around convolutions go by other names."""
    state = theirs.state_dict()
    for wrapper in (".conv.conv.", ".convtr.convtr."):
        state = {name.replace(wrapper, "."): value for name, value in state.items()}
    ours.load_state_dict(state)


def of_the_package(kind: Callable[..., torch.nn.Module], config: SeanetConfig) -> torch.nn.Module:
    torch.manual_seed(1)
    return kind(
        ratios=list(reversed(config.strides)),
        n_filters=config.width,
        dimension=config.dimension,
        n_residual_layers=config.residual_layers,
        lstm=config.lstm_layers,
        kernel_size=config.kernel,
        last_kernel_size=config.last_kernel,
        residual_kernel_size=config.residual_kernel,
        compress=config.compress,
        true_skip=False,
    ).eval()


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("config", SEANETS.values(), ids=SEANETS.keys())
@pytest.mark.parametrize("length", [1, 7, 601, 3_333])
def test_encoder_is_that_of_encodec(config: SeanetConfig, length: int) -> None:
    theirs, ours = of_the_package(SEANetEncoder, config), SeanetEncoder(config).eval()
    copied(theirs, ours)
    with torch.no_grad():
        torch.testing.assert_close(ours(noise(length)), theirs(noise(length)), rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("config", SEANETS.values(), ids=SEANETS.keys())
@pytest.mark.parametrize("frames", [4, 37])
def test_mirrored_decoder_is_that_of_encodec(config: SeanetConfig, frames: int) -> None:
    theirs, ours = of_the_package(SEANetDecoder, config), SeanetDecoder(config).eval()
    copied(theirs, ours)
    features = torch.randn(2, config.dimension, frames)
    with torch.no_grad():
        torch.testing.assert_close(ours(features), theirs(features), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("n_fft", "hop"), [(1_280, 320), (32, 6), (7, 3), (12, 12), (2_400, 600), (36, 9)])
def test_inverse_stft_undoes_the_stft(n_fft: int, hop: int) -> None:
    """Frames of a known signal, windowed and transformed, come back as the signal wherever windows reach."""
    istft = InverseStft(n_fft, hop)
    istft.window.add_(0.3)  # a window without zeros: then the ends come back too
    frames = 5
    cut = (n_fft - hop) // 2
    signal = torch.randn(2, (frames - 1) * hop + n_fft)
    spectra = torch.fft.rfft(signal.unfold(1, n_fft, hop) * istft.window)
    torch.testing.assert_close(istft(spectra), signal[:, cut : cut + frames * hop], rtol=0, atol=1e-5)


def test_parameters_of_the_published_models() -> None:
    """The counts of specs, for 75 and 40 tokens a second: codebook aside."""
    for strides, parameters in (((2, 4, 5, 8), 71_750_146), ((4, 5, 5, 6), 72_111_714)):
        with torch.device("meta"):
            model = WavTokenizer(WavTokenizerConfig(encoder=SeanetConfig(strides=strides)))
        assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (torch.zeros(1, 100), r"\[B, 1, T\]; got torch.float32 \(1, 100\)"),
        (torch.zeros(1, 2, 100), r"\[B, 1, T\]; got torch.float32 \(1, 2, 100\)"),
        (torch.zeros(1, 1, 100, dtype=torch.int16), r"takes float audio"),
        (torch.zeros(1, 1, 0), r"without samples"),
        (torch.full((1, 1, 9), torch.nan), r"NaN or infinite"),
    ],
)
def test_wrong_audio_is_told(audio: Tensor, message: str) -> None:
    with pytest.raises(InvalidAudio, match=message):
        random_model(CONFIGS["hop 320"]).encode(audio)


@pytest.mark.parametrize("peak", [1e30, 3e38])
def test_audio_too_loud_to_compute_with_is_told(peak: float) -> None:
    """Finite samples whose features are not: any entry would be the nearest."""
    model = random_model(CONFIGS["hop 320"])
    audio = noise(2_000) * peak
    with pytest.raises(InvalidAudio, match=r"too loud .* within \[-1, 1\]"):
        model.encode(audio)
    with pytest.raises(InvalidAudio, match="too loud"):
        encode_blocks(model, [audio])
    with pytest.raises(InvalidAudio, match="too loud"):
        model.half().encode(noise(2_000) * 1e7)


@pytest.mark.parametrize("wrong", [-1, 4, 1.0, True, None, "1", torch.tensor([1])])
def test_a_bandwidth_that_is_none_is_told(wrong: int) -> None:
    with pytest.raises(InvalidTokens, match="bandwidth_id must be 0 to 3, a number for all clips; got"):
        random_model(CONFIGS["hop 320"]).decode(torch.zeros(1, 1, 4, dtype=torch.int64), bandwidth_id=wrong)


def test_lengths_may_be_of_numpy() -> None:
    model = random_model(CONFIGS["hop 320"])
    lengths = [700, 2_000]
    audio = noise(2_000, batch=2)
    for given in (np.array(lengths), [np.int64(length) for length in lengths], tuple(lengths)):
        assert torch.equal(model.encode(audio, given), model.encode(audio, lengths))


@pytest.mark.parametrize("lengths", [[5], [5, 0], [5, 11], [1, 2, 3], [5.0, 5], [True, 5]])
def test_wrong_lengths_are_told(lengths: list[int]) -> None:
    with pytest.raises(InvalidAudio, match="lengths must be 2 numbers of 1 to 10 samples"):
        random_model(CONFIGS["hop 320"]).encode(noise(10, batch=2), lengths)


@pytest.mark.parametrize(
    ("codes", "length", "message"),
    [
        (torch.zeros(1, 4, dtype=torch.int64), None, r"int64 codes \[B, 1, N\]; got torch.int64 \(1, 4\)"),
        (torch.zeros(1, 1, 4), None, "int64 codes"),
        (torch.zeros(1, 1, 0, dtype=torch.int64), None, "int64 codes"),
        (torch.full((1, 1, 4), 64), None, "64 entries; got codes 64 to 64"),
        (torch.full((1, 1, 4), -1), None, "got codes -1 to -1"),
        (torch.zeros(1, 1, 4, dtype=torch.int64), 960, "4 codes stand for 961 to 1280 samples; got a length of 960"),
        (torch.zeros(1, 1, 4, dtype=torch.int64), 1_281, "got a length of 1281"),
        (torch.zeros(1, 1, 4, dtype=torch.int64), 1_280.0, "got a length of 1280.0"),
    ],
)
def test_wrong_codes_are_told(codes: Tensor, length: int | None, message: str) -> None:
    with pytest.raises(InvalidTokens, match=message):
        random_model(CONFIGS["hop 320"]).decode(codes, length)


def test_parts_that_do_not_fit_are_told() -> None:
    with pytest.raises(CodecError, match="features of 512 channels, the encoder gives 32"):
        WavTokenizerConfig(encoder=SEANET)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SeanetConfig(strides=()), "there is a stride"),
        (lambda: SeanetConfig(strides=(2, 0)), "SEANet's numbers are 1 or more"),
        (lambda: SeanetConfig(residual_layers=0), "SEANet's numbers are 1 or more"),
        (lambda: SeanetConfig(width=1), "residual units of at least one channel"),
        (lambda: VocosConfig(layers=0), "Vocos' numbers are 1 or more"),
        (lambda: VocosConfig(kernel=8), "its kernel is odd"),
        (lambda: VocosConfig(width=48), "32 groups of channels; got a width of 48"),
        (lambda: WavTokenizerConfig(n_fft=0), "n_fft must be even, and at least two samples more than the hop of 320"),
        (lambda: WavTokenizerConfig(n_fft=320), "n_fft must be even, .*; got 320"),
        (lambda: WavTokenizerConfig(n_fft=1_281), "n_fft must be even, .*; got 1281"),
        (lambda: WavTokenizerConfig(sample_rate=0), "A sample rate is a number of Hz; got 0"),
    ],
)
def test_hyper_parameters_that_cannot_be_are_told(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_codebook_fingerprint_tells_codebooks_apart() -> None:
    one, other = random_model(CONFIGS["hop 320"], 0), random_model(CONFIGS["hop 320"], 1)
    assert one.codebook_fingerprint != other.codebook_fingerprint
    assert one.codebook_fingerprint == random_model(CONFIGS["hop 320"], 0).codebook_fingerprint
    assert len(one.codebook_fingerprint) == 16
