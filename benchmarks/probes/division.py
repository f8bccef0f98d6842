"""Divisions of a task: which clips are trained on, which choose the regularisation, which are counted.

    official parts        train, validation, test as they are; without a validation part, a fifth of train is drawn
    official folds        each fold is the test part once; validation is the next fold or a fifth drawn from the others
    neither               five folds drawn by the seed

What is drawn is drawn by group, so that validation never holds a speaker of train, and by label, so that every label
is in every part as far as groups allow. `published` gives what the published code does instead where that is a random
division of clips (RAVDESS, FMA): speakers are then on both sides, and the division says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codeczoo.benchmarks.errors import InvalidProbe

from .task import Task

FOLDS = 5
VALIDATION_SHARE = 0.2
_PUBLISHED_SEED = 42

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Division:
    """Indices into the task's examples."""

    name: str
    """The fold that is tested; `test` where there is one test part."""
    train: Indices
    validation: Indices
    test: Indices
    drawn: bool
    """Whether another seed gives another one."""
    leak: str = ""
    """What is on both sides of it, in words."""


def divisions(task: Task, seed: int, published: bool = False) -> tuple[Division, ...]:
    """The divisions of a task; with one seed always the same. Raises InvalidProbe."""
    if published and task.published_shares is not None:
        return (_random(task, *task.published_shares),)
    if task.folds:
        found = _by_fold(task, [example.fold for example in task.examples], seed)
    elif any(example.part for example in task.examples):
        found = (_by_part(task, seed),)
    else:
        found = _by_fold(task, _drawn_folds(task, seed), seed, drawn=True)
    for division in found:
        _check(task, division)
    return found


def _by_part(task: Task, seed: int) -> Division:
    parts = np.array([example.part or "" for example in task.examples])
    train, validation, test = (np.flatnonzero(parts == part) for part in ("train", "validation", "test"))
    for part, members in (("train", train), ("test", test)):
        if not len(members):
            raise InvalidProbe(f"{task.name} has no clip in the {part} part; parts are train, validation and test.")
    drawn = not len(validation)
    if drawn:
        validation = draw(task, train, VALIDATION_SHARE, seed)
        train = np.setdiff1d(train, validation)
    return Division("test", train, validation, test, drawn, task.leak)


def _by_fold(task: Task, folds: Sequence[str | None], seed: int, drawn: bool = False) -> tuple[Division, ...]:
    names = sorted({name for name in folds if name is not None}, key=lambda name: (len(name), name))
    if len(names) < 2:
        raise InvalidProbe(f"{task.name} has the fold {names[0]!r} alone; cross-validation needs two or more.")
    if outside := sum(name is None for name in folds):
        raise InvalidProbe(f"{outside} clips of {task.name} are in no fold; give every clip one, or none.")
    of = np.array([str(name) for name in folds])
    made = []
    for number, name in enumerate(names):
        test, others = np.flatnonzero(of == name), np.flatnonzero(of != name)
        if task.next_fold_validates and len(names) > 2:
            validation = np.flatnonzero(of == names[(number + 1) % len(names)])
        else:
            validation = draw(task, others, VALIDATION_SHARE, seed)
            drawn = True
        made.append(Division(name, np.setdiff1d(others, validation), validation, test, drawn, task.leak))
    return tuple(made)


def _drawn_folds(task: Task, seed: int) -> list[str]:
    """Folds of whole groups: large groups first, each to the fold that has least of its labels, then least clips."""
    groups = task.groups()
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    if len(members) < FOLDS:
        raise InvalidProbe(
            f"{task.name} has {len(members)} {task.group_is}s, too few for {FOLDS} folds that share none; give its "
            "clips a column `split` (train, test) or `fold`."
        )
    order = [list(members)[at] for at in np.random.default_rng(seed).permutation(len(members)).tolist()]
    order.sort(key=lambda group: -len(members[group]))
    held = [Counter[str]() for _ in range(FOLDS)]
    folds = [""] * len(groups)
    for group in order:
        labels = Counter(_labels(task, members[group]))
        fewest = min(
            range(FOLDS),
            key=lambda fold: (sum(held[fold][label] * count for label, count in labels.items()), held[fold].total()),
        )
        held[fewest].update(labels)
        for index in members[group]:
            folds[index] = str(fewest + 1)
    return folds


def draw(task: Task, among: Indices, share: float, seed: int) -> Indices:
    """About `share` of each label of the clips `among`, in whole groups; no label is drawn whole.

    Groups come in an order drawn by `seed`; one is taken where more of its labels are still short than are not."""
    groups = task.groups()
    members: dict[str, list[int]] = {}
    for index in among.tolist():
        members.setdefault(groups[index], []).append(index)
    labels = {group: Counter(_labels(task, of)) for group, of in members.items()}
    left = Counter(_labels(task, among.tolist()))
    need = {label: max(1, round(share * count)) for label, count in left.items()}
    order = [list(members)[at] for at in np.random.default_rng(seed).permutation(len(members)).tolist()]
    taken: list[int] = []
    enough = max(1, round(share * len(among)))

    def spare(group: str) -> bool:
        return all(left[label] > count for label, count in labels[group].items())

    def take(group: str) -> None:
        taken.extend(members[group])
        for label, count in labels[group].items():
            need[label] -= count
            left[label] -= count

    for group in order:
        if len(taken) >= enough:
            # Labels of few clips are each entitled to one, which together may be far above the share.
            break
        gain = sum(
            min(count, need[label]) - max(0, count - max(0, need[label])) for label, count in labels[group].items()
        )
        if gain > 0 and spare(group):
            take(group)
    if not taken:
        # Every group is larger than the share: one of them is nearer to it than none.
        possible = [group for group in order if spare(group)]
        if not possible or len(members) < 2:
            raise InvalidProbe(
                f"{task.name}: no {task.group_is} can be set apart for validation without losing a label; give its "
                "clips a column `split` with train, validation and test."
            )
        take(min(possible, key=lambda group: len(members[group])))
    return np.array(sorted(taken), dtype=np.intp)


def _labels(task: Task, indices: Sequence[int]) -> list[str]:
    # A clip without any label, in a multi-label task, must find its way into every part as well.
    return [label for index in indices for label in task.examples[index].labels or ("",)]


def _random(task: Task, test_share: float, validation_share: float) -> Division:
    """As the published code: scikit-learn's shuffle by seed 42, over clips in the order of their names (the published
    code takes the order of the file system, which differs from machine to machine)."""
    from sklearn.model_selection import train_test_split

    order = sorted(range(len(task.examples)), key=lambda index: task.examples[index].clip.name)
    rest, test = train_test_split(order, test_size=test_share, random_state=_PUBLISHED_SEED)
    train, validation = train_test_split(rest, test_size=validation_share, random_state=_PUBLISHED_SEED)
    leak = f"clips are divided at random as in the published code: every {task.group_is} is in train and in test"
    train, validation, test = (np.array(sorted(part), dtype=np.intp) for part in (train, validation, test))
    return Division("test", train, validation, test, drawn=False, leak=leak)


def _check(task: Task, division: Division) -> None:
    """Raise InvalidProbe where a disjoint task has a group on both sides, or a label without a clip to learn from."""
    groups = np.array(task.groups())
    for part in ("validation", "test"):
        shared = sorted(set(groups[division.train].tolist()) & set(groups[getattr(division, part)].tolist()))
        if shared and task.disjoint:
            named = ", ".join(shared[:3]) + (", ..." if len(shared) > 3 else "")
            raise InvalidProbe(
                f"{task.name}: train and {part} have {len(shared)} of {len(set(groups.tolist()))} {task.group_is}s in "
                f"common ({named}). What a probe learns of them would count as knowledge of the labels: divide by "
                "them, or say --leaky, which results repeat."
            )
    if not any(task.examples[index].labels for index in division.test.tolist()):
        raise InvalidProbe(f"{task.name}: no test clip (fold {division.name}) has a label, so nothing can be scored.")
    if task.official:
        return
    learnt = set(_labels(task, division.train.tolist()))
    missing = sorted(set(task.classes) - learnt)
    if missing:
        raise InvalidProbe(
            f"{task.name}: {', '.join(map(repr, missing[:5]))} has no clip in train (fold {division.name}): it cannot "
            "be learnt. Add clips of it, or leave it out with --where."
        )
