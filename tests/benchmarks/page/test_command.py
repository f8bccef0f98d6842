"""`codeczoo report --html`: finds the audio by the run's own command, or says what to name."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from codeczoo.benchmarks import corpora
from codeczoo.benchmarks.cli import main, replay
from codeczoo.benchmarks.report import harness, numbers, summary

Run = Callable[..., tuple[int, str, str]]
BENCH = "bench --codecs g722@64kbps g726@16kbps --metrics si_sdr_aligned stoi --workers 0 --no-report"


@pytest.fixture
def codeczoo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command line in this process, in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def clips(demo_audio: Path, tmp_path: Path) -> Path:
    """A folder of two real clips."""
    assert demo_audio.is_dir()
    folder = tmp_path / "clips"
    folder.mkdir()
    for clip in sorted(corpora.demo(), key=lambda clip: clip.path.stat().st_size)[:2]:
        shutil.copy(clip.path, folder / Path(clip.name).name)
    return folder


def data_of(path: Path) -> dict:
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def versions(data: dict) -> list[dict]:
    return [version for clip in data["clips"] for version in clip["versions"]]


def test_a_run_is_heard_and_where_its_clips_went_can_be_named(codeczoo: Run, clips: Path, tmp_path: Path) -> None:
    assert codeczoo(*BENCH.split(), "--corpus", "clips", "--out", "run")[0] == 0
    status, out, err = codeczoo("report", "run", "--no-figures", "--html", "--listen", "1")
    assert status == 0
    assert str(Path("run/report/page.html")) in out
    assert re.search(r"\d\.\d MB, \d\.\d of them audio\.", err)
    heard = versions(data_of(tmp_path / "run/report/page.html"))
    assert [version["name"] for version in heard] == ["Reference", "g722@64kbps", "g726@16kbps"]
    assert {version["how"] for version in heard[1:]} == {"decoded from the tokens that the run kept"}

    clips.rename(tmp_path / "moved")
    status, out, err = codeczoo("report", "run", "--no-figures", "--html")
    assert status == 0
    assert "not heard: There is no corpus, file or folder named 'clips'" in err
    assert "name the clips with --audio" in err
    assert versions(data_of(tmp_path / "run/report/page.html")) == []

    assert codeczoo("report", "run", "--no-figures", "--html", "--audio", "moved", "--listen-to", "*")[0] == 0
    assert len(versions(data_of(tmp_path / "run/report/page.html"))) == 6


def test_clips_that_were_cut_are_found_again(codeczoo: Run, clips: Path, tmp_path: Path) -> None:
    command = [*BENCH.split(), "--corpus", "clips", "--segment-s", "0.5", "--limit", "1", "--out", "run"]
    assert codeczoo(*command)[0] in (0, 3)
    assert codeczoo("report", "run", "--no-figures", "--html", "--listen", "2")[0] == 0
    data = data_of(tmp_path / "run/report/page.html")
    assert all("#" in clip["name"] and "missing" not in clip for clip in data["clips"])
    assert len(versions(data)) == 6


def test_what_another_program_decoded_is_heard_from_its_files(codeczoo: Run, clips: Path, tmp_path: Path) -> None:
    assert (
        codeczoo("encode", "--codec", "g726@16kbps", "--corpus", "clips", "--out", "tokens", "--workers", "1")[0] == 0
    )
    assert codeczoo("decode", "tokens", "--out", "decoded", "--workers", "1")[0] == 0
    score = "score --reference clips --estimate decoded --name theirs --kbps 16 --metrics si_sdr_aligned --workers 0"
    assert codeczoo(*score.split(), "--no-report", "--out", "run")[0] == 0
    assert codeczoo("report", "run", "--no-figures", "--html", "--listen", "1")[0] == 0
    heard = versions(data_of(tmp_path / "run/report/page.html"))
    assert [version["name"] for version in heard] == ["Reference", "theirs@16kbps"]
    assert heard[1]["how"] == "the file that was scored"


def test_opus_is_smaller_and_says_what_it_does(codeczoo: Run, clips: Path, tmp_path: Path) -> None:
    assert codeczoo(*BENCH.split(), "--corpus", "clips", "--out", "run")[0] == 0
    sizes = {}
    for kind in ("flac", "opus"):
        assert codeczoo("report", "run", "--no-figures", "--html", "--audio-format", kind)[0] == 0
        data = data_of(tmp_path / "run/report/page.html")
        sizes[kind] = data["listening"]["audioMb"]
    assert "adds its own coding noise" in data["listening"]["format"]
    assert sizes["opus"] < 0.6 * sizes["flac"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "3"], "--listen is of the page; give --html with it."),
        (["--html", "--listen", "-1"], "--listen is 0 or more clips; got -1."),
        (["--html", "--listen", "1", "--listen-to", "a"], "give one of the two"),
        (["--html", "--page-mb", "0"], "--page-mb is a positive number; got 0."),
        (["--html", "--audio", "nowhere"], "There is no corpus, file or folder named 'nowhere'"),
        (["--html", "--listen-to", "nothing"], "No clip of the records matches nothing."),
        (["--html", "--page-mb", "0.01"], "allow more: --page-mb."),
    ],
)
def test_wrong_requests_are_sentences(codeczoo: Run, run_folder: Path, arguments: Sequence[str], sentence: str) -> None:
    status, _, err = codeczoo("report", run_folder, "--out", "out", "--no-figures", *arguments)
    assert status == 2
    assert sentence in err


@pytest.mark.parametrize(
    "description",
    [
        "{}",
        '{"invocations": []}',
        '{"invocations": [{}]}',
        '{"invocations": [{"command": ""}]}',
        '{"invocations": [{"command": "codeczoo bench --no-such-option"}]}',
        '{"invocations": [{"command": "codeczoo --help"}]}',
        '{"invocations": [{"command": "rm -rf \\" unclosed"}]}',
        '{"invocations": [{"command": "codeczoo report runs/x"}]}',
    ],
)
def test_a_description_that_says_nothing_is_no_error(description: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(description)
    source = replay.source_of(tmp_path, None, "cpu")
    assert source.corpora == ()
    assert source.problem.endswith("names a corpus; name the clips with --audio")


def test_tables_and_page_are_of_numbers_computed_once(
    codeczoo: Run, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def count(place: ModuleType, name: str) -> None:
        real = getattr(place, name)

        def counted(*arguments: object, **options: object) -> object:
            calls[name] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(place, name, counted)

    count(numbers, "summarise")
    count(harness, "by_group")
    count(summary, "ties")
    count(summary, "mean_intervals")
    assert codeczoo("report", run_folder, "--out", "out", "--html", "--listen", "0")[0] == 0
    assert (tmp_path / "out/quality.md").is_file()
    assert (tmp_path / "out/page.html").is_file()
    # Ties are of each of three metrics.
    assert calls == {"summarise": 1, "by_group": 1, "ties": 3, "mean_intervals": 1}


@pytest.mark.parametrize("description", ["{", "[]", '{"invocations": null}', '{"invocations": ["codeczoo bench"]}'])
@pytest.mark.parametrize(
    "words",
    [
        ("report", "run", "--html", "--no-figures"),
        ("listen", "make", "run", "--test", "abx", "--clips", "1", "--out", "test"),
        ("bench", "--out", "run"),
    ],
)
def test_a_damaged_description_is_refused_everywhere(
    codeczoo: Run, run_folder: Path, tmp_path: Path, description: str, words: Sequence[str]
) -> None:
    run = shutil.copytree(run_folder, tmp_path / "run")
    (run / "run.json").write_text(description)
    if words[0] == "bench":
        words = (*BENCH.split(), "--corpus", "demo", *words[1:])
    status, _, err = codeczoo(*words)
    assert status == 2
    assert f"{Path('run/run.json')} is no" in err
    assert "the run folder is damaged. Restore that file, or name another folder." in err
    assert not (run / "report").exists()


def test_the_demo_clips_are_found_by_their_name(demo_audio: Path, tmp_path: Path) -> None:
    assert demo_audio.is_dir()
    command = {"invocations": [{"command": "codeczoo bench --suite demo --limit 4 --out x"}]}
    (tmp_path / "run.json").write_text(json.dumps(command))
    source = replay.source_of(tmp_path, None, "cpu")
    assert [corpus.name for corpus in source.corpora] == ["demo"]
    assert len(source.corpora[0]) == 4
