"""How a lazy recording is cut: along time, unless asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.checks import promote
from partita._labels.numbers import is_whole

# What a fit reads at once: a chunk of whole samples has between half of it and all of it.
STREAMED_BYTES = 32 << 20


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
        If it names a dimension that is not there, or a size is neither positive nor -1.
    """
    _refuse_sizes(chunks)
    if isinstance(chunks, Mapping):
        foreign = [dim for dim in chunks if dim not in dims]
        if foreign:
            raise ValueError(f"chunks names {foreign}; the recording has the dimensions {dims}.")
        odd = {dim: size for dim, size in chunks.items() if not _is_size(size)}
        if odd:
            raise TypeError(
                f"chunks gives each dimension a number, 'auto', or -1 for all of it; given: {odd}."
            )
        return {dim: chunks.get(dim, -1) for dim in dims}
    if chunks != "auto" and not is_whole(chunks):
        raise TypeError(
            f"chunks is 'auto', None, a number of samples or a mapping by dimension; given: "
            f"{chunks!r}."
        )
    return {dim: chunks if dim == "time" else -1 for dim in dims}


def _is_size(size: Any) -> bool:
    if isinstance(size, tuple | list):
        return all(map(is_whole, size))
    return size is None or is_whole(size) or size == "auto"


def aligned_chunks(
    chunks: Any,
    dims: tuple[Any, ...],
    *,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    stored: tuple[int, ...] | None,
) -> tuple[tuple[int, ...], ...]:
    """Return dask's chunks, of whole stored ones where dask may choose.

    With "auto" they hold all of space and some samples; where the stored chunks reach so far along
    time that these would be large, a part of space, so that none is read twice.

    Parameters
    ----------
    chunks : "auto", int or Mapping
        As `chunks_by_dim` takes them.
    dims : tuple
        The dimensions.
    shape : tuple of int
        Their sizes.
    dtype : numpy.dtype
        What the values are read as.
    stored : tuple of int, optional
        Sizes of the chunks that the file stores, if it does.
    """
    from dask.array.core import normalize_chunks

    wanted: tuple[Any, ...] = tuple(chunks_by_dim(chunks, dims).values())
    if stored is not None and isinstance(chunks, str) and "time" in dims:
        wanted = _whole_stored(stored, dims, shape, dtype)
    chunked: tuple[tuple[int, ...], ...] = normalize_chunks(
        wanted, shape=shape, dtype=dtype, previous_chunks=stored
    )
    return chunked


def _whole_stored(
    stored: tuple[int, ...], dims: tuple[Any, ...], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[int, ...]:
    """Put stored chunks together up to dask's chunk size: along space first, then along time."""
    import dask
    import dask.utils

    sizes = [max(1, min(pair)) for pair in zip(stored, shape, strict=True)]
    most = dask.utils.parse_bytes(dask.config.get("array.chunk-size"))
    inner_first = sorted(range(len(dims)), key=lambda i: (dims[i] == "time", -i))
    for i in inner_first:
        times = max(1, most // (prod(sizes) * dtype.itemsize))
        sizes[i] = min(shape[i], sizes[i] * times)
    return tuple(sizes)


def stored_chunks(chunks: Any, recording: xr.DataArray) -> dict[Any, int]:
    """Return the sizes of the chunks in which a recording is to be stored.

    Parameters
    ----------
    chunks : "auto", int or Mapping
        ``"auto"`` keeps samples whole, as many as make 16 to 32 MB in the type that fits work in;
        a number is so many samples, a mapping sizes by dimension (-1 for all).
    recording : xarray.DataArray
        What is to be stored.

    Raises
    ------
    TypeError, ValueError
        As `chunks_by_dim`; if a size is no whole number.
    """
    by_dim = chunks_by_dim(chunks, recording.dims)
    if chunks == "auto" and "time" in recording.dims:
        sample = recording.size // max(1, recording.sizes["time"])
        sample_bytes = sample * promote(recording.dtype).itemsize
        by_dim["time"] = max(1, STREAMED_BYTES // max(1, sample_bytes))
    wrong = {dim: size for dim, size in by_dim.items() if not is_whole(size)}
    if wrong:
        raise ValueError(_no_size(wrong))
    return {
        dim: whole if by_dim[dim] == -1 else min(int(by_dim[dim]), whole)
        for dim, whole in ((dim, max(1, size)) for dim, size in recording.sizes.items())
    }


def _refuse_sizes(chunks: Any) -> None:
    """Refuse numbers that are no sizes; what else dask takes is left to it."""
    sizes = chunks.values() if isinstance(chunks, Mapping) else [chunks]
    if any(is_whole(size) and size < 1 and size != -1 for size in sizes):
        raise ValueError(_no_size(chunks))


def _no_size(given: Any) -> str:
    return f"chunks are whole numbers of at least 1, or -1 for all of a dimension; given: {given}."


def cut_for(recording: xr.DataArray, sizes: Mapping[Any, int]) -> xr.DataArray:
    """Return a recording in blocks that hold whole chunks of `sizes`; its own where they do."""
    blocks = recording.chunks
    if blocks is not None and all(
        all(block % sizes[dim] == 0 for block in of_dim[:-1])
        for dim, of_dim in zip(recording.dims, blocks, strict=True)
    ):
        return recording
    return recording.copy(deep=False, data=recording.variable.chunk(dict(sizes)).data)
