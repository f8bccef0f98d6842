"""The tables of token statistics: how codebooks are used, what their tokens cost, how well they are predicted.

The first two hold what TAAE's Table 9 (appendix A.8) does; that of a codebook's parts what UniCodec's Table 9 does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from codeczoo.metrics.token_counts import TokenCounts
from codeczoo.metrics.token_entropy import TOKENS_AN_ENTRY, TokenStatistics

from .notes import listed
from .table import NOTHING, Section, Table, TextCell
from .tidy import as_csv, number

if TYPE_CHECKING:
    from codeczoo.benchmarks.token_corpus import CodecTokens
    from codeczoo.benchmarks.token_prediction import Prediction

Cells = tuple[TextCell, ...]

FEW = "†"
_PAIRS_SEEN = 0.9
"""Coverage of pairs below which a conditional entropy is not printed."""
_CSV_HEAD = ("group", "codec", "codebook", "quantity", "value")


def codebooks(found: Sequence[CodecTokens]) -> Table:
    """A row a codebook."""
    head = (
        "Model",
        "Codebook",
        "Entries",
        "Tokens",
        "Used (%)",
        "Used, corrected (%)",
        "Entropy (bits)",
        "Normalised",
        "Normalised, corrected",
        "Perplexity",
        "Entropy given the last (bits)",
    )
    notes = [
        "Normalised: entropy over log2 of the entries (TAAE, appendix A.8). Corrected: for entries that so few tokens "
        "do not show, by Chao and Shen (entropy) and by Chao (used entries).",
        "Entropy given the last token: – where more than a tenth of the pairs to come would be new ones, so that it "
        "would be that of these clips and not of the codec.",
    ]
    few = [codec.codec for codec in found if any(not of.enough for of in codec.statistics)]
    if few:
        notes.append(
            f"{FEW} fewer than {TOKENS_AN_ENTRY} tokens an entry: what is counted is too low, and what is corrected an "
            f"estimate ({listed(list(dict.fromkeys(few)))})."
        )
    return Table("Use of codebooks", head, 1, tuple(_sections(found, _codebook_rows)), tuple(notes))


def parts(found: Sequence[CodecTokens]) -> Table | None:
    """A row a codec whose codebook is in parts, and a last section over all groups together; None without one."""
    with_parts = [codec for codec in found if codec.partitions]
    names = list(dict.fromkeys(name for codec in with_parts for name, _, _ in codec.partitions))
    if not names:
        return None
    sections = list(_sections(with_parts, lambda codec: iter([_parts_row(codec, names)])))
    if len(sections) > 1:
        together = [_together([of for of in with_parts if of.codec == codec]) for codec in _codecs(with_parts)]
        sections.append(Section("all clips", tuple(_parts_row(codec, names) for codec in together), ()))
    notes = (
        "Used: share of the entries that occur among these clips' tokens, of the whole codebook and of each part, as "
        "UniCodec's Table 9 counts them; few tokens use few entries whatever the codec.",
    )
    head = ("Model", "Tokens", "Whole (%)", *(f"{name.capitalize()} (%)" for name in names))
    return Table("Use of a codebook's parts", head, 1, tuple(sections), notes)


def _codecs(found: Sequence[CodecTokens]) -> list[str]:
    return list(dict.fromkeys(of.codec for of in found))


def _together(groups: Sequence[CodecTokens]) -> CodecTokens:
    """One codec over the clips of all groups."""
    whole = TokenCounts(groups[0].counts[0].entries)
    for group in groups:
        whole.merge(group.counts[0])
    seconds, clips = sum(group.seconds for group in groups), sum(group.clips for group in groups)
    return replace(groups[0], group="all clips", counts=(whole,), seconds=seconds, clips=clips)


def _parts_row(codec: CodecTokens, names: Sequence[str]) -> Cells:
    used = codec.utilisation_of_parts
    (of,) = codec.statistics
    return (
        TextCell(codec.codec, is_name=True),
        TextCell(str(of.tokens), mark="" if of.enough else FEW),
        TextCell(f"{100 * of.utilisation:.1f}"),
        *(TextCell(f"{100 * used[name]:.1f}" if name in used else NOTHING) for name in names),
    )


def bitrates(found: Sequence[CodecTokens]) -> Table:
    """A row a codec."""
    head = (
        "Model",
        "Clips",
        "Nominal (bps)",
        "Packed (bps)",
        "Entropy coded (bps)",
        "Huffman coded (bps)",
        "Saved (%)",
    )
    notes = (
        "Nominal: log2 of the entries a token. Packed: whole bits a token. Entropy coded: the bound for a code that "
        "knows how often entries occur in these clips. Huffman coded: what such a code of whole bits really writes; "
        "saved: against nominal. Codes are made for these very clips and not paid for.",
    )
    return Table("What tokens cost", head, 1, tuple(_sections(found, _bitrate_rows)), notes)


def predictions(found: Sequence[Prediction]) -> Table:
    """A row a codec, a column an order."""
    orders = sorted({of.order for of in found})
    head = ("Model", *(f"{order}-gram (bits/token)" for order in orders), "Best (bps)", "Learnt from", "Held out")
    sections: list[Section] = []
    for group in dict.fromkeys(of.group for of in found):
        rows: list[Cells] = []
        for codec in dict.fromkeys(of.codec for of in found if of.group == group):
            by_order = {of.order: of for of in found if (of.group, of.codec) == (group, codec)}
            best = min(by_order.values(), key=lambda of: of.bits_a_token)
            cells = (_predicted(by_order[order]) if order in by_order else NOTHING for order in orders)
            rows.append(
                (
                    TextCell(codec, is_name=True),
                    *map(TextCell, cells),
                    TextCell(f"{best.bits_a_second:.0f}"),
                    TextCell(str(best.learnt_tokens)),
                    TextCell(str(best.held_out_tokens)),
                )
            )
        sections.append(Section(group, tuple(rows), ()))
    notes = (
        "What a token of clips never seen costs a model that knows the tokens before it: bits, with half the 95 % "
        "interval over speakers or clips. 1-gram: how often tokens occur, alone. Codebooks are one stream, frame by "
        "frame. With more tokens to learn from all numbers fall, those of long contexts and large codebooks most.",
    )
    return Table("How well tokens are predicted", head, 1, tuple(sections), notes)


def _predicted(of: Prediction) -> str:
    half = "" if of.interval is None else f" ± {(of.interval[1] - of.interval[0]) / 2:.2f}"
    return f"{of.bits_a_token:.2f}{half}"


def csv_text(found: Sequence[CodecTokens], predicted: Sequence[Prediction] = ()) -> str:
    """Everything, tidy: a line a (group, codec, codebook, quantity); codebook `all` for what is of all together."""
    lines: list[tuple[str, ...]] = [_CSV_HEAD]
    for codec in found:
        for index, of in enumerate(codec.statistics):
            for quantity, value in _quantities(of):
                lines.append((codec.group, codec.codec, str(index), quantity, number(value)))
        for name, used in codec.utilisation_of_parts.items():
            lines.append((codec.group, codec.codec, "0", f"utilisation_{name}", number(used)))
        rates = codec.bitrates
        for quantity in ("nominal_bps", "packed_bps", "entropy_bps", "huffman_bps"):
            lines.append((codec.group, codec.codec, "all", quantity, number(getattr(rates, quantity))))
        lines.append((codec.group, codec.codec, "all", "seconds", number(codec.seconds)))
        lines.append((codec.group, codec.codec, "all", "clips", number(codec.clips)))
        lines.append((codec.group, codec.codec, "all", "clips_not_counted", number(codec.not_counted)))
    for of in predicted:
        name = f"ngram_{of.order}"
        lines.append((of.group, of.codec, "all", f"{name}_bits_a_token", number(of.bits_a_token)))
        lines.append((of.group, of.codec, "all", f"{name}_bps", number(of.bits_a_second)))
    return as_csv(lines)


def _quantities(of: TokenStatistics) -> Iterator[tuple[str, float | None]]:
    yield "entries", of.entries
    yield "tokens", of.tokens
    yield "utilisation", of.utilisation
    yield "utilisation_corrected", of.utilisation_corrected
    yield "entropy_bits", of.entropy_bits
    yield "entropy_corrected_bits", of.entropy_corrected_bits
    yield "normalised_entropy", of.normalised_entropy
    yield "normalised_entropy_corrected", of.normalised_entropy_corrected
    yield "perplexity", of.perplexity
    yield "conditional_entropy_bits", of.conditional_entropy_bits
    yield "pair_coverage", of.pair_coverage


def _sections(found: Sequence[CodecTokens], rows: Callable[[CodecTokens], Iterator[Cells]]) -> Iterator[Section]:
    for group in dict.fromkeys(codec.group for codec in found):
        members = [codec for codec in found if codec.group == group]
        left_out = [
            f"`{codec.codec}`: tokens of {codec.not_counted} of {codec.clips + codec.not_counted} clips are not there"
            for codec in members
            if codec.not_counted
        ]
        notes = tuple(f"{note}; the same codeczoo bench brings them." for note in left_out)
        yield Section(group, tuple(row for codec in members for row in rows(codec)), notes)


def _codebook_rows(codec: CodecTokens) -> Iterator[Cells]:
    for index, of in enumerate(codec.statistics):
        known = of.pair_coverage is not None and of.pair_coverage >= _PAIRS_SEEN
        conditional = of.conditional_entropy_bits if known else None
        yield (
            TextCell(codec.codec, is_name=True),
            TextCell(str(index + 1)),
            TextCell(str(of.entries)),
            TextCell(str(of.tokens), mark="" if of.enough else FEW),
            TextCell(f"{100 * of.utilisation:.1f}"),
            TextCell(f"{100 * of.utilisation_corrected:.1f}"),
            TextCell(f"{of.entropy_bits:.2f}"),
            TextCell(f"{of.normalised_entropy:.3f}"),
            TextCell(f"{of.normalised_entropy_corrected:.3f}"),
            TextCell(f"{of.perplexity:.0f}"),
            TextCell(NOTHING if conditional is None else f"{conditional:.2f}"),
        )


def _bitrate_rows(codec: CodecTokens) -> Iterator[Cells]:
    rates = codec.bitrates
    yield (
        TextCell(codec.codec, is_name=True),
        TextCell(str(codec.clips)),
        *(TextCell(f"{rate:.0f}") for rate in (rates.nominal_bps, rates.packed_bps, rates.entropy_bps)),
        TextCell(f"{rates.huffman_bps:.0f}"),
        TextCell(f"{100 * (1 - rates.huffman_bps / rates.nominal_bps):.1f}" if rates.nominal_bps else NOTHING),
    )
