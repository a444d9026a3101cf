"""How arrays with time along one axis are cut: into blocks that fit a cache, and as dask cut them.

Arrays of any number of dimensions are seen as (before, time, after): a view, where the array is
C-contiguous.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

BLOCK = 1 << 18
"""Values worked on at a time: 2 MB in float64, which stay in cache from one pass to the next.

Of 1500 frames of 100 x 128 float32, z-scores, drifts, signs, DVARS, ΔF/F and smoothing are as fast
with 2^16 to 2^19 values, and up to twice as slow with all at once.
"""
# Values side by side that are read in one stretch, so that a block of large frames still holds 64
# times. Stretches of 256 and of 16384 are as fast; of 64 they take 1.6 times as long.
_RUN = 4096
_MERGE = 4  # partial results joined at a time, so that few are held


def as_cube(values: np.ndarray, axis: int) -> np.ndarray:
    """See an array as (before, time, after)."""
    before, after = values.shape[:axis], values.shape[axis + 1 :]
    return values.reshape(math.prod(before), values.shape[axis], math.prod(after))


def frame_blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Cut the two sides around time so that a block of all three is small."""
    n_before, _, n_after = shape
    _, step_before, step_after = _steps(shape)
    for i in range(0, n_before, step_before):
        for j in range(0, n_after, step_after):
            yield slice(i, i + step_before), slice(j, j + step_after)


def time_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Cut time so that a block of all three is small."""
    step = _steps(shape)[0]
    return (slice(i, i + step) for i in range(0, shape[1], step))


def _steps(shape: tuple[int, ...]) -> tuple[int, int, int]:
    after = max(1, min(shape[2], _RUN))
    time = max(1, min(shape[1], BLOCK // after))
    return time, max(1, BLOCK // (after * time)), after


def spans_of(chunks: Sequence[Sequence[int]], at: Sequence[int]) -> tuple[slice, ...]:
    """Return the slices that the block number `at` takes of the whole array."""
    starts = [sum(sizes[:i]) for sizes, i in zip(chunks, at, strict=True)]
    return tuple(
        slice(start, start + sizes[i]) for start, sizes, i in zip(starts, chunks, at, strict=True)
    )


def join_in_tree(parts: list[Any], join: Any) -> Any:
    """Join partial results, in the order of time, a few at a time.

    Parameters
    ----------
    parts : list
        Delayed results.
    join : callable
        Takes a list of them to one of the same kind; delayed.
    """
    while len(parts) > 1:
        parts = [join(parts[i : i + _MERGE]) for i in range(0, len(parts), _MERGE)]
    return parts[0]


def memory_order(values: np.ndarray) -> list[int]:
    """Return the axes from the slowest to the fastest in memory."""
    return sorted(range(values.ndim), key=lambda i: -abs(values.strides[i]))
