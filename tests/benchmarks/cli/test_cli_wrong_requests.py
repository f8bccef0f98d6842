"""Wrong requests: one sentence, status 2, and nothing changed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from .conftest import Run, tone, tree

BENCH = "bench --codecs opus@12kbps --metrics stoi --out run --corpus clips"
PROBE = "probe --codecs pcm:16 --out run --corpus clips"
SCORE = "score --metrics stoi --out run"

WRONG = [
    (f"{BENCH}/absent", "clips/absent does not exist; a corpus is a folder, a glob, a manifest or one of demo"),
    (f"{BENCH} --corpus empty", "empty holds no audio: no file in it ends in .wav"),
    (f"{BENCH} --corpus notes.txt", "notes.txt is neither audio (.wav"),
    (f"{BENCH} --corpus demmo", "There is no corpus, file or folder named 'demmo'. Nearest: demo."),
    (f"{BENCH} --corpus librispeech", "librispeech needs the folder where the data set is: librispeech:/path/to/"),
    (f"{BENCH} --corpus clips/*.flac", "No audio file (.wav"),
    (f"{BENCH} --codecs opsu@12kbps", "There is no codec named 'opsu'. Nearest: opus"),
    (f"{BENCH} --codecs opus@13kbps", "opus has no rate '13kbps'; it has: opus@6kbps"),
    (f"{BENCH} --codecs opus", "opus has several rates and no silent default; name one of: opus@6kbps"),
    (f"{BENCH} --codecs zzz*", "No codec matches 'zzz*'."),
    (f"{BENCH} --codecs mimi:24khz@8q", "The weights kyutai--mimi ("),
    (f"{BENCH} --codecs decoded:absent@1kbps", "There is no folder absent of decoded audio."),
    (f"{BENCH} --metrics pesq", "There is no metric named 'pesq'. Nearest: pesq_wb, pesq_nb"),
    (f"{BENCH} --metrics stoi utmos", "utmos needs utmos_state_dict.pt (about 400 MB), which is not on this machine."),
    (f"{BENCH} --suite demmo", "There is no suite named 'demmo'. Nearest: demo."),
    (f"{BENCH} --suite absent.toml", "The suite absent.toml does not exist."),
    (f"{BENCH} --suite wrong.toml", "wrong.toml has an unknown key `codec`; is `codecs` meant?"),
    (f"{BENCH} --limit 0", "A corpus is limited to at least one clip; got 0."),
    (f"{BENCH} --segment-s -1", "Clips are cut into stretches of a positive number of seconds; got -1.0."),
    (
        f"{BENCH} --suite length",
        "clips has too little audio for one passage of 60 s: clips are joined within one folder",
    ),
    (f"{BENCH} --lengths-s 3 3", "Lengths of pieces are 3, 3: 3 s follows 3 s; lengths rise, and each is named once."),
    (f"{BENCH} --lengths-s 1 --segment-s 1", "Clips are cut by --segment-s or joined and cut by --lengths-s; give one"),
    (f"{BENCH} --lengths-s 1 --limit 0", "A corpus is limited to at least one passage; got 0."),
    (f"{BENCH} --where domain", "'domain' is not a condition; they read FIELD=PATTERN, as in domain=speech."),
    (f"{BENCH} --where domain=music", "No clip of clips has domain=music: domain is nowhere given."),
    (f"{BENCH} --workers -1", "--workers is 0 or more; got -1."),
    (f"{BENCH} --threads 0", "--threads is 1 or more; got 0."),
    (f"{BENCH} --device abacus", "Codecs cannot run on the device 'abacus' here: "),
    ("bench --suite speech --out run", "No corpus is named (the suite speech leaves its corpus to you); name one with"),
    ("bench --corpus clips --codecs pcm:16 --out run", "There is nothing to measure; name metrics with --metrics"),
    ("bench --corpus clips --metrics stoi --out run", "There is no codec to measure; name some with --codecs"),
    (f"{BENCH} --codecs zzz:zzz@1kbps", "There is no codec named 'zzz:zzz'. There are: pcm, opus, mp3, aac, amr-nb,"),
    (f"{BENCH} --out notes.txt/run", "The run folder notes.txt/run cannot be made (Not a directory); name another one"),
    (f"{BENCH} --out notes.txt", "notes.txt is a file; --out takes a folder, new or made by an earlier run."),
    (f"{BENCH} --out clips", "clips is not empty and not a run folder (no run.json); name another one."),
    (f"{BENCH} --out old", "old is a run of schema 0; this version continues schema 1 only."),
    (f"{BENCH} --out oldlines", "oldlines/records.jsonl:1 has schema 0; this version reads schema 1."),
    (
        f"{BENCH} --out torn",
        "torn/run.json is not JSON; the run folder is damaged. Restore that file, or name another folder.",
    ),
    (f"{SCORE} --reference absent --estimate clips", "absent does not exist"),
    (f"{SCORE} --reference clips --estimate empty", "empty holds no audio"),
    (f"{SCORE} --reference clips --estimate other", "No file of other has the relative path of one of clips, suffixes"),
    (f"{SCORE} --reference clips --estimate twice", "twice holds two files of one name, a.flac and a.wav; keep one"),
    (f"{SCORE} --reference twice --estimate clips", "twice holds two files of one name, a.flac and a.wav; keep one"),
    (f"{SCORE} --reference clips", "Name what to score: --reference DIR with --estimate DIR, or --pairs TABLE."),
    (f"{SCORE} --reference clips --estimate clips --kbps 0", "--kbps is a positive number of kbit/s; got 0.0."),
    (f"{SCORE} --reference clips --estimate clips --name :", "':' cannot name a codec in tables"),
    (f"{SCORE} --pairs absent.csv", "The table of pairs absent.csv does not exist."),
    (f"{SCORE} --pairs pairs.csv --kbps 3", "--kbps does not go with --pairs: the table says it for every pair."),
    (f"{SCORE} --pairs pairs.csv", "pairs.csv, row 2 has no codec; every pair needs reference, estimate, codec."),
    (f"{SCORE} --reference clips --estimate clips --metrics pesq", "There is no metric named 'pesq'."),
    ("report empty", "empty holds no records (records.jsonl). A run folder is made by `codeczoo bench`."),
    ("report absent", "absent holds no records (records.jsonl). A run folder is made by `codeczoo bench`."),
    ("report oldlines", "oldlines/records.jsonl:1 has schema 0; this version reads schema 1."),
    (PROBE.replace(" --corpus clips", ""), "There is nothing to probe; name labelled clips with --corpus"),
    (f"{PROBE}/absent", "clips/absent does not exist"),
    (PROBE, "No clip of clips has a label; a manifest has a column `label`, a folder has a folder a label."),
    (f"{PROBE} --corpus ravdess", "ravdess needs the folder where it is unpacked: ravdess:/path/to/it."),
    (f"{PROBE} --corpus ravdes:clips", "There is no data set 'ravdes' to probe; did you mean ravdess?"),
    (f"{PROBE} --corpus ravdess:absent", "absent does not exist"),
    (f"{PROBE} --corpus esc-50:clips", "clips holds none of meta/esc50.csv, nor does a folder in it"),
    (f"{PROBE} --corpus esc-50:clips --limit 3", "--limit does not go with an official data set, which is whole."),
    (f"{PROBE} --codecs opsu", "There is no codec named 'opsu'."),
    (f"{PROBE} --codecs mimi:24khz@8q", "The weights kyutai--mimi ("),
    (f"{PROBE} --seeds 0", "--seeds is 1 or more; got 0."),
    (f"{PROBE} --workers 0", "--workers is 1 or more; got 0."),
    (f"{PROBE} --threads 0", "--threads is 1 or more; got 0."),
    (f"{PROBE} --device abacus", "Codecs cannot run on the device 'abacus' here: "),
    (f"{PROBE} --out clips", "clips is not empty and not a run folder (no run.json); name another one."),
    (f"{PROBE} --out notes.txt", "notes.txt is a file; --out takes a folder, new or made by an earlier run."),
    ("probe --report --out empty", "empty holds no probes (probes.jsonl); codeczoo probe makes some."),
    ("fetch opsu", "There is no codec named 'opsu'. Nearest: opus."),
    ("encode --codec opsu@1kbps --corpus clips --out tokens", "There is no codec named 'opsu'."),
    ("encode --codec mimi:24khz@8q --corpus clips --out tokens", "The weights kyutai--mimi ("),
    ("encode --codec opus@12kbps --corpus empty --out tokens", "empty holds no audio"),
    ("encode --codec opus@12kbps --corpus clips --out notes.txt", "notes.txt is a file; --out takes a folder."),
    ("encode --codec opus@12kbps --corpus clips --out t --workers 0", "--workers is 1 or more; got 0."),
    ("decode absent --out wav", "absent does not exist; name token files (*.safetensors) or folders of them."),
    ("decode clips --out wav", "clips holds no token files (*.safetensors)."),
]


@pytest.mark.parametrize(("command", "sentence"), WRONG, ids=[command for command, _ in WRONG])
def test_a_wrong_request_gets_one_sentence_and_changes_nothing(
    codeczoo: Run, tmp_path: Path, command: str, sentence: str
) -> None:
    work = tmp_path / "work"
    tone(work / "clips" / "a.wav")
    for path in ("other/b.wav", "twice/a.wav", "twice/a.flac"):
        tone(work / path)
    for folder in ("empty", "old", "oldlines", "torn"):
        (work / folder).mkdir()
    (work / "notes.txt").write_text("not audio")
    (work / "wrong.toml").write_text('name = "wrong"\ndescription = "x"\ncodec = ["pcm:16"]\nmetrics = ["stoi"]\n')
    (work / "pairs.csv").write_text("reference,estimate,codec\nclips/a.wav,clips/a.wav,\n")
    (work / "old" / "run.json").write_text('{"schema": 0}')
    (work / "torn" / "run.json").write_text('{"schema": 1')
    (work / "oldlines" / "run.json").write_text('{"schema": 1, "invocations": []}')
    (work / "oldlines" / "records.jsonl").write_text('{"schema": 0}\n')
    before = tree(tmp_path)
    status, out, err = codeczoo(*command.split())
    assert status == 2, err
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"codeczoo: {sentence}")
    assert tree(tmp_path) == before


def test_a_run_folder_in_use_is_left_alone(codeczoo: Run, tmp_path: Path) -> None:
    tone(tmp_path / "work" / "clips" / "a.wav")
    command = [*BENCH.split(), "--codecs", "pcm:16", "--metrics", "si_sdr", "--workers", "0", "--no-report"]
    assert codeczoo(*command)[0] == 0
    with (tmp_path / "work" / "run" / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = tree(tmp_path)
        status, _, err = codeczoo(*command)
        assert (status, err) == (
            2,
            "codeczoo: run is in use by another process; wait for it or name another folder.\n",
        )
        assert tree(tmp_path) == before
    assert codeczoo(*command)[0] == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_sentence(codeczoo: Run, tmp_path: Path) -> None:
    tone(tmp_path / "work" / "clips" / "a.wav")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    status, _, err = codeczoo(*BENCH.split(), "--out", closed / "run")
    assert status == 2
    assert "cannot be made (Permission denied); name another one by --out." in err
