"""A Dataset to a NetCDF file, with check sums, and never to the end of the process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from math import prod
from pathlib import Path
from typing import Any

import dask
import dask.base
import dask.local
import dask.system
import dask.threaded
import h5netcdf
import xarray as xr
from dask.array.core import slices_from_chunks
from xarray.backends import H5NetCDFStore
from xarray.backends.common import ArrayWriter

from partita.io.stores.full_disk import PatientFile
from partita.io.stores.seal import seal_netcdf
from partita.io.unfinished import uninterrupted

# A check sum covers a chunk, which is read as one: a few milliseconds.
_CHUNK_BYTES = 1 << 20
_SUMMED = "iufbmM"
_AT_ONCE = 8  # blocks that are fetched from other processes


def write_netcdf(
    dataset: xr.Dataset, path: Path, encoding: Mapping[Any, Mapping[str, Any]]
) -> None:
    """Write a Dataset to a NetCDF file at a path where nothing is.

    Parameters
    ----------
    dataset : xarray.Dataset
        In forms that NetCDF holds; dask-backed variables are written block by block.
    path : pathlib.Path
        Of the new file.
    encoding : Mapping
        Of its variables, by their names.

    Raises
    ------
    OSError
        If the disk does not take it.
    """
    encoding = {
        name: {**_summed(variable), **encoding.get(name, {})}
        for name, variable in dataset.variables.items()
    }
    with PatientFile(path) as file:
        with h5netcdf.File(file, "w") as written, threads() as how:
            writer = _Writer(file) if _is_here() else _Fetcher(file)
            store = H5NetCDFStore(written, mode="w")
            dataset.dump_to_store(store, writer=writer, encoding=encoding)
            writer.sync(chunkmanager_store_kwargs=how)  # type: ignore[no-untyped-call]
        file.refuse_lost()
        seal_netcdf(file)


def _summed(variable: xr.Variable) -> dict[str, Any]:
    """Return how a variable is stored with check sums; text and single numbers are sealed."""
    if not variable.ndim or not variable.size or variable.dtype.kind not in _SUMMED:
        return {}
    return {"fletcher32": True, "chunksizes": _chunk_sizes(variable)}


def _chunk_sizes(variable: xr.Variable) -> tuple[int, ...]:
    """Return chunks of about a megabyte within the blocks of the array, its slowest axis cut."""
    sizes = list(variable.shape)
    if variable.chunks is not None:
        sizes = [max(of_axis) for of_axis in variable.chunks]
    for axis, size in enumerate(sizes):
        rest = prod(sizes[axis + 1 :]) * variable.dtype.itemsize
        fit = max(1, _CHUNK_BYTES // max(1, rest))
        pieces = -(-size // fit)
        # Blocks of a whole number of chunks are written without reading what stands there.
        sizes[axis] = next(n for n in range(-(-size // pieces), 0, -1) if size % n == 0 or n == fit)
        if fit > 1:
            break
    return tuple(sizes)


class _Writer(ArrayWriter):
    """Xarray's writer; it stops where the disk has refused something."""

    __slots__ = ("file",)

    def __init__(self, file: PatientFile) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.file = file

    def add(self, source: Any, target: Any, region: Any = None) -> None:
        watched = _Watched(target, self.file)
        super().add(source, watched, region)  # type: ignore[no-untyped-call]


class _Fetcher(_Writer):
    """A writer to whom other processes, maybe on other machines, send blocks, a few at a time.

    Only this process writes: one to whom a worker's disk is full would lose that worker.
    """

    __slots__ = ()

    def sync(self, compute: bool = True, chunkmanager_store_kwargs: Any = None) -> None:
        for source, target in zip(self.sources, self.targets, strict=True):
            places = list(slices_from_chunks(source.chunks))
            for first in range(0, len(places), _AT_ONCE):
                few = places[first : first + _AT_ONCE]
                blocks = dask.base.compute(*(source[place] for place in few))
                for place, values in zip(few, blocks, strict=True):
                    target[place] = values


class _Watched:
    """A variable in a file."""

    def __init__(self, target: Any, file: PatientFile) -> None:
        self.target, self.file = target, file

    def __setitem__(self, place: Any, values: Any) -> None:
        self.file.refuse_lost()
        self.target[place] = values
        self.file.refuse_lost()


def _is_here() -> bool:
    """Tell whether dask works in this process."""
    get = dask.base.get_scheduler()
    return get is None or get in (dask.threaded.get, dask.local.get_sync)


class _Pool(ThreadPoolExecutor):
    """Threads that see the settings of the one that gives them work."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(copy_context().run, fn, *args, **kwargs)


@contextlib.contextmanager
def threads() -> Iterator[dict[str, Any]]:
    """Give what to tell dask, so that none of its threads writes after the block has ended."""
    if dask.base.get_scheduler() not in (None, dask.threaded.get) or dask.config.get("pool", None):
        yield {}
        return
    pool = _Pool(dask.config.get("num_workers", None) or dask.system.CPU_COUNT)
    try:
        yield {"pool": pool}
    finally:
        with uninterrupted():
            pool.shutdown(wait=True, cancel_futures=True)
