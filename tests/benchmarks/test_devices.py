"""Which GPU each worker process gets, without any GPU."""

from __future__ import annotations

import pytest

from codeczoo.benchmarks import devices
from codeczoo.benchmarks.errors import BenchmarkError, WorkerUnfit

FOUR = ("GPU-a", "GPU-b", "GPU-c", "GPU-d")


def given(text: str, slots: int, visible: tuple[str, ...] = FOUR) -> list[str]:
    """What the processes of these slots see."""
    places = [devices.place(text, slot, visible) for slot in range(slots)]
    assert all(place.device == "cuda" for place in places)
    return [place.environment["CUDA_VISIBLE_DEVICES"] for place in places]


def test_gpus_are_given_out_in_turn() -> None:
    assert given("cuda:0,cuda:2", 5) == ["GPU-a", "GPU-c", "GPU-a", "GPU-c", "GPU-a"]
    assert given("cuda:all", 6) == [*FOUR, "GPU-a", "GPU-b"]
    assert given("cuda:3", 2) == ["GPU-d", "GPU-d"]
    assert given("cuda:2,cuda:0", 2) == ["GPU-c", "GPU-a"], "in the order in which they were named"


def test_numbers_count_what_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, 7")
    assert devices.place("cuda:1", 0).environment == {"CUDA_VISIBLE_DEVICES": "7"}
    assert [devices.place("cuda:all", slot).environment["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == ["5", "7", "5"]
    assert devices.count("cuda:all") == devices.count("cuda:0,cuda:1") == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(WorkerUnfit, match="sees no GPU, and --device cuda:all asks for one"):
        devices.place("cuda:all", 0)


@pytest.mark.parametrize("text", ["cpu", "cuda", "mps"])
def test_one_device_by_name_is_left_to_torch(text: str) -> None:
    assert devices.place(text, 3, FOUR) == devices.Place(text)
    assert not devices.several(text)


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(WorkerUnfit, match=r"sees 4 GPUs \(cuda:0 to cuda:3\), and --device asks for cuda:4"):
        devices.place("cuda:0,cuda:4", 1, FOUR)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cuda:0,cpu", "lists numbered GPUs, as in cuda:0,cuda:1; got 'cpu'"),
        ("cuda:0,cuda:0", "names a GPU twice"),
        ("cuda:0,", "got ''"),
    ],
)
def test_lists_that_make_no_sense(text: str, sentence: str) -> None:
    with pytest.raises(BenchmarkError, match=sentence):
        devices.named(text)
