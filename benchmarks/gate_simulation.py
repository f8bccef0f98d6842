"""What the statistics are worth: coverage of intervals, wrong claims of tests, false alarms and misses of the gate.

    python -m codeczoo.benchmarks.gate_simulation --trials 1000 --out results/statistics

Studies are simulated whose truth is known: differences of clips, half of whose variance is their speaker's where clips
are of speakers, are normal, or skewed, or rare and large, as where a few tokens flip. Shares are printed with their
standard error.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codeczoo.metrics import Metric

from .gate.verdict import judge
from .records import SCHEMA, Record
from .statistics.bootstrap import mean_interval, numbered, resampled_means
from .statistics.permutation import all_pairs, sign_flip

_log = logging.getLogger(__name__)

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]


def normal(rng: np.random.Generator, n: int) -> Values:
    """Of spread 1."""
    return rng.normal(size=n)


def skewed(rng: np.random.Generator, n: int) -> Values:
    """Exponential less its mean, of spread 1: scores near a floor."""
    return rng.exponential(size=n) - 1.0


def rare(rng: np.random.Generator, n: int) -> Values:
    """One clip in ten changes, by much: spread 1."""
    return np.where(rng.random(n) < 0.1, rng.normal(size=n) * math.sqrt(10), 0.0)


SHAPES: dict[str, Draw] = {"normal": normal, "skewed": skewed, "rare and large": rare}
SPEAKER_SHARE = 0.5
"""Of the variance of a clip's difference, what its speaker has part in, where clips are of speakers."""


@dataclass(frozen=True)
class Share:
    """A share of trials."""

    what: str
    case: str
    share: float
    trials: int
    claimed: str

    @property
    def error(self) -> float:
        """Standard error."""
        return math.sqrt(max(self.share * (1 - self.share), 1 / self.trials) / self.trials)


def study(rng: np.random.Generator, draw: Draw, speakers: int, clips_each: int) -> tuple[Values, list[int]]:
    """Differences of mean 0 and variance 1, and the speaker of each."""
    member = np.repeat(np.arange(speakers), clips_each)
    if clips_each == 1:
        return draw(rng, speakers), member.tolist()
    shared = math.sqrt(SPEAKER_SHARE) * draw(rng, speakers)[member]
    return shared + math.sqrt(1 - SPEAKER_SHARE) * draw(rng, len(member)), member.tolist()


def _stream(seed: int, *case: object) -> np.random.Generator:
    """Random numbers of a case's own, so that one unlucky draw is not in every row."""
    return np.random.default_rng([seed, zlib.crc32(repr(case).encode())])


SIZES = ((5, 1), (10, 1), (30, 1), (100, 1), (10, 4), (30, 4))
"""(speakers, clips of each)."""


def _size(speakers: int, clips_each: int) -> str:
    return f"{speakers} clips" if clips_each == 1 else f"{speakers} speakers x {clips_each} clips"


def percentile(values: Values, clusters: Sequence[int], resamples: int) -> tuple[float, float]:
    """The plain percentile interval, for comparison."""
    low, high = np.quantile(resampled_means(values[:, None], clusters, resamples), [0.025, 0.975])
    return float(low), float(high)


def bca(values: Values, clusters: Sequence[int], resamples: int) -> tuple[float, float]:
    """Bias-corrected and accelerated (Efron 1987), over clusters, for comparison."""
    from scipy import stats

    means = resampled_means(values[:, None], clusters, resamples)[:, 0]
    member, n = numbered(clusters)
    below = np.clip(np.mean(means < values.mean()), 1 / resamples, 1 - 1 / resamples)
    bias = stats.norm.ppf(below)
    left = np.array([values[member != out].mean() for out in range(n)])
    away = left.mean() - left
    scale = 6 * float(np.sum(away**2)) ** 1.5
    acceleration = float(np.sum(away**3)) / scale if scale else 0.0
    reach = bias + stats.norm.ppf([0.025, 0.975])
    low, high = np.quantile(means, stats.norm.cdf(bias + reach / (1 - acceleration * reach)))
    return float(low), float(high)


def coverage(trials: int, seed: int = 1) -> list[Share]:
    """How often intervals hold the truth."""
    found = []
    for shape, draw in SHAPES.items():
        for speakers, clips_each in SIZES:
            rng = _stream(seed, shape, speakers, clips_each)
            inside = {"expanded percentile (ours)": 0, "percentile": 0, "BCa": 0}
            for _ in range(trials):
                values, clusters = study(rng, draw, speakers, clips_each)
                own = mean_interval(values.tolist(), clusters, 1000)
                assert own is not None
                intervals = (own, percentile(values, clusters, 1000), bca(values, clusters, 1000))
                for name, (low, high) in zip(inside, intervals, strict=True):
                    inside[name] += low <= 0 <= high
            case = f"{shape}, {_size(speakers, clips_each)}"
            found += [Share(name, case, count / trials, trials, "0.95") for name, count in inside.items()]
    return found


def wrong_claims(trials: int, seed: int = 2) -> list[Share]:
    """How often a paired test claims a difference that is not there, and a table claims one among all pairs."""
    found = []
    for shape, draw in SHAPES.items():
        for speakers, clips_each in SIZES:
            rng = _stream(seed, shape, speakers, clips_each)
            claims = 0
            for _ in range(trials):
                values, clusters = study(rng, draw, speakers, clips_each)
                claims += sign_flip(values, clusters, resamples=999) <= 0.05
            case = f"{shape}, {_size(speakers, clips_each)}"
            found.append(Share("paired test", case, claims / trials, trials, "at most 0.05"))
    for codecs in (3, 10):
        for speakers, clips_each in ((30, 1), (30, 4)):
            rng = _stream(seed, codecs, speakers, clips_each)
            claims = 0
            for _ in range(max(trials // 2, 1)):
                columns = [study(rng, normal, speakers, clips_each) for _ in range(codecs)]
                values = np.stack([column for column, _ in columns], axis=1)
                claims += min(all_pairs(values, columns[0][1], 499).values()) <= 0.05
            case = f"{codecs} equal codecs, {_size(speakers, clips_each)}"
            share = claims / max(trials // 2, 1)
            found.append(Share("all pairs of a table", case, share, max(trials // 2, 1), "at most 0.05"))
    return found


_METRIC = Metric("pesq_wb", "MOS", True, None, "pair", "simulated", "pesq_wb", "simulated")
_TOLERANCE = 0.02


def _records(values: Values, clusters: Sequence[int], codec: str) -> list[Record]:
    return [
        {
            "schema": SCHEMA,
            "codec": codec,
            "corpus": "simulated",
            "clip": f"{number:05}",
            "clip_sha256": "",
            "dataset": "simulated",
            "speaker": str(speaker),
            "scores": {_METRIC.name: float(value)},
            "identities": {_METRIC.name: "1"},
        }
        for number, (value, speaker) in enumerate(zip(values, clusters, strict=True))
    ]


def _alarm(rng: np.random.Generator, draw: Draw, size: tuple[int, int], drop: float, noise: float, tests: int) -> bool:
    """Whether the gate fails a run of `tests` codecs, the first of which has dropped."""
    before: list[Record] = []
    after: list[Record] = []
    for number in range(tests):
        change, clusters = study(rng, draw, *size)
        level = 3.0 + 0.5 * rng.normal(size=len(change))
        before += _records(level, clusters, f"codec{number}")
        after += _records(level - (drop if number == 0 else 0.0) + noise * change, clusters, f"codec{number}")
    return judge(after, before, facts={_METRIC.name: _METRIC}).counts["failed"] > 0


def alarms(trials: int, seed: int = 3) -> list[Share]:
    """How often the gate fails a run that has not changed but for noise, and how often it misses a drop.

    Spreads and drops are in MOS; the tolerance is the default, 0.02."""
    found = []
    cases: list[tuple[str, Draw, tuple[int, int], float, int]] = [
        ("normal, 27 clips", normal, (27, 1), 0.05, 1),
        ("normal, 27 clips, 10 codecs", normal, (27, 1), 0.05, 10),
        ("normal, 27 clips, large noise", normal, (27, 1), 0.3, 1),
        ("rare and large, 27 clips, large noise", rare, (27, 1), 0.3, 1),
        ("skewed, 27 clips, large noise", skewed, (27, 1), 0.3, 1),
        ("normal, 30 speakers x 4 clips, large noise", normal, (30, 4), 0.3, 1),
        ("normal, 100 clips, large noise", normal, (100, 1), 0.3, 1),
    ]
    for case, draw, size, noise, tests in cases:
        for drop in (0.0, 0.02, 0.05, 0.1, 0.3):
            rng = _stream(seed, case, drop)
            failed = sum(_alarm(rng, draw, size, drop, noise, tests) for _ in range(trials))
            named = f"{case}, spread {noise}"
            if drop <= _TOLERANCE:
                what = "false alarm, nothing changed" if drop == 0 else "alarm at a drop of the tolerance"
                claimed = "at most 0.05" if drop == 0 else ""
                found.append(Share(what, named, failed / trials, trials, claimed))
            else:
                found.append(Share(f"missed drop of {drop}", named, 1 - failed / trials, trials, ""))
    return found


def naive_alarms(trials: int, seed: int = 3) -> list[Share]:
    """The gate that most projects have, a mean against a tolerance, on the same studies."""
    found = []
    for noise in (0.05, 0.3):
        rng = np.random.default_rng(seed)
        failed = sum(-noise * study(rng, normal, 27, 1)[0].mean() > _TOLERANCE for _ in range(trials))
        what = "false alarm of a mean against the tolerance, without a test"
        found.append(Share(what, f"normal, 27 clips, spread {noise}", failed / trials, trials, ""))
    return found


def markdown(sections: dict[str, list[Share]]) -> str:
    """The measurements as Markdown."""
    lines = [
        "# What the statistics are worth",
        "",
        "Simulated studies of known truth; shares with their standard error. Expanded percentiles are what the tables "
        "use. The paired test flips signs: exact where differences are symmetric, whatever their tails; skewed "
        "differences make it claim too often, up to twice its level. Made by "
        "`python -m codeczoo.benchmarks.gate_simulation`; the same numbers are in `statistics.json`.",
    ]
    for title, shares in sections.items():
        lines += ["", f"## {title}", ""]
        kinds = list(dict.fromkeys(share.what for share in shares))
        cases = list(dict.fromkeys(share.case for share in shares))
        at = {(share.case, share.what): share for share in shares}
        lines.append("| case | " + " | ".join(kinds) + " |")
        lines.append("| :--- |" + " ---: |" * len(kinds))
        for case in cases:
            cells = [
                f"{at[case, kind].share:.3f} ± {at[case, kind].error:.3f}" if (case, kind) in at else "–"
                for kind in kinds
            ]
            lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def simulate(trials: int) -> dict[str, list[Share]]:
    """All measurements."""
    found: dict[str, list[Share]] = {}
    gate_trials = max(trials // 2, 1)
    found["Intervals: share that holds the truth (claimed: 0.95)"] = coverage(trials)
    _log.info("coverage done")
    found["Tests: share of wrong claims where nothing differs (claimed: at most 0.05)"] = wrong_claims(trials)
    _log.info("tests done")
    found["The gate: false alarms and misses (tolerance 0.02 MOS, level 0.05)"] = alarms(gate_trials)
    found["Without a test"] = naive_alarms(trials)
    return found


def main() -> int:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("results/statistics"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    found = simulate(options.trials)
    options.out.mkdir(parents=True, exist_ok=True)
    plain = {title: [asdict(share) for share in shares] for title, shares in found.items()}
    (options.out / "statistics.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    (options.out / "statistics.md").write_text(markdown(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
