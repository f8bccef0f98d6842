"""Features of unit scale from the first step: an encoder whose convolutions are initialised by data.

A fresh SEANet damps: behind its layers in PyTorch's default initialisation, features differ from frame to frame by a
thousandth, around a mean of many times that. An optimiser that moves every weight by its learning rate (Adam) then
moves all frames alike, by more in one step than they differ, and leaves any codebook behind: all frames share one
entry, and its gradient says nothing. Weight normalisation has its own cure: from one batch, layer after layer, set
length and bias so that each channel has mean 0 and deviation 1.

Source: T. Salimans and D. Kingma, "Weight Normalization", NeurIPS 2016, section 3.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from codeczoo.codecs.layers.convolution import Conv1d
from codeczoo.codecs.layers.seanet import SeanetEncoder
from codeczoo.codecs.quantizers.shared_rows import summed

_LEAST_DEVIATION = 1e-6
"""A channel that differs less, as in silence, keeps its length."""


@torch.no_grad()
def scale_features(encoder: SeanetEncoder, audio: Tensor) -> None:
    """Initialise the encoder by a batch `[B, 1, T]`; by those of all processes, which all call this."""
    hooks = [part.register_forward_hook(_scale) for part in encoder.modules() if isinstance(part, Conv1d)]
    try:
        encoder(audio)
    finally:
        for hook in hooks:
            hook.remove()


def _scale(layer: Any, inputs: Any, output: Tensor) -> Tensor:
    """Scale a layer by what it gives; gives what it would give now, for the layers behind it."""
    rows = output.double().transpose(0, 1).flatten(1)
    moments = summed(torch.stack([torch.ones_like(rows).sum(1), rows.sum(1), rows.square().sum(1)]))
    mean = moments[1] / moments[0]
    deviation = (moments[2] / moments[0] - mean.square()).clamp(min=0).sqrt()
    deviation[deviation < _LEAST_DEVIATION] = 1.0
    layer.bias.copy_((layer.bias - mean) / deviation)
    layer.weight_g.div_(deviation[:, None, None])
    return ((output - mean[:, None]) / deviation[:, None]).to(output.dtype)
