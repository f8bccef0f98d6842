"""Building blocks of the native models. Features are `[B, D, N]` unless a docstring says otherwise."""
