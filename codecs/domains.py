"""The domains that a codec may treat apart: speech, music, sound. Torch-free: facts of codecs name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from .errors import UnknownDomain

Domain = Literal["speech", "music", "sound"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)


def one_a_clip(domain: str | Sequence[str | None] | None, clips: int) -> tuple[Domain | None, ...]:
    """The domain of each of `clips` clips, from one for all of them or one each; None: not known.

    Raises UnknownDomain where a domain is none of `DOMAINS`, or where they are not as many as the clips.
    """
    given = (domain,) * clips if domain is None or isinstance(domain, str) else tuple(domain)
    if len(given) != clips:
        raise UnknownDomain(f"There are {clips} clips and {len(given)} domains; give one for all, or one a clip.")
    return tuple(None if name is None else known(name) for name in given)


def known(name: str) -> Domain:
    """The domain of that name. Raises UnknownDomain."""
    for domain in DOMAINS:
        if name == domain:
            return domain
    raise UnknownDomain(f"There is no domain {name!r}; there are {', '.join(DOMAINS)}, and None for all of them.")


def parts(entries: int) -> Mapping[Domain, range]:
    """The entries of each domain in UniCodec's codebook. Raises ValueError where a domain would have none."""
    quarter = entries // 4
    if not quarter:
        raise ValueError(f"A codebook of three domains has at least 4 entries; got {entries}.")
    return {
        "speech": range(quarter),
        "music": range(quarter, 2 * quarter),
        "sound": range(2 * quarter, entries),
    }
