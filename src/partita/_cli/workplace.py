"""Where `partita run` works: in memory, from a store that it writes first, or on a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import xarray as xr

# A fit in memory holds the recording, its standardised signs, and what it works on.
_TIMES_THE_RECORDING = 5
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Workplace(NamedTuple):
    """What the command line says of it.

    `memory` is in bytes; None stands for half of what the machine has.
    """

    chunks: Mapping[str, int] | None = None
    memory: int | None = None
    scheduler: str | None = None
    intermediate: bool = True

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Connect to the cluster, where an address was given."""
        with nullcontext() if self.scheduler is None else _client(self.scheduler):
            yield

    def laid_out(self, recordings: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
        """Return recordings in memory where all of them fit, else lazy as they are."""
        memory = half_of_the_machine() if self.memory is None else self.memory
        n_bytes = sum(recording.nbytes for recording in recordings.values())
        if n_bytes * _TIMES_THE_RECORDING > memory or self.scheduler is not None:
            return recordings
        return {name: recording.load() for name, recording in recordings.items()}

    @contextmanager
    def stored(self, prepared: xr.DataArray, out: Path) -> Iterator[xr.DataArray]:
        """Give what a fit reads many times from a store beside the results, removed at the end."""
        if prepared.chunks is None or not self.intermediate:
            yield prepared
            return
        import partita
        from partita.io.unfinished import temporary

        with temporary(out.with_name(f"{out.name}_intermediate")) as (folder,):
            folder.mkdir(parents=True)
            path = folder / f"intermediate{_suffix()}"
            partita.save(prepared, path)
            chunks = dict(zip(prepared.dims, prepared.chunks, strict=True))
            yield partita.load(path, chunks=chunks)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what concerns recordings that do not fit in memory."""
    group = parser.add_argument_group("large recordings")
    group.add_argument(
        "--chunks",
        type=chunks,
        metavar="SPEC",
        help="how a lazy recording is cut: time=500 or y=64,x=64 (default: as it is stored)",
    )
    group.add_argument(
        "--memory-limit",
        type=size,
        metavar="SIZE",
        help="such as 8G; a larger recording than a fifth of it stays on disk (default: half of "
        "the machine's memory)",
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a dask cluster to work on: tcp://host:8786"
    )
    group.add_argument(
        "--checkpoint",
        type=path,
        metavar="FILE",
        help="a .nc that keeps the state of the fit; the same command, repeated after it was "
        "killed, goes on from there",
    )
    group.add_argument(
        "--no-intermediate",
        action="store_true",
        help="compute the standardised recording anew in every pass of the fit; by default it is "
        "written once beside the results, and removed at the end",
    )


def workplace_of(arguments: argparse.Namespace) -> Workplace:
    """Return what the arguments say."""
    return Workplace(
        arguments.chunks,
        arguments.memory_limit,
        arguments.scheduler,
        not arguments.no_intermediate,
    )


def path(text: str) -> Path:
    """Return a path; no shell writes ``~`` out after an equals sign."""
    return Path(text).expanduser()


def chunks(text: str) -> dict[str, int]:
    """Read ``time=500`` or ``y=64,x=64``."""
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {name.strip(): int(length) for name, length in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"chunks are given as time=500 or y=64,x=64, not as {text!r}"
        ) from None


def size(text: str) -> int:
    """Read ``8G`` or ``500M`` as bytes."""
    number, unit = text.rstrip("iBb").rstrip("kKmMgGtT"), text.rstrip("iBb")[-1:].lower()
    try:
        return int(float(number) * _UNITS[unit if unit.isalpha() else ""])
    except (KeyError, ValueError):
        raise argparse.ArgumentTypeError(
            f"sizes are given as 8G or 500M, not as {text!r}"
        ) from None


def half_of_the_machine() -> int:
    """Return half of the bytes that this process may hold, by the machine and its limits."""
    from partita._solvers.compute.memory import memory_limit

    return memory_limit() // 2


def _suffix() -> str:
    try:
        import zarr  # noqa: F401
    except ImportError:
        return ".nc"
    return ".zarr"


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise ImportError(
            '--scheduler needs distributed: pip install "partita[distributed]".'
        ) from None
    return Client(address, timeout="30s")
