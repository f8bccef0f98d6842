"""The page of a listening test: its definition and audio to files that a browser opens without any server.

Up to `MOST_INSIDE_BYTES` of audio the page is one file, `test.html`; beyond that the audio lies beside it, in
`audio/`, a script a signal, loaded when its trial begins (a browser lets a page of the disk load scripts, not data).
Its content security policy forbids every request to anywhere else, and the page makes none.

Signals are raw 16-bit samples of equal number, so that within a trial neither name, size nor header tells them apart.
The texts of the page say nothing of codecs, clips or files.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from codeczoo.benchmarks.page.self_contained import escaped, filled, part, policy

PAGE_FILE = "test.html"
AUDIO_FOLDER = "audio"
MOST_INSIDE_BYTES = 64 << 20
"""Of audio; base64 makes a third more of it."""

_SHARED = ("elements.js", "voices.js")
"""Scripts of the report's page."""
_SCRIPTS = ("order.js", "player.js", "progress.js", "signals.js", "timeline.js", "mushra.js", "abx.js", "screens.js")

Definition = Mapping[str, Any]
"""What the page knows of the test: id, kind, title, trials with the names of their signals."""


def sha256(definition: Definition, audio: Mapping[str, bytes]) -> str:
    """Of a test: its definition and every sample."""
    digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode())
    for name in sorted(audio):
        digest.update(f"{name} {hashlib.sha256(audio[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


def write(
    definition: Definition, audio: Mapping[str, bytes], folder: Path, most_inside_bytes: int = MOST_INSIDE_BYTES
) -> list[Path]:
    """Write the page into an empty folder. `audio`: name of a signal to its 16-bit little-endian samples."""
    inside = sum(map(len, audio.values())) <= most_inside_bytes
    script = '"use strict";\n' + "".join([*map(part, _SHARED), *map(_asset, _SCRIPTS)])
    style = _asset("style.css")
    known = {**definition, "sha256": sha256(definition, audio)}
    # Only this very script and style run; nothing may be requested but, where there is any, the audio beside.
    parts = {
        "policy": policy(script, style, beside="" if inside else "'self' file:"),
        "title": html.escape(str(definition["title"])),
        "style": style,
        "test": escaped(known),
        "audio": "\n".join(
            f'<script type="text/plain" id="audio-{name}">{_base64(samples)}</script>'
            for name, samples in (audio.items() if inside else ())
        ),
        "script": script,
    }
    text = filled(_asset("template.html"), parts)
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE_FILE
    page.write_text(text, encoding="utf-8")
    if inside:
        return [page]
    (folder / AUDIO_FOLDER).mkdir(exist_ok=True)
    beside = []
    for name, samples in audio.items():
        path = folder / AUDIO_FOLDER / f"{name}.js"
        path.write_text(f'audioArrived("{name}","{_base64(samples)}");\n', encoding="ascii")
        beside.append(path)
    return [page, *beside]


def _base64(samples: bytes) -> str:
    return base64.b64encode(samples).decode("ascii")


def _asset(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
