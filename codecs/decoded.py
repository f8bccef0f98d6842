"""Audio that some other program decoded, as a codec: `decoded:DIR@6kbps`.

The bitrate is what somebody states; nothing here can check it, and records keep it under `stated`. The codec cannot
encode by itself: `bind(clip)` gives the codec of one clip, whose `decode` reads the file that belongs to it.

Which file. Suffixes aside, the one of the clip's relative path; else the one of its bare name, if there is just one.
A clip that is a stretch of a file (`speech/a.flac#120-240`, seconds; `a.flac#120-`, to its end) has a file of that
name, or is the same stretch of the file of the whole. Where two clips of a corpus share a bare name, only relative
paths tell them apart: who knows the corpus binds such clips with `exact`.

The audio is read as references are (`audio_files`), at its own sample rate; its length may differ from what was
encoded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .audio_files import open_audio
from .base import Encoded, Family, Spec, check_audio
from .clip_names import as_text
from .errors import CodecError, DecodedAudioMissing, InvalidAudioFile
from .fingerprint import fingerprint, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".rf64", ".w64"})
"""Files of other suffixes are passed over."""

_RATE = re.compile(r"(\d+(?:\.\d+)?)kbps")
_STRETCH = re.compile(r"(.*)#(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)?")


@dataclass(frozen=True)
class BoundAudio:
    """The codec of one clip: whatever is encoded, its file is decoded."""

    spec: Spec
    fingerprint: str
    path: Path
    start_s: float = 0.0
    end_s: float | None = None

    def encode(self, audio: Tensor) -> Encoded:
        """Remembers the length of float32 `[1, 1, T]`: nothing is encoded. Raises InvalidAudio."""
        check_audio(audio, self.spec)
        return Encoded((), audio.shape[2])

    def decode(self, encoded: Encoded) -> Tensor:
        """The samples of the file, float32 `[1, 1, T_file]`. Raises DecodedAudioMissing where they are of no use."""
        import torch

        seconds = None if self.end_s is None else self.end_s - self.start_s
        try:
            with open_audio(self.path) as file:
                mono = file.read(*file.stretch(self.start_s, seconds))
        except InvalidAudioFile as error:
            raise DecodedAudioMissing(str(error)) from error
        return torch.from_numpy(mono)[None, None]


@dataclass(frozen=True, eq=False)
class DecodedAudio:
    """Decoded files of a corpus by the clip's relative path without suffix, and the bitrate stated for them."""

    name: str
    """As it is printed: `decoded:dac_out@6kbps`."""
    files: Mapping[str, tuple[Path, ...]] = field(repr=False)
    """Clip without suffix -> its file; more than one is an error when the clip is asked for."""
    kbps: float | None
    """None: nobody stated it."""
    place: str = ""
    """What messages call the set of files."""
    exact: bool = False
    """Only relative paths count, never bare names: for files that were matched to their clips before."""

    @staticmethod
    def from_folder(folder: Path, kbps: float | None, name: str = "") -> DecodedAudio:
        """All audio files below a folder. Raises DecodedAudioMissing where there is none."""
        if not folder.is_dir():
            raise DecodedAudioMissing(f"There is no folder {folder} of decoded audio.")
        files: defaultdict[str, tuple[Path, ...]] = defaultdict(tuple)
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                files[as_text(path.relative_to(folder).with_suffix("").as_posix())] += (path,)
        if not files:
            kinds = ", ".join(sorted(SUFFIXES))
            raise DecodedAudioMissing(f"The folder {folder} holds no audio files; looked for {kinds}.")
        rate = f"@{kbps:g}kbps" if kbps is not None else ""
        return DecodedAudio(name or f"decoded:{folder.resolve().name}{rate}", files, kbps, str(folder))

    @property
    def spec(self) -> Spec:
        """Facts common to all files; the sample rate is the first file's, each bound codec has its own."""
        first = next(path for paths in self.files.values() for path in paths)
        return self._spec(_sample_rate(first))

    @property
    def fingerprint(self) -> str:
        """Of the names and sizes of all files; each bound codec's is of the content of its file."""
        sizes = tuple(f"{path} {path.stat().st_size}" for paths in self.files.values() for path in paths)
        return fingerprint(self.name, adapter=__file__, parts=sizes)

    def bind(
        self, clip: str, stretch_s: tuple[float, float | None] | None = None, *, exact: bool = False
    ) -> BoundAudio:
        """The codec of one clip. `stretch_s`: where in its file the clip begins, and how long it is, in seconds; its
        name says so to the millisecond alone. `exact`: only the file of its relative path is its own. Raises
        DecodedAudioMissing where it has no file, or two, or one that is not audio."""
        path, start_s, end_s = self._find(clip, self.exact or exact)
        if stretch_s is not None and (start_s, end_s) != (0.0, None):
            start_s, seconds = stretch_s
            end_s = None if seconds is None else start_s + seconds
        spec = self._spec(_sample_rate(path))
        parts = (sha256_of(path), f"{start_s}-{end_s}")
        return BoundAudio(spec, fingerprint(self.name, adapter=__file__, parts=parts), path, start_s, end_s)

    def encode(self, audio: Tensor) -> Encoded:
        raise CodecError(f"{self.name} holds a file for each clip; name the clip first: bind(clip).encode(audio).")

    def decode(self, encoded: Encoded) -> Tensor:
        raise CodecError(f"{self.name} holds a file for each clip; name the clip first: bind(clip).decode(encoded).")

    def _spec(self, sample_rate: int) -> Spec:
        return Spec(
            name=self.name,
            sample_rate=sample_rate,
            requested_kbps=self.kbps,
            notes="Decoded by another program; the bitrate is stated, not counted.",
        )

    def _find(self, clip: str, exact: bool) -> tuple[Path, float, float | None]:
        """File of a clip and the stretch of it, in seconds."""
        cut = _STRETCH.fullmatch(clip)
        if cut is None:
            return self._file(without_suffix(clip), clip, exact), 0.0, None
        whole, start, end = cut.groups()
        stretch = f"{without_suffix(whole)}#{start}-{end or ''}"
        if self._matches(stretch, exact):
            return self._file(stretch, clip, exact), 0.0, None
        return self._file(without_suffix(whole), clip, exact), float(start), None if end is None else float(end)

    def _matches(self, key: str, exact: bool) -> tuple[Path, ...]:
        own = self.files.get(key, ())
        if exact:
            return own
        bare = PurePosixPath(key).name
        return own or tuple(p for name, ps in self.files.items() if PurePosixPath(name).name == bare for p in ps)

    def _file(self, key: str, clip: str, exact: bool) -> Path:
        matches = list(self._matches(key, exact))
        if not matches:
            raise DecodedAudioMissing(
                f"{self.place or self.name} holds no file for the clip {clip}: looked for {key}.*"
                + (" (its bare name is that of another clip as well)" if exact and not self.exact else "")
            )
        if len(matches) > 1:
            found = ", ".join(str(path) for path in matches[:3])
            raise DecodedAudioMissing(f"{self.place or self.name} holds {len(matches)} files for {clip}: {found}.")
        return matches[0]


def without_suffix(clip: str) -> str:
    """A clip's name as decoded files are looked for."""
    return str(PurePosixPath(clip).with_suffix(""))


def _sample_rate(path: Path) -> int:
    import soundfile

    try:
        return int(soundfile.info(path).samplerate)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise DecodedAudioMissing(f"{path} cannot be read as audio: {error}.") from error


def _kbps(rate: str) -> float | None:
    """`6kbps` to 6.0; None where it is not a rate above 0."""
    match = _RATE.fullmatch(rate)
    return float(match[1]) or None if match else None


def family(variant: str) -> Family:
    """The family of `decoded:DIR`; every rate above 0 may be stated."""
    folder = Path(variant).expanduser()

    def make(rate: str) -> DecodedAudio:
        return DecodedAudio.from_folder(folder, _kbps(rate))

    return Family(
        name=f"decoded:{variant}",
        rates=(),
        describe=lambda rate: make(rate).spec,
        build=lambda rate, device: make(rate),
        open_rates=lambda rate: _kbps(rate) is not None,
    )
