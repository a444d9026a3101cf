"""How arrays with time along one axis are cut: into blocks that fit a cache, and as dask cut them.

Arrays of any number of dimensions are seen as (before, time, after): a view, where the array is
C-contiguous.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

_BLOCK = 1 << 17  # values: 1 MB in float64, which stays in cache between the passes
_RUN = 4096  # values read in one stretch


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
    time = max(1, min(shape[1], _BLOCK // after))
    return time, max(1, _BLOCK // (after * time)), after


def spans_of(chunks: Sequence[Sequence[int]], at: Sequence[int]) -> tuple[slice, ...]:
    """Return the slices that the block number `at` takes of the whole array."""
    starts = [sum(sizes[:i]) for sizes, i in zip(chunks, at, strict=True)]
    return tuple(
        slice(start, start + sizes[i]) for start, sizes, i in zip(starts, chunks, at, strict=True)
    )


def memory_order(values: np.ndarray) -> list[int]:
    """Return the axes from the slowest to the fastest in memory."""
    return sorted(range(values.ndim), key=lambda i: -abs(values.strides[i]))
