"""How a lazy recording is cut: along time, unless asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr


def chunks_by_dim(chunks: Any, dims: tuple[Any, ...]) -> dict[Any, Any]:
    """Return the chunks wanted along each dimension; only time is cut unless named.

    Parameters
    ----------
    chunks : "auto", int or Mapping
        Time is cut to dask's chunk size, to so many samples, or as the mapping says by dimension.
    dims : tuple
        The dimensions, time among them or not.

    Raises
    ------
    TypeError
        If `chunks` is something else.
    ValueError
        If it names a dimension that is not there.
    """
    if isinstance(chunks, Mapping):
        foreign = [dim for dim in chunks if dim not in dims]
        if foreign:
            raise ValueError(f"chunks names {foreign}; the recording has the dimensions {dims}.")
        return {dim: chunks.get(dim, -1) for dim in dims}
    if chunks != "auto" and (isinstance(chunks, bool) or not isinstance(chunks, int)):
        raise TypeError(
            f"chunks is 'auto', None, a number of samples or a mapping by dimension; given: "
            f"{chunks!r}."
        )
    return {dim: chunks if dim == "time" else -1 for dim in dims}


def file_chunks(
    chunks: Any, dims: tuple[str, ...], *, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[tuple[int, ...], ...]:
    """Return dask's chunks of the axes (volume, time, z, y, x) of a NIfTI file."""
    by_dim = chunks_by_dim(chunks, dims)
    wanted = tuple(by_dim.get(axis, -1) for axis in ("volume", "time", "z", "y", "x"))
    chunked: tuple[tuple[int, ...], ...] = da.core.normalize_chunks(
        wanted, shape=shape, dtype=dtype
    )
    return chunked


def aligned_chunks(
    chunks: Any, recording: xr.DataArray, *, stored: Mapping[Any, int]
) -> dict[Any, tuple[int, ...]]:
    """Return dask's chunks by dimension, along the stored ones where dask may choose."""
    by_dim = chunks_by_dim(chunks, recording.dims)
    chunked: tuple[tuple[int, ...], ...] = da.core.normalize_chunks(
        tuple(by_dim.values()),
        shape=recording.shape,
        dtype=recording.dtype,
        previous_chunks=tuple(stored.get(dim, recording.sizes[dim]) for dim in recording.dims)
        if stored
        else None,
    )
    return dict(zip(recording.dims, chunked, strict=True))
