"""`codeczoo list` and `codeczoo info`: what there is."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .text import facts, table

if TYPE_CHECKING:
    from codeczoo.benchmarks.suites import Suite
    from codeczoo.codecs import Family, Spec

_WHAT = ("codecs", "metrics", "suites", "corpora")
_RATES_SHOWN, _RATES_WIDTH = 5, 44

_LIST_EPILOG = """\
examples:
  codeczoo list                     codecs, one line a family: bitrates, rates, and whether they run here
  codeczoo list --rates             every operating point by its full name
  codeczoo list metrics
  codeczoo list codecs --json       every operating point with its facts, for programs
"""

_INFO_EPILOG = """\
examples:
  codeczoo info mimi:24khz          a family: licences, training data, weights, operating points
  codeczoo info mimi:24khz@8q       one operating point: frame rates, codebooks, bitrate
  codeczoo info taae:speech-16k --measure   receptive field and latency of a native model, measured; no weights needed
  codeczoo info pesq_wb             a metric: source, exact definition, range
  codeczoo info demo                a suite: codecs, metrics, corpus
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "list",
        help="codecs, metrics, suites and corpora",
        description="List what there is: codecs (the default), metrics, suites or corpora.",
        epilog=_LIST_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="?", choices=_WHAT, default="codecs", help="default: codecs")
    parser.add_argument("--rates", action="store_true", help="codecs: one line an operating point")
    parser.add_argument("--json", action="store_true", help="one JSON document, for programs")
    parser.set_defaults(run=run_list)
    parser = verbs.add_parser(
        "info",
        help="facts of one codec, metric or suite",
        description="Facts of one codec (licence, training data, where its weights come from), metric or suite.",
        epilog=_INFO_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="as in codeczoo list: mimi:24khz@8q, pesq_wb, demo")
    parser.add_argument(
        "--measure",
        action="store_true",
        help="native models: which input samples change an output sample, on a narrow model of the same geometry",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document, for programs")
    parser.set_defaults(run=run_info)


def run_list(options: argparse.Namespace) -> int:
    """Print one line a thing."""
    if options.what == "codecs":
        if options.json:
            _print_json(_operating_points())
        elif options.rates:
            print(table([_short(row) for row in _operating_points()]))
        else:
            print(table(_families()))
            print(
                "\nOne operating point is CODEC@RATE, as in opus@12kbps; `codeczoo list --rates` shows all. "
                "Where weights or\na package are needed, `codeczoo info CODEC` says which, and how to get them."
            )
        return 0
    rows = {"metrics": _metrics, "suites": _suites, "corpora": _corpora}[options.what]()
    if options.json:
        _print_json(rows)
    else:
        print(table(rows))
    return 0


def run_info(options: argparse.Namespace) -> int:
    """Print all facts of one thing."""
    found = _facts(options.name)
    if options.measure:
        found |= _measured(options.name)
    if options.json:
        _print_json(found)
        return 0
    if "operating_points" in found:
        found = {**found, "operating_points": [point["codec"] for point in found["operating_points"]]}
    print(facts(found))
    return 0


def _measured(name: str) -> dict[str, Any]:
    """Receptive field and latency in seconds, by `codeczoo.benchmarks.receptive_field`."""
    from codeczoo import codecs
    from codeczoo.benchmarks.receptive_field_models import measure

    codecs.family(name)
    reach = measure(name)
    values = {
        "measured_receptive_field_s": reach.total_s,
        "measured_past_s": reach.past_s,
        "measured_latency_s": reach.future_s,
        "measured_layer_s": reach.layer_s,
    }
    # JSON has no such number.
    return {key: "infinite" if value == math.inf else value for key, value in values.items() if value is not None}


def _print_json(document: object) -> None:
    print(json.dumps(document, indent=1, allow_nan=False))


def _families() -> list[dict[str, Any]]:
    from codeczoo import codecs
    from codeczoo.codecs.availability import why_not

    rows: list[dict[str, Any]] = []
    for name in codecs.families():
        found = codecs.family(name)
        missing = why_not(found)
        specs = [found.describe(rate) for rate in found.rates]
        rows.append(
            {
                "codec": name,
                "kbps": _range([spec.bitrate_kbps for spec in specs]),
                "rates": _some(found.rates),
                "tokens/s": _range([spec.tokens_per_second for spec in specs]),
                "Hz": specs[0].sample_rate,
                "made for": specs[0].domain,
                "runs here": _here(missing),
            }
        )
    return rows


def _here(missing: str) -> str:
    return f"needs {missing.partition(':')[0]}" if missing else "yes"


def _range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    return _number(low) if low == high else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _some(rates: Sequence[str]) -> str:
    """All rates where these are few, else how far they go."""
    named = [rate for rate in rates if rate]
    whole = " ".join(named)
    if len(rates) <= _RATES_SHOWN and len(whole) <= _RATES_WIDTH:
        return whole
    begin = " ".join(named[:2]) if len(" ".join(named[:2])) <= _RATES_WIDTH // 2 else named[0]
    return f"{begin} ... {named[-1]} ({len(rates)})"


def _operating_points() -> list[dict[str, Any]]:
    from codeczoo import codecs
    from codeczoo.codecs.availability import why_not

    rows: list[dict[str, Any]] = []
    for name in codecs.families():
        found = codecs.family(name)
        missing = why_not(found)
        for rate in found.rates:
            rows.append({**_point_facts(found.describe(rate)), "family": name, "runs_here": not missing})
            rows[-1]["missing"] = missing
    return rows


def _point_facts(spec: Spec) -> dict[str, Any]:
    """The facts of an operating point as programs read them."""
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(spec).items()}
    name = listed.pop("name")
    listed["partitions"] = [f"{name} {first} to {end - 1}" for name, first, end in spec.partitions]
    if spec.latency_s == math.inf:
        listed["latency_s"] = "infinite"  # JSON has no such number
    return {"codec": name, "kbps": spec.bitrate_kbps, "tokens_per_second": spec.tokens_per_second, **listed}


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "codec": row["codec"],
        "kbps": row["kbps"],
        "tokens/s": row["tokens_per_second"],
        "Hz": row["sample_rate"],
        "made for": row["domain"],
        "runs here": _here(row["missing"]),
    }


def _metrics() -> list[dict[str, Any]]:
    from codeczoo import metrics

    found = [metrics.metric(name) for name in metrics.names()]
    return [
        {
            "metric": metric.name,
            "better": "higher" if metric.higher_is_better else "lower",
            "unit": metric.unit,
            "sample_rate": metric.sample_rate or "any",
            "domains": ", ".join(metric.domains) or "all",
            "runs_here": "needs weights" if _missing_metric(metric.name) else "yes",
            "description": metric.description,
        }
        for metric in found
    ]


def _missing_metric(name: str) -> str:
    from codeczoo.benchmarks.request import usable_metrics

    return next((why for _, why in usable_metrics([name])[1]), "")


def _suites() -> list[dict[str, Any]]:
    from codeczoo.benchmarks import suites

    found = [suites.load(name) for name in suites.names()]
    return [{"suite": suite.name, "corpus": _corpus_of(suite), "description": suite.description} for suite in found]


def _corpus_of(suite: Suite) -> str:
    if suite.instead:
        return ""
    return "official" if suite.corpora else suite.corpus or "yours"


def _corpora() -> list[dict[str, Any]]:
    from codeczoo.benchmarks import corpora

    return [{"corpus": name, "description": description} for name, description in corpora.descriptions().items()]


def _facts(name: str) -> dict[str, Any]:
    from codeczoo import codecs, metrics
    from codeczoo.benchmarks import suites

    if name in metrics.names():
        return _metric_facts(name)
    if name in suites.names() or name.endswith(".toml"):
        suite = asdict(suites.load(name))
        suite["corpora"] = [one["name"] for one in suite["corpora"]]
        defaults = {"seed": 0, "intervals": False}
        return {key: value for key, value in suite.items() if defaults.get(key, object()) != value}
    try:
        return _codec_facts(name, codecs.family(name))
    except codecs.UnknownCodec:
        _raise_unknown(name)
        raise


def _raise_unknown(name: str) -> None:
    """Raise UnknownMetric or UnknownSuite where the name is nearer to one of these than to any codec."""
    import difflib

    from codeczoo import codecs, metrics
    from codeczoo.benchmarks import suites

    known = [*metrics.names(), *suites.names(), *codecs.families()]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near and near[0] in metrics.names():
        metrics.metric(name)
    if near and near[0] in suites.names():
        suites.load(name)


def _metric_facts(name: str) -> dict[str, Any]:
    from codeczoo import metrics
    from codeczoo.benchmarks.protocol import metric_identity
    from codeczoo.metrics import weights

    metric = metrics.metric(name)
    found = asdict(metric)
    low, high = found.pop("value_range")
    found["range"] = f"{low:g} to {high:g}"
    found["longest_s"] = metrics.measure(name).max_seconds
    if name in weights.ALL:
        needed = weights.ALL[name]
        found["weights"] = f"{needed.hub_repo} on the Hugging Face hub, {needed.size}, {needed.licence}"
    found["identity"] = metric_identity(metric)
    found["runs_here"] = _missing_metric(name) or "yes"
    return found


def _codec_facts(name: str, found: Family) -> dict[str, Any]:
    from codeczoo import codecs
    from codeczoo.codecs.availability import why_not

    parsed = codecs.parse(name)
    one_point = bool(parsed.rate) or tuple(found.rates) == ("",)
    facts = _point_facts(codecs.spec(name)) if one_point else _common_facts(found)
    if found.weights is not None:
        facts["weights"] = found.weights.source or found.weights.repository
        facts["weights_mb"] = round(found.weights.size_bytes / 1e6, 1) if found.weights.size_bytes else None
    facts["runs_here"] = why_not(found) or "yes"
    return facts


def _common_facts(found: Family) -> dict[str, Any]:
    """What holds at every rate of a family, and its operating points."""
    points = [_point_facts(found.describe(rate)) for rate in found.rates]
    common = {key: value for key, value in points[0].items() if all(point[key] == value for point in points)}
    return {
        "family": found.name,
        "kbps": _range([point["kbps"] for point in points]),
        **common,
        "operating_points": [
            {key: point[key] for key in ("codec", "kbps", "tokens_per_second", "frame_rates", "codebook_sizes")}
            for point in points
        ],
    }
