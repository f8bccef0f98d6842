"""The probe of ARCH as its published numbers were made, as far as that is a method and not an accident.

    done as there    one affine layer on the features as they are (no standardisation); AdamW, learning rate 1e-3,
                     weight decay 0.01, 200 epochs of batches of 32, shuffled; linear warm-up over a tenth of the steps,
                     then linear decay to 0; cross-entropy, or binary cross-entropy averaged over labels; the last
                     epoch is tested, so that validation clips are neither learnt from nor used
    not done         clips padded with silence to a length of the data set, and cut at it (the feature is the mean over
                     the clip's own frames); the schedule stepped once more an epoch, by which the last epochs of small
                     sets are run at a rate of 0; an order of files, and with it a division, that depends on the file
                     system; validation clips of ESC-50 and others drawn without regard to recordings

The layer is small and its steps are many, so that they are written out here: a tenth of the time that they take through
automatic differentiation.

Source: github.com/MorenoLaQuatra/ARCH at 97d4271 (arch_eval/classification_model.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .heads import Answers, Set

RATE, DECAY, EPOCHS, BATCH, WARM_UP = 1e-3, 0.01, 200, 32, 0.1
_MOMENTS, _EPSILON = (0.9, 0.999), 1e-8
IDENTITY = f"affine|raw|adamw:{RATE:g}:{DECAY:g}|epochs:{EPOCHS}|batch:{BATCH}|warm_up:{WARM_UP:g}|last"

Floats = NDArray[np.float32]


def probe(train: Set, test: Set, multi_label: bool, seed: int, epochs: int = EPOCHS) -> Answers:
    """Learn from `train`, answer for `test`."""
    features, labels = _with_one(train), train.labels.astype(np.float32)
    rng = np.random.default_rng(seed)
    bound = train.features.shape[1] ** -0.5
    # As torch's own linear layer begins; the last column is the bias.
    layer = rng.uniform(-bound, bound, (labels.shape[1], features.shape[1])).astype(np.float32)
    mean, square = np.zeros_like(layer), np.zeros_like(layer)
    steps = epochs * -(-len(features) // BATCH)
    warm = max(1, int(WARM_UP * steps))
    step = 0
    for _ in range(epochs):
        order = rng.permutation(len(features))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            gradient = _gradient(layer, features[batch], labels[batch], multi_label)
            rate = RATE * min(step / warm, (steps - step) / max(1, steps - warm))
            step += 1
            layer *= 1 - rate * DECAY
            mean += (1 - _MOMENTS[0]) * (gradient - mean)
            square += (1 - _MOMENTS[1]) * (gradient * gradient - square)
            unbiased = np.sqrt(square / (1 - _MOMENTS[1] ** step)) + _EPSILON
            layer -= rate / (1 - _MOMENTS[0] ** step) * mean / unbiased
    return Answers((_with_one(test) @ layer.T).astype(np.float64), {"epochs": epochs})


def _with_one(of: Set) -> Floats:
    return np.concatenate([of.features, np.ones((len(of.features), 1), np.float32)], axis=1, dtype=np.float32)


def _gradient(layer: Floats, features: Floats, labels: Floats, multi_label: bool) -> Floats:
    """Of the mean loss of a batch: cross-entropy over labels, or binary cross-entropy averaged over them."""
    scores = features @ layer.T
    if multi_label:
        # By tanh, which does not overflow where exp does.
        error = (0.5 * (1 + np.tanh(0.5 * scores)) - labels) / labels.size
    else:
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (likely / likely.sum(axis=1, keepdims=True) - labels) / len(labels)
    return np.asarray(error.T @ features, np.float32)
