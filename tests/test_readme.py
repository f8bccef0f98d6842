"""The README names everything there is: every verb, every metric, every codec; and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codeczoo import codecs, metrics
from codeczoo.codecs.registry import OPEN_TABLE

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = set(re.findall(r"`([^`\n]+)`", README))
"""What stands between backticks."""


VERBS = (
    *("list", "info", "bench", "score", "report", "published", "compare", "check", "listen", "doctor", "tokens"),
    *("probe", "encode", "decode", "fetch", "convert", "train"),
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb(verb: str) -> None:
    assert any(re.match(rf"codeczoo {verb}\b", code) for code in CODE)


@pytest.mark.parametrize("name", metrics.names())
def test_every_metric(name: str) -> None:
    assert name in CODE


@pytest.mark.parametrize("name", [*codecs.families(), *(f"{name}:" for name in OPEN_TABLE)])
def test_every_codec(name: str) -> None:
    assert any(code == name or (name.endswith(":") and code.startswith(name)) for code in CODE)


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith(("http://", "https://")):
            assert (ROOT / target).exists(), target


def test_names_of_codecs_in_it_exist() -> None:
    """Each `family@rate`, and those of the examples."""
    named = re.findall(r"(?<![\w'/])([a-z][\w-]*(?::[\w-]+)?@[\d.]+(?:kbps|q))\b", README)
    assert len(named) >= 4
    for name in named:
        codecs.spec(name)
