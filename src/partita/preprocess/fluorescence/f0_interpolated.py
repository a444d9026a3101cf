"""F0 known at a few knots in time: a straight line between them, written when it is asked for."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from partita._solvers.baselines.relative_change import apply_knots
from partita._solvers.compute.threads import Crew
from partita.preprocess.voxels.cutting import as_cube, memory_order

# What is written: F0 itself, the change relative to it, or the change where it is positive.
BASELINE, CHANGE, RISE = 0, 1, 2


class InterpolatedF0(NamedTuple):
    """The slow baseline of every voxel of a recording.

    Attributes
    ----------
    knots : numpy.ndarray, (n_knots, *features)
        The baseline at the knots.
    where : numpy.ndarray, (n_times,)
        Where the times of the recording lie among the knots, counted from 0.
    axis : int
        The axis of time of the recording.
    """

    knots: np.ndarray
    where: np.ndarray
    axis: int

    def lowest(self) -> np.ndarray:
        """Return the lowest value of every voxel over the times of the recording."""
        knots, ends = self.knots, self.where[[0, -1]]
        left = np.clip(np.floor(ends).astype(int), 0, max(len(knots) - 2, 0))
        right = np.minimum(left + 1, len(knots) - 1)
        share = (ends - left).reshape(-1, *(1,) * (knots.ndim - 1))
        outer = knots[left] + share * (knots[right] - knots[left])
        return np.minimum(knots.min(axis=0), outer.min(axis=0))

    def without(self, lost: np.ndarray) -> InterpolatedF0:
        """Return the same, NaN for the voxels that are `lost`, (*features)."""
        if not lost.any():
            return self
        return self._replace(knots=np.where(lost, np.nan, self.knots))

    def apply(self, values: Any, *, how: int, offset: float, dtype: np.dtype[Any]) -> Any:
        """Return F0 or the change of values relative to it; lazy if the values are.

        Parameters
        ----------
        values : numpy.ndarray or dask.array.Array
            The recording's.
        how : int
            BASELINE, CHANGE or RISE.
        offset : float
            Taken from both before they are compared.
        """
        axis = self.axis
        work = partial(_apply_block, axis=axis, how=how, offset=offset, dtype=dtype)
        if isinstance(values, np.ndarray):
            with Crew() as crew:
                return work(values, self.knots, self.where, crew=crew)
        import dask.array as da

        axes = tuple(range(values.ndim))
        features = axes[:axis] + axes[axis + 1 :]
        chunks = ((len(self.knots),), *values.chunks[:axis], *values.chunks[axis + 1 :])
        return da.blockwise(
            work, axes,
            values, axes,
            da.from_array(self.knots, chunks=chunks), (values.ndim, *features),
            da.from_array(self.where, chunks=(values.chunks[axis],)), (axis,),
            concatenate=True, dtype=dtype, meta=np.empty((0,) * values.ndim, dtype=dtype),
        )  # fmt: skip


def _apply_block(
    values: np.ndarray,
    knots: np.ndarray,
    where: np.ndarray,
    *,
    axis: int,
    how: int,
    offset: float,
    dtype: np.dtype[Any],
    crew: Crew | None = None,
) -> np.ndarray:
    order = memory_order(values)
    turned = values.transpose(order)
    result = np.empty(turned.shape, dtype)
    features = [i - (i > axis) for i in order if i != axis]
    curves = np.ascontiguousarray(knots.transpose([0, *(1 + i for i in features)]))
    cube, target = (as_cube(array, order.index(axis)) for array in (turned, result))
    curves = curves.reshape(len(knots), cube.shape[0], cube.shape[2])
    left = np.clip(np.floor(where).astype(np.int64), 0, max(len(knots) - 2, 0))
    share = where - left
    if len(knots) == 1:
        share = np.zeros_like(share)

    def work(span: tuple[int, int]) -> None:
        apply_knots(cube, curves, left, share, offset, how, *span, target)

    n_times, threads = len(where), 1 if crew is None else 4 * crew.threads
    edges = np.unique(np.linspace(0, n_times, threads + 1).astype(int))
    spans = [(int(a), int(b)) for a, b in pairwise(edges)]
    with np.errstate(invalid="ignore", divide="ignore"):
        (Crew(1) if crew is None else crew).map(work, spans)
    return result.transpose(np.argsort(order))
