"""All checks of one operating point, and of a family: nothing that a codec raises ends an examination.

examine("lyra:v2@6kbps").verdict      # "healthy"
examine_codec(my_codec)               # a codec object, whether or not it is registered
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from codeczoo import codecs
from codeczoo.benchmarks.coding import StepFailed
from codeczoo.benchmarks.errors import BenchmarkError
from codeczoo.codecs import (
    Codec,
    CodecError,
    Family,
    MissingDependency,
    UnknownCodec,
    UnknownRate,
    WeightsCorrupt,
    WeightsMissing,
)
from codeczoo.codecs.availability import why_not
from codeczoo.metrics import MetricError, Undefined

from . import facts, golden, ledger, lengths, order, rates, repeatability, sound
from .findings import Diagnosis, Finding
from .patient import Patient

_log = logging.getLogger(__name__)

Check = Callable[[Patient], "Finding | None"]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("facts", facts.declared),
    ("licence", facts.licence),
    ("weights", facts.weights),
    ("tokens", ledger.tokens),
    ("bits", ledger.bits),
    ("order", order.order),
    ("again", repeatability.again),
    ("state", repeatability.state),
    ("batch", repeatability.batch),
    ("threads", repeatability.threads),
    ("precision", repeatability.precision),
    ("lengths", lengths.lengths),
    ("refusals", lengths.refusals),
    ("likeness", sound.likeness),
    ("speed", sound.speed),
    ("delay", sound.delay),
    ("level", sound.level),
    ("end", sound.end),
    ("silence", sound.silence),
    ("look-ahead", sound.look_ahead),
)
"""In the order in which they are shown; golden tokens, the device and a family's rates come beside them."""


def operating_points(patterns: Iterable[str]) -> list[str]:
    """Points that names, patterns and families stand for, each once. Raises UnknownCodec, UnknownRate."""
    found: list[str] = []
    for pattern in patterns:
        parsed = codecs.parse(pattern)
        if not parsed.rate and not any(character in pattern for character in "*?["):
            try:
                family = _family(pattern)
            except (UnknownCodec, UnknownRate):
                raise
            except (StepFailed, CodecError):
                found.append(pattern)  # there is such a codec; what is wrong with it, its examination says
                continue
            if family.rates and family.rates != ("",):
                found += [f"{family.name}@{rate}" for rate in family.rates]
                continue
        found += codecs.expand(pattern)
    return list(dict.fromkeys(found))


def installed() -> tuple[list[str], dict[str, str]]:
    """The highest point of every family that can run here; and what the others lack, by family."""
    points: list[str] = []
    lacking: dict[str, str] = {}
    for name in codecs.families():
        try:
            family = _family(name)
        except (StepFailed, CodecError):
            points.append(name)
            continue
        if reason := why_not(family):
            lacking[name] = reason
        elif family.rates:
            best = max(family.rates, key=lambda rate, family=family: family.describe(rate).bitrate_kbps or 0.0)
            points.append(f"{name}@{best}" if best else name)
    return points, lacking


def examine(
    name: str, device: str = "cpu", entries: golden.Golden | None = None, only: Collection[str] = ()
) -> Diagnosis:
    """One operating point by its name; `only` these checks, all without. Raises UnknownCodec, UnknownRate,
    BenchmarkError."""
    if codecs.parse(name).family == "decoded":
        raise BenchmarkError(
            f"{name} is audio that another program decoded: there is no codec to examine. Score it instead."
        )
    try:
        family = _family(name)
        rate = codecs.parse(codecs.expand(name)[0]).rate
        patient = _build(family, rate, device)
        on_cpu = _build(family, rate, "cpu") if device != "cpu" else None
    except (UnknownCodec, UnknownRate):
        raise
    except (WeightsMissing, MissingDependency) as error:
        return Diagnosis(name, (Finding("weights", "unknown", str(error)),))
    except WeightsCorrupt as error:
        return Diagnosis(name, (Finding("weights", "fail", str(error)),))
    except CodecError as error:
        # Some codecs run on the CPU alone, and say so: nothing is wrong with them.
        return Diagnosis(name, (Finding("loading", "fail" if device == "cpu" else "unknown", str(error)),))
    except StepFailed as failed:
        return Diagnosis(name, (_raised("loading", failed),))
    return _examined(name, patient, on_cpu, entries, only)


def examine_codec(codec: Codec, entries: golden.Golden | None = None, only: Collection[str] = ()) -> Diagnosis:
    """A codec object on the CPU, registered or not."""
    return _examined(codec.spec.name, Patient(codec), None, entries, only)


def examine_family(name: str, device: str = "cpu") -> Diagnosis | None:
    """Whether more bits are better, over points of a family; None where it has one bitrate only, or cannot be built."""
    try:
        family = _family(name)
        specs = [family.describe(rate) for rate in family.rates]
        indices = rates.chosen([spec.bitrate_kbps for spec in specs])
        if len(indices) < 2:
            return None
        points = [_build(family, family.rates[index], device) for index in indices]
    except CodecError:
        return None  # each point that was asked for says so itself
    except StepFailed as failed:
        return Diagnosis(name, (_raised("rates", failed),))
    return Diagnosis(family.name, tuple(_found("rates", lambda: rates.rates(points))))


def diagnose(points: Sequence[str], device: str = "cpu", entries: golden.Golden | None = None) -> Iterable[Diagnosis]:
    """Points one after another, and behind those of a family the family."""
    families = [codecs.parse(name).base for name in points]
    for place, name in enumerate(points):
        yield examine(name, device, entries)
        if families[place] not in families[place + 1 :]:
            family = examine_family(families[place], device)
            if family is not None:
                yield family


def _family(name: str) -> Family:
    """Raises CodecError, and StepFailed for whatever else the module of an entry point raises."""
    try:
        return codecs.family(name)
    except CodecError:
        raise
    except Exception as error:
        raise StepFailed("its entry point", error) from error


def _build(family: Family, rate: str, device: str) -> Patient:
    """Raises CodecError, and StepFailed for whatever else an adapter raises."""
    try:
        return Patient(family.build(rate, device), family, rate, device)
    except CodecError:
        raise
    except Exception as error:
        raise StepFailed("build", error) from error


def _examined(
    name: str, patient: Patient, on_cpu: Patient | None, entries: golden.Golden | None, only: Collection[str]
) -> Diagnosis:
    known = golden.read() if entries is None else entries
    checks: list[tuple[str, Callable[[], Finding | None]]] = [
        *((check, partial(function, patient)) for check, function in CHECKS),
        ("device", partial(repeatability.device, patient, on_cpu)),
        ("golden", partial(golden.golden, patient, known)),
    ]
    wanted = [(check, function) for check, function in checks if not only or check in only]
    return Diagnosis(name, tuple(finding for check, function in wanted for finding in _found(check, function)))


def _found(check: str, function: Callable[[], Finding | None]) -> list[Finding]:
    try:
        finding = _guarded(function)
    except StepFailed as failed:
        return [_raised(check, failed)]
    except (CodecError, MetricError, Undefined) as error:
        return [Finding(check, "fail", str(error))]
    return [] if finding is None else [finding]


def _guarded(function: Callable[[], Finding | None]) -> Finding | None:
    """What a codec gives may be of no shape that a check can read, or no tensor at all."""
    try:
        return function()
    except (StepFailed, CodecError, MetricError, Undefined):
        raise
    except Exception as error:
        _log.info("where it was raised:", exc_info=True)
        raise StepFailed("what it gave cannot be read: it", error) from error


def _raised(check: str, failed: StepFailed) -> Finding:
    return Finding(check, "fail", f"{failed.step} raised {type(failed.cause).__name__}: {failed.cause}")


def record(points: Sequence[str], diagnoses: Sequence[Diagnosis], path: Path, device: str = "cpu") -> None:
    """Write golden tokens of these points, beside those that the file already holds. Raises BenchmarkError where
    anything but the comparison with earlier golden tokens fails: nothing is written then."""
    for diagnosis in diagnoses:
        wrong = [each.check for each in diagnosis.findings if each.status == "fail" and each.check != "golden"]
        if wrong:
            raise BenchmarkError(
                f"{diagnosis.codec} fails {', '.join(wrong)}: its tokens are not golden, and {path} was not written."
            )
    entries = dict(golden.read(path)) if path.is_file() else {}
    for name in points:
        family = codecs.family(name)
        try:
            patient = _build(family, codecs.parse(name).rate, device)
            entries[patient.spec.name] = golden.entry(patient)
        except (StepFailed, CodecError) as error:
            raise BenchmarkError(f"{name} cannot be coded ({error}), and {path} was not written.") from error
    golden.write(entries, path)
