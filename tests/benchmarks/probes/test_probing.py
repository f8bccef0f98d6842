"""A probe from clips to records: known answers, interruptions, losses, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from codeczoo.benchmarks.errors import InvalidProbe, InvalidRun
from codeczoo.benchmarks.probes import arch, probe_records, probing
from codeczoo.benchmarks.probes.probing import ProbeRequest, run
from codeczoo.benchmarks.probes.task import Example, Task
from codeczoo.benchmarks.report import probe_report, probe_summary
from codeczoo.benchmarks.report.probe_summary import ProbeResult
from codeczoo.benchmarks.request import Point, points
from codeczoo.codecs.base import Encoded

from .conftest import LevelCodec

RequestOf = Callable[..., ProbeRequest]
Labelled = Callable[..., Task]


def results(out: Path) -> dict[str, ProbeResult]:
    """By features; of one mode."""
    return {result.features: result for result in probe_summary.summarise(probe_records.load(out))}


@pytest.fixture(autouse=True)
def few_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = arch.probe
    monkeypatch.setattr(arch, "probe", lambda *given: probe(*given, epochs=20))


def test_a_codec_whose_embeddings_are_the_label_gives_accuracy_1(labelled: Labelled, request_of: RequestOf) -> None:
    request = request_of(labelled(speakers=10), seeds=2)
    summary = run(request)
    found = results(request.out)
    codec = found["levels:test"]
    assert (codec.mean, codec.interval, codec.seed_std) == (1.0, (1.0, 1.0), 0.0)
    assert codec.extra == {"macro_f1": 1.0}
    assert (codec.folds, codec.seeds, codec.test_clips, codec.classes) == (5, 2, 60, 3)
    assert found["chance (uniform)"].mean == pytest.approx(1 / 3)
    assert found["chance (majority)"].mean == pytest.approx(1 / 3)
    assert set(found) == {"levels:test", "log-mel", "mfcc", "chance (uniform)", "chance (majority)"}
    assert (summary.exit_status, summary.probes, summary.measured) == (0, 5 * 2 * 5, 5 * 2 * 5)


def test_labels_by_chance_give_chance_within_the_interval(labelled: Labelled, request_of: RequestOf) -> None:
    request = request_of(labelled(speakers=30, by_chance=True), seeds=2)
    run(request)
    found = results(request.out)["levels:test"]
    assert found.interval is not None
    assert found.interval[0] < 1 / 3 < found.interval[1]


def test_any_number_of_labels_gives_map(labelled: Labelled, request_of: RequestOf) -> None:
    task = labelled(labels=("a", "b", "c", "d"), speakers=10)
    # What is a or b is "low" as well.
    examples = tuple(
        replace(example, labels=(*example.labels, "low") if example.labels[0] in "ab" else example.labels)
        for example in task.examples
    )
    request = request_of(Task("made", examples, multi_label=True, group_is="speaker"), seeds=1)
    run(request)
    found = results(request.out)
    assert found["levels:test"].metric == "map"
    assert found["levels:test"].mean == 1.0
    assert found["levels:test"].interval == (1.0, 1.0)
    assert found["levels:test"].extra == {"map_weighted": 1.0, "labels_scored": 5.0}
    chance = found["chance (uniform)"]
    assert chance.mean == pytest.approx(np.mean([0.25] * 4 + [0.5]))
    assert chance.extra["map_weighted"] == pytest.approx((4 * 0.25**2 + 0.5**2) / 1.5)
    assert "chance (majority)" not in found


def test_what_is_known_is_not_done_again_and_a_killed_run_goes_on(
    labelled: Labelled, request_of: RequestOf, level_codec: LevelCodec
) -> None:
    task = labelled(speakers=10)
    request = request_of(task, seeds=1, modes=("linear", "arch"))
    first = run(request)
    assert first.measured == first.probes == 2 * 5 * 5
    encoded = level_codec.encoded
    file = request.out / probe_records.PROBES_FILE
    whole = file.read_bytes()
    again = run(request)
    assert (again.measured, again.probes) == (0, first.probes)
    assert file.read_bytes() == whole
    lines = whole.splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:30]) + lines[30][:40])
    third = run(request)
    assert third.measured == len(lines) - 30
    assert level_codec.encoded == encoded
    assert sorted(file.read_bytes().splitlines()) == sorted(whole.splitlines())
    more = run(replace(request, seeds=2))
    assert more.measured == first.measured
    relabelled = replace(task, examples=tuple(replace(e, labels=(e.labels[0].upper(),)) for e in task.examples))
    assert run(replace(request, task=relabelled)).measured == first.measured, "other labels are another task"
    assert len(json.loads((request.out / "run.json").read_text())["invocations"]) == 5


def test_official_divisions_are_probed_once_where_no_seed_changes_anything(
    labelled: Labelled, request_of: RequestOf
) -> None:
    task = labelled(speakers=6, next_fold_validates=True)
    task = replace(task, examples=tuple(replace(e, fold=e.group[-1]) for e in task.examples))
    request = request_of(task, seeds=3, modes=("linear", "arch"))
    run(request)
    found = probe_summary.summarise(probe_records.load(request.out))
    seeds = {(of.features, of.mode): of.seeds for of in found}
    assert seeds["levels:test", "linear"] == 1
    assert seeds["levels:test", "arch"] == 3
    assert seeds["chance (uniform)", "arch"] == 1


def test_a_speaker_on_both_sides_is_refused_before_anything_is_encoded(
    labelled: Labelled, request_of: RequestOf, level_codec: LevelCodec
) -> None:
    task = labelled()
    parts = ["test" if number % 5 == 0 else "train" for number in range(len(task.examples))]
    task = replace(task, examples=tuple(replace(e, part=p) for e, p in zip(task.examples, parts, strict=True)))
    request = request_of(task)
    with pytest.raises(InvalidProbe, match="speakers in common"):
        run(request)
    assert level_codec.encoded == 0
    assert not request.out.exists()


def test_corrupt_clips_are_left_out_for_all_and_counted(labelled: Labelled, request_of: RequestOf) -> None:
    task = labelled(speakers=10)
    # One is no audio but can be hashed; one is not there at all.
    task.examples[0].clip.path.write_bytes(b"this is not a sound")
    task.examples[1].clip.path.unlink()
    request = request_of(task, seeds=1)
    summary = run(request)
    assert list(summary.unread) == [task.examples[1].clip.name]
    assert summary.failed == {"levels:test": 1}
    assert summary.exit_status == 1
    found = results(request.out)
    for name in ("levels:test", "log-mel", "mfcc"):
        assert (found[name].failed, found[name].test_clips) == (1, 58)
    assert found["levels:test"].mean == 1.0
    text, _ = probe_report.write(probe_records.load(request.out), request.out / "report")
    assert "left out: 1 clips, not readable as audio" in text.replace("Left", "left")
    assert "Clips without a feature, left out: `log-mel` 1 (made), `mfcc` 1 (made), `levels:test` 1 (made)." in text


def test_nothing_readable_is_an_error(labelled: Labelled, request_of: RequestOf) -> None:
    task = labelled()
    for example in task.examples:
        example.clip.path.unlink()
    with pytest.raises(InvalidProbe, match="None of the 36 clips of made can be read; the first: InvalidClip"):
        run(request_of(task))


def test_clips_of_one_content_in_train_and_test_are_said(labelled: Labelled, request_of: RequestOf) -> None:
    task = labelled(speakers=10)
    content = task.examples[0].clip.path.read_bytes()
    for example in task.examples:
        if example.labels == ("a",):
            example.clip.path.write_bytes(content)
    request = request_of(task, seeds=1)
    run(request)
    assert results(request.out)["levels:test"].leak == "4 test clips are in train as well, byte for byte"


def test_a_codec_of_bytes_is_undefined_and_the_reason_is_printed(labelled: Labelled, request_of: RequestOf) -> None:
    request = request_of(labelled(speakers=10), seeds=1, points=points(["pcm:16"]))
    summary = run(request)
    assert summary.undefined == ["pcm:16"]
    assert summary.exit_status == 3
    assert results(request.out)["pcm:16"].mean is None
    text, _ = probe_report.write(probe_records.load(request.out), request.out / "report")
    assert f"- `pcm:16`: undefined, {probing.NO_EMBEDDINGS}." in text
    assert run(request).measured == 0


def test_a_codec_that_fails_on_every_clip_does_not_cost_the_others(
    labelled: Labelled, request_of: RequestOf, level_codec: LevelCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(audio: object) -> object:
        raise RuntimeError("out of memory")

    other = LevelCodec("levels:broken")
    monkeypatch.setattr(other, "encode", broken)
    named = (Point("levels:broken", lambda: other), Point("levels:test", lambda: level_codec))
    request = request_of(labelled(speakers=10), seeds=1, points=named)
    assert run(request).exit_status == 1
    found = results(request.out)
    assert found["levels:test"].mean == 1.0
    assert found["levels:broken"].mean is None
    text, _ = probe_report.write(probe_records.load(request.out), request.out / "report")
    reason = "too few clips have a feature; the first reason: RuntimeError: out of memory"
    assert f"- `levels:broken`: undefined, {reason}." in text


def in_parts(labelled: Labelled) -> Task:
    """Any number of labels; the test part has those of `c` and clips without a label."""

    def example(index: int, one: Example) -> Example:
        if one.labels == ("c",):
            return replace(one, part="test" if index % 2 else "train")
        return replace(one, part="test", labels=()) if index % 5 == 0 else replace(one, part="train")

    examples = tuple(example(index, one) for index, one in enumerate(labelled(speakers=10).examples))
    return Task("made", examples, multi_label=True, group_is="clip", disjoint=False)


def test_a_codec_that_loses_every_test_clip_with_a_label_does_not_cost_the_others(
    labelled: Labelled, request_of: RequestOf, level_codec: LevelCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LevelCodec("levels:broken")
    encode = other.encode

    def broken(audio: Tensor) -> Encoded:
        if audio.mean() > 0.2:
            raise RuntimeError("too loud")
        return encode(audio)

    monkeypatch.setattr(other, "encode", broken)
    named = (Point("levels:broken", lambda: other), Point("levels:test", lambda: level_codec))
    request = request_of(in_parts(labelled), seeds=1, points=named)
    assert run(request).exit_status == 1
    found = results(request.out)
    assert found["levels:test"].mean == 1.0
    assert found["levels:broken"].mean is None
    text, _ = probe_report.write(probe_records.load(request.out), request.out / "report")
    reason = "too few clips have a feature; the first reason: RuntimeError: too loud"
    assert f"- `levels:broken`: undefined, {reason}." in text


def test_a_test_part_without_any_label_is_refused_before_audio_is_read(
    labelled: Labelled, request_of: RequestOf
) -> None:
    task = in_parts(labelled)
    examples = tuple(replace(one, labels=()) if one.part == "test" else one for one in task.examples)
    with pytest.raises(InvalidProbe, match=r"made: no test clip \(fold test\) has a label, so nothing can be scored"):
        run(request_of(replace(task, examples=examples), seeds=1))


def test_the_newest_version_of_a_codec_is_reported(
    labelled: Labelled, request_of: RequestOf, level_codec: LevelCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(labelled(speakers=10), seeds=1)
    run(request)
    level_codec.fingerprint = "levels-2"
    monkeypatch.setattr(level_codec, "embed", lambda encoded: encoded.codes[0][:, None].float() * 0)
    run(request)
    found = results(request.out)["levels:test"]
    assert found.mean is not None
    assert found.mean < 0.6
    assert found.seeds == 1


def test_accuracy_is_the_mean_of_the_folds(labelled: Labelled) -> None:
    def record(fold: str, groups: dict[str, list[float]]) -> dict[str, object]:
        hits = sum(hit for hit, _ in groups.values())
        clips = sum(int(count) for _, count in groups.values())
        return {
            "schema": 1, "task": "t", "metric": "accuracy", "classes": 2, "domain": "", "features": "x",
            "codec_facts": None, "features_identity": "x", "mode": "linear", "mode_identity": "l", "pooling": "mean",
            "task_identity": "t", "seed": 0, "fold": fold, "scores": {"accuracy": hits / clips}, "failed": {},
            "group_is": "speaker", "leak": "", "notes": [], "groups": groups,
            "clips": {"train": 1, "validation": 1, "test": clips},
        }  # fmt: skip

    # 9 of 10 in a large fold, none of 2 in a small one: 0.45, not 9 / 12.
    found = [record("1", {"p": [5, 5], "q": [4, 5]}), record("2", {"r": [0, 1], "s": [0, 1]})]
    (result,) = probe_summary.summarise(found)
    assert result.mean == pytest.approx(0.45)
    assert result.interval is not None
    assert result.interval[0] < 0.45 < result.interval[1]


def test_a_run_without_probes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidRun, match=r"holds no probes \(probes.jsonl\)"):
        probe_records.load(tmp_path)


def test_the_report_has_the_papers_layout_and_files_of_every_kind(
    labelled: Labelled, request_of: RequestOf, tmp_path: Path
) -> None:
    request = request_of(labelled(speakers=10), seeds=1, modes=("linear", "arch"))
    run(request)
    text, paths = probe_report.write(probe_records.load(request.out), tmp_path / "report")
    assert "| Model | kbps | Nq | tokens/s | made (acc.) ↑ |" in text
    assert "| `levels:test` | 1.00 | 1 | 100 | 100.0 ± 0.0 |" in text
    assert "| chance (uniform) | – | – | – | 33.3 |" in text
    assert (
        "made (linear): 3 labels, 60 test clips of 10 speakers, 42 to learn from in each fold; 5 folds, one seed."
        in text
    )
    assert [path.name for path in paths] == [
        "probes.md", "probes.tex", "probes.csv", *(f"linear.{s}" for s in ("png", "pdf", "svg")),
        *(f"arch.{s}" for s in ("png", "pdf", "svg")),
    ]  # fmt: skip
    before = [path.read_bytes() for path in paths]
    probe_report.write(probe_records.load(request.out), tmp_path / "report")
    assert [path.read_bytes() for path in paths] == before
    lines = (tmp_path / "report" / "probes.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 5
    assert lines[0].startswith("task,features,mode,pooling,metric,mean,ci_low,ci_high")


def test_published_rows_stand_beside_the_official_tasks_in_arch_mode(labelled: Labelled, request_of: RequestOf) -> None:
    task = replace(labelled(speakers=10, published_shares=(0.2, 0.2)), name="ravdess")
    request = request_of(task, seeds=1, modes=("arch",))
    run(request)
    text, _ = probe_report.write(probe_records.load(request.out), request.out / "report")
    assert "RAVDESS (acc.) ↑" in text
    assert "| WavTokenizer | 1 | 75 | 32.55 |" in text.replace("| – ", "").replace(" (WavTokenizer)", "")
    assert "| UniCodec | 75 | 40.28 |" in text.replace("| – ", "").replace(" (UniCodec)", "")
    assert "Clips are divided at random as in the published code: every speaker is in train and in test." in text
