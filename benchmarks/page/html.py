"""The file: data, style and script put into one HTML document that asks for nothing and runs nothing but itself.

Every text out of records reaches the document as JSON in a data block in which `<`, `>`, `&` and everything beyond
ASCII are escaped, so that no name can end the block; the script puts it into text nodes and never into markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from .embed import Embedded
from .facts import Json
from .self_contained import escaped, filled, part, policy

SCRIPTS = (
    "elements.js",
    "dom.js",
    "table.js",
    "plot.js",
    "voices.js",
    "player.js",
    "clip.js",
    "listen.js",
    "codec.js",
    "page.js",
)


def document(data: Json, files: Sequence[Embedded]) -> str:
    """The whole page."""
    style = part("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(part(name) for name in SCRIPTS) + "})();\n"
    # The files last: a reader sees the table while they are still being read.
    blocks = "\n".join(
        f'<script type="text/plain" id="file-{place}" data-mime="{file.mime}">{file.base64}</script>'
        for place, file in enumerate(files)
    )
    rules = policy(script, style)
    parts = {"policy": rules, "style": style, "data": escaped(data), "script": script, "files": blocks}
    return filled(part("page.html"), parts)
