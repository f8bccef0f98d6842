"""Packets made and read by FFmpeg's codecs, through PyAV, in memory.

Every clip has an encoder and a decoder context of its own, so codecs may be used from several threads at once.
PyAV's binary wheels carry FFmpeg with libopus, LAME and opencore-amr; a PyAV built against another may lack them.

Audio is mono. Floating-point encoders are given the samples as they are, 16-bit ones rounded and saturated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .errors import InvalidTokens, MissingDependency
from .fingerprint import fingerprint
from .packets import Samples, to_float32, to_int16

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

    from .base import Spec

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FfmpegCoder:
    """A `PacketCoder`: one encoder and one decoder of FFmpeg at one bitrate."""

    encoder_name: str
    decoder_name: str
    sample_rate: int
    """Hz."""
    bit_rate: int
    """Bits a second asked of the encoder."""
    delay: int
    sample_format: str = "s16"
    """What the encoder is given: `s16`, `flt` or `fltp`."""
    last_multiple: int | None = None
    encoder_options: Options = ()
    decoder_options: Options = ()
    shares_header: bool = False
    """The decoder needs the encoder's global header (AAC: 5 constant bytes, known from the operating point)."""

    def encoder(self) -> FfmpegEncoder:
        return FfmpegEncoder(self, self._open_encoder())

    def decode(self, packets: Iterable[bytes]) -> Iterator[Samples]:
        from av import Packet
        from av.error import FFmpegError

        context = self._open_decoder()
        for index, packet in enumerate(packets):
            if not packet:
                raise InvalidTokens(f"Packet {index} given to {self.decoder_name} is empty.")
            try:
                frames = context.decode(Packet(packet))
            except FFmpegError as error:
                reason = error.strerror or type(error).__name__
                raise InvalidTokens(f"{self.decoder_name} cannot read packet {index}: {reason}.") from error
            for frame in frames:
                if frame.sample_rate != self.sample_rate or frame.layout.nb_channels != 1:
                    got = f"{frame.layout.nb_channels} channel(s) at {frame.sample_rate} Hz"
                    raise InvalidTokens(f"Packet {index} holds {got}; expected mono at {self.sample_rate} Hz.")
                yield to_float32(frame.to_ndarray().reshape(-1))

    def _open_encoder(self) -> AudioCodecContext:
        context = _create(self.encoder_name, "w")
        context.sample_rate = self.sample_rate
        context.layout = "mono"
        context.format = self.sample_format
        context.bit_rate = self.bit_rate
        context.options = dict(self.encoder_options)
        context.open()
        return context

    def _open_decoder(self) -> AudioCodecContext:
        context = _create(self.decoder_name, "r")
        context.sample_rate = self.sample_rate
        context.layout = "mono"
        context.options = dict(self.decoder_options)
        if self.shares_header:
            context.extradata = self._open_encoder().extradata
        context.open()
        return context


class FfmpegEncoder:
    """A `PacketEncoder`: one encoder context of FFmpeg."""

    def __init__(self, coder: FfmpegCoder, context: AudioCodecContext) -> None:
        self._coder = coder
        self._context = context
        self.frame: int = context.frame_size

    def encode(self, samples: Samples) -> list[bytes]:
        from av import AudioFrame

        # PyAV wants the rank and type of the array to match the format, planar or not; for mono both are one row.
        given = to_int16(samples) if self._coder.sample_format == "s16" else samples
        frame = AudioFrame.from_ndarray(given[None, :], format=self._coder.sample_format, layout="mono")
        frame.sample_rate = self._coder.sample_rate
        return [bytes(packet) for packet in self._context.encode(frame)]

    def finish(self) -> list[bytes]:
        return [bytes(packet) for packet in self._context.encode(None)]


def _create(name: str, mode: Literal["r", "w"]) -> Any:
    import av
    from av.codec.codec import UnknownCodecError

    try:
        return av.CodecContext.create(name, mode)
    except UnknownCodecError as error:
        kind = "encoder" if mode == "w" else "decoder"
        raise MissingDependency(
            f"FFmpeg of this PyAV ({av.__version__}) has no {kind} {name}. PyAV's binary wheels have it: "
            "pip install --force-reinstall --only-binary av av"
        ) from error


def ffmpeg_fingerprint(spec: Spec, coder: FfmpegCoder) -> str:
    """Changes with PyAV, FFmpeg, the coder's settings and this adapter."""
    import av

    libraries = tuple(f"{name} {version}" for name, version in sorted(av.library_versions.items()))
    return fingerprint(spec.name, adapter=__file__, packages=("av",), parts=(*libraries, repr(coder)))
