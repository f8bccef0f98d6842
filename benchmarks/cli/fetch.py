"""`codeczoo fetch`: weights, verified."""

from __future__ import annotations

import argparse
import sys

from .progress import Bar

_DESCRIPTION = """\
Download the weights of a codec or metric from their official source into the user's cache, verify them by checksum, and
say under which licence they come. Folders named in $CODECZOO_WEIGHTS are looked through first, so that weights you
already have are not fetched again.
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "fetch",
        help="weights of a codec or metric, checksum verified",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="as in codeczoo list: dac:44khz, mimi:24khz, lyra:v2, utmos"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch one after the other; the first that cannot be had stops."""
    for name in options.names:
        _fetch(name)
    return 0


def _fetch(name: str) -> None:
    from codeczoo import codecs, metrics

    if name in metrics.names():
        _fetch_metric(name)
        return
    found = codecs.family(name)
    if found.weights is None:
        print(f"{found.name} needs no weights.")
        return
    spec = found.describe(found.rates[0])
    from codeczoo.codecs import weights

    print(f"{found.name}: weights under {spec.weights_licence or 'no stated licence'}; source: {spec.source}")
    if weights.locate(found.weights) is not None:
        print(f"{found.name}: already here, verified: {weights.find(found.weights)}")
        return
    with Bar(0, unit="B", description=found.name) as bar:
        folder = weights.fetch(found.weights, bar.watch)
    print(f"{found.name}: fetched and verified: {folder}")


def _fetch_metric(name: str) -> None:
    from codeczoo.metrics import weights

    needed = weights.of_metric(name)
    if needed is None:
        print(f"{name} needs no weights, or its package carries them.")
        return
    print(f"{name}: weights under {needed.licence}; source: {needed.source}", file=sys.stderr)
    with Bar(0, unit="B", description=name) as bar:
        path = weights.fetch(needed, bar.watch)
    print(f"{name}: fetched: {path}")
