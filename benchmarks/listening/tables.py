"""Listening tests as tables, for the writers of the report: Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codeczoo.benchmarks.report.table import NOTHING, Section, Table, TextCell
from codeczoo.benchmarks.statistics.sample_size import ALPHA

from .abx import Abx, Proportion
from .key import Key
from .mushra import Mean, Mushra
from .screening import RULES, Screened, counts

_LETTERS_NOTE = (
    "Conditions that share a letter cannot be told apart with these listeners (signs flipped by listener, corrected "
    "for all pairs, at 5 %)."
)


def mushra(found: Mushra, key: Key) -> list[Table]:
    """Means; pairs; trials; listeners."""
    return [_means(found), _pairs(found), _trials(found, key), _listeners(found)]


def _means(found: Mushra) -> Table:
    letters = found.ties.letters()
    rows = tuple(
        (
            _name(mean.condition),
            TextCell(f"{mean.mean:.1f}"),
            TextCell(_range(mean.interval, 1)),
            TextCell(f"{mean.median:g}"),
            TextCell(letters[mean.condition]),
            TextCell(str(mean.n_ratings)),
        )
        for mean in found.means
    )
    out = [one for one in found.screened if not one.kept]
    notes = [
        f"{_many(found.n_listeners, 'listener')} of {len(found.screened)} after screening "
        f"({' and '.join(found.rules) or 'no rules'}); n counts ratings.",
        "Intervals are bootstrapped with all ratings of a listener drawn together; they speak of other listeners with "
        "these clips, not of other clips.",
        _LETTERS_NOTE,
    ]
    if found.too_few:
        notes.append(
            f"{_many(found.n_listeners, 'listener')} cannot show any difference at 5 %: with n of them no p-value of "
            "this test is below 2 / 2^n; six are the fewest that can."
        )
    notes += [f"{one.listener} was left out: {'; '.join(one.reasons)}." for one in out]
    notes += [f"{_many(count, 'listener')} left out for: {rule}." for rule, count in counts(found.screened).items()]
    absent = {rule.condition for rule in RULES if rule.rule_set in found.rules} - {
        mean.condition for mean in found.means
    }
    notes += [f"The rule about the {name} says nothing: this test has none." for name in sorted(absent)]
    head = ("Condition", "Rating (0-100) ↑", "95 % interval", "Median", "Told apart", "n")
    return Table("MUSHRA ratings", head, 1, (Section("All trials", rows, ()),), tuple(notes))


def _pairs(found: Mushra) -> Table:
    rows = tuple(
        (
            _name(pair.first),
            _name(pair.second),
            TextCell(f"{pair.difference:.1f}"),
            TextCell(_range(pair.interval, 1)),
            TextCell(p_text(pair.p)),
            TextCell("yes" if pair.apart else "no"),
        )
        for pair in found.pairs
    )
    notes = ("p is corrected for all pairs (Westfall and Young, signs flipped by listener).",)
    head = ("Better", "Than", "By (points)", "95 % interval", "p", "Told apart")
    return Table("Pairs of conditions", head, 2, (Section("All trials", rows, ()),), notes)


def _trials(found: Mushra, key: Key) -> Table:
    names = [mean.condition for mean in found.means]
    rows = []
    for trial, means in found.by_trial.items():
        by_name = {mean.condition: mean for mean in means}
        cells = [TextCell(_with_half(by_name[name])) for name in names]
        rows.append((TextCell(key.trials[trial].clip), *cells, TextCell(str(means[0].n_listeners))))
    notes = (
        "± is half the 95 % interval over listeners: Student's, in effect, with one rating a listener.",
        f"n counts listeners; {NOTHING} where one alone heard the clip.",
    )
    return Table("MUSHRA ratings by clip", ("Clip", *names, "n"), 1, (Section("Trials", tuple(rows), ()),), notes)


def _listeners(found: Mushra) -> Table:
    heads = tuple(f"{rule.rule_set}: {rule.text}" for rule in RULES)
    rows = tuple(
        (TextCell(one.listener), TextCell("kept" if one.kept else "left out"), *_findings(one))
        for one in found.screened
    )
    notes = ("Trials against the listener, of those that count for the rule; every rule is shown, applied or not.",)
    return Table("Screening of listeners", ("Listener", "Verdict", *heads), 2, (Section("All", rows, ()),), notes)


def _findings(one: Screened) -> list[TextCell]:
    return [
        TextCell(
            f"{finding.strange} of {finding.trials}" if finding.trials else NOTHING,
            mark="excludes" if finding.excludes else "",
        )
        for finding in one.findings
    ]


def abx(found: Abx) -> list[Table]:
    """By codec; by codec and listener; by codec and clip."""
    whole = tuple((_name(name), *_proportion(each)) for name, each in found.by_condition.items())
    notes = (
        f"{_many(found.n_listeners, 'listener')}; nobody is screened: guessing is what the test is about.",
        "p is exact and one-sided (more often right than half of the time), corrected (Holm) for the rows of a table; "
        "intervals are Clopper and Pearson's, for these listeners.",
        "d' by the differencing model; where all answers are right only its lower bound is known.",
    )
    head = ("Right", "Share ↑", "95 % interval", "p", "Heard", "d'", "95 % interval of d'")
    tables = [Table("ABX against the reference", ("Codec", *head), 1, (Section("All answers", whole, ()),), notes)]
    for caption, kind, rows in (
        ("ABX by listener", "Listener", found.by_listener),
        ("ABX by clip", "Clip", found.by_trial),
    ):
        cells = tuple((_name(codec), TextCell(other), *_proportion(each)) for (codec, other), each in rows.items())
        tables.append(Table(caption, ("Codec", kind, *head), 2, (Section("All answers", cells, ()),)))
    return tables


def _proportion(found: Proportion) -> list[TextCell]:
    low, high = found.d_interval
    d = f"> {low:.2f}" if found.d_prime is None else f"{found.d_prime:.2f}"
    return [
        TextCell(f"{found.right} of {found.n}"),
        TextCell(f"{found.share:.3f}"),
        TextCell(_range(found.interval, 3)),
        TextCell(p_text(found.p_corrected)),
        TextCell("yes" if found.p_corrected <= ALPHA else "no"),
        TextCell(d),
        TextCell(f"{low:.2f} to {'no bound' if high is None else f'{high:.2f}'}"),
    ]


def sentences(found: Abx) -> list[str]:
    """Each codec in words."""
    said = []
    for name, each in found.by_condition.items():
        counted = f"{each.right} of {each.n} right, {p_text(each.p_corrected, words=True)}"
        if each.p_corrected <= ALPHA:
            said.append(f"{name} was told from the reference ({counted}).")
        else:
            upper = f"up to {100 * each.interval[1]:.0f} % right is not ruled out"
            said.append(f"{name} could not be told from the reference by these answers ({counted}; {upper}).")
    return said


def p_text(p: float, words: bool = False) -> str:
    """A p-value as it is printed."""
    small = p < 0.001
    if words:
        return "p < 0.001" if small else f"p = {p:.3f}"
    return "< 0.001" if small else f"{p:.3f}"


def csv_rows(found: Mushra, key: Key) -> list[Mapping[str, object]]:
    """Every rating that was kept and every mean, as rows for other programs."""
    rows: list[Mapping[str, object]] = []
    for trial, means in [("", found.means), *found.by_trial.items()]:
        rows += [
            {
                "clip": key.trials[trial].clip if trial else "",
                "condition": mean.condition,
                "mean": mean.mean,
                "low": None if mean.interval is None else mean.interval[0],
                "high": None if mean.interval is None else mean.interval[1],
                "median": mean.median,
                "ratings": mean.n_ratings,
                "listeners": mean.n_listeners,
            }
            for mean in means
        ]
    return rows


def _name(condition: str) -> TextCell:
    return TextCell(condition, is_name="@" in condition or ":" in condition)


def _range(interval: Sequence[float] | None, digits: int) -> str:
    return NOTHING if interval is None else f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def _with_half(mean: Mean) -> str:
    if mean.interval is None:
        return f"{mean.mean:.1f}"
    return f"{mean.mean:.1f} ± {(mean.interval[1] - mean.interval[0]) / 2:.1f}"


def _many(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")
