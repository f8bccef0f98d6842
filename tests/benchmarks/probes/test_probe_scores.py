"""Scores and heads against independent computations and known answers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from codeczoo.benchmarks.probes import arch, linear, scores
from codeczoo.benchmarks.probes.heads import Set


@pytest.mark.parametrize("decimals", [9, 1])
def test_average_precision_is_scikit_learns_with_and_without_ties(decimals: int) -> None:
    rng = np.random.default_rng(0)
    positives = rng.random((200, 5)) < 0.2
    found = np.round(rng.random((200, 5)), decimals)
    expected = average_precision_score(positives, found, average="macro")
    macro, weighted, scored = scores.mean_average_precision(positives, found)
    assert macro == pytest.approx(expected, abs=1e-12)
    assert weighted == pytest.approx(average_precision_score(positives, found, average="weighted"), abs=1e-12)
    assert scored == 5
    weights = rng.integers(0, 3, 200).astype(float)
    repeated = np.repeat(np.arange(200), weights.astype(int))
    assert scores.mean_average_precision(positives, found, weights)[0] == pytest.approx(
        average_precision_score(positives[repeated], found[repeated]), abs=1e-12
    )


def test_a_label_without_a_positive_clip_is_left_out_and_counted() -> None:
    positives = np.array([[True, False], [False, False]])
    assert scores.mean_average_precision(positives, np.array([[1.0, 0.0], [0.0, 1.0]])) == (1.0, 1.0, 1)


def test_macro_f1_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth, told = rng.integers(0, 6, 100), rng.integers(0, 5, 100)
    assert scores.macro_f1(truth, told, 8) == pytest.approx(f1_score(truth, told, average="macro"), abs=1e-12)


def test_the_interval_of_map_holds_it_and_narrows_with_clips() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for clips in (60, 600):
        positives = rng.random((clips, 4)) < 0.3
        found = positives + rng.standard_normal((clips, 4))
        interval = scores.map_interval(positives, found, [str(clip) for clip in range(clips)])
        assert interval is not None
        low, high = interval
        assert low < scores.mean_average_precision(positives, found)[0] < high
        widths.append(high - low)
    assert widths[1] < 0.6 * widths[0]
    assert scores.map_interval(positives, found, ["one"] * 600) is None


def sets(clips: int, width: int, classes: int, apart: float, seed: int = 0) -> list[Set]:
    """Train, validation and test clips around one centre a class."""
    rng = np.random.default_rng(seed)
    centres = apart * rng.standard_normal((classes, width))
    told = rng.integers(0, classes, clips)
    told[:classes] = np.arange(classes)
    features = (centres[told] + rng.standard_normal((clips, width))).astype(np.float32)
    labels = np.eye(classes, dtype=np.bool_)[told]
    bounds = [0, int(0.64 * clips), int(0.8 * clips), clips]
    return [Set(features[i:j], labels[i:j]) for i, j in pairwise(bounds)]


def test_the_linear_probe_is_scikit_learns_pipeline_at_the_c_it_chose() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, validation, test = sets(400, 10, 5, 0.6)
    answers = linear.probe(train, validation, test, multi_label=False)
    found = {}
    for c in linear.GRID:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=5000, tol=1e-8))
        model.fit(train.features.astype(np.float64), train.classes())
        found[c] = (model.score(validation.features, validation.classes()), model)
    best = answers.facts["C"]
    assert found[best][0] == pytest.approx(answers.facts["validation"])
    assert found[best][0] == max(value for value, _ in found.values())
    expected = found[best][1].decision_function(test.features)
    assert np.allclose(answers.scores, expected, atol=2e-2)
    assert answers.facts["converged"]


def test_scales_and_constants_of_features_change_nothing() -> None:
    parts = sets(300, 6, 3, 0.8)
    plain = linear.probe(*parts, multi_label=False)
    scaled = [
        Set(np.concatenate([part.features * 1e-3 + 5, np.full((len(part.features), 1), 7.0)], axis=1), part.labels)
        for part in parts
    ]
    other = linear.probe(*scaled, multi_label=False)
    assert other.facts["C"] == plain.facts["C"]
    assert np.allclose(plain.scores, other.scores, atol=2e-2)


def test_only_training_clips_are_learnt_from() -> None:
    train, validation, test = sets(300, 6, 3, 0.8)
    wild = Set(test.features * 1e4, test.labels)
    both = [linear.probe(train, validation, asked, multi_label=False) for asked in (test, wild)]
    assert both[0].facts == both[1].facts
    shuffled = Set(validation.features, np.roll(validation.labels, 1, axis=1))
    answers = linear.probe(train, shuffled, test, multi_label=False)
    same_c = linear.probe(train, validation, test, multi_label=False)
    if answers.facts["C"] == same_c.facts["C"]:
        assert np.allclose(answers.scores, same_c.scores)


def test_many_labels_are_told_and_unlearnable_ones_get_one_score() -> None:
    train, validation, test = sets(400, 8, 4, 2.0)
    none, everyone = np.zeros(len(train.labels), bool), np.ones(len(train.labels), bool)

    def wider(part: Set) -> Set:
        extra = np.stack([none[: len(part.labels)], everyone[: len(part.labels)]], axis=1)
        return Set(part.features, np.concatenate([part.labels, extra], axis=1))

    answers = linear.probe(wider(train), wider(validation), wider(test), multi_label=True)
    assert scores.mean_average_precision(test.labels, answers.scores[:, :4])[0] > 0.95
    assert np.ptp(answers.scores[:, 4:]) == 0.0


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_published_procedure_tells_what_is_apart_and_depends_on_its_seed(multi_label: bool) -> None:
    train, _, test = sets(200, 8, 3, 2.0)
    first, again, other = (arch.probe(train, test, multi_label, seed) for seed in (0, 0, 1))
    assert np.mean(first.scores.argmax(axis=1) == test.classes()) > 0.9
    assert np.array_equal(first.scores, again.scores)
    assert not np.array_equal(first.scores, other.scores)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_published_procedure_is_torchs_own_layer_optimiser_and_schedule(multi_label: bool) -> None:
    """A second way to the same numbers: nn.Linear, AdamW and LambdaLR, from the same first weights and orders."""
    import torch
    from torch.nn import functional

    train, _, test = sets(70, 4, 3, 1.0)
    found = arch.probe(train, test, multi_label, seed=3, epochs=12).scores
    rng = np.random.default_rng(3)
    first = torch.from_numpy(rng.uniform(-0.5, 0.5, (3, 5)).astype(np.float32))
    layer = torch.nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.copy_(first[:, :4])
        layer.bias.copy_(first[:, 4])
    features = torch.from_numpy(train.features)
    steps = 12 * -(-len(features) // 32)
    warm = int(0.1 * steps)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: step / warm if step < warm else 1 - (step - warm) / (steps - warm)
    )
    for _ in range(12):
        for batch in torch.from_numpy(rng.permutation(len(features))).split(32):
            optimiser.zero_grad()
            scored = layer(features[batch])
            if multi_label:
                loss = functional.binary_cross_entropy(
                    torch.sigmoid(scored), torch.from_numpy(train.labels)[batch].float()
                )
            else:
                loss = functional.cross_entropy(scored, torch.from_numpy(train.classes())[batch])
            loss.backward()
            optimiser.step()
            schedule.step()
    expected = layer(torch.from_numpy(test.features)).detach().numpy()
    assert np.allclose(found, expected, atol=1e-5)
    assert not np.allclose(found, test.features @ first[:, :4].numpy().T + first[:, 4].numpy(), atol=1e-3)


def test_a_probe_of_the_size_of_esc_50_is_far_above_chance() -> None:
    train, validation, test = sets(2000, 512, 50, 0.15)
    answers = linear.probe(train, validation, test, multi_label=False)
    assert np.mean(answers.scores.argmax(axis=1) == test.classes()) > 0.2
