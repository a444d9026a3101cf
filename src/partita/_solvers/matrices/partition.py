"""How a dask array is cut into parts that are read at once, along its samples or its features."""

from __future__ import annotations

import itertools
import math
from typing import Any

import dask.base
import numpy as np
from dask.delayed import delayed

from ..compute.types import Array
from .dask_cluster import futures_of

PART_BYTES = 32 << 20
"""Up to how many bytes of small chunks make one part: several a thread fit into any memory."""


def part_of(chunks: tuple[tuple[int, ...], ...], itemsize: int) -> tuple[bool, int]:
    """Return whether a recording in such chunks is read along its samples, and bytes of a part."""
    n_samples, *features = (sum(sizes) for sizes in chunks)
    n_features = math.prod(features)
    tall = max(chunks[0]) * n_features
    wide = n_samples * math.prod(max(sizes) for sizes in chunks[1:])
    whole = n_samples * n_features * itemsize
    return tall <= wide, max(min(tall, wide) * itemsize, min(PART_BYTES, whole))


def _as_delayed(arrays: list[Any]) -> list[Any]:
    """Return arrays of one chunk as delayed values, read and computed as one task if none is held.

    Optimising would forget which blocks a cluster holds.
    """
    held = bool(futures_of(arrays[0]))
    ready = arrays if held else dask.base.optimize(*arrays)
    return [array.to_delayed(optimize_graph=False).ravel()[0] for array in ready]


def _most_together(array: Any) -> int:
    """Return up to how many bytes of small chunks make one part.

    Blocks that a cluster holds are a part each: together they might have to travel.
    """
    return 0 if futures_of(array) else PART_BYTES


def by_samples(array: Any, inside: Array | None, dtype: Any) -> tuple[list[Any], list[slice]]:
    row_bytes = math.prod(array.shape[1:]) * np.dtype(dtype).itemsize
    most = _most_together(array)
    slices, start, stop = [], 0, 0
    for size in array.chunks[0]:
        if stop > start and (stop + size - start) * row_bytes > most:
            slices.append(slice(start, stop))
            start = stop
        stop += size
    slices.append(slice(start, stop))
    whole = [array[part].rechunk(-1) for part in slices]
    take = delayed(_rows, pure=False, traverse=False)
    blocks = _as_delayed(whole)
    shared = None if inside is None or inside.all() else delayed(inside, traverse=False)
    return [take(block, shared, dtype) for block in blocks], slices


def by_features(array: Any, kept: Array, dtype: Any) -> tuple[list[Any], list[slice], Array]:
    """Cut along the features, chunk by chunk, small ones together."""
    column = np.cumsum(kept) - 1
    places = np.where(kept, column, -1).reshape(array.shape[1:])
    edges = [np.cumsum([0, *sizes]) for sizes in array.chunks[1:]]
    bounds = [list(itertools.pairwise(edge)) for edge in edges]
    groups: list[list[tuple[slice, ...]]] = []
    held, most = 0, _most_together(array)
    for corner in itertools.product(*bounds):
        where = tuple(slice(int(a), int(b)) for a, b in corner)
        n_bytes = array.shape[0] * places[where].size * np.dtype(dtype).itemsize
        if not groups or held + n_bytes > most:
            groups.append([])
            held = 0
        groups[-1].append(where)
        held += n_bytes
    order, slices, parts, start = [], [], [], 0
    flat = [array[(slice(None), *where)].rechunk(-1) for group in groups for where in group]
    blocks = iter(_as_delayed(flat))
    take = delayed(_columns, pure=False, traverse=False)  # what is held is lost in a list
    for group in groups:
        columns = [places[where].ravel() for where in group]
        mine = [next(blocks) for _ in group]
        found = np.concatenate([c[c >= 0] for c in columns])
        if found.size == 0:
            continue
        keep = None if all((c >= 0).all() for c in columns) else [c >= 0 for c in columns]
        parts.append(take(keep, dtype, *mine))
        slices.append(slice(start, start + found.size))
        start += found.size
        order.append(found)
    return parts, slices, np.concatenate(order)


def _rows(block: Array, inside: Array | None, dtype: Any) -> Array:
    """Return some samples as columns (n_features, width), a view where it can be."""
    rows = np.asarray(block).reshape(block.shape[0], -1)
    rows = rows if inside is None else rows[:, inside]
    return np.ascontiguousarray(rows, dtype).T


def _columns(keep: list[Array] | None, dtype: Any, *blocks: Array) -> Array:
    """Return some features (n_samples, width)."""
    flat = [np.asarray(block).reshape(block.shape[0], -1) for block in blocks]
    if keep is not None:
        flat = [rows[:, here] for rows, here in zip(flat, keep, strict=True)]
    together = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
    return np.ascontiguousarray(together, dtype)
