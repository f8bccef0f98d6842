"""The probe of ARCH as its published numbers were made, as far as that is a method and not an accident.

    done as there    one affine layer on the features as they are (no standardisation); AdamW, learning rate 1e-3,
                     weight decay 0.01, 200 epochs of batches of 32, shuffled; linear warm-up over a tenth of the steps,
                     then linear decay to 0; cross-entropy, or binary cross-entropy averaged over labels; the last
                     epoch is tested, so that validation clips are neither learnt from nor used
    not done         clips padded with silence to a length of the data set, and cut at it (the feature is the mean over
                     the clip's own frames); the schedule stepped once more an epoch, by which the last epochs of small
                     sets are run at a rate of 0; an order of files, and with it a division, that depends on the file
                     system; validation clips of ESC-50 and others drawn without regard to recordings

Source: github.com/MorenoLaQuatra/ARCH at 97d4271 (arch_eval/classification_model.py).
"""

from __future__ import annotations

import numpy as np

from .heads import Answers, Set

RATE, DECAY, EPOCHS, BATCH, WARM_UP = 1e-3, 0.01, 200, 32, 0.1
IDENTITY = f"affine|raw|adamw:{RATE:g}:{DECAY:g}|epochs:{EPOCHS}|batch:{BATCH}|warm_up:{WARM_UP:g}|last"


def probe(train: Set, test: Set, multi_label: bool, seed: int, epochs: int = EPOCHS) -> Answers:
    """Learn from `train`, answer for `test`."""
    import torch
    from torch.nn import functional

    features = torch.from_numpy(np.ascontiguousarray(train.features, dtype=np.float32))
    labels = torch.from_numpy(train.labels.astype(np.float32) if multi_label else train.classes().astype(np.int64))
    generator = torch.Generator().manual_seed(seed)
    width, classes = features.shape[1], train.labels.shape[1]
    bound = width**-0.5
    # As torch's own linear layer begins, but from a generator of our own.
    weight = ((torch.rand(classes, width, generator=generator) * 2 - 1) * bound).requires_grad_()
    bias = ((torch.rand(classes, generator=generator) * 2 - 1) * bound).requires_grad_()
    batches = -(-len(features) // BATCH)
    steps = epochs * batches
    warm = max(1, int(WARM_UP * steps))
    optimiser = torch.optim.AdamW([weight, bias], lr=RATE, weight_decay=DECAY, fused=True)
    step = 0
    loss_of = functional.binary_cross_entropy_with_logits if multi_label else functional.cross_entropy
    for _ in range(epochs):
        order = torch.randperm(len(features), generator=generator)
        for batch in order.split(BATCH):
            loss = loss_of(functional.linear(features[batch], weight, bias), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.param_groups[0]["lr"] = RATE * min(step / warm, (steps - step) / max(1, steps - warm))
            optimiser.step()
            step += 1
    with torch.inference_mode():
        asked = torch.from_numpy(np.ascontiguousarray(test.features, dtype=np.float32))
        return Answers(functional.linear(asked, weight, bias).double().numpy(), {"epochs": epochs})
