"""DistillMOS: the package's number, of the estimate alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codeczoo.metrics import MetricError, Undefined, score
from codeczoo.metrics.distillmos import DISTILLMOS


@pytest.mark.parametrize("seconds", [0.1, 3, 6.01, 7.6, 9])
def test_it_is_the_package_number(speech_16k, seconds, capsys):
    import distillmos

    clip = np.resize(speech_16k, int(seconds * 16_000))
    model = distillmos.ConvTransformerSQAModel().eval()
    capsys.readouterr()
    with torch.no_grad():
        expected = float(model(torch.from_numpy(clip)[None]))
    assert score("distillmos", np.zeros_like(clip), clip, 16_000) == pytest.approx(expected, abs=1e-5)
    assert capsys.readouterr().out == ""


def test_noise_is_worse_and_level_does_not_matter(speech_16k, rng):
    noise = rng.standard_normal(len(speech_16k)).astype(np.float32)
    values = [score("distillmos", speech_16k, speech_16k + gain * noise, 16_000) for gain in (0, 0.01, 0.1)]
    assert values == sorted(values, reverse=True)
    assert 1 < values[-1] < values[0] < 5.5
    assert score("distillmos", speech_16k, 3 * speech_16k, 16_000) == pytest.approx(values[0], abs=1e-3)


def test_the_reference_has_its_own_score(speech_16k):
    assert DISTILLMOS.analyse is not None
    assert DISTILLMOS.reference_scores is not None
    own = DISTILLMOS.reference_scores(DISTILLMOS.analyse(speech_16k, 16_000))
    assert own == DISTILLMOS.compare(speech_16k, speech_16k, 16_000, None)


@pytest.mark.parametrize(("length", "reason"), [(1, "too short"), (16_000, "silent")])
def test_too_short_and_silent_are_undefined(length, reason):
    silence = np.zeros(length, dtype=np.float32)
    with pytest.raises(Undefined, match=reason):
        score("distillmos", silence, silence, 16_000)


def test_another_rate_is_refused(speech_16k):
    with pytest.raises(MetricError, match="at 16000 Hz; got 24000 Hz"):
        score("distillmos", speech_16k, speech_16k, 24_000)
