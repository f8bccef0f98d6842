"""What is written of a listening test: tables (Markdown, LaTeX), CSV, JSON and a figure, all from the answers alone."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codeczoo.benchmarks.report import writers
from codeczoo.benchmarks.report.table import Table

from . import abx as abx_analysis
from . import figure, tables
from . import mushra as mushra_analysis
from .abx import Proportion
from .answers import Answers
from .key import Key
from .mushra import Mean
from .screening import RuleSet

NAME = "listening"


def write(
    key: Key, answers: Sequence[Answers], rules: Sequence[RuleSet], out: Path, figures: bool = True
) -> tuple[str, list[Path]]:
    """Analyse and write; gives the text for the terminal and the files. Raises InvalidAnswers before it writes."""
    if key.kind == "mushra":
        found = mushra_analysis.analyse(key, answers, rules)
        shown, facts, rows = tables.mushra(found, key), _mushra_json(found, key), tables.csv_rows(found, key)
    else:
        found = abx_analysis.analyse(key, answers)
        shown, facts, rows = tables.abx(found), _abx_json(found), _abx_rows(found)
    out.mkdir(parents=True, exist_ok=True)
    text = "\n".join(writers.markdown(table) for table in shown)
    if isinstance(found, abx_analysis.Abx):
        text += "\n" + "".join(f"- {sentence}\n" for sentence in tables.sentences(found))
    common = {
        "test": {"id": key.id, "sha256": key.sha256, "kind": key.kind, "trials": len(key.trials)},
        "listeners": [_listener(one) for one in answers],
    }
    written = {
        f"{NAME}.md": text,
        f"{NAME}.tex": "\n".join(_latex(table) for table in shown),
        f"{NAME}.csv": _csv(rows),
        f"{NAME}.json": json.dumps({**common, **facts}, indent=1, allow_nan=False) + "\n",
    }
    for name, content in written.items():
        (out / name).write_text(content, encoding="utf-8")
    files = [out / name for name in written]
    if figures and isinstance(found, mushra_analysis.Mushra):
        files += figure.draw_mushra(found, out / NAME)
    elif figures and isinstance(found, abx_analysis.Abx):
        files += figure.draw_abx(found, out / NAME)
    return text, files


def _latex(table: Table) -> str:
    return writers.latex(table, "tab:" + table.caption.lower().replace(" ", "-"))


def _listener(given: Answers) -> dict[str, Any]:
    return {
        "listener": given.listener,
        "playback": given.playback,
        "started": given.started,
        "finished": given.finished,
        "minutes": round(sum(answer.seconds for answer in given.trials) / 60, 2),
        "comment": given.comment,
    }


def _mushra_json(found: mushra_analysis.Mushra, key: Key) -> dict[str, Any]:
    return {
        "screening": {
            "rules": list(found.rules),
            "kept": found.n_listeners,
            "listeners": [
                {
                    "listener": one.listener,
                    "kept": one.kept,
                    "reasons": list(one.reasons),
                    "findings": [
                        {
                            "rules": each.rule.rule_set,
                            "rule": each.rule.text,
                            "strange": each.strange,
                            "trials": each.trials,
                            "excludes": each.excludes,
                        }
                        for each in one.findings
                    ],
                }
                for one in found.screened
            ],
        },
        "conditions": [_mean(mean) for mean in found.means],
        "letters": found.ties.letters(),
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "difference": pair.difference,
                "interval": pair.interval,
                "p_corrected": pair.p,
                "apart": pair.apart,
            }
            for pair in found.pairs
        ],
        "trials": [
            {"trial": trial, "clip": key.trials[trial].clip, "conditions": [_mean(mean) for mean in means]}
            for trial, means in found.by_trial.items()
        ],
    }


def _mean(mean: Mean) -> dict[str, Any]:
    return {
        "condition": mean.condition,
        "mean": mean.mean,
        "interval": mean.interval,
        "median": mean.median,
        "ratings": mean.n_ratings,
        "listeners": mean.n_listeners,
    }


def _abx_json(found: abx_analysis.Abx) -> dict[str, Any]:
    return {
        "codecs": [{"codec": name, **_numbers(each)} for name, each in found.by_condition.items()],
        "by_listener": [
            {"codec": codec, "listener": listener, **_numbers(each)}
            for (codec, listener), each in found.by_listener.items()
        ],
        "by_clip": [{"codec": codec, "clip": clip, **_numbers(each)} for (codec, clip), each in found.by_trial.items()],
        "sentences": tables.sentences(found),
    }


def _abx_rows(found: abx_analysis.Abx) -> list[Mapping[str, object]]:
    names = [(name, "", "", each) for name, each in found.by_condition.items()]
    names += [(codec, listener, "", each) for (codec, listener), each in found.by_listener.items()]
    names += [(codec, "", clip, each) for (codec, clip), each in found.by_trial.items()]
    return [{"codec": codec, "listener": one, "clip": clip, **_flat(each)} for codec, one, clip, each in names]


def _numbers(found: Proportion) -> dict[str, Any]:
    return {
        "right": found.right,
        "n": found.n,
        "share": found.share,
        "interval": found.interval,
        "p": found.p,
        "p_corrected": found.p_corrected,
        "d_prime": found.d_prime,
        "d_prime_interval": found.d_interval,
    }


def _flat(found: Proportion) -> dict[str, Any]:
    numbers = _numbers(found)
    (low, high), (d_low, d_high) = numbers.pop("interval"), numbers.pop("d_prime_interval")
    return {**numbers, "low": low, "high": high, "d_prime_low": d_low, "d_prime_high": d_high}


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        assert not any(isinstance(value, float) and math.isnan(value) for value in row.values()), row
        writer.writerow({name: "" if value is None else value for name, value in row.items()})
    return file.getvalue()
