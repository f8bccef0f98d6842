"""`codeczoo doctor` as its user meets it: what it prints, and its exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from codeczoo.benchmarks.cli import main
from codeczoo.benchmarks.doctor import examination
from codeczoo.codecs import Family, registry

from . import wrong

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def codeczoo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("CODECZOO_WEIGHTS", raising=False)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in ("doctor", *arguments)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Family], None]:
    """Registers a family as the entry point of another package does."""

    def register(family: Family) -> None:
        module = ModuleType("a_plugin")
        module.FAMILY = family  # pyright: ignore[reportAttributeAccessIssue]
        monkeypatch.setitem(sys.modules, "a_plugin", module)
        monkeypatch.setattr(registry, "_plugins", lambda: {family.name: "a_plugin:FAMILY"})

    return register


def test_a_healthy_codec(codeczoo: Run) -> None:
    status, out, _ = codeczoo("g722")
    assert status == 0
    assert "g722@64kbps: healthy" in out
    assert "64.04 kbps; 64 kbps are declared" in out
    assert "LGPL" in out


def test_weights_that_are_not_here_are_not_judged(codeczoo: Run) -> None:
    status, out, _ = codeczoo("mimi:24khz@8q")
    assert status == 2
    assert "mimi:24khz@8q: could not be judged" in out
    assert "codeczoo fetch mimi:24khz" in " ".join(out.split())


def test_requests_that_cannot_be_met(codeczoo: Run, tmp_path: Path) -> None:
    status, _, err = codeczoo("opsu")
    assert status == 2
    assert "There is no codec named 'opsu'" in err
    status, _, err = codeczoo(f"decoded:{tmp_path}@6kbps")
    assert status == 2
    assert "there is no codec to examine" in err
    status, _, err = codeczoo("pcm:16", "--golden", tmp_path / "none.json")
    assert status == 2
    assert "is no file of golden tokens" in err


def test_a_plug_in_from_unknown_to_healthy_to_broken(codeczoo: Run, install, tmp_path: Path) -> None:
    own = tmp_path / "golden.json"
    install(wrong.two_books_family())
    status, out, _ = codeczoo("twobooks@2q")
    assert status == 2
    assert "There are no golden tokens of this codec" in " ".join(out.split())

    status, _, err = codeczoo("twobooks@2q", "--record", own)
    assert own.is_file(), err
    status, out, _ = codeczoo("twobooks@2q", "--golden", own)
    assert status == 0, out

    install(wrong.two_books_family(swapped=True))
    status, out, _ = codeczoo("twobooks@2q", "--golden", own, "--json")
    assert status == 1
    found = json.loads(out)
    assert found["exit_status"] == 1
    point, family = found["codecs"]
    assert (point["codec"], point["verdict"], family["codec"]) == ("twobooks@2q", "broken", "twobooks")
    broken = [each for each in point["findings"] if each["status"] == "fail"]
    assert [each["check"] for each in broken] == ["golden"]
    assert {"check", "status", "sentence", "measured", "expected"} == broken[0].keys()


def test_what_is_broken_is_not_golden(codeczoo: Run, install, tmp_path: Path) -> None:
    right = wrong.two_books_family()

    def build(rate: str, device: str) -> wrong.Wrapped:
        return wrong.Wrapped(right.build(rate, device), before_decode=wrong.swap)

    install(Family(name="twobooks", rates=("2q",), describe=right.describe, build=build))
    status, _, err = codeczoo("twobooks", "--record", tmp_path / "golden.json")
    assert status == 2
    assert "its tokens are not golden" in err
    assert not (tmp_path / "golden.json").exists()


def test_an_adapter_that_cannot_be_built(codeczoo: Run, install) -> None:
    def build(rate: str, device: str):
        raise ImportError("libmine.so: cannot open shared object file")

    family = wrong.two_books_family()
    install(Family(name="twobooks", rates=family.rates, describe=family.describe, build=build))
    status, out, _ = codeczoo("twobooks@1q")
    assert status == 1
    assert "build raised ImportError: libmine.so" in out


def test_without_names_all_that_runs_here(codeczoo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "TABLE", {key: registry.TABLE[key] for key in ("pcm:16", "g726", "mimi:24khz")})
    points, lacking = examination.installed()
    assert points == ["pcm:16", "g726@40kbps"]
    assert lacking.keys() == {"mimi:24khz"}
    status, out, _ = codeczoo()
    assert status == 0
    assert "3 examined: 3 healthy. 1 families cannot run here" in " ".join(out.split())
