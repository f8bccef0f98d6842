"""The training of one model, from its recipe and its data to weights that can be used.

    for every step:   crops -> what the model, the codebook and the discriminators learn from them (`step`)
    now and then:     scalars and audio are logged, held-out crops are validated, the state is saved

    RUN/training.json       what the run is: only its like may go on in this folder (`run_identity`)
    RUN/checkpoints/        the latest states and that of the best validation (`checkpoints`)
    RUN/model.safetensors   the model after each validation and at the end: `wavtokenizer:RUN/model.safetensors`, or
                            whatever family it is of
    RUN/best.safetensors    the model of the best validation
    RUN/scalars.jsonl, RUN/tensorboard/     how it went (`train_log`)

A run that was stopped goes on where its last checkpoint is, and comes to the same weights, bit for bit on a CPU with
the same number of threads: everything random is in the checkpoint or follows from the step. SIGTERM and Ctrl-C save a
checkpoint first; after SIGKILL the steps since the last one are done again.

Several processes: start the same program on all of them (`torchrun`, `accelerate launch`). Rank 0 writes the files.

Torch's global generator is seeded with the recipe's seed: whoever draws from it for other ends gets what is left.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch

from codeczoo.codecs.errors import InvalidTraining, TrainingFailed
from codeczoo.codecs.quantizers.shared_rows import summed
from codeczoo.codecs.taae import TAAE

from .checkpoints import Checkpoints
from .crops import TrainingCrops
from .facts import ClipSet
from .feature_scale import scale_features
from .initial import begin_with, fingerprint
from .learning import Outcome
from .loader import Batch, BatchLoader
from .models import Judges, TrainedModel
from .recipe import Recipe
from .run_identity import RunIdentity, check, claim
from .running import Clock, Running, accelerator_for, compile_networks
from .stopping import StopRequests
from .train_log import TrainLog
from .train_state import Counts, capture, restore
from .utilisation import RecentUse, use_of_batch
from .validation import Validation, validate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """How a training, or one invocation of it, came to its end."""

    step: int
    finished: bool
    """Whether that was the recipe's last step."""
    stopped_by: int | None
    """Number of the signal that asked for it."""
    skipped: int
    """Steps whose gradients were not finite."""
    scores: Mapping[str, float]
    """Of the last validation of this invocation."""
    model: Path | None
    """The exported model; None while there is no codebook yet."""


class Trainer:
    """One run: a recipe, its data, and the folder that it lives in."""

    def __init__(
        self,
        recipe: Recipe,
        clips: ClipSet,
        folder: Path,
        running: Running | None = None,
        validation: Validation | None = None,
    ) -> None:
        """Takes up the run in `folder` where there is one. Raises InvalidTraining, InvalidClips, MissingDependency."""
        self.recipe = recipe
        self.folder = folder
        self._running = running = running or Running()
        self._validation = validation
        self.accelerator = accelerator = accelerator_for(recipe, running.device)
        self._loader = self._batches_of(clips)
        torch.manual_seed(recipe.seed)
        model, judges = recipe.build_model(), recipe.build_discriminators()
        began = None
        if running.initial is not None:
            began = fingerprint(running.initial)
            begin_with(running.initial, recipe, model, judges)
        # Only now: what cannot begin leaves no folder behind.
        identity = RunIdentity.of(recipe, clips.fingerprint, accelerator.num_processes, began)
        if accelerator.is_main_process:
            claim(folder, identity)
        accelerator.wait_for_everyone()
        check(folder, identity)
        self._checkpoints = Checkpoints(folder, recipe.pace.keep)
        if running.compile:
            compile_networks(model, judges)
        self._step = recipe.build_step(accelerator, model, judges)
        self._use = RecentUse(recipe.counted_entries, accelerator.device)
        # Fresh weights are the same everywhere; dropout is not.
        torch.manual_seed(recipe.seed + accelerator.process_index)
        self._counts = self._resumed()
        self._replaced_before = self._counts.replaced_crops
        self._scores: Mapping[str, float] = {}
        self._logged: dict[str, float] = {}

    @property
    def step(self) -> int:
        """Steps taken so far."""
        return self._counts.step

    @property
    def model(self) -> TrainedModel:
        """The model that learns."""
        return self._step.model

    @property
    def discriminators(self) -> Judges:
        """The discriminators that judge it."""
        return self._step.judges

    def run(self, until: int | None = None) -> Ended:
        """Train to the recipe's last step, or to the step `until`. Raises TrainingFailed, or
        InvalidClips where the data is gone; the last checkpoint is then intact."""
        last = min(self.recipe.steps, until or self.recipe.steps)
        signal: int | None = None
        with ExitStack() as stack:
            self._lock(stack)
            log = stack.enter_context(self._log()) if self.accelerator.is_main_process else None
            requests = stack.enter_context(StopRequests())
            batches = stack.enter_context(closing(self._batches()))
            self._prepare()
            clock = Clock()
            while self._counts.step < last and signal is None:
                with clock:
                    outcome, known = self._learn(next(batches))
                step = self._counts.step
                self._write_down(log, step, outcome, known, clock)
                validated = step % self.recipe.pace.validate_every == 0 or step == self.recipe.steps
                if validated:
                    self._validate(log, step)
                if validated or step == last:
                    # Before the checkpoint: killed between the two, the step is done again, and exported with it.
                    self._export("model.safetensors")
                signal = self._stop_signal(requests)
                if validated or signal is not None or step % self.recipe.pace.checkpoint_every == 0 or step == last:
                    self._save(step)
        exported = self.folder / "model.safetensors"
        return Ended(
            step=self._counts.step,
            finished=self._counts.step >= self.recipe.steps,
            stopped_by=signal,
            skipped=self._counts.skipped,
            scores=self._scores,
            model=exported if exported.exists() else None,
        )

    def _prepare(self) -> None:
        """What a new training begins with, and one that goes on has behind it."""
        if self._counts.step == 0 and self.recipe.scale_features and self._running.initial is None:
            assert not isinstance(self.model, TAAE)
            with closing(self._ahead()) as batches:
                scale_features(self.model.encoder, torch.cat([part.audio for part in next(batches)]))

    def _learn(self, parts: list[Batch]) -> tuple[Outcome, bool]:
        """One step, counted, and whether its codes are entries of the codebook; the guard's patience is limited."""
        counts = self._counts
        step = counts.step + 1
        self.recipe.before_step(self.model, step, self._ahead)
        known = self.model.quantizer.initialised
        outcome = self._step(parts, step)
        counts.step = step
        counts.skipped += outcome.skipped
        counts.skipped_in_a_row = counts.skipped_in_a_row + 1 if outcome.skipped else 0
        if counts.skipped_in_a_row >= self.recipe.patience:
            raise TrainingFailed(self._diverged())
        if outcome.skipped:
            logger.warning("Step %d is skipped: its loss or gradient is not finite.", step)
        elif known:
            # Without a codebook, codes are numbers of frames of the batch.
            self._use.note(self.recipe.counted(outcome.codes), step)
        return outcome, known

    def _write_down(self, log: TrainLog | None, step: int, outcome: Outcome, known: bool, clock: Clock) -> None:
        if step % self.recipe.pace.log_every == 0 or step == self.recipe.steps:
            means = self._over_processes(outcome.scalars())
            if known:
                used = use_of_batch(outcome.codes, self.model.quantizer, self.accelerator)
                used["recent_utilisation"] = self._use.share(step, self.accelerator)
                means |= {f"codebook/{name}": value for name, value in used.items()}
            means |= {"learning_rate": self.recipe.learning_rate(step), "skipped": float(self._counts.skipped)}
            means["steps_per_second"] = clock.rate_since_last()
            means["replaced_crops"] = float(self._replaced())
            self._logged = means
            if log is not None:
                log.scalars(step, means)
        if self._running.watch is not None and self.accelerator.is_main_process:
            self._running.watch(step, self._logged)

    def _validate(self, log: TrainLog | None, step: int) -> None:
        validation = self._validation
        if validation is None:
            return
        if not self.model.quantizer.initialised:
            logger.info("Step %d: nothing to validate, there is no codebook yet.", step)
            return
        found = validate(self.model, validation, self.recipe.crops, self.accelerator)
        self._scores = found.scores
        scores = {f"validation/{name}": value for name, value in found.scores.items()}
        self._logged = self._logged | scores
        if log is not None:
            log.scalars(step, scores)
            for example in found.examples:
                log.audio(step, f"{example.name}/reference", example.reference, self.recipe.model.sample_rate)
                log.audio(step, f"{example.name}/estimate", example.estimate, self.recipe.model.sample_rate)
        if self._is_best(found.scores, validation, step):
            self._export("best.safetensors")

    def _is_best(self, scores: Mapping[str, float], validation: Validation, step: int) -> bool:
        """Whether none so far was as good, which is then noted. A mean over fewer crops does not beat one over more:
        those that a model makes nothing of would count for it."""
        counts = self._counts
        score = scores.get(validation.decides)
        if score is None:
            return False
        undefined = int(scores.get(f"{validation.decides}_undefined", 0))
        if counts.best_by != validation.identity:
            if counts.best_by:
                logger.warning("The best step so far was chosen by another validation: it is chosen anew.")
            counts.best_by, counts.best_score = validation.identity, None
        if counts.best_score is not None:
            better = score > counts.best_score if validation.higher_is_better else score < counts.best_score
            if undefined > counts.best_undefined or (undefined == counts.best_undefined and not better):
                return False
        counts.best_step, counts.best_score, counts.best_undefined = step, score, undefined
        return True

    def _save(self, step: int) -> None:
        self._counts.replaced_crops = self._replaced()
        state = capture(self._step, self._counts, self._use)
        if self.accelerator.is_main_process:
            self._checkpoints.write(step, state, self._counts.best_step)
        # Nobody goes on from a step that may not have been saved.
        self.accelerator.wait_for_everyone()

    def _export(self, name: str) -> None:
        if not self.accelerator.is_main_process or not self.model.quantizer.initialised:
            return
        made = f"Recipe {self.recipe.name}, step {self._counts.step} of {self.recipe.steps}."
        facts = {"domain": self.recipe.made_for, "source": "codeczoo train", "notes": made, **self._running.model_facts}
        try:
            self.recipe.write_model(self.model, self.folder / name, facts)
        except OSError as error:
            raise TrainingFailed(f"{self.folder / name} cannot be written: {error.strerror or error}.") from error

    def _resumed(self) -> Counts:
        steps = self._checkpoints.steps()
        if not steps:
            return Counts()
        state = self._checkpoints.read(steps[-1])
        try:
            counts = restore(state, self._step, self._use)
        except InvalidTraining as error:
            raise InvalidTraining(f"{self._checkpoints.path(steps[-1])} cannot be taken up. {error}") from error
        logger.info("Going on from step %d of %d.", counts.step, self.recipe.steps)
        return counts

    def _batches_of(self, clips: ClipSet) -> BatchLoader:
        processes, parts = self.accelerator.num_processes, self.recipe.accumulate
        part, rest = divmod(self.recipe.batch_size, processes * parts)
        if rest or not part:
            raise InvalidTraining(
                f"A batch of {self.recipe.batch_size} crops cannot be shared by {processes} processes in {parts} parts "
                "each; choose a batch_size that both divide."
            )
        return BatchLoader(
            TrainingCrops(clips, self.recipe.crops, self.recipe.seed),
            part,
            rank=self.accelerator.process_index,
            world_size=processes,
            workers=self._running.workers,
            pin_memory=self.accelerator.device.type == "cuda",
        )

    def _batches(self, counted: bool = True) -> Generator[list[Batch], None, None]:
        """The parts of this process's share of every batch to come."""
        parts = self.recipe.accumulate
        with closing(self._loader.batches(first=self._counts.step * parts, counted=counted)) as batches:
            while True:
                yield [next(batches).to(self.accelerator.device) for _ in range(parts)]

    def _ahead(self) -> Generator[list[Batch], None, None]:
        """The same, looked at before their turn."""
        return self._batches(counted=False)

    def _replaced(self) -> int:
        """Crops of all processes, since the training began, whose file had gone bad."""
        since = torch.tensor(self._loader.replaced, device=self.accelerator.device)
        return self._replaced_before + int(summed(since))

    def _over_processes(self, scalars: Mapping[str, float]) -> dict[str, float]:
        values = torch.tensor(list(scalars.values()), dtype=torch.float64, device=self.accelerator.device)
        means = summed(values) / self.accelerator.num_processes
        return dict(zip(scalars, means.tolist(), strict=True))

    def _stop_signal(self, requests: StopRequests) -> int | None:
        """The signal that any process was given, on all of them."""
        asked = torch.tensor(int(requests.signal or 0), device=self.accelerator.device)
        if self.accelerator.num_processes > 1:
            torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
        return int(asked) or None

    def _log(self) -> TrainLog:
        try:
            return TrainLog(self.folder, self._counts.step, self._running.tensorboard)
        except OSError as error:
            raise InvalidTraining(f"{self.folder} cannot be written: {error.strerror or error}.") from error

    def _lock(self, stack: ExitStack) -> None:
        from filelock import FileLock, Timeout

        if not self.accelerator.is_main_process:
            return
        try:
            stack.enter_context(FileLock(self.folder / ".lock", timeout=0))
        except Timeout as error:
            raise InvalidTraining(f"Another process is training in {self.folder}.") from error

    def _diverged(self) -> str:
        steps = self._checkpoints.steps()
        last = f"the checkpoint of step {steps[-1]} is the last good one" if steps else "there is no checkpoint yet"
        return (
            f"{self.recipe.patience} steps in a row, up to step {self._counts.step}, had no finite loss or gradient; "
            f"{last}. Train with a lower learning rate, with max_gradient_norm, or in float32."
        )
