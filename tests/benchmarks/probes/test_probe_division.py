"""Divisions: whole groups, every label, official parts as they are, and the refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from codeczoo.benchmarks.errors import InvalidProbe
from codeczoo.benchmarks.probes.division import divisions, draw
from codeczoo.benchmarks.probes.task import Task


def groups_of(task: Task, indices: np.ndarray) -> set[str]:
    return {task.examples[index].group for index in indices.tolist()}


def labels_of(task: Task, indices: np.ndarray) -> set[str]:
    return {label for index in indices.tolist() for label in task.examples[index].labels}


def with_parts(task: Task, **of_speaker: str) -> Task:
    """Parts by speaker number: `s0="train"`."""
    parts = {f"speaker {name[1:]}": part for name, part in of_speaker.items()}
    examples = tuple(replace(example, part=parts.get(example.group, "train")) for example in task.examples)
    return replace(task, examples=examples)


def test_without_any_division_five_folds_share_no_speaker(labelled: Callable[..., Task]) -> None:
    task = labelled(speakers=10)
    found = divisions(task, seed=0)
    assert len(found) == 5
    assert sorted(index for division in found for index in division.test.tolist()) == list(range(len(task.examples)))
    for division in found:
        parts = [groups_of(task, part) for part in (division.train, division.validation, division.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 10
        assert labels_of(task, division.train) == {"a", "b", "c"}
        assert len(parts[2]) == 2
        assert division.drawn
    again = divisions(task, seed=0)
    assert all((one.test == two.test).all() for one, two in zip(found, again, strict=True))
    other = divisions(task, seed=1)
    assert any(list(one.test) != list(two.test) for one, two in zip(found, other, strict=True))


def test_clips_without_speakers_are_drawn_one_by_one_and_by_label(labelled: Callable[..., Task]) -> None:
    task = labelled(speakers=10)
    task = replace(task, examples=tuple(replace(example, group="") for example in task.examples))
    for division in divisions(task, seed=3):
        counts = [sum(task.examples[i].labels == (label,) for i in division.test.tolist()) for label in "abc"]
        assert counts == [4, 4, 4]


def test_official_parts_are_taken_and_a_missing_validation_part_is_drawn_by_speaker(
    labelled: Callable[..., Task],
) -> None:
    task = with_parts(labelled(), s5="test")
    (division,) = divisions(task, seed=0)
    assert groups_of(task, division.test) == {"speaker 5"}
    assert len(groups_of(task, division.validation)) == 1
    assert len(groups_of(task, division.train)) == 4
    assert division.drawn
    task = with_parts(labelled(), s4="validation", s5="test")
    (division,) = divisions(task, seed=0)
    assert groups_of(task, division.validation) == {"speaker 4"}
    assert not division.drawn


def test_official_folds_with_the_next_for_validation(labelled: Callable[..., Task]) -> None:
    task = labelled(speakers=4, next_fold_validates=True)
    examples = tuple(replace(example, fold=example.group[-1]) for example in task.examples)
    task = replace(task, examples=examples)
    found = divisions(task, seed=0)
    assert [division.name for division in found] == ["0", "1", "2", "3"]
    assert [groups_of(task, division.validation) for division in found] == [
        {"speaker 1"}, {"speaker 2"}, {"speaker 3"}, {"speaker 0"},
    ]  # fmt: skip
    assert not any(division.drawn for division in found)


def test_a_speaker_in_train_and_test_is_refused_and_named(labelled: Callable[..., Task]) -> None:
    task = with_parts(labelled(), s5="test")
    leaked = replace(task.examples[0], part="test")
    assert leaked.group == "speaker 0"
    task = replace(task, examples=(leaked, *task.examples[1:]))
    with pytest.raises(InvalidProbe, match=r"train and test have 1 of 6 speakers in common \(speaker 0\)"):
        divisions(task, seed=0)
    (division,) = divisions(replace(task, disjoint=False), seed=0)
    assert 0 in division.test


def test_the_published_division_is_scikit_learns_and_says_what_leaks(labelled: Callable[..., Task]) -> None:
    from sklearn.model_selection import train_test_split

    task = labelled(speakers=10, published_shares=(0.2, 0.2))
    names = sorted(example.clip.name for example in task.examples)
    rest, test = train_test_split(names, test_size=0.2, random_state=42)
    train, validation = train_test_split(rest, test_size=0.2, random_state=42)
    (division,) = divisions(task, seed=5, published=True)
    for expected, part in ((train, division.train), (validation, division.validation), (test, division.test)):
        assert sorted(expected) == sorted(task.examples[index].clip.name for index in part.tolist())
    assert "every speaker is in train and in test" in division.leak
    assert len(divisions(task, seed=0)) == 5


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({f"s{number}": "train" for number in range(6)}, "has no clip in the test part"),
        ({f"s{number}": "test" for number in range(6)}, "has no clip in the train part"),
    ],
)
def test_a_part_without_clips_is_refused(labelled: Callable[..., Task], parts: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidProbe, match=sentence):
        divisions(with_parts(labelled(), **parts), seed=0)


def test_a_label_that_cannot_be_learnt_is_refused(labelled: Callable[..., Task]) -> None:
    task = labelled()
    examples = tuple(
        replace(example, part="test" if example.labels == ("c",) else "train") for example in task.examples
    )
    task = replace(task, examples=examples, disjoint=False)
    with pytest.raises(InvalidProbe, match=r"'c' has no clip in train \(fold test\)"):
        divisions(task, seed=0)


def test_one_speaker_cannot_be_divided(labelled: Callable[..., Task]) -> None:
    with pytest.raises(InvalidProbe, match="column `split`"):
        divisions(labelled(speakers=1), seed=0)


def test_no_draw_takes_all_clips_of_a_label(labelled: Callable[..., Task]) -> None:
    task = labelled(labels=("a", "b"), speakers=5)
    # Only speaker 0 says c.
    examples = tuple(
        replace(example, labels=("c",)) if example.group == "speaker 0" and example.labels == ("a",) else example
        for example in task.examples
    )
    task = replace(task, examples=examples)
    for seed in range(10):
        assert "speaker 0" not in groups_of(task, draw(task, np.arange(len(examples)), 0.2, seed))


@pytest.mark.parametrize(("labels", "sentence"), [((), "there is none"), (("a",), "the only one is 'a'")])
def test_a_task_needs_two_labels(labelled: Callable[..., Task], labels: tuple[str, ...], sentence: str) -> None:
    task = labelled(labels=("a", "b"))
    examples = tuple(replace(example, labels=labels) for example in task.examples)
    with pytest.raises(InvalidProbe, match=sentence):
        Task("made", examples)


def test_a_clip_of_two_labels_needs_a_task_that_allows_them(labelled: Callable[..., Task]) -> None:
    task = labelled()
    examples = (replace(task.examples[0], labels=("a", "b")), *task.examples[1:])
    with pytest.raises(InvalidProbe, match="has 2 labels"):
        Task("made", examples)
    assert Task("made", examples, multi_label=True).metric == "map"
