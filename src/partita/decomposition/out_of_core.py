"""A dask-backed recording as a stream that has been looked over: what it takes is one pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.stack import Stacker
from partita._labels.warn import warn
from partita._solvers.matrices.streamed import Stream, open_stream
from partita._solvers.matrices.survey import Survey, locate, survey

# A recording smaller than this is read once and kept: reading it again would gain nothing.
KEPT_BYTES = 128 << 20
# More blocks than this, smaller than this, take longer to keep account of than to read.
_MANY, _TINY = 1000, 1 << 20


def surveyed(
    recording: xr.DataArray,
    *,
    sample_dim: str,
    mask: xr.DataArray | None,
    rng: np.random.Generator,
    caller: str,
    taken: tuple[str, ...] = ("component",),
    signed: bool = False,
) -> tuple[Stacker, Stream]:
    """Return the stacker and the stream of a lazy recording, all-NaN voxels left out.

    Parameters
    ----------
    recording : xarray.DataArray, (time, ...), any order, dask-backed
        NaN only where a voxel is NaN at all times.
    sample_dim : str
        The dimension of samples.
    mask : xarray.DataArray of bool, optional
        True inside.
    rng : numpy.random.Generator
        Random numbers.
    caller : str
        Who asks, for the messages.
    taken : tuple of str
        As `Stacker.of` takes it.
    signed : bool
        Whether negative values may be.

    Raises
    ------
    ValueError
        If values are negative, or NaN or infinite here and there.

    Warns
    -----
    UserWarning
        If the blocks are many and tiny.
    """
    _warn_of_tiny_blocks(recording, sample_dim)
    stacker = Stacker.of(recording, sample_dim=sample_dim, mask=mask, taken=taken)
    values = stacker.blocks(recording)
    stream = open_stream(values, inside=stacker.inside, dtype=stacker.dtype)
    found = survey(stream, stacker.canonical_columns(), rng)
    if found.empty.any():
        stacker, before = stacker.less(found.empty), stream
        stream = open_stream(values, inside=stacker.inside, dtype=stacker.dtype)
        # Columns without values add nothing to what the survey has found.
        stream.take_over(before)
    _refuse(stream, found, stacker, caller, signed)
    return stacker, stream


def _warn_of_tiny_blocks(recording: xr.DataArray, sample_dim: str) -> None:
    blocks = math.prod(len(sizes) for sizes in recording.chunks or ())
    each = recording.nbytes / max(1, blocks)
    if blocks <= _MANY or each >= _TINY:
        return
    samples = max(1, (32 << 20) * recording.sizes[sample_dim] // recording.nbytes)
    warn(
        f"This recording is cut into {blocks} blocks of {each / 1e6:.2g} MB, which take longer to "
        "keep account of than to read. Give larger ones to load: partita.load(path, "
        f"chunks={{{sample_dim!r}: {samples}}}); if the file itself is stored so, convert it "
        "once: partita convert FILE session.zarr."
    )


def _refuse(stream: Stream, found: Survey, stacker: Stacker, caller: str, signed: bool) -> None:
    shape = (stacker.n_samples, stacker.n_features)
    if found.bad:
        first = stacker.place(*locate(stream, "bad"))
        raise checks.isolated(found.bad, shape, first, caller=caller)
    if found.negative and not signed:
        first = stacker.place(*locate(stream, "negative"))
        raise checks.negative(found.negative, shape, found.least, first, caller=caller)


def is_large(array: Any) -> bool:
    """Tell whether an array is dask-backed and too large to be read once and kept."""
    lazy = isinstance(array, xr.DataArray) and array.chunks is not None
    return lazy and array.nbytes > KEPT_BYTES


def with_passes(report: dict[str, Any], matrix: Any) -> dict[str, Any]:
    """Return a report with every pass over a stream, from the survey to the error of the fit."""
    return {**report, "passes": matrix.passes} if isinstance(matrix, Stream) else report
