"""F0 of every voxel at a few knots in time, computed in one pass over the recording.

A recording in memory is worked on in tiles of voxels by several threads, in the order in which it
lies in memory. A dask-backed one is read in one streaming pass when a curve is computed, or in a
few where even its means over short bins would not fit into half a gigabyte, or into an eighth of
the memory that is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np

from partita._progress import progress
from partita._solvers.baselines.binning import (
    BinnedTraces,
    bin_traces,
    join_stretches,
    traces_of,
)
from partita._solvers.baselines.design import BaselineDesign, cut_design
from partita._solvers.baselines.quantile import quantile_of
from partita._solvers.baselines.running_baseline import TILE, Baselines, fit_cube, fit_tiles
from partita._solvers.compute.memory import available_memory
from partita._solvers.compute.threads import Crew
from partita.preprocess.voxels.cutting import as_cube, memory_order

BUDGET = 1 << 29  # bytes of means over bins held at a time; beyond, the recording is read again


def fit(
    values: Any, plan: BaselineDesign, *, axis: int, dtype: np.dtype[Any], verbose: int
) -> Baselines:
    """Compute F0 of every voxel; arrays are (n, *features) with the values' features."""
    shape = values.shape[:axis] + values.shape[axis + 1 :]
    voxels = progress("baseline", math.prod(shape), unit="voxels", shown=bool(verbose))
    with voxels as line, Crew() as crew:
        share = partial(_fit_memory if isinstance(values, np.ndarray) else _fit_chunks, values)
        return share(plan, axis=axis, dtype=dtype, crew=crew, progress=line.update)


def _fit_memory(
    values: np.ndarray, plan: BaselineDesign, *, axis: int, **options: Any
) -> Baselines:
    order = memory_order(values)
    turned = values.transpose(order)
    fitted = fit_cube(as_cube(turned, order.index(axis)), plan, **options)
    shape = tuple(values.shape[i] for i in order if i != axis)
    kept = [i for i in order if i != axis]
    back = [0, *(1 + kept.index(i) for i in range(values.ndim) if i != axis)]
    return Baselines(*(array.reshape(-1, *shape).transpose(back) for array in fitted))


def _fit_chunks(
    values: Any, plan: BaselineDesign, *, axis: int, dtype: np.dtype[Any], **options: Any
) -> Baselines:
    shape = values.shape[:axis] + values.shape[axis + 1 :]
    held = Baselines(
        np.empty((len(plan.knots), *shape), dtype),
        np.empty((2, *shape)),
        np.empty((3, *shape), np.int64),
    )
    bytes_each = dtype.itemsize * (len(plan.grid.counts) + len(plan.grid.knots))
    budget = min(BUDGET, available_memory() // 8)
    limit = max(1, budget // bytes_each)
    for group in _groups(values.chunks[:axis] + values.chunks[axis + 1 :], limit):
        for tile, fitted in _fit_group(values, group, plan, axis, dtype, options):
            sizes = tuple(part.stop - part.start for part in tile)
            for target, array in zip(held, fitted, strict=True):
                target[:, *tile] = array.reshape(-1, *sizes)
    return held


Tile = tuple[slice, ...]


def _fit_group(
    values: Any,
    tiles: list[Tile],
    plan: BaselineDesign,
    axis: int,
    dtype: np.dtype[Any],
    options: dict[str, Any],
) -> Iterator[tuple[Tile, Baselines]]:
    """Summarise some tiles of features in one pass over their chunks, and fit them one by one."""
    from dask import compute, delayed  # type: ignore[attr-defined]

    sizes = values.chunks[axis]
    edges = _edges_of_blocks(sizes, plan)
    at = np.searchsorted(plan.grid.bins[plan.grid.blocks], edges)
    pieces = [cut_design(plan, a, b) for a, b in pairwise(at)]
    stretches = _spans_in_chunks(np.array(list(pairwise(edges))), sizes)
    windows = _spans_in_chunks(plan.spans, sizes) if plan.kind == "quantile" else []
    summarise, rank = delayed(_summarise_blocks, pure=True), delayed(_rank_blocks, pure=True)
    wanted = []
    for tile in tiles:
        blocks = _blocks_of(values, tile, axis)
        parts = [
            summarise(blocks[a:b], span, piece, axis, dtype)
            for (a, b, span), piece in zip(stretches, pieces, strict=True)
        ]
        ranks = [rank(blocks[a:b], span, plan.share, axis, dtype) for a, b, span in windows]
        wanted.append((parts, ranks))
    for tile, (parts, ranks) in zip(tiles, compute(*wanted), strict=True):
        work = partial(_join_tile, parts, ranks, edges[:-1])
        n_voxels = parts[0].sums.shape[1]
        yield tile, fit_tiles(work, n_voxels, plan, dtype=dtype, **options)


def _join_tile(
    parts: list[BinnedTraces], ranks: list[np.ndarray], starts: list[int], first: int, last: int
) -> tuple[BinnedTraces, np.ndarray | None]:
    summary = join_stretches(parts, starts, first=first, last=last)
    return summary, np.stack([rank[first:last] for rank in ranks]) if ranks else None


def _summarise_blocks(
    blocks: list[np.ndarray],
    span: tuple[int, int],
    plan: BaselineDesign,
    axis: int,
    dtype: np.dtype[Any],
) -> BinnedTraces:
    """Summarise a span that may begin and end within blocks, without putting them together."""
    parts = [
        bin_traces(traces[None], plan, first=0, last=traces.shape[1], dtype=dtype)
        for traces in _traces(blocks, span, axis)
    ]
    return BinnedTraces(*(np.hstack(arrays) for arrays in zip(*parts, strict=True)))


def _rank_blocks(
    blocks: list[np.ndarray], span: tuple[int, int], share: float, axis: int, dtype: np.dtype[Any]
) -> np.ndarray:
    """Return a quantile of every voxel over a span that may begin and end within blocks."""
    found = [
        quantile_of(traces.T.astype(dtype, "C"), share) for traces in _traces(blocks, span, axis)
    ]
    return np.concatenate(found).astype(dtype)


def _traces(blocks: list[np.ndarray], span: tuple[int, int], axis: int) -> Iterator[np.ndarray]:
    """Yield the courses of consecutive blocks over a span, (times, voxels), a tile at a time."""
    cubes = [as_cube(block, axis) for block in blocks]
    n_voxels = cubes[0].shape[0] * cubes[0].shape[2]
    for first in range(0, n_voxels, TILE):
        last = min(first + TILE, n_voxels)
        tiles = [traces_of(cube, first, last) for cube in cubes]
        yield (np.concatenate(tiles) if len(tiles) > 1 else tiles[0])[slice(*span)]


def _blocks_of(values: Any, tile: Tile, axis: int) -> list[Any]:
    """Return the blocks in time of a tile of features, each whole, as delayed arrays."""
    part = values[(*tile[:axis], slice(None), *tile[axis:])]
    whole = {i: -1 for i in range(values.ndim) if i != axis}
    return list(part.rechunk(whole).to_delayed().ravel())


def _spans_in_chunks(
    spans: np.ndarray, sizes: tuple[int, ...]
) -> list[tuple[int, int, tuple[int, int]]]:
    """Return which chunks every span touches, and where it lies in those."""
    edges = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    found = []
    for start, stop in spans:
        a = int(np.searchsorted(edges, start, "right")) - 1
        b = int(np.searchsorted(edges, stop))
        found.append((a, b, (int(start - edges[a]), int(stop - edges[a]))))
    return found


def _edges_of_blocks(sizes: tuple[int, ...], plan: BaselineDesign) -> list[int]:
    """Return edges in time near those of the chunks, between whole blocks of the grid."""
    edges = plan.grid.bins[plan.grid.blocks]
    ends = np.cumsum(sizes)[:-1]
    right = np.searchsorted(edges, ends)
    nearer = ends - edges[right - 1] < edges[right] - ends
    kept = edges[np.unique(right - nearer)]
    inner = kept[(kept > 0) & (kept < edges[-1])]
    return [0, *map(int, inner), int(edges[-1])]


def _groups(chunks: tuple[tuple[int, ...], ...], limit: int) -> list[list[Tile]]:
    """Cut the features into tiles of at most `limit` voxels, in groups of at most as many."""
    groups: list[list[Tile]] = [[]]
    held = 0
    for tile in _tiles(chunks, limit):
        size = math.prod(part.stop - part.start for part in tile)
        if groups[-1] and held + size > limit:
            groups.append([])
            held = 0
        groups[-1].append(tile)
        held += size
    return groups


def _tiles(chunks: tuple[tuple[int, ...], ...], limit: int) -> Iterator[Tile]:
    edges = [np.cumsum([0, *sizes]) for sizes in chunks]
    for at in product(*(range(len(sizes)) for sizes in chunks)):
        tile = tuple(slice(int(e[i]), int(e[i + 1])) for e, i in zip(edges, at, strict=True))
        yield from _halved(tile, limit)


def _halved(tile: Tile, limit: int) -> Iterator[Tile]:
    sizes = [part.stop - part.start for part in tile]
    if math.prod(sizes) <= limit or max(sizes, default=1) == 1:
        yield tile
        return
    longest = int(np.argmax(sizes))
    start, stop = tile[longest].start, tile[longest].stop
    for part in (slice(start, (start + stop) // 2), slice((start + stop) // 2, stop)):
        yield from _halved((*tile[:longest], part, *tile[longest + 1 :]), limit)
