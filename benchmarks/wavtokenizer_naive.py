"""WavTokenizer as the published implementation computes it, layer after layer: what our own speed is measured against.

The same weights, read from a `WavTokenizer` whose weight norm is not folded. Here every forward computes every kernel
from its direction and length, features are `[B, C, T]` throughout, every layer's input is copied to be padded, the
distances of all frames to all entries are one matrix, and so are those of the attention.

Source: https://github.com/jishengpeng/WavTokenizer at commit 5cf440d (encoder/modules, encoder/quantization/core_vq.py,
decoder/models.py, decoder/spectral_ops.py), restated.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codeczoo.codecs.layers.attention import AttentionBlock, GroupNorm, ResidualBlock
from codeczoo.codecs.layers.convnext import ConvNeXtBlock
from codeczoo.codecs.layers.convolution import Conv1d, Lstm, Residual
from codeczoo.codecs.layers.weight_norm import normalised_weight
from codeczoo.codecs.wavtokenizer import WavTokenizer


@torch.no_grad()
def encode(model: WavTokenizer, audio: Tensor) -> Tensor:
    """Audio `[B, 1, T]` to codes `[B, 1, N]`."""
    x = audio
    for layer in model.encoder.model:
        x = _encoder_layer(layer, x)
    rows = x.transpose(1, 2).reshape(-1, x.shape[1])
    codebook = model.quantizer.embed.t()
    distances = -(rows.pow(2).sum(1, keepdim=True) - 2 * rows @ codebook + codebook.pow(2).sum(0, keepdim=True))
    return distances.max(dim=-1).indices.view(len(x), 1, -1)


@torch.no_grad()
def decode(model: WavTokenizer, codes: Tensor) -> Tensor:
    """Codes `[B, 1, N]` to audio `[B, 1, N hop]`, with the first bandwidth."""
    x = F.embedding(codes[:, 0], model.quantizer.embed).transpose(1, 2)
    backbone = model.backbone
    x = backbone.embed(x)
    for layer in backbone.pos_net:
        x = _pos_net_layer(layer, x)
    x = backbone.norm(x.transpose(1, 2), 0).transpose(1, 2)
    for block in backbone.convnext:
        assert isinstance(block, ConvNeXtBlock)
        hidden = block.norm(_zero_padded(block.dwconv, x).transpose(1, 2), 0)
        hidden = block.gamma * block.pwconv2(F.gelu(block.pwconv1(hidden)))
        x = x + hidden.transpose(1, 2)
    log_magnitude, phase = model.head.out(backbone.final_layer_norm(x.transpose(1, 2))).mT.chunk(2, dim=1)
    magnitude = log_magnitude.exp().clip(max=1e2)
    return _inverse_stft(model, magnitude * (phase.cos() + 1j * phase.sin()))[:, None]


def _encoder_layer(layer: nn.Module, x: Tensor) -> Tensor:
    if isinstance(layer, Conv1d):
        return _convolution(layer, x)
    if isinstance(layer, Residual):
        _, conv, _, project = layer.block
        hidden = _convolution(project, F.elu(_convolution(conv, F.elu(x))))
        return _convolution(layer.shortcut, x) + hidden
    if isinstance(layer, Lstm):
        steps = x.permute(2, 0, 1)
        return (layer.lstm(steps)[0] + steps).permute(1, 2, 0)
    return F.elu(x)


def _convolution(layer: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(layer, Conv1d)
    assert layer.weight_v is not None
    assert layer.weight_g is not None
    extra = -x.shape[-1] % layer.stride
    padded = F.pad(x, (layer.left, layer.right + extra), mode="reflect")
    kernel = normalised_weight(layer.weight_v, layer.weight_g)
    return F.conv1d(padded, kernel, layer.bias, layer.stride, dilation=layer.dilation)


def _pos_net_layer(layer: nn.Module, x: Tensor) -> Tensor:
    if isinstance(layer, ResidualBlock):
        hidden = _zero_padded(layer.conv1, _swish(layer.norm1(x)))
        return x + _zero_padded(layer.conv2, _swish(layer.norm2(hidden)))
    if isinstance(layer, AttentionBlock):
        normed = layer.norm(x)
        weights = torch.bmm(layer.q(normed).mT, layer.k(normed)) * x.shape[1] ** -0.5
        return x + layer.proj_out(torch.bmm(layer.v(normed), weights.softmax(dim=2).mT))
    assert isinstance(layer, (GroupNorm, nn.Identity))
    return layer(x)


def _zero_padded(layer: nn.Conv1d, x: Tensor) -> Tensor:
    return F.conv1d(x, layer.weight, layer.bias, padding=layer.padding, groups=layer.groups)


def _swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def _inverse_stft(model: WavTokenizer, spectra: Tensor) -> Tensor:
    n_fft, hop, frames = model.config.window, model.config.hop, spectra.shape[-1]
    window = model.head.istft.window
    size = (frames - 1) * hop + n_fft
    cut = (n_fft - hop) // 2
    windowed = torch.fft.irfft(spectra, n_fft, dim=1) * window[:, None]
    squares = window.square().expand(1, frames, -1).mT
    audio, envelope = (
        F.fold(part, (1, size), (1, n_fft), stride=(1, hop))[:, 0, 0, cut : size - cut] for part in (windowed, squares)
    )
    return audio / envelope
