"""How much of a clip WavTokenizer and UniCodec are given at once. Torch-free: their facts say it."""

from __future__ import annotations

WINDOW_S = 60.0
"""Clips up to this length are coded whole, longer ones in windows of it."""
