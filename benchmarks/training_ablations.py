"""What parts of a model are worth: small trainings that differ in one thing.

    python -m codeczoo.benchmarks.training_ablations --data my/speech --out OUT --set steps=1500 adversarial_from=1000

The models:

    codebook-256, -1024, -16384     other numbers of entries than the recipe's (WavTokenizer's Figure 2b and Table 5)
    no-attention                    a decoder of convolutions alone (Table 6)
    no-discriminators               mel and commitment loss alone, for as many steps
    base                            the recipe itself

All have the same data, crops, seed and number of steps. Then each codes the same held-out crops of three seconds, as a
user would have it do: PESQ, STOI and mel distance with 95 % intervals over speakers, the paired difference to `base`,
and how the codebook is used. The same command goes on where it was stopped.

OUT gets `clips.jsonl` (a line a model and clip), `codebooks.json` (how often each entry was chosen), `ablations.md`,
`ablations.png`, and the runs themselves under `runs/`.

What this can show is what a part is worth early in a training of a small model on little data. It cannot show what it
is worth to a model that was trained to its end: a large codebook has had few frames an entry, discriminators little
time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from codeczoo import codecs
from codeczoo.codecs.training import recipe as recipes
from codeczoo.codecs.training.clips import find, split
from codeczoo.codecs.training.crops import Crop, CropSettings, validation_crops
from codeczoo.codecs.training.facts import ClipSet, describe
from codeczoo.codecs.training.loader import validation_batches
from codeczoo.codecs.training.recipe import Recipe
from codeczoo.codecs.training.running import Device
from codeczoo.codecs.training.validation import Validation

from .ablation_figure import draw
from .statistics.bootstrap import mean_interval
from .training_runs import train
from .training_validation import USUAL, ZooScores

BASE = "base"
CODEBOOKS = (256, 1024, 16_384)
CROP_S = 3.0


@dataclass(frozen=True)
class Scored:
    """One model on one held-out crop."""

    model: str
    clip: str
    speaker: str
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class Use:
    """How a model's codebook was used by all held-out crops."""

    counts: tuple[int, ...]
    """Frames an entry."""

    @property
    def frames(self) -> int:
        return sum(self.counts)

    @property
    def utilisation(self) -> float:
        """Share of the entries that occur."""
        return sum(count > 0 for count in self.counts) / len(self.counts)

    @property
    def entropy_bits(self) -> float:
        """Of the entries' shares: too low where frames are not many times the entries."""
        shares = np.array([count for count in self.counts if count], dtype=np.float64) / self.frames
        return float(-(shares * np.log2(shares)).sum())


def variants(recipe: Recipe, codebooks: Sequence[int] = CODEBOOKS) -> dict[str, Recipe]:
    """The recipe, and those that differ from it in one thing."""
    # So that the first codebook of every size is made in one way.
    base = replace(recipe, codebook=replace(recipe.codebook, init_sample=None))
    found = {BASE: base}
    for entries in codebooks:
        if entries != base.model.entries:
            found[f"codebook-{entries}"] = replace(base, model=replace(base.model, entries=entries))
    decoder = base.model.decoder
    if decoder is not None and decoder.attention:
        plain = replace(decoder, attention=False)
        found["no-attention"] = replace(base, model=replace(base.model, decoder=plain))
    if base.adversarial_from < base.steps:
        found["no-discriminators"] = replace(base, adversarial_from=base.steps)
    return found


def train_all(models: Mapping[str, Recipe], training: ClipSet, held_out: ClipSet, out: Path, device: Device) -> None:
    """Train every model to its end, one after the other."""
    for name, recipe in models.items():
        validation = Validation(validation_crops(held_out, recipe.crops), examples=0)
        train(recipe, training, out / name, device, validation)


def measure(name: str, model: Path, crops: Sequence[Crop], settings: CropSettings) -> tuple[list[Scored], Use]:
    """One model over the held-out crops."""
    codec = codecs.load(f"wavtokenizer:{model}")
    score = ZooScores(USUAL)
    counts = torch.zeros(codec.spec.codebook_sizes[0], dtype=torch.int64)
    scored: list[Scored] = []
    for crop, batch in zip(crops, validation_batches(crops, settings, 1), strict=True):
        encoded = codec.encode(batch.audio)
        decoded = codec.decode(encoded)
        counts += torch.bincount(encoded.codes[0].flatten(), minlength=len(counts))
        pair = batch.audio[0, 0].numpy(), decoded[0, 0].numpy()
        values = score(*pair, settings.sample_rate)
        scored.append(Scored(name, crop.clip.name, crop.clip.speaker or crop.clip.name, values))
    return scored, Use(tuple(counts.tolist()))


def table(scored: Mapping[str, Sequence[Scored]], uses: Mapping[str, Use]) -> str:
    """Markdown: a row a model."""
    heads = ["model", "entries", "used", "entropy (bits)"]
    for metric in USUAL:
        heads += [metric, "against base"]
    lines = ["| " + " | ".join(heads) + " |", "| :--- |" + " ---: |" * (len(heads) - 1)]
    for name, rows in scored.items():
        use = uses[name]
        cells = [f"`{name}`", str(len(use.counts)), f"{use.utilisation:.1%}", f"{use.entropy_bits:.2f}"]
        for metric in USUAL:
            cells += [
                _cell(_values(rows, metric)),
                "–" if name == BASE else _cell(_differences(rows, scored[BASE], metric)),
            ]
        lines.append("| " + " | ".join(cells) + " |")
    frames = next(iter(uses.values())).frames
    lines += [
        "",
        f"Means over held-out crops of {CROP_S:g} s, with 95 % intervals over speakers; {frames} tokens a model, so "
        "that entropy and use of codebooks that are not much smaller are underestimated.",
    ]
    return "\n".join(lines) + "\n"


def _values(rows: Sequence[Scored], metric: str) -> list[tuple[float, str]]:
    return [(value, row.speaker) for row in rows if (value := row.scores[metric]) is not None]


def _differences(rows: Sequence[Scored], base: Sequence[Scored], metric: str) -> list[tuple[float, str]]:
    pairs = ((row.scores[metric], other.scores[metric], row.speaker) for row, other in zip(rows, base, strict=True))
    return [(value - other, speaker) for value, other, speaker in pairs if value is not None and other is not None]


def _cell(values: Sequence[tuple[float, str]]) -> str:
    if not values:
        return "–"
    numbers, speakers = zip(*values, strict=True)
    interval = mean_interval(numbers, speakers)
    mean = f"{np.mean(numbers):.3f}"
    return mean if interval is None else f"{mean} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _write(out: Path, scored: Mapping[str, Sequence[Scored]], uses: Mapping[str, Use]) -> None:
    with (out / "clips.jsonl").open("w", encoding="utf-8") as file:
        for row in (row for rows in scored.values() for row in rows):
            file.write(json.dumps({"model": row.model, "clip": row.clip, "speaker": row.speaker, **row.scores}) + "\n")
    counts = {name: use.counts for name, use in uses.items()}
    (out / "codebooks.json").write_text(json.dumps(counts) + "\n", encoding="utf-8")
    (out / "ablations.md").write_text(table(scored, uses), encoding="utf-8")
    values = {
        name: {metric: [value for value, _ in _values(rows, metric)] for metric in USUAL}
        for name, rows in scored.items()
    }
    draw(values, counts, out / "ablations.png")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure, tabulate, draw."""
    parser = argparse.ArgumentParser(prog="python -m codeczoo.benchmarks.training_ablations", description=__doc__)
    parser.add_argument("--data", required=True, nargs="+", type=Path, metavar="PATH", help="folders or manifests")
    parser.add_argument("--out", required=True, type=Path, metavar="OUT")
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="as codeczoo train")
    parser.add_argument("--codebooks", nargs="*", type=int, default=list(CODEBOOKS), metavar="ENTRIES")
    parser.add_argument("--hold-out", type=float, default=0.02, metavar="SHARE", help="to measure on (default 0.02)")
    parser.add_argument("--clips", type=int, default=64, metavar="N", help="to measure on at most (default 64)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args(arguments)
    recipe = recipes.load(options.recipe, options.set)
    training, held_out = split(find(*options.data), options.hold_out)
    step = max(1, len(held_out) // options.clips)
    measured = describe(held_out[::step][: options.clips])
    models = variants(recipe, options.codebooks)
    runs = options.out / "runs"
    train_all(models, describe(training), measured, runs, options.device)
    settings = replace(recipe.crops, seconds=CROP_S)
    crops = validation_crops(measured, settings)
    found = {name: measure(name, runs / name / "model.safetensors", crops, settings) for name in models}
    scored = {name: rows for name, (rows, _) in found.items()}
    _write(options.out, scored, {name: use for name, (_, use) in found.items()})
    sys.stdout.write((options.out / "ablations.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
