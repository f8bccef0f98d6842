"""What tests ask of an open page: helpers.js, called from Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HELPERS = (Path(__file__).parent / "helpers.js").read_text(encoding="utf-8")


@contextmanager
def opened(browser: Any, path: Path, **how: Any) -> Iterator[Any]:
    """A page with what the tests ask of it."""
    with browser.page(path, **how) as page:
        page.run(HELPERS)
        yield page


def asked(page: Any, function: str, *arguments: object) -> Any:
    """What a function of helpers.js gives."""
    return page.run(f"asked.{function}({', '.join(map(json.dumps, arguments))})")


def selected(page: Any) -> str | None:
    return page.run("document.querySelector('.quality tr.selected')?.dataset.codec ?? null")


def versions_of(page: Any) -> list[str]:
    return page.run("[...document.querySelectorAll('tr[data-version]')].map((row) => row.dataset.version)")
