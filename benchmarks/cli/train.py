"""`codeczoo train`: a model of one's own, from a recipe and data."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .progress import Bar

if TYPE_CHECKING:
    from codeczoo.codecs.training.clips import Clip
    from codeczoo.codecs.training.facts import ClipSet
    from codeczoo.codecs.training.recipe import Recipe
    from codeczoo.codecs.training.trainer import Ended
    from codeczoo.codecs.training.validation import Validation

_DESCRIPTION = """\
Train a WavTokenizer, a UniCodec or a TAAE on folders of audio or manifests (CSV, TSV, JSONL with the columns path or
shard, and where known start_s, end_s, domain, speaker). RUN gets checkpoints, scalars.jsonl, logs for TensorBoard, and
the model itself, which can be used wherever a codec is named: wavtokenizer:RUN/model.safetensors,
unicodec:RUN/model.safetensors, taae:RUN/model.safetensors

The same command goes on with what is in RUN, and comes to the same weights as if it had never been stopped. Ctrl-C and
SIGTERM save a checkpoint first. A RUN of another recipe or of other data is refused.

Part of the speakers is held out, and validated with the zoo's own metrics.
"""

_EPILOG = """\
recipes:
{recipes}
or the path of a .toml file, in which extends = "small-320" takes over what it does not say itself

examples:
  codeczoo train tiny --data my/speech --out runs/tiny
  codeczoo train tiny --data index.csv --out runs/tiny --steps 20000 --set optimiser.learning_rate=3e-4 batch_size=16
  codeczoo train small-320 --data LibriTTS/train-clean-100 --out runs/small --workers 8 --precision bf16 \\
      --set batch_size=40
  codeczoo train tiny --data index.csv --out runs/longer --init runs/tiny/checkpoints/step-00009000.pt \\
      --set adversarial_from=0 codebook.from_step=0 optimiser.learning_rate=2e-4
  torchrun --nproc-per-node 8 -m codeczoo.benchmarks.cli train small-320 --data LibriTTS --out runs/small --workers 8
  codeczoo bench --codecs wavtokenizer:runs/tiny/model.safetensors --corpus demo --metrics pesq_wb stoi --out runs/mine

exit status: 0 trained to the last step (or to --until); 1 training had to end, and its last checkpoint is intact;
2 wrong request, nothing changed; 130 or 143 stopped by Ctrl-C or SIGTERM, checkpoint saved
"""


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from codeczoo.codecs.training.recipe_files import names

    parser = verbs.add_parser(
        "train",
        help="train a model from a recipe, or go on with it",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(recipes=_listed(names())),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or path of a .toml file")
    parser.add_argument("--out", required=True, type=Path, metavar="RUN", help="run folder, new or to go on with")
    _add_data(parser.add_argument_group("what it learns from"))
    _add_recipe(parser.add_argument_group("what is changed in the recipe"))
    _add_running(parser.add_argument_group("how it runs"))
    parser.set_defaults(run=run)


def _listed(names: Iterable[str]) -> str:
    # A name is not broken at its hyphens: it could not be copied.
    text = textwrap.fill(", ".join(names), 116, break_on_hyphens=False, break_long_words=False)
    return textwrap.indent(text, "  ")


def _add_data(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--data", required=True, nargs="+", type=Path, metavar="PATH", help="folders or manifests")
    group.add_argument("--root", type=Path, metavar="DIR", help="folder that a manifest's paths may lie below")
    group.add_argument("--domain", choices=("speech", "music", "sound"), help="of clips whose manifest says none")
    group.add_argument("--validation", nargs="+", type=Path, metavar="PATH", help="what to validate on, instead of:")
    group.add_argument(
        "--hold-out",
        type=float,
        default=0.02,
        metavar="SHARE",
        help="share of the speakers (of the files, for clips without one) to validate on; 0: none (default 0.02)",
    )
    group.add_argument(
        "--validation-clips", type=int, default=32, metavar="N", help="at most so many of them (default 32)"
    )
    group.add_argument("--metrics", nargs="*", metavar="NAME", help="of the validation: pesq_wb stoi mel_distance")
    group.add_argument("--best", metavar="NAME", help="metric that tells the best step, or mel (default pesq_wb)")


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--steps", type=int, metavar="N", help="optimiser steps")
    group.add_argument("--precision", choices=("no", "bf16", "fp16"), help="of the networks' arithmetic")
    group.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="any key of the recipe: optimiser.learning_rate=1e-4",
    )


def _add_running(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--init",
        type=Path,
        metavar="FILE",
        help="begin with these weights: a checkpoint of a RUN (.pt, with its discriminators) or a model",
    )
    group.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU, if any")
    group.add_argument("--workers", type=int, metavar="N", help="processes that cut crops (default: 0 on a CPU)")
    group.add_argument("--compile", action="store_true", help="compile the networks first: minutes, then faster")
    group.add_argument("--until", type=int, metavar="STEP", help="stop after this step; a later call goes on")
    group.add_argument("--export", type=Path, metavar="FILE", help="copy of the model at the end (.safetensors)")
    group.add_argument("--training-data", metavar="TEXT", help="what the model says that it was trained on")
    group.add_argument("--weights-licence", metavar="TEXT", help="what the model says of its licence")


def run(options: argparse.Namespace) -> int:
    """Train, and say how it ended."""
    from codeczoo.codecs.errors import TrainingFailed

    try:
        return _train(options)
    except TrainingFailed as error:
        print(f"codeczoo: {error}", file=sys.stderr)
        return 1


def _train(options: argparse.Namespace) -> int:
    from codeczoo.benchmarks.errors import BenchmarkError
    from codeczoo.codecs.training.running import Running
    from codeczoo.codecs.training.trainer import Trainer

    if options.export is not None and options.export.suffix != ".safetensors":
        raise BenchmarkError(f"--export must end in .safetensors; got {options.export}.")
    recipe = _recipe(options)
    training, held_out = _clips(options)
    described = _described(training)
    validation = _validation(options, recipe, held_out)
    main = _is_first()
    watch = _Watch(recipe)
    running = Running(
        device=options.device,
        workers=_workers(options),
        compile=options.compile,
        watch=watch,
        initial=options.init,
        model_facts=_facts(options, described),
    )
    trainer = Trainer(recipe, described, options.out, running, validation)
    if main:
        print(_begins(options, recipe, described, validation, trainer.step))
    with watch.beginning_at(trainer.step):
        ended = trainer.run(options.until)
    if not main:
        return _status(ended)
    return _ended(options, recipe, ended)


def _recipe(options: argparse.Namespace) -> Recipe:
    from codeczoo.codecs.training import recipe

    overrides = list(options.set)
    if options.steps is not None:
        overrides.append(f"steps={options.steps}")
    if options.precision is not None:
        overrides.append(f'precision="{options.precision}"')
    return recipe.load(options.recipe, overrides)


def _clips(options: argparse.Namespace) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """To train on, and to validate on."""
    from codeczoo.codecs.training.clips import check_apart, find, split

    clips = find(*options.data, domain=options.domain, root=options.root)
    if not options.validation and not options.hold_out:
        return clips, ()
    if options.validation:
        held_out = find(*options.validation, domain=options.domain, root=options.root)
    else:
        clips, held_out = split(clips, options.hold_out)
    check_apart(clips, held_out)
    return clips, held_out


def _described(clips: tuple[Clip, ...]) -> ClipSet:
    from codeczoo.codecs.training.facts import describe

    if not _is_first():
        return describe(clips)
    with Bar(len(clips), unit="clip", description="looking through the data") as bar:
        return describe(clips, progress=lambda done, total: bar.watch("looking through the data", done, total))


def _validation(options: argparse.Namespace, recipe: Recipe, clips: tuple[Clip, ...]) -> Validation | None:
    if not clips or options.validation_clips < 1:
        return None
    from codeczoo.benchmarks.request import check_metrics
    from codeczoo.benchmarks.training_validation import USUAL, ZooScores, decisive
    from codeczoo.codecs.training.crops import validation_crops
    from codeczoo.codecs.training.facts import describe
    from codeczoo.codecs.training.validation import Validation

    names = check_metrics(USUAL if options.metrics is None else options.metrics)
    # Evenly over the list, whose neighbours are often of one speaker.
    step = max(1, len(clips) / options.validation_clips)
    chosen = tuple(clips[int(at * step)] for at in range(min(len(clips), options.validation_clips)))
    decides, higher = decisive(names, options.best)
    return Validation(validation_crops(describe(chosen), recipe.crops), ZooScores(names), decides, higher)


def _workers(options: argparse.Namespace) -> int:
    from codeczoo.benchmarks.environment import cores
    from codeczoo.benchmarks.errors import BenchmarkError

    if options.workers is not None:
        if options.workers < 0:
            raise BenchmarkError(f"--workers is 0 or more; got {options.workers}.")
        return options.workers
    import torch

    # On a CPU they would take from the training what they save it.
    return min(8, cores()) if torch.cuda.is_available() and options.device != "cpu" else 0


def _facts(options: argparse.Namespace, clips: ClipSet) -> dict[str, str]:
    names = ", ".join(path.stem if path.is_file() else path.name for path in options.data)
    facts = {"training_data": options.training_data or f"{names}: {len(clips)} clips, {clips.seconds / 3600:.1f} h"}
    if options.weights_licence:
        facts["weights_licence"] = options.weights_licence
    if options.domain:
        facts["domain"] = options.domain
    return facts


class _Watch:
    """Shows how training goes: a bar on a terminal, else a line a minute."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._bar: Bar | None = None
        self._said_at = time.monotonic()

    def beginning_at(self, step: int) -> Bar:
        self._bar = Bar(self._recipe.steps, unit="step", description=self._recipe.name, done=step)
        return self._bar

    def __call__(self, step: int, scalars: Mapping[str, float]) -> None:
        text = f"{self._recipe.name} {_in_words(scalars)}".strip()
        if self._bar is not None:
            self._bar.advance(text, 1)
        if not sys.stderr.isatty() and time.monotonic() - self._said_at >= 60:
            self._said_at = time.monotonic()
            print(f"step {step} of {self._recipe.steps}: {_in_words(scalars)}", file=sys.stderr, flush=True)


def _in_words(scalars: Mapping[str, float]) -> str:
    shown = (
        ("generator/total", "loss {:.2f}"),
        ("generator/mel", "mel {:.3f}"),
        ("codebook/recent_utilisation", "{:.0%} of the codebook used"),
        ("steps_per_second", "{:.2f} steps/s"),
        ("validation/pesq_wb", "PESQ {:.2f}"),
        ("validation/stoi", "STOI {:.3f}"),
    )
    return ", ".join(text.format(scalars[name]) for name, text in shown if name in scalars)


def _begins(
    options: argparse.Namespace, recipe: Recipe, clips: ClipSet, validation: Validation | None, step: int
) -> str:
    model = recipe.model
    held_out = f"{len(validation.crops)} clips held out" if validation else "nothing held out"
    left_out = f", {len(clips.unreadable)} unreadable" if clips.unreadable else ""
    went = f"goes on from step {step} of {recipe.steps}" if step else f"{recipe.steps} steps"
    return (
        f"{recipe.name}: {model.sample_rate} Hz, {model.frame_rate_hz:g} tokens/s, {model.entries} entries\n"
        f"data: {len(clips)} clips, {clips.seconds / 3600:.2f} h{left_out}; {held_out}\n"
        f"{options.out}: {went} of {recipe.batch_size} x {recipe.data.seconds:g} s"
    )


def _ended(options: argparse.Namespace, recipe: Recipe, ended: Ended) -> int:
    skipped = f", {ended.skipped} skipped" if ended.skipped else ""
    if ended.stopped_by is not None:
        name = signal.Signals(ended.stopped_by).name
        print(
            f"codeczoo: stopped by {name} after step {ended.step} of {recipe.steps}{skipped}; the checkpoint is saved, "
            "and the same command goes on from there.",
            file=sys.stderr,
        )
        return _status(ended)
    print(f"step {ended.step} of {recipe.steps}{skipped}")
    for name, value in ended.scores.items():
        print(f"  {name:<24}{value:.4f}")
    if ended.model is None:
        print("There is no codebook yet, and so no model to use: train on.")
        return 0
    model = ended.model
    if options.export is not None:
        import shutil

        options.export.parent.mkdir(parents=True, exist_ok=True)
        model = Path(shutil.copyfile(ended.model, options.export))
    print(f"{recipe.family}:{model}")
    return 0


def _status(ended: Ended) -> int:
    return 0 if ended.stopped_by is None else 128 + ended.stopped_by


def _is_first() -> bool:
    return int(os.environ.get("RANK", "0")) == 0
