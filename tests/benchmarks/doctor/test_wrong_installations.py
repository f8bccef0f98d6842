"""Installations that are really wrong are found, and by the checks that should find them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

from codeczoo import codecs
from codeczoo.benchmarks.doctor import examination, golden
from codeczoo.benchmarks.doctor.findings import Diagnosis
from codeczoo.benchmarks.doctor.patient import Patient
from codeczoo.codecs import Codec, Family, dac, registry, wavtokenizer_shipped
from codeczoo.codecs.availability import why_not

from . import wrong

TINY = wavtokenizer_shipped.NAME
HOP = 216


def failed(diagnosis: Diagnosis) -> set[str]:
    return {finding.check for finding in diagnosis.findings if finding.status == "fail"}


def said(diagnosis: Diagnosis, check: str) -> str:
    return next(finding.sentence for finding in diagnosis.findings if finding.check == check)


def register(monkeypatch: pytest.MonkeyPatch, family: Family) -> None:
    """As an installed package does by its entry point."""
    module = ModuleType("a_plugin")
    module.FAMILY = family  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "a_plugin", module)
    plugins = {family.name: "a_plugin:FAMILY"}
    monkeypatch.setattr(registry, "_plugins", lambda: plugins)


@pytest.fixture(scope="module")
def tiny() -> Codec:
    return codecs.load(TINY)


def own_golden(codec: Codec) -> golden.Golden:
    return {codec.spec.name: golden.entry(Patient(codec))}


def test_codebooks_swapped_in_one_direction_are_heard() -> None:
    right = wrong.TwoBooks()
    entries = own_golden(right)
    assert failed(examination.examine_codec(right, entries)) == set()
    encoding = examination.examine_codec(wrong.Wrapped(right, on_tokens=wrong.swap), entries)
    assert failed(encoding) >= {"order", "likeness", "golden"}
    decoding = examination.examine_codec(wrong.Wrapped(right, before_decode=wrong.swap), entries)
    assert failed(decoding) >= {"order", "likeness", "golden"}
    assert "The tokens are right, and what is decoded is not" in said(decoding, "golden")


def test_codebooks_swapped_in_both_directions_only_golden_tokens_tell() -> None:
    swapped = wrong.TwoBooks(swapped=True)
    assert failed(examination.examine_codec(swapped, own_golden(wrong.TwoBooks()))) == {"golden"}
    without = examination.examine_codec(swapped, {})
    assert failed(without) == set()
    assert without.verdict == "unknown"
    assert "no golden tokens" in said(without, "golden")


def lyra(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Codec:
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(shared / "weights"))
    if why_not(codecs.family("lyra:v2")):
        pytest.skip("needs the weights of Lyra and LiteRT")
    return codecs.load("lyra:v2@3.2kbps")


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 2), (1, 3), (6, 7)])
def test_swapped_codebooks_of_a_trained_codec(
    shared: Path, monkeypatch: pytest.MonkeyPatch, first: int, second: int
) -> None:
    """Two later codebooks swapped still sound like speech; that they are swapped is found, and which."""
    codec = lyra(shared, monkeypatch)
    swap = partial(wrong.swap, first=first, second=second)
    some = ("order", "likeness", "golden")
    encoding = examination.examine_codec(wrong.Wrapped(codec, on_tokens=swap), only=some)
    assert failed(encoding) >= {"order", "golden"}
    assert f"codebooks {first} and {second} exchanged" in said(encoding, "order")
    both = examination.examine_codec(wrong.Wrapped(codec, on_tokens=swap, before_decode=swap), only=some)
    assert failed(both) == {"golden"}


def test_codebooks_swapped_in_the_weights() -> None:
    """As a converter does that numbers layers from the wrong end: encoder and decoder agree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # audiotools warns at import, weight_norm is deprecated in torch
        from dac.model import DAC

        torch.manual_seed(7)
        model = DAC(encoder_dim=4, decoder_dim=96, latent_dim=64, encoder_rates=[2, 4, 5, 8], n_codebooks=12).eval()
    codec = dac.DacCodec(replace(codecs.spec("dac:16khz@4q"), parameters=0), model, "0123456789abcdef")
    entries = own_golden(codec)
    some = ("tokens", "bits", "again", "batch", "lengths", "golden")
    assert failed(examination.examine_codec(codec, entries, only=some)) == set()
    layers = model.quantizer.quantizers
    layers[0], layers[1] = layers[1], layers[0]
    swapped = examination.examine_codec(codec, entries, only=some)
    assert failed(swapped) == {"golden"}
    assert "other tokens than others get" in said(swapped, "golden")


def test_what_cannot_be_read_is_a_finding(tiny: Codec) -> None:
    flat = wrong.Wrapped(tiny, on_decoded=lambda decoded: decoded[0, 0])
    nothing = wrong.Wrapped(tiny, on_tokens=lambda encoded: None)  # pyright: ignore[reportArgumentType]
    for codec in (flat, nothing):
        diagnosis = examination.examine_codec(codec, only=("tokens", "batch", "lengths", "end", "licence"))
        assert failed(diagnosis) >= {"lengths", "end"}
        assert "licence" not in failed(diagnosis)


def test_an_entry_point_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_plugins", lambda: {"mine": "no_such_module_at_all:FAMILY"})
    assert examination.operating_points(["mine"]) == ["mine"]
    assert "mine" in examination.installed()[0]
    found = list(examination.diagnose(["mine"]))
    assert "ModuleNotFoundError: No module named 'no_such_module_at_all'" in found[0].findings[0].sentence
    assert {each.verdict for each in found} == {"broken"}


def test_another_checkpoint_of_the_same_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by its checksum; and where even the checksum is the other's, by the golden tokens."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(wavtokenizer_shipped.FILE, "pt") as file:
        facts = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    generator = torch.Generator().manual_seed(0)
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel() > 1:
            noise = torch.randn(tensor.shape, generator=generator) * tensor.float().std()
            tensors[key] = (tensor.float() + 0.3 * noise).to(tensor.dtype)
    other = tmp_path / "other.safetensors"
    save_file(tensors, other, facts)

    monkeypatch.setattr(wavtokenizer_shipped, "FILE", other)
    refused = examination.examine(TINY, only=("weights",))
    assert failed(refused) == {"weights"}
    assert wavtokenizer_shipped.SHA256 in said(refused, "weights")

    monkeypatch.setattr(wavtokenizer_shipped, "SHA256", codecs.fingerprint.sha256_of(other))
    believed = examination.examine(TINY, only=("weights", "golden"))
    assert failed(believed) == {"golden"}
    assert "these are other weights" in said(believed, "golden")

    own = examination.examine(f"wavtokenizer:{other}", only=("weights", "tokens", "likeness", "golden"))
    # It speaks, if not as well: no other check can tell it from weights that are meant so.
    assert (own.verdict, failed(own)) == ("unknown", set())


def test_the_same_weights_under_another_name_have_golden_tokens() -> None:
    diagnosis = examination.examine(f"wavtokenizer:{wavtokenizer_shipped.FILE}")
    assert diagnosis.verdict == "healthy", diagnosis.findings
    assert "all 67 tokens are the same" in said(diagnosis, "golden")


def test_weights_that_are_not_the_ones_behind_the_golden_tokens(tiny: Codec) -> None:
    """The right weights' tokens, but a decoder of other weights."""
    entries = own_golden(tiny)
    quieter = examination.examine_codec(
        wrong.Wrapped(tiny, on_decoded=lambda decoded: 0.5 * decoded), entries, only=("golden",)
    )
    assert failed(quieter) == {"golden"}
    assert "what is decoded is not" in said(quieter, "golden")


def test_another_build_or_processor_is_a_warning(tiny: Codec) -> None:
    """A few tokens decided otherwise; packets that all differ and sound the same."""

    def flipped(encoded: codecs.Encoded) -> codecs.Encoded:
        codes = encoded.codes[0].clone()
        codes[:, 40:42] = codes[:, 20:22]
        return replace(encoded, codes=(codes,))

    def statuses(codec: Codec) -> list[str]:
        diagnosis = examination.examine_codec(codec, only=("golden",))
        assert "another processor or build may do that" in said(diagnosis, "golden")
        return [finding.status for finding in diagnosis.findings]

    assert statuses(wrong.Wrapped(tiny, on_tokens=flipped)) == ["warning"]
    opus = codecs.load("opus@24kbps")
    assert statuses(wrong.Wrapped(opus, on_audio=lambda audio: 0.999 * audio)) == ["warning"]
    # Other packets that sound otherwise are no build's doing.
    muffled = wrong.Wrapped(opus, on_audio=lambda audio: 0.5 * (audio + audio.roll(8, 2)))
    assert failed(examination.examine_codec(muffled, only=("golden",))) == {"golden"}


def test_codes_one_frame_late(tiny: Codec) -> None:
    diagnosis = examination.examine_codec(wrong.Wrapped(tiny, on_tokens=wrong.one_frame_late), only=("delay", "golden"))
    assert failed(diagnosis) == {"delay", "golden"}
    delay = next(finding for finding in diagnosis.findings if finding.check == "delay")
    assert delay.measured == pytest.approx(1000 * HOP / 16_000, abs=3)


def test_one_sample_late_where_waveforms_are_kept() -> None:
    late = wrong.Wrapped(codecs.load("pcm:16"), on_decoded=lambda decoded: torch.roll(decoded, 1, dims=2))
    diagnosis = examination.examine_codec(late, only=("delay",))
    assert failed(diagnosis) == {"delay"}
    assert "+0.02 ms late" in said(diagnosis, "delay")


@pytest.mark.parametrize("factor", [24 / 16, 48 / 44.1, 16 / 24])
def test_decoded_at_a_wrong_sample_rate(tiny: Codec, factor: float) -> None:
    diagnosis = examination.examine_codec(
        wrong.Wrapped(
            tiny, on_decoded=lambda decoded: torch.cat([wrong.faster(one, factor) for one in decoded.split(1)])
        ),
        only=("speed",),
    )
    assert "speed" in failed(diagnosis)
    speed = next(finding for finding in diagnosis.findings if finding.check == "speed")
    assert speed.measured == pytest.approx(factor, rel=0.01)
    assert f"{16_000 / speed.measured:.0f} Hz audio taken for 16000 Hz" in speed.sentence


def test_a_model_declared_at_a_rate_that_is_not_its_own(tiny: Codec) -> None:
    declared = wrong.Wrapped(tiny)
    declared.spec = replace(tiny.spec, sample_rate=24_000)
    some = ("tokens", "bits", "golden")
    assert failed(examination.examine_codec(declared, only=some)) == set(some)
    # Declared without a contradiction: it hears everything too low, and only golden tokens know.
    declared.spec = replace(tiny.spec, sample_rate=24_000, frame_rates=(24_000 / HOP,))
    consistent = examination.examine_codec(declared)
    assert failed(consistent) == {"golden"}
    assert "golden tokens of it were made at 16000 Hz" in said(consistent, "golden")


def test_state_between_clips(tiny: Codec) -> None:
    diagnosis = examination.examine_codec(wrong.Remembers(tiny), only=("state", "speed"))
    assert failed(diagnosis) == {"state"}


def test_the_last_frame_is_dropped(tiny: Codec) -> None:
    diagnosis = examination.examine_codec(wrong.DropsLastFrame(tiny, HOP), only=("end",))
    assert "end" in failed(diagnosis)
    assert "its end is lost" in said(diagnosis, "end")


def test_a_decoder_that_gives_whole_frames(tiny: Codec) -> None:
    longer = wrong.Wrapped(tiny, on_decoded=lambda decoded: torch.nn.functional.pad(decoded, (0, 100)))
    assert "lengths" in failed(examination.examine_codec(longer, only=("lengths",)))


def test_random_tokens(tiny: Codec) -> None:
    dither = wrong.Wrapped(tiny, on_audio=lambda audio: audio + 0.003 * torch.randn_like(audio))
    assert failed(examination.examine_codec(dither, only=("again", "state"))) == {"again", "state"}


def test_random_audio(tiny: Codec) -> None:
    noisy = wrong.Wrapped(tiny, on_decoded=lambda decoded: decoded + 1e-4 * torch.randn_like(decoded))
    diagnosis = examination.examine_codec(noisy, only=("again",))
    assert failed(diagnosis) >= {"again"}
    assert "decoded audio is another" in said(diagnosis, "again")


def test_clips_that_disturb_each_other_in_a_batch(tiny: Codec) -> None:
    quiet = wrong.Wrapped(tiny, on_audio=lambda audio: wrong.loud_batch(audio))
    assert "batch" in failed(examination.examine_codec(quiet, only=("batch",)))


def test_one_code_for_everything(tiny: Codec) -> None:
    dead = wrong.Wrapped(tiny, on_tokens=lambda e: replace(e, codes=tuple(torch.full_like(c, 7) for c in e.codes)))
    diagnosis = examination.examine_codec(dead, only=("tokens", "likeness", "golden"))
    assert failed(diagnosis) == {"tokens", "likeness", "golden"}
    assert "nothing is encoded" in said(diagnosis, "tokens")


@pytest.mark.parametrize(("gain", "expected"), [(4.0, "fail"), (0.6, "warning"), (-1.0, "warning")])
def test_level_and_polarity(gain: float, expected: str) -> None:
    louder = wrong.Wrapped(codecs.load("g722@64kbps"), on_decoded=lambda decoded: gain * decoded)
    level = next(each for each in examination.examine_codec(louder, only=("level",)).findings)
    assert level.status == expected
    assert ("polarity is inverted" in level.sentence) == (gain < 0)


def test_an_adapter_that_raises_is_a_finding_and_no_end(tiny: Codec) -> None:
    def broken(decoded: torch.Tensor) -> torch.Tensor:
        raise KeyError("decoder.weight")

    diagnosis = examination.examine_codec(wrong.Wrapped(tiny, on_decoded=broken))
    assert "decode raised KeyError: 'decoder.weight'" in said(diagnosis, "tokens")
    assert {"licence", "refusals"}.isdisjoint(failed(diagnosis))
    assert diagnosis.verdict == "broken"


def test_empty_audio_that_is_encoded(tiny: Codec) -> None:
    class Careless(wrong.Wrapped):
        def encode(self, audio: torch.Tensor) -> codecs.Encoded:
            return self.inner.encode(audio.nan_to_num() if audio.shape[2] else torch.zeros(1, 1, 1))

    assert "refusals" in failed(examination.examine_codec(Careless(tiny), only=("refusals",)))


def always_at(rate: str, family: Family) -> Family:
    """A family that declares every rate of another, and uses one."""

    def build(asked: str, device: str) -> Codec:
        codec = wrong.Wrapped(family.build(rate, device))
        codec.spec = family.describe(asked)
        return codec

    return replace(family, name="mine", build=build)


def test_a_bitrate_that_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, always_at("12kbps", codecs.family("opus")))
    found = examination.examine_family("mine")
    assert found is not None
    assert failed(found) == {"rates"}
    assert "the rate is ignored" in said(found, "rates")
    assert "bits" in failed(examination.examine("mine@64kbps", only=("bits",)))


def test_quality_that_falls_with_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens of a higher rate are all there, and its decoder spoils them."""
    opus = codecs.family("opus")

    def spoiled(rate: str, device: str) -> Codec:
        codec = opus.build(rate, device)
        if rate != "64kbps":
            return codec
        generator = torch.Generator().manual_seed(0)
        return wrong.Wrapped(codec, on_decoded=lambda x: x + 0.05 * torch.randn(x.shape, generator=generator))

    register(monkeypatch, replace(opus, name="mine", build=spoiled))
    found = examination.examine_family("mine")
    assert found is not None
    assert "PESQ does not rise with the bitrate" in said(found, "rates")


def test_a_device_that_computes_otherwise(tiny: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cpu:0` stands for another device: the adapter gives another codec there."""
    right = codecs.family(TINY)

    def build(rate: str, device: str, other: Callable[[Codec], Codec]) -> Codec:
        return tiny if device == "cpu" else other(tiny)

    register(monkeypatch, replace(right, name="mine", build=partial(build, other=lambda codec: codec)))
    assert "all 67 tokens are the same" in said(examination.examine("mine", "cpu:0", only=("device",)), "device")
    late = partial(wrong.Wrapped, on_tokens=wrong.one_frame_late)
    register(monkeypatch, replace(right, name="mine", build=partial(build, other=late)))
    assert "device" in failed(examination.examine("mine", "cpu:0", only=("device",)))
