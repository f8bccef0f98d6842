"""Who does the work: threads of this program, or a Dask or Ray cluster that is there already. Each through joblib.

    with connect(Backend("dask", "tcp://head:8786"), workers=None) as connection:
        with connection.config():
            Parallel(n_jobs=connection.n_jobs, ...)(...)

joblib's own processes (`loky`) are not among them. One that dies breaks all others and does not say which task killed
it, one that hangs cannot be killed, and one whose memory has grown is replaced, which a worker that loads a model looks
like. Here a worker of joblib, on any backend, only watches a process of ours that does the work: see `crew`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from .backend_names import Backend
from .environment import software
from .errors import BenchmarkError, ClusterUnavailable

_CONNECT_S = 10.0
_WORKERS_S = 30.0
"""How long a cluster may be without workers, at the start and in the middle."""
_PAUSE_S = 0.2
"""A scheduler takes thousands of tasks a second; this is five for each of its workers that is idle."""
_PAUSE_HERE_S = 0.01


@dataclass(frozen=True)
class Connection:
    """A backend that can be given work."""

    n_jobs: int
    """Units that it works on at a time."""
    config: Callable[[], AbstractContextManager[Any]]
    """Makes joblib use it in a `with` block."""
    options: Mapping[str, Any]
    """Further arguments of `joblib.Parallel`."""
    lost: Callable[[], str]
    """A sentence, if work that was given to it will never come back; else empty."""
    pause_s: float
    """How long a worker sleeps that finds no work."""


@contextmanager
def connect(backend: Backend, workers: int | None, device: str = "cpu") -> Iterator[Connection]:
    """Connect, check that every worker has this very codeczoo, and disconnect at the end. `workers`: units at a time;
    None: as many as the cluster has places. Raises ClusterUnavailable, BenchmarkError."""
    if backend.name == "dask":
        with _dask(backend.address or "", workers) as connection:
            yield connection
    elif backend.name == "ray":
        with _ray(backend.address, workers, device) as connection:
            yield connection
    else:
        assert workers is not None, "how many local workers there are is the caller's to say"
        yield Connection(workers, nullcontext, {"backend": "threading"}, lambda: "", _PAUSE_HERE_S)


def _missing(package: str, extra: str) -> BenchmarkError:
    return BenchmarkError(f"--backend {extra} needs the package {package}: pip install 'codeczoo[{extra}]'")


def refuse_others(found: Mapping[str, str | BaseException]) -> None:
    """Raise ClusterUnavailable where a worker (by its name) has another codeczoo than this program, or none."""
    ours = software()
    wrong = [f"{name} has {_told(what)}" for name, what in sorted(found.items()) if what != ours]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ClusterUnavailable(
            f"Workers of the cluster have another codeczoo than this program, which is {ours}: "
            f"{'; '.join(wrong[:3])}{more}. Install the same on all of them, and give the same command again."
        )


def _told(what: str | BaseException) -> str:
    return f"none that can be used ({type(what).__name__}: {what})" if isinstance(what, BaseException) else what


@contextmanager
def _dask(address: str, workers: int | None) -> Iterator[Connection]:
    try:
        from distributed import Client
    except ImportError as error:
        raise _missing("distributed", "dask") from error
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False, name="codeczoo")
    except (OSError, TimeoutError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ClusterUnavailable(
            f"There is no Dask scheduler at {address} ({reason}). Start one with `dask scheduler` and workers with "
            "`dask worker ADDRESS`, and give the address that it prints."
        ) from error
    try:
        places = _dask_places(client)
        deadline = time.monotonic() + _WORKERS_S
        while not places and time.monotonic() < deadline:
            time.sleep(0.2)
            places = _dask_places(client)
        if not places:
            raise ClusterUnavailable(
                f"The Dask scheduler at {address} has no workers; start some with `dask worker {address}`."
            )
        found: Any = client.run(software, on_error="return")
        refuse_others(found)
        n_jobs = places if workers is None else min(workers, places)
        yield Connection(
            n_jobs,
            lambda: _dask_config(client),
            # joblib's Dask backend takes all places; what is handed out ahead bounds it, and lets workers join later.
            {"pre_dispatch": 2 * n_jobs if workers is None else n_jobs},
            _DaskLoss(client, address),
            _PAUSE_S,
        )
    finally:
        client.close()


def _dask_places(client: Any) -> int:
    return sum(client.nthreads().values())


@contextmanager
def _dask_config(client: Any) -> Iterator[None]:
    from joblib import parallel_config

    with parallel_config(backend="dask", client=client) as config:
        # Where joblib finds one place it does the work in this program, which nobody asked for.
        config["backend"].effective_n_jobs = lambda n_jobs: max(2, _dask_places(client))
        yield


class _DaskLoss:
    """Whether tasks of a Dask client are lost. joblib would wait for ever: it is told of results alone."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self._without_workers_since: float | None = None

    def __call__(self) -> str:
        if self._client.status != "running":
            return f"The connection to the Dask scheduler at {self._address} is lost ({self._client.status})"
        for state in list(self._client.futures.values()):
            # Not `lost`: so is the result of a worker that died before it was fetched, which another computes again.
            if state.status in {"error", "cancelled"}:
                reason = f"{type(state.exception).__name__}: {state.exception}" if state.exception else state.status
                return f"The Dask cluster at {self._address} has given up a piece of work ({reason})"
        if self._client.nthreads():
            self._without_workers_since = None
        elif self._without_workers_since is None:
            self._without_workers_since = time.monotonic()
        elif time.monotonic() - self._without_workers_since > _WORKERS_S:
            return f"The Dask cluster at {self._address} has had no workers for {_WORKERS_S:g} s"
        return ""


@contextmanager
def _ray(address: str | None, workers: int | None, device: str) -> Iterator[Connection]:
    try:
        import ray  # pyright: ignore[reportMissingImports] - an extra
        from ray.util.joblib import register_ray  # pyright: ignore[reportMissingImports] - an extra
    except ImportError as error:
        raise _missing("ray", "ray") from error
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ClusterUnavailable(
            f"There is no Ray cluster at {address or 'the default address'} ({reason}). Start one with `ray start "
            "--head`, and give the address that it prints: --address host:6379."
        ) from error
    try:
        alive = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
        refuse_others(_ray_software(ray, alive))
        on_gpu = device.startswith("cuda")
        places = int(ray.cluster_resources().get("GPU" if on_gpu else "CPU", 0))
        if places < 2 or workers == 1:
            what = "GPU" if on_gpu else "CPU"
            raise ClusterUnavailable(
                f"joblib gives work to a Ray cluster from two {what}s on; there are {places}, and --workers may ask "
                "for fewer. With one, run the command on that machine without --backend."
            )
        n_jobs = places if workers is None else min(workers, places)
        register_ray()
        # One GPU each, and then no other: Ray hides those that an actor did not ask for.
        remote = {"num_cpus": 1, "num_gpus": 1} if on_gpu else {"num_cpus": 1}
        yield Connection(
            n_jobs,
            lambda: _ray_config(remote),
            {"pre_dispatch": 2 * n_jobs},
            lambda: "" if ray.is_initialized() else f"The connection to the Ray cluster at {address} is lost",
            _PAUSE_S,
        )
    finally:
        ray.shutdown()


@contextmanager
def _ray_config(remote: Mapping[str, Any]) -> Iterator[None]:
    from joblib import parallel_config

    with parallel_config(backend="ray", ray_remote_args=remote) as config:
        # Ray takes this from joblib's multiprocessing, whose pool can hang. Its own pool calls back, dead actors too.
        config["backend"].supports_return_generator = True
        yield


def _software() -> str:
    return software()  # Ray takes functions alone, and a cached one is none


def _ray_software(ray: Any, nodes: Mapping[str, str]) -> dict[str, str | BaseException]:
    from ray.util.scheduling_strategies import (  # pyright: ignore[reportMissingImports] - an extra
        NodeAffinitySchedulingStrategy,
    )

    look = ray.remote(_software)
    found: dict[str, str | BaseException] = {}
    for node, host in nodes.items():
        there = look.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
        try:
            found[f"{host} ({node[:8]})"] = ray.get(there.remote(), timeout=_WORKERS_S)
        except ray.exceptions.RayError as error:
            found[f"{host} ({node[:8]})"] = error
    return found
