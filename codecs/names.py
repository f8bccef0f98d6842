"""Names of operating points: `family[:variant][@rate]`.

>>> parse("encodec:24khz@6kbps")
Name(family='encodec', variant='24khz', rate='6kbps')
>>> parse("hf:kyutai/mimi@8q").variant
'kyutai/mimi'
>>> str(parse("opus@12kbps"))
'opus@12kbps'
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UnknownCodec


@dataclass(frozen=True)
class Name:
    """A parsed name; `variant` and `rate` are empty where the name has none."""

    family: str
    variant: str = ""
    rate: str = ""

    @property
    def base(self) -> str:
        """The name without its rate: what the registry is asked for."""
        return f"{self.family}:{self.variant}" if self.variant else self.family

    def __str__(self) -> str:
        return f"{self.base}@{self.rate}" if self.rate else self.base


def parse(text: str) -> Name:
    """Parse a name. The rate is what follows the last `@`; a variant may hold any other character."""
    base, at, rate = text.strip().rpartition("@")
    if not at:
        base, rate = rate, ""
    family, colon, variant = base.partition(":")
    if not family or (colon and not variant) or (at and not rate):
        raise UnknownCodec(f"{text!r} is not a codec's name; names read family[:variant][@rate], as in opus@12kbps.")
    return Name(family, variant, rate)
