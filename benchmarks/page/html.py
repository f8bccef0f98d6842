"""The file: data, style and script put into one HTML document that asks for nothing and runs nothing but itself.

Every text out of records reaches the document as JSON in a data block in which `<`, `>`, `&` and everything beyond
ASCII are escaped, so that no name can end the block; the script puts it into text nodes and never into markup. A
Content-Security-Policy names the hashes of the one script and the one style, and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from .embed import Embedded
from .facts import Json

SCRIPTS = ("dom.js", "table.js", "plot.js", "player.js", "clip.js", "listen.js", "codec.js", "page.js")
_HERE = Path(__file__).parent
_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}


def document(data: Json, files: Sequence[Embedded]) -> str:
    """The whole page."""
    style = _part("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(_part(name) for name in SCRIPTS) + "})();\n"
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    # The files last: a reader sees the table while they are still being read.
    blocks = "\n".join(
        f'<script type="text/plain" id="file-{place}" data-mime="{file.mime}">{file.base64}</script>'
        for place, file in enumerate(files)
    )
    parts = {"policy": policy, "style": style, "data": escaped(data), "script": script, "files": blocks}
    # In one pass: what is put in for one mark is never searched for another.
    pieces = _part("page.html").split("@@")
    return "".join(parts[piece] if odd % 2 else piece for odd, piece in enumerate(pieces))


def escaped(data: Json) -> str:
    """JSON of ASCII alone, without a sign that HTML knows."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(_ESCAPED)


def _part(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
