"""The linear probe: logistic regression on standardised features, its regularisation chosen on validation clips.

Mean and deviation of every feature are those of the training clips alone (a feature that does not vary there is left at
0). The inverse regularisation C goes up by tens from 1e-4; the smallest one with the best validation score is kept, and
what it learnt from the training clips is tested: validation clips choose and are not learnt from. Where two further
steps have not improved on the best, the rest is not tried. One label a clip: one softmax; any number: a classifier a
label, all with one C. The problem is convex: but for the draw of validation clips, another seed gives the same answer.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .heads import Answers, Set
from .scores import mean_average_precision

GRID = tuple(10.0**power for power in range(-4, 3))
_PATIENCE = 2
_ITERATIONS = 2000
_TOLERANCE = 1e-5
"""Of the gradient; looser, the path ends before its optimum and depends on where it began."""
IDENTITY = f"logistic|standardised|C:{GRID[0]:g}-{GRID[-1]:g}|lbfgs:{_ITERATIONS}:{_TOLERANCE:g}"

Floats = NDArray[np.float64]


def probe(train: Set, validation: Set, test: Set, multi_label: bool) -> Answers:
    """Learn from `train`, choose by `validation`, answer for `test`."""
    mean = train.features.mean(axis=0, dtype=np.float64)
    deviation = train.features.std(axis=0, dtype=np.float64)
    # What varies by rounding alone must not be blown up to the size of the others.
    varies = deviation > 1e-6 * np.maximum(1e-6, np.abs(mean))
    scale = np.where(varies, deviation, np.inf)

    def standardised(of: Set) -> Floats:
        return (of.features - mean) / scale

    learnt, chosen_by, asked = (standardised(of) for of in (train, validation, test))
    path = _ManyLabels(learnt, train.labels) if multi_label else _OneLabel(learnt, train)
    best, best_scores, best_c, converged, worse = -np.inf, np.zeros(0), GRID[0], True, 0
    for c in GRID:
        fitted = path.fit(c)
        value = _value(path.scores(chosen_by), validation, multi_label)
        if value > best:
            best, best_scores, best_c, converged, worse = value, path.scores(asked), c, fitted, 0
        else:
            worse += 1
        if worse == _PATIENCE:
            break
    return Answers(best_scores, {"C": best_c, "validation": best, "converged": converged})


def _value(scores: Floats, of: Set, multi_label: bool) -> float:
    if multi_label:
        value = mean_average_precision(of.labels, scores)[0]
        return -1.0 if np.isnan(value) else value
    return float(np.mean(scores.argmax(axis=1) == of.classes()))


class _OneLabel:
    def __init__(self, features: Floats, train: Set) -> None:
        self._features = features
        self._classes = train.classes()
        self._width = train.labels.shape[1]
        self._model = _logistic()

    def fit(self, c: float) -> bool:
        self._model.C = c
        return _fit(self._model, self._features, self._classes)

    def scores(self, features: Floats) -> Floats:
        found = np.full((len(features), self._width), -np.inf)
        decided = self._model.decision_function(features)
        if decided.ndim == 1:
            decided = np.stack([-decided, decided], axis=1)
        found[:, self._model.classes_] = decided
        return found


class _ManyLabels:
    def __init__(self, features: Floats, labels: NDArray[np.bool_]) -> None:
        self._features = features
        self._labels = labels
        # A label that all training clips have, or none, cannot be learnt: it gets one score for all.
        self._models: dict[int, Any] = {
            index: _logistic() for index, column in enumerate(labels.T) if 0 < column.sum() < len(column)
        }

    def fit(self, c: float) -> bool:
        converged = []
        for index, model in self._models.items():
            model.C = c
            converged.append(_fit(model, self._features, self._labels[:, index]))
        return all(converged)

    def scores(self, features: Floats) -> Floats:
        found = np.zeros((len(features), self._labels.shape[1]))
        for index, model in self._models.items():
            found[:, index] = model.decision_function(features)
        return found


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    # Each C begins where the one before it ended.
    return LogisticRegression(max_iter=_ITERATIONS, tol=_TOLERANCE, warm_start=True)


def _fit(model: Any, features: Floats, classes: NDArray[Any]) -> bool:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Said in the record, which a warning is not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, classes)
    return bool(np.max(model.n_iter_) < model.max_iter)
