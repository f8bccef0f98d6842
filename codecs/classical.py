"""Classical codecs: what a neural codec must beat. Facts of each family; the work is FFmpeg's (see `.ffmpeg`).

Sample rates. Opus runs at 48 kHz, its native rate: it chooses the bandwidth that the bitrate can pay for, and an input
at a lower rate would choose for it. MP3 and AAC do not choose: at low rates they only make sense at 16 kHz (MPEG-2),
and music needs 44.1 kHz (MPEG-1, from 32 kbit/s), so both are variants. AMR-NB and G.726 exist at 8 kHz, G.722 at 16.

Delays are in samples at the codec's rate, encoder and decoder together. FFmpeg's encoders report them, and the tests
compare both with cross-correlation on speech. The exception is AMR-NB: FFmpeg reports 50, the encoder looks 40 ahead
(5 ms, 3GPP TS 26.090), and all eight modes are found best aligned at 39 after the decoder's filters.

Opus speaks in two voices: `opus` is made for speech (application voip: it filters out what lies below speech), and
`opus:audio` for music. Both vary their bitrate under the library's constraint; unconstrained, the latter takes a
quarter more than asked on the demo speech from 64 kbit/s up.

Rates that an encoder would not come within a quarter of, over running speech, are not offered: the native AAC encoder
has a floor near 9 kbit/s at 16 kHz and near 14 kbit/s at 44.1 kHz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .base import Family, Spec
from .ffmpeg import FfmpegCoder, ffmpeg_fingerprint
from .packets import PacketCodec

_LGPL_FFMPEG = "LGPL-2.1-or-later (FFmpeg)"
_FFMPEG = "https://ffmpeg.org"


def _family(facts: Spec, coders: Mapping[float, FfmpegCoder] | Mapping[int, FfmpegCoder]) -> Family:
    """A family from its common facts and its coders by kbit/s; `facts.name` is the family's."""
    by_rate = {f"{kbps:g}kbps": (kbps, coder) for kbps, coder in coders.items()}

    def describe(rate: str) -> Spec:
        return replace(facts, name=f"{facts.name}@{rate}", requested_kbps=by_rate[rate][0])

    def build(rate: str, device: str) -> PacketCodec:
        spec, coder = describe(rate), by_rate[rate][1]
        coder.encoder()  # an FFmpeg without this encoder is reported here, and not in the middle of a run
        return PacketCodec(spec, coder, ffmpeg_fingerprint(spec, coder))

    return Family(name=facts.name, rates=tuple(by_rate), describe=describe, build=build)


def _opus(name: str, application: str, domain: str, rates_kbps: tuple[int, ...]) -> Family:
    def coder(kbps: int) -> FfmpegCoder:
        return FfmpegCoder(
            encoder_name="libopus",
            decoder_name="libopus",
            sample_rate=48_000,
            bit_rate=kbps * 1000,
            delay=312,
            sample_format="flt",
            encoder_options=(("application", application), ("frame_duration", "20"), ("vbr", "constrained")),
            decoder_options=(("request_sample_fmt", "flt"),),
        )

    facts = Spec(
        name=name,
        sample_rate=48_000,
        domain=domain,
        causal=True,
        latency_s=(960 + 312) / 48_000,
        parameters=0,
        paper="RFC 6716, Definition of the Opus Audio Codec (2012)",
        source="https://opus-codec.org",
        licence="BSD-3-Clause (libopus)",
        notes=f"libopus, application {application}, 20 ms frames, constrained variable bitrate (its default): "
        "the rate asked is a mean over running speech or music, silence takes less.",
    )
    return _family(facts, {kbps: coder(kbps) for kbps in rates_kbps})


OPUS = _opus("opus", "voip", "speech", (6, 8, 12, 16, 24, 32, 48, 64))
OPUS_AUDIO = _opus("opus:audio", "audio", "general", (16, 24, 32, 48, 64, 96, 128))


def _mp3(name: str, sample_rate: int, rates_kbps: tuple[int, ...]) -> Family:
    def coder(kbps: int) -> FfmpegCoder:
        return FfmpegCoder("libmp3lame", "mp3float", sample_rate, kbps * 1000, delay=1105, sample_format="fltp")

    facts = Spec(
        name=name,
        sample_rate=sample_rate,
        parameters=0,
        paper="ISO/IEC 11172-3 (1993) and 13818-3 (1995), layer III",
        source="https://lame.sourceforge.io",
        licence="LGPL-2.0-or-later (LAME)",
        notes="LAME, constant bitrate; frame headers are part of the packets. The bit reservoir makes the latency "
        "depend on the audio.",
    )
    return _family(facts, {kbps: coder(kbps) for kbps in rates_kbps})


MP3_16KHZ = _mp3("mp3:16khz", 16_000, (8, 16, 24, 32, 48, 64))
MP3_44KHZ = _mp3("mp3:44khz", 44_100, (32, 48, 64, 96, 128))


def _aac(name: str, sample_rate: int, rates_kbps: tuple[int, ...]) -> Family:
    def coder(kbps: int) -> FfmpegCoder:
        return FfmpegCoder("aac", "aac", sample_rate, kbps * 1000, delay=1024, sample_format="fltp", shares_header=True)

    facts = Spec(
        name=name,
        sample_rate=sample_rate,
        parameters=0,
        paper="ISO/IEC 14496-3, AAC Low Complexity",
        source=_FFMPEG,
        licence=_LGPL_FFMPEG,
        notes="FFmpeg's own AAC-LC encoder, which is weaker than fdk-aac at low rates; no SBR. Raw packets: a stream "
        "would add 7 bytes of ADTS header a frame. The bit reservoir makes the latency depend on the audio.",
    )
    return _family(facts, {kbps: coder(kbps) for kbps in rates_kbps})


AAC_16KHZ = _aac("aac:16khz", 16_000, (12, 16, 24, 32, 48, 64))
AAC_44KHZ = _aac("aac:44khz", 44_100, (24, 32, 48, 64, 96, 128))


def _amr_nb() -> Family:
    facts = Spec(
        name="amr-nb",
        sample_rate=8_000,
        domain="speech",
        causal=True,
        latency_s=(160 + 40) / 8_000,
        parameters=0,
        paper="3GPP TS 26.071, AMR narrow-band speech codec (1999)",
        source="https://sourceforge.net/projects/opencore-amr",
        licence="Apache-2.0 (opencore-amr)",
        notes="No discontinuous transmission. Packets are those of RFC 4867 storage: 20 ms of the nominal rate, filled "
        "to whole bytes, and one header byte; the nominal rate counts neither, the payload both.",
    )
    modes_bps = (4_750, 5_150, 5_900, 6_700, 7_400, 7_950, 10_200, 12_200)
    coders = {
        bps / 1000: FfmpegCoder("libopencore_amrnb", "libopencore_amrnb", 8_000, bps, delay=39) for bps in modes_bps
    }
    return _family(facts, coders)


def _g722() -> Family:
    facts = Spec(
        name="g722",
        sample_rate=16_000,
        domain="speech",
        causal=True,
        latency_s=22 / 16_000,
        parameters=0,
        paper="ITU-T G.722, 7 kHz audio-coding within 64 kbit/s (1988)",
        source=_FFMPEG,
        licence=_LGPL_FFMPEG,
        notes="Mode 1, all 64 kbit/s for audio; two samples a byte.",
    )
    return _family(facts, {64: FfmpegCoder("g722", "g722", 16_000, 64_000, delay=22, last_multiple=2)})


def _g726() -> Family:
    facts = Spec(
        name="g726",
        sample_rate=8_000,
        domain="speech",
        causal=True,
        latency_s=0.0,
        parameters=0,
        paper="ITU-T G.726, 40, 32, 24, 16 kbit/s ADPCM (1990)",
        source=_FFMPEG,
        licence=_LGPL_FFMPEG,
        notes="2 to 5 bits a sample, eight samples in as many whole bytes: no padding but up to 7 samples at the end.",
    )
    coders = {
        8 * bits: FfmpegCoder(
            "g726",
            "g726",
            8_000,
            8_000 * bits,
            delay=0,
            last_multiple=8,
            encoder_options=(("code_size", str(bits)),),
            decoder_options=(("bits_per_coded_sample", str(bits)),),
        )
        for bits in (2, 3, 4, 5)
    }
    return _family(facts, coders)


AMR_NB = _amr_nb()
G722 = _g722()
G726 = _g726()
