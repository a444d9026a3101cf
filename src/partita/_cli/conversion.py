"""What `partita convert` does: a recording of any format to a Zarr store, block by block."""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from partita._cli import workplace

if TYPE_CHECKING:
    import xarray as xr

# Of the limit of memory, the share that the blocks under work take: each is held as it is decoded,
# as it is put together and as it is compressed.
_SHARE = 1 / 6
# Larger blocks gain only where the file stores longer pieces.
_ENOUGH = 128 << 20
# How many chunks of a store Zarr reads at a time by itself.
_ZARR_READS = 10
# A file whose pieces would be decoded more often than this is cut into shorter ones first.
_READINGS = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add how a recording is converted."""
    parser.add_argument(
        "--chunks",
        type=workplace.chunks,
        metavar="SPEC",
        help="of the store: time=500 or y=64,x=64 (default: whole samples, 16 to 32 MB a chunk)",
    )
    parser.add_argument(
        "--memory-limit",
        type=workplace.size,
        metavar="SIZE",
        help="such as 8G (default: half of the machine's memory)",
    )
    parser.add_argument("--force", action="store_true", help="replace a store that is there")


def convert(
    source: str,
    out: Path,
    *,
    options: Mapping[str, Any],
    chunks: Mapping[str, int] | str = "auto",
    memory: int | None = None,
    force: bool = False,
    quiet: bool = True,
) -> xr.DataArray:
    """Write a recording as a Zarr store, and return it as it was written.

    Parameters
    ----------
    source : str
        What `partita.load` takes.
    out : pathlib.Path
        Ends in ``.zarr``.
    options : Mapping
        What `partita.load` is told beside the path.
    chunks : "auto" or Mapping
        Of the store, as `partita.save` takes them.
    memory : int, optional
        Bytes to keep below; half of what the machine has where it is not given.
    force : bool
        Whether a store that is there is replaced.
    quiet : bool
        Whether no progress is shown.

    Raises
    ------
    ValueError
        If `out` does not end in ``.zarr``, or `memory` is less than six chunks.
    FileExistsError
        If `out` is there, unless it is a Zarr store and `force` is given; if it is read.
    """
    import partita
    from partita._labels import attrs
    from partita.io.chunking import stored_chunks
    from partita.io.formats import named
    from partita.io.loading import read_by
    from partita.io.overwriting import refuse_inputs

    _refuse_place(out, force=force)
    refuse_inputs([out], read_by(source))
    named("zarr").require(out)
    limit = workplace.half_of_the_machine() if memory is None else memory
    recording = partita.load(source, **options)
    sizes = stored_chunks(chunks, recording)
    line = attrs.describe_call("convert", source=Path(source).name, **options)
    with _in_pieces(source, options, recording, out, sizes, limit=limit, quiet=quiet) as origin:
        plan = _plan(_loaded(*origin), sizes, limit=limit)
        recording = attrs.append_history(_loaded(*origin, chunks=plan.block), line)
        _write(recording, out, sizes, plan, quiet=quiet, force=force)
    return recording


def _loaded(source: str, options: Mapping[str, Any], **cut: Any) -> xr.DataArray:
    """Load once more what has been loaded, without its warnings."""
    import partita

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return partita.load(source, **options, **cut)


@contextmanager
def _in_pieces(
    source: str,
    options: Mapping[str, Any],
    recording: xr.DataArray,
    out: Path,
    sizes: Mapping[Any, int],
    *,
    limit: int,
    quiet: bool,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give what to read and how; where a file stores it in long pieces, a store of shorter ones.

    Read block by block, a long piece would be decoded once for each of the blocks that it spans.
    """
    from partita.io.unfinished import temporary

    plan, stored = _plan(recording, sizes, limit=limit), _stored(recording)
    piece = math.prod(stored.values()) * recording.dtype.itemsize
    if plan.readings <= _READINGS or piece > limit * _SHARE:
        yield source, options
        return
    short = {dim: min(size, plan.block[dim]) for dim, size in stored.items()}
    long = {dim: size * math.ceil(stored[dim] / size) for dim, size in short.items()}
    with temporary(out.with_name(f"{out.name}_pieces")) as (folder,):
        folder.mkdir(parents=True)
        pieces = folder / "pieces.zarr"
        one_by_one = _Plan(long, threads=1, at_once=1, readings=1)
        _write(_loaded(source, options, chunks=long), pieces, short, one_by_one, quiet=quiet)
        yield str(pieces), {}


def _write(
    recording: xr.DataArray,
    out: Path,
    sizes: Mapping[Any, int],
    plan: _Plan,
    *,
    quiet: bool,
    force: bool = False,
) -> None:
    import dask
    import zarr

    import partita

    scheduler = "threads" if plan.threads > 1 else "synchronous"
    with (
        dask.config.set(scheduler=scheduler, num_workers=plan.threads),
        zarr.config.set({"async.concurrency": plan.at_once}),
        _shown(recording, quiet=quiet),
    ):
        partita.save(recording, out, chunks=sizes, overwrite=force)


def _refuse_place(out: Path, *, force: bool) -> None:
    if out.suffix != ".zarr":
        raise ValueError(f"convert writes Zarr stores, and {out} does not end in .zarr.")
    if out.exists() and not force:
        raise FileExistsError(f"{out} is there already. Replace it with --force, or name another.")


class _Plan(NamedTuple):
    """How to go through a recording.

    The block that is read and written at once, by how many threads, how many chunks Zarr reads by
    itself, and how often each piece of the file is decoded.
    """

    block: dict[Any, int]
    threads: int
    at_once: int
    readings: int


def _plan(recording: xr.DataArray, sizes: Mapping[Any, int], *, limit: int) -> _Plan:
    """Return how to go through a recording in blocks of whole chunks, as `sizes` has them."""
    from partita._solvers.compute.threads import count_threads

    room, itemsize = int(limit * _SHARE), recording.dtype.itemsize
    one = math.prod(sizes.values()) * itemsize
    if one > room:
        given = ",".join(f"{dim}={size}" for dim, size in sizes.items())
        raise ValueError(
            f"A chunk of {given} has {one / 1e6:.0f} MB, and six of them have to fit in the "
            f"limit of memory, {limit / 1e6:.0f} MB. Raise --memory-limit, or give smaller "
            "--chunks."
        )
    threads = max(1, min(count_threads(), room // one))
    block = _grown(recording, sizes, min(room // threads, _ENOUGH))
    stored = _stored(recording)
    if any(size > block[dim] for dim, size in stored.items()):
        threads, block = 1, _grown(recording, sizes, room)
    piece = math.prod(stored.values()) * itemsize
    readings = math.prod(math.ceil(size / block[dim]) for dim, size in stored.items())
    return _Plan(block, threads, max(1, min(_ZARR_READS, room // (threads * piece))), readings)


def _stored(recording: xr.DataArray) -> dict[Any, int]:
    """Return the sizes of the pieces in which the file stores a recording."""
    stored = recording.encoding.get("preferred_chunks", {})
    return {dim: min(stored.get(dim, 1), size) for dim, size in recording.sizes.items()}


def _grown(recording: xr.DataArray, sizes: Mapping[Any, int], most: int) -> dict[Any, int]:
    """Return a block of whole chunks of at most so many bytes, grown along time last."""
    block = dict(sizes)
    for dim in sorted(recording.dims, key=lambda dim: (dim == "time", -recording.dims.index(dim))):
        rest = math.prod(size for other, size in block.items() if other != dim)
        fit = max(1, most // (rest * recording.dtype.itemsize * sizes[dim]))
        block[dim] = sizes[dim] * min(fit, math.ceil(recording.sizes[dim] / sizes[dim]))
    return block


@contextmanager
def _shown(recording: xr.DataArray, *, quiet: bool) -> Iterator[None]:
    """Show how much is written."""
    from dask.callbacks import Callback

    from partita._progress import progress

    blocks = math.prod(len(sizes) for sizes in recording.chunks or ())
    with progress("convert", recording.nbytes, unit="B", scaled=True, shown=not quiet) as line:

        def stored(key: Any, *_: object) -> None:
            if "store" in str(key):
                line.update(recording.nbytes / blocks)

        with Callback(posttask=stored):
            yield
