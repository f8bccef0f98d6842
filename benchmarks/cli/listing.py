"""`codeczoo list` and `codeczoo info`: what there is."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

_WHAT = ("codecs", "metrics", "suites", "corpora")


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "list",
        help="codecs, metrics, suites and corpora",
        description="List what there is. Codecs: bitrate, tokens a second, sample rate, and whether they run here.",
    )
    parser.add_argument("what", nargs="?", choices=_WHAT, default="codecs", help="default: codecs")
    parser.add_argument("--json", action="store_true", help="one JSON document, for programs")
    parser.set_defaults(run=run_list)
    parser = verbs.add_parser(
        "info",
        help="facts of one codec, metric or suite",
        description="Facts of one codec (licence, training data, where its weights come from), metric or suite.",
    )
    parser.add_argument("name", metavar="NAME", help="as in codeczoo list: mimi:24khz@8q, pesq_wb, demo")
    parser.add_argument("--json", action="store_true", help="one JSON document, for programs")
    parser.set_defaults(run=run_info)


def run_list(options: argparse.Namespace) -> int:
    """Print one line a thing."""
    rows = {"codecs": _codecs, "metrics": _metrics, "suites": _suites, "corpora": _corpora}[options.what]()
    if options.json:
        print(json.dumps(rows, indent=1, default=_plain, allow_nan=False))
    else:
        _print_table(rows)
    return 0


def run_info(options: argparse.Namespace) -> int:
    """Print all facts of one thing."""
    facts = _facts(options.name)
    if options.json:
        print(json.dumps(facts, indent=1, default=_plain, allow_nan=False))
        return 0
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        if value not in (None, "", [], ()):
            print(f"{name:<{width}}  {_text(value)}")
    return 0


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple | set | frozenset) else str(value)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return _runs([_text(part) for part in value])
    return str(value)


def _runs(parts: list[str]) -> str:
    """`1024 x 8` for eight equal parts."""
    if len(parts) > 2 and len(set(parts)) == 1:
        return f"{parts[0]} x {len(parts)}"
    return ", ".join(parts)


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = list(rows[0])
    cells = [["" if row[column] is None else _text(row[column]) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    for line in [columns, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _codecs() -> list[dict[str, Any]]:
    from codeczoo import codecs
    from codeczoo.codecs.availability import why_not

    rows: list[dict[str, Any]] = []
    for name in codecs.families():
        found = codecs.family(name)
        missing = why_not(found)
        for rate in found.rates:
            spec = found.describe(rate)
            rows.append(
                {
                    "codec": spec.name,
                    "kbps": spec.bitrate_kbps,
                    "tokens_per_s": spec.tokens_per_second,
                    "sample_rate": spec.sample_rate,
                    "domain": spec.domain,
                    "runs_here": missing or "yes",
                }
            )
    return rows


def _metrics() -> list[dict[str, Any]]:
    from codeczoo import metrics

    found = [metrics.metric(name) for name in metrics.names()]
    return [
        {
            "metric": metric.name,
            "better": "higher" if metric.higher_is_better else "lower",
            "unit": metric.unit,
            "sample_rate": metric.sample_rate,
            "domains": ", ".join(metric.domains) or "all",
            "description": metric.description,
        }
        for metric in found
    ]


def _suites() -> list[dict[str, Any]]:
    from codeczoo.benchmarks import suites

    found = [suites.load(name) for name in suites.names()]
    return [
        {"suite": suite.name, "corpus": suite.corpus or "--corpus", "description": suite.description} for suite in found
    ]


def _corpora() -> list[dict[str, Any]]:
    from codeczoo.benchmarks import corpora

    return [{"corpus": name, "description": description} for name, description in corpora.descriptions().items()]


def _facts(name: str) -> dict[str, Any]:
    from codeczoo import codecs, metrics
    from codeczoo.benchmarks import suites

    if name in metrics.names():
        return _metric_facts(name)
    if name in suites.names():
        return asdict(suites.load(name))
    return _codec_facts(name, codecs.family(name))


def _metric_facts(name: str) -> dict[str, Any]:
    from codeczoo import metrics
    from codeczoo.benchmarks.protocol import metric_identity

    metric = metrics.metric(name)
    facts = asdict(metric)
    low, high = facts.pop("value_range")
    return {**facts, "range": f"{low:g} to {high:g}", "identity": metric_identity(metric)}


def _codec_facts(name: str, found: Any) -> dict[str, Any]:
    from codeczoo import codecs
    from codeczoo.codecs.availability import why_not

    parsed = codecs.parse(name)
    spec = codecs.spec(name) if parsed.rate or "" in found.rates else found.describe(found.rates[0])
    facts = asdict(spec)
    if not parsed.rate and "" not in found.rates:
        facts["name"] = found.name
        for rate_bound in ("frame_rates", "codebook_sizes", "requested_kbps"):
            facts.pop(rate_bound)
        facts["operating_points"] = tuple(f"{found.name}@{rate}" for rate in found.rates)
    else:
        facts["bitrate_kbps"] = spec.bitrate_kbps
        facts["tokens_per_second"] = spec.tokens_per_second
    if found.weights is not None:
        facts["weights"] = found.weights.source or found.weights.repository
        facts["weights_size"] = f"{found.weights.size_bytes / 1e6:.0f} MB" if found.weights.size_bytes else None
    facts["runs_here"] = why_not(found) or "yes"
    return facts
