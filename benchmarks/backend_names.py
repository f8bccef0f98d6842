"""Who does the work of a run, as it is asked for: this machine, or a cluster at an address.

The command line's help reads `NAMES`, so that nothing slow is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("local", "dask", "ray")


@dataclass(frozen=True)
class Backend:
    """What was asked for."""

    name: str = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        from .errors import BenchmarkError

        if self.name not in NAMES:
            raise BenchmarkError(f"There is no backend {self.name!r}; there are {', '.join(NAMES)}.")
        if self.name == "local" and self.address is not None:
            raise BenchmarkError("--address names a cluster; say of which kind it is: --backend dask or --backend ray.")
        if self.name == "dask" and self.address is None:
            raise BenchmarkError("--backend dask needs its scheduler's address: --address tcp://host:8786.")

    @property
    def is_cluster(self) -> bool:
        return self.name != "local"
