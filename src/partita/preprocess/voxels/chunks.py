"""Where the blocks of a lazy array lie."""

from __future__ import annotations

from collections.abc import Sequence


def spans_of(chunks: Sequence[Sequence[int]], at: Sequence[int]) -> tuple[slice, ...]:
    """Return the slices that the block number `at` takes of the whole array."""
    starts = [sum(sizes[:i]) for sizes, i in zip(chunks, at, strict=True)]
    return tuple(
        slice(start, start + sizes[i]) for start, sizes, i in zip(starts, chunks, at, strict=True)
    )
