"""Which parts of a virtual HDF5 data set its sources hold; the rest would read as its fill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

# More pieces than this are counted, not laid out.
_MOST_CELLS = 1 << 27


class Run(NamedTuple):
    """Indices along one axis: blocks of `block` from `start` on, every `stride`, before `end`."""

    start: int
    stride: int
    block: int
    end: int

    def edges(self) -> Array:
        """Return where its blocks begin and end."""
        starts = np.arange(self.start, self.end, self.stride)
        return np.concatenate([starts, np.minimum(starts + self.block, self.end)])

    def holds(self, places: Array) -> Array:
        """Tell which places are in it."""
        inside = (self.start <= places) & (places < self.end)
        return inside & ((places - self.start) % self.stride < self.block)

    def before(self, end: int) -> Run:
        """Return what of it lies before a place."""
        end = max(self.start, min(self.end, end))
        is_one = self.stride == self.block
        length = max(1, end - self.start) if is_one else 0
        return Run(self.start, length or self.stride, length or self.block, end)

    def place_after(self, n: int) -> int:
        """Return the place that follows its first `n` indices."""
        return self.start + n // self.block * self.stride + n % self.block

    def n_indices(self) -> int:
        """Return how many indices it has."""
        whole, rest = divmod(max(0, self.end - self.start), self.stride)
        return whole * self.block + min(rest, self.block)


def fits(mapping: Any, shape: Shape) -> bool:
    """Tell whether a source of a shape has all that a mapping takes from it."""
    space = mapping.src_space
    if space.get_select_type() == h5py.h5s.SEL_ALL:  # such a space does not say how large it is
        return math.prod(shape) == sum(map(_n_values, _selected(mapping.vspace)))
    return len(space.shape) == len(shape) and all(
        run.end in (h5py.h5s.UNLIMITED, min(run.end, size))
        for region in _selected(space)
        for run, size in zip(region, shape, strict=True)
    )


def _n_values(region: Sequence[Run]) -> int:
    """Return how many values a region has, of an endless one in a single block."""
    return math.prod(
        run.block if run.end == h5py.h5s.UNLIMITED else run.n_indices() for run in region
    )


def covered(mapping: Any, shapes: Sequence[Shape], shape: Shape) -> list[list[Run]]:
    """Return which parts of a virtual data set one of its mappings fills.

    Parameters
    ----------
    mapping : h5py.VDSmap
        What is taken from where.
    shapes : sequence of tuple of int
        Of its sources: one, or those of numbered names in order.
    shape : tuple of int
        Of the virtual data set.
    """
    regions = _selected(mapping.vspace)
    open_axis = _open_axis(regions)
    ends = list(shape)
    if open_axis is not None:
        run = regions[0][open_axis]
        taken = _selected(mapping.src_space)
        source_axis = _open_axis(taken)
        n = len(shapes) * run.block
        if source_axis is not None:
            n = taken[0][source_axis].before(shapes[0][source_axis]).n_indices()
        ends[open_axis] = min(shape[open_axis], run.place_after(n))
    return [[run.before(end) for run, end in zip(region, ends, strict=True)] for region in regions]


def blocks_in(space: Any, shape: Shape) -> int:
    """Return of how many numbered sources a virtual data set of a shape is made."""
    regions = _selected(space)
    axis = _open_axis(regions)
    if axis is None:
        return 1
    run = regions[0][axis]
    return math.ceil(max(0, shape[axis] - run.start) / run.stride)


def n_uncovered(regions: Sequence[Sequence[Run]], shape: Shape) -> int:
    """Return how many values of a data set are in none of the regions."""
    size = math.prod(shape)
    edges = [
        np.unique(np.concatenate([[0, n], *(region[axis].edges() for region in regions)]))
        for axis, n in enumerate(shape)
    ]
    if math.prod(map(len, edges)) > _MOST_CELLS:
        return max(
            0, size - sum(math.prod(run.n_indices() for run in region) for region in regions)
        )
    filled = np.zeros([len(one) - 1 for one in edges], bool)
    for region in regions:
        filled[np.ix_(*(run.holds(one[:-1]) for run, one in zip(region, edges, strict=True)))] = 1
    counts = filled.astype(np.int64)
    for one in reversed(edges):
        counts = counts @ np.diff(one)
    return size - int(counts)


def _open_axis(regions: Sequence[Sequence[Run]]) -> int | None:
    """Return the axis along which a selection goes on without an end."""
    for region in regions:
        for axis, run in enumerate(region):
            if run.end == h5py.h5s.UNLIMITED:
                return axis
    return None


def _selected(space: Any) -> list[list[Run]]:
    """Return what of a data space is selected, as boxes of runs."""
    kind = space.get_select_type()
    if kind == h5py.h5s.SEL_ALL:
        return [[Run(0, max(1, n), max(1, n), n) for n in space.shape]]
    if kind != h5py.h5s.SEL_HYPERSLABS:
        return []
    if space.is_regular_hyperslab():
        slots = zip(*space.get_regular_hyperslab(), strict=True)
        return [[_run(*map(int, one)) for one in slots]]
    return [
        [
            Run(int(low), int(high - low + 1), int(high - low + 1), int(high + 1))
            for low, high in zip(*box, strict=True)
        ]
        for box in space.get_select_hyper_blocklist()
    ]


def _run(start: int, stride: int, count: int, block: int) -> Run:
    """Return a run as HDF5 has it; one block, or blocks that touch, as one."""
    if block == h5py.h5s.UNLIMITED:
        return Run(start, 1, 1, block)
    if count == h5py.h5s.UNLIMITED:
        return Run(start, stride, block, count)
    end = start + (count - 1) * stride + block if count else start
    if count == 1 or stride <= block:
        stride = block = max(1, end - start)
    return Run(start, stride, block, end)
