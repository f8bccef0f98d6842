"""What a run's probes come to: a mean and an interval a (task, features, mode).

Accuracy is the mean of the folds' accuracies, whatever their sizes (as ESC-50, UrbanSound8K and ARCH count), then of
the seeds'. Its interval is the bootstrap over groups (speakers, recordings) of the test clips, each clip
weighed so that folds count alike. That of mAP is as recorded, averaged over seeds.

Of several versions of a codec, task or probe in one run, the one of the last record is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codeczoo.benchmarks.statistics.bootstrap import mean_interval

Record = dict[str, Any]


@dataclass(frozen=True)
class ProbeResult:
    """One cell."""

    task: str
    features: str
    mode: str
    pooling: str
    metric: str
    """`accuracy` or `map`."""
    mean: float | None
    interval: tuple[float, float] | None
    seed_std: float | None
    """Deviation over seeds (divided by their number less one); None with one."""
    seeds: int
    folds: int
    extra: dict[str, float]
    """`macro_f1`, or `map_weighted` and `labels_scored`."""
    test_clips: int
    """Over all folds."""
    test_groups: int | None
    """Speakers or recordings of the test clips; None where they were not counted (mAP)."""
    train_clips: int
    """Of a fold, the mean."""
    classes: int
    failed: int
    """Clips without a feature."""
    undefined: str
    facts: dict[str, Any]
    """Of a codec; empty for baselines."""
    task_identity: str
    group_is: str
    leak: str
    notes: tuple[str, ...]
    unconverged: int
    """Probes that stopped before they had converged."""

    @property
    def is_codec(self) -> bool:
        return bool(self.facts)

    @property
    def kbps(self) -> float | None:
        """Nominal."""
        return self.facts.get("bitrate_kbps")


def summarise(found: Sequence[Record]) -> tuple[ProbeResult, ...]:
    """Results in the order in which their records first appear."""
    cells: dict[tuple[str, str, str, str], list[Record]] = {}
    for record in found:
        key = record["task"], record["features"], record["mode"], record["pooling"]
        cells.setdefault(key, []).append(record)
    return tuple(_result(_newest(of)) for of in cells.values())


def _newest(of: list[Record]) -> list[Record]:
    names = ("task_identity", "features_identity", "mode_identity")
    same = [record for record in of if all(record[name] == of[-1][name] for name in names)]
    return list({(record["seed"], record["fold"]): record for record in same}.values())


def _result(of: list[Record]) -> ProbeResult:
    first = of[0]
    metric = first["metric"]
    scored = [record for record in of if record["scores"]]
    by_seed = {seed: [record for record in scored if record["seed"] == seed] for seed in {r["seed"] for r in scored}}
    means = [float(np.mean([record["scores"][metric] for record in members])) for members in by_seed.values()]
    one_seed = next(iter(by_seed.values()), [])
    extra = {
        name: float(np.mean([record["scores"][name] for record in scored]))
        for name in (scored[0]["scores"] if scored else ())
        if name != metric
    }
    return ProbeResult(
        task=first["task"], features=first["features"], mode=first["mode"], pooling=first["pooling"], metric=metric,
        mean=float(np.mean(means)) if means else None,
        interval=_interval(scored, metric),
        seed_std=float(np.std(means, ddof=1)) if len(means) > 1 else None,
        seeds=len(means), folds=len(one_seed), extra=extra,
        test_clips=sum(record["clips"]["test"] for record in one_seed),
        test_groups=_test_groups(one_seed),
        train_clips=round(float(np.mean([record["clips"]["train"] for record in one_seed]))) if one_seed else 0,
        classes=first["classes"], failed=max((len(record["failed"]) for record in of), default=0),
       
        undefined=next((record["undefined"] for record in of if "undefined" in record), ""),
        facts=first["codec_facts"] or {}, task_identity=first["task_identity"],
        group_is=first["group_is"], leak=max((record["leak"] for record in of), key=len),
        notes=tuple(first["notes"]),
        unconverged=sum(not record["chosen"].get("converged", True) for record in scored if "chosen" in record),
    )  # fmt: skip


def _test_groups(of: Sequence[Record]) -> int | None:
    if not of or not all("groups" in record for record in of):
        return None
    return len({group for record in of for group in record["groups"]})


def _interval(scored: Sequence[Record], metric: str) -> tuple[float, float] | None:
    if not scored:
        return None
    if metric == "map":
        bounds = [record["interval"] for record in scored if record.get("interval")]
        return (
            (float(np.mean([low for low, _ in bounds])), float(np.mean([high for _, high in bounds])))
            if bounds
            else None
        )
    clips = sum(record["clips"]["test"] for record in scored)
    values: list[float] = []
    clusters: list[str] = []
    for record in scored:
        # Folds count alike: a clip of a small fold weighs more.
        weight = clips / (len(scored) * record["clips"]["test"])
        for group, (hits, count) in record["groups"].items():
            values += [weight * hits / count] * int(count)
            clusters += [group] * int(count)
    interval = mean_interval(values, clusters)
    return None if interval is None or not all(map(math.isfinite, interval)) else interval
