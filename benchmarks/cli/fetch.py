"""`codeczoo fetch`: weights, verified."""

from __future__ import annotations

import argparse

from .progress import Bar

_DESCRIPTION = """\
Download the weights of a codec or metric from their official source into the user's cache, verify them by checksum, and
say under which licence they come. Folders named in $CODECZOO_WEIGHTS are looked through first, so that weights you
already have are not fetched again. A download that was interrupted is continued by the same command.
"""

_EPILOG = """\
examples:
  codeczoo fetch dac:44khz mimi:24khz
  codeczoo fetch hf:facebook/encodec_24khz      any repository of the Hugging Face hub that the adapter can load
  codeczoo fetch utmos                          the model of a metric
  XDG_CACHE_HOME=/big/disk codeczoo fetch xcodec2:16khz
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "fetch",
        help="weights of a codec or metric, checksum verified",
        description=_DESCRIPTION,
        epilog=_EPILOG,
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
    from codeczoo import metrics

    if name in metrics.names():
        _fetch_metric(name)
    else:
        _fetch_codec(name)


def _fetch_codec(name: str) -> None:
    from codeczoo import codecs
    from codeczoo.codecs import weights

    found = codecs.family(name)
    if found.weights is None:
        print(f"{found.name} needs no weights.")
        return
    needed = found.weights
    source = needed.source or f"{needed.repository} on the Hugging Face hub"
    print(f"{found.name}: licence of the weights: {needed.licence or 'none stated'}; source: {source}")
    here = weights.locate(needed)
    if here is not None and not weights.wants_conversion(needed, here):
        print(f"{found.name}: already here, verified: {weights.find(needed)}")
        return
    with Bar(0, unit="B", description=found.name) as bar:
        folder = weights.fetch(needed, bar.watch)
    print(f"{found.name}: fetched and verified: {folder}")


def _fetch_metric(name: str) -> None:
    from codeczoo.metrics import MetricWeightsMissing, weights

    needed = weights.ALL.get(name)
    if needed is None:
        print(f"{name} needs no weights, or its package carries them.")
        return
    print(f"{name}: licence of the weights: {needed.licence}; source: {needed.hub_repo} on the Hugging Face hub")
    try:
        print(f"{name}: already here: {weights.find(needed)}")
    except MetricWeightsMissing:
        print(f"{name}: fetched: {weights.fetch(needed)}")
