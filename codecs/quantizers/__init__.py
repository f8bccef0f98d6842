"""Quantizers: continuous features `[B, D, N]` to codes `[B, K, N]` and back, all behind one interface (`base`)."""

from .base import Quantized, Quantizer
from .vector import VectorQuantizer

__all__ = ["Quantized", "Quantizer", "VectorQuantizer"]
