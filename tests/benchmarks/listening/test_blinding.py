"""What somebody finds who looks into the files of the page for what is hidden."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np

from codeczoo.benchmarks.listening import page as page_writer
from codeczoo.benchmarks.listening.key import REFERENCE
from codeczoo.benchmarks.listening.making import Made


def test_nothing_in_the_page_names_what_is_heard(mushra: tuple[Made, Path], abx: tuple[Made, Path]) -> None:
    for made, page_file in (mushra, abx):
        files = [path for path in page_file.parent.rglob("*") if path.is_file()]
        assert page_file.parent / "key.json" not in files
        for path in files:
            # Audio is letters at random: names are looked for in the words of the page.
            text = re.sub(r"[A-Za-z0-9+/=]{400,}", "", path.read_text(encoding="utf-8")).lower()
            for name in ("opus", "g722", "kbps", "anchor", "codec2", "clip0", "clip1", "wav\\b", "sounds"):
                assert not re.search(name, text), (name, path.name)
            names = [name for trial in made.key.trials.values() for name in trial.stimuli]
            assert len(set(names)) == len(names)
            assert all(re.fullmatch(r"[0-9a-f]{10}", name) for name in names)


def test_the_hidden_reference_is_another_file_than_the_open_one(mushra: tuple[Made, Path]) -> None:
    made, page_file = mushra
    text = page_file.read_text(encoding="utf-8")
    audio = dict(re.findall(r'<script type="text/plain" id="audio-([0-9a-f]+)">([^<]*)</script>', text))
    match = re.search(r'<script type="application/json" id="test">(.*?)</script>', text)
    assert match is not None
    test = json.loads(match[1])
    assert (test["id"], test["sha256"], len(test["trials"])) == (made.key.id, made.key.sha256, 2)
    for trial in test["trials"]:
        stimuli = made.key.trials[trial["id"]].stimuli
        assert sorted(stimuli) == trial["stimuli"]
        assert len({len(audio[name]) for name in [trial["reference"], *trial["stimuli"]]}) == 1
        signals = {name: np.frombuffer(base64.b64decode(audio[name]), "<i2").astype(int) for name in audio}
        opened = signals[trial["reference"]]
        hidden = next(signals[name] for name in trial["stimuli"] if stimuli[name].condition == REFERENCE)
        apart = opened - hidden
        assert 0.4 < np.mean(apart != 0) < 0.55
        assert np.abs(apart).max() <= 3
        assert len(set(audio.values())) == len(audio)
        digest = page_writer.sha256({key: value for key, value in test.items() if key != "sha256"},
                         {name: base64.b64decode(samples) for name, samples in audio.items()})  # fmt: skip
    assert digest == made.key.sha256
