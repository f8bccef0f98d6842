"""What makes one HTML file safe and complete by itself: its policy, the data in it, a template, and shared scripts.

Of the report's page and of listening tests. A Content-Security-Policy names the hashes of the one script and the one
style and forbids every request; data is JSON in which no sign can end its element.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}


def filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with `@@name@@` replaced by `parts[name]`, in one pass: what is put in for one mark is never
    searched for another."""
    pieces = template.split("@@")
    return "".join(parts[piece] if odd % 2 else piece for odd, piece in enumerate(pieces))


def part(name: str) -> str:
    """A script, style or template of this folder: `elements.js` and `voices.js` are of both kinds of page."""
    return (_HERE / name).read_text(encoding="utf-8")


def policy(script: str, style: str, beside: str = "") -> str:
    """The Content-Security-Policy of a page with this script and style; `beside`: where more scripts may come from."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'{beside and f' {beside}'}",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def escaped(data: Any) -> str:
    """JSON of ASCII alone, without a sign that HTML knows. Raises ValueError for NaN and infinity."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(_ESCAPED)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
