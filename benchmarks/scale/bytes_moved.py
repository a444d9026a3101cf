"""Bytes that move in a pass of a fit on a cluster, against the formula in docs/guide/cluster.md.

python benchmarks/scale/bytes_moved.py             print
python benchmarks/scale/bytes_moved.py --write     print, and append to RESULTS.md

The bytes are counted where workers read from and write to their sockets, messages of the scheduler
included, on a LocalCluster of processes; what the workers' own logs say of transfers between them
stands beside. The recording lies in a store and is read by the workers, which moves nothing here.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import common
import numpy as np
import xarray as xr
from distributed import Client, LocalCluster
from sklearn.exceptions import ConvergenceWarning

import partita as pt
from partita._solvers.matrices import partition
from partita._solvers.matrices.streamed import Stream
from partita.decomposition import out_of_core

SHAPE = (800, 50, 60)
PART_BYTES = 1 << 18  # a small recording in as many parts as a large one
LONG = 1 << 16  # sums that are as long as this are kept in float32
TASK, DONE = 2900, 1100  # bytes that say what is to be done with a part, and that it is done
ITERATIONS = 4
ALONG = {"time": {"time": 20}, "space": {"y": 1}}


def count(dask_worker: object) -> None:
    """Make this worker count what goes through its sockets, from now on."""
    from distributed.comm import tcp

    counts = dask_worker.partita_counts = [0, 0]
    write, from_frames = tcp.TCP.write, tcp.from_frames

    async def counted_write(self: object, *args: object, **options: object) -> int:
        n_bytes = await write(self, *args, **options)
        counts[1] += n_bytes
        return n_bytes

    async def counted_frames(frames: list, *args: object, **options: object) -> object:
        counts[0] += sum(memoryview(frame).nbytes for frame in frames)
        return await from_frames(frames, *args, **options)

    tcp.TCP.write, tcp.from_frames = counted_write, counted_frames


def counted_so_far(dask_worker: object) -> list[int]:
    """Return the bytes into this worker, out of it, and fetched from others by its own log."""
    fetched = sum(one["total"] for one in dask_worker.transfer_incoming_log)
    return [*dask_worker.partita_counts, fetched]


def iterations(client: Client, recording: xr.DataArray, k: int) -> np.ndarray:
    """Fit; return what each iteration moved (n, 3): into workers, out of them, fetched."""
    moved = []
    over_parts = Stream.over_parts

    def total() -> np.ndarray:
        return np.sum(list(client.run(counted_so_far).values()), axis=0)

    def watched(self: Stream, work: Any, *args: Any, **options: Any) -> Any:
        before = total()
        answer = over_parts(self, work, *args, **options)
        if work.__name__ == "_visit_part":
            moved.append(total() - before)
        return answer

    with patch.object(Stream, "over_parts", watched), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pt.NMF(k, max_iter=ITERATIONS, random_state=0).fit(recording)
    return np.array(moved)


def expected(
    n_times: int, n_voxels: int, k: int, *, along: str, parts: int, workers: int, threads: int
) -> tuple[int, int]:
    """Return the bytes into and out of all workers in an iteration, by the formula."""
    whole, cut = (n_voxels, n_times) if along == "time" else (n_times, n_voxels)
    sums = (8 if whole < LONG else 4) * k * whole * workers * threads
    passed_on = 4 * k * whole * (workers - 1)
    into = 4 * k * whole * workers + 8 * k * cut + TASK * parts
    return into, sums + 8 * k * cut + passed_on + DONE * parts


@contextmanager
def counting(workers: int) -> Iterator[Client]:
    """Give a cluster of so many workers, of one thread each, that count bytes; parts are small."""
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        patch.object(out_of_core, "KEPT_BYTES", 0),
        patch.object(partition, "PART_BYTES", PART_BYTES),
    ):
        client.run(count)
        yield client


def measure(client: Client, path: Path, along: str, k: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the mean of what an iteration moved, and what the formula says."""
    recording = pt.load(path, chunks=ALONG[along])
    formula = expected(
        SHAPE[0], SHAPE[1] * SHAPE[2], k,
        along=along, parts=recording.data.npartitions, workers=len(client.nthreads()), threads=1,
    )  # fmt: skip
    return iterations(client, recording, k).mean(axis=0), formula


def make(path: Path) -> None:
    """Write a recording of a few sources."""
    options = {"n_times": SHAPE[0], "shape": (1, *SHAPE[1:]), "n_components": 5}
    power = pt.datasets.simulate_fusi(**options, random_state=0)["recording"]
    changes = pt.preprocess.delta_f_over_f(power, baseline="mean", rectify=True)
    pt.save(changes.isel(z=0, drop=True), path)


def _row(moved: np.ndarray, formula: tuple[int, int]) -> str:
    (into, out, fetched), (into_by, out_by) = moved / 1e3, np.array(formula) / 1e3
    return (
        f"| {into:.0f} kB | {into / into_by:.2f} | {out:.0f} kB | {out / out_by:.2f} | "
        f"{fetched:.0f} kB |"
    )


def main() -> None:
    """Measure, print and, if asked, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.nc"
        make(path)
        for workers in (2, 4):
            with counting(workers) as client:
                for along, k in product(ALONG, (8, 20)):
                    rows.append(
                        f"| {workers} | {along} | {k} {_row(*measure(client, path, along, k))}"
                    )
    remark = (
        f"NMF of {SHAPE[0]} x {SHAPE[1]} x {SHAPE[2]} from a store; bytes of one iteration, the "
        f"mean of {ITERATIONS}, by what goes through the sockets of all workers, and against the "
        "formula in the guide (On a cluster)."
    )
    lines = [
        *common.describe("Bytes moved on a cluster", ("partita", "dask", "distributed"), remark),
        "| workers | cut along | k | into workers | of the formula | out of workers | "
        "of the formula | fetched for tasks |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    common.publish(lines, write=options.write)


if __name__ == "__main__":
    main()
