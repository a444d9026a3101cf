"""F0 that was given, in the places of a recording."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels import align, checks
from partita._labels.grid import same_grid
from partita._labels.numbers import is_number
from partita._labels.placement import refuse_elsewhere, refuse_other_slice
from partita.preprocess.fluorescence.f0_interpolated import BASELINE, RISE
from partita.preprocess.voxels.cutting import BLOCK


class GivenF0(NamedTuple):
    """A baseline in the places of a recording.

    Attributes
    ----------
    level : numpy.ndarray or dask.array.Array
        With the axes of the recording, of length one where it does not change.
    axis : int
        The axis of time.
    lost : numpy.ndarray of bool, (*features), optional
        Voxels that are NaN at all times.
    """

    level: Any
    axis: int
    lost: np.ndarray | None = None

    def lowest(self) -> np.ndarray:
        """Return the lowest value of every voxel over time; NaN where any is."""
        return np.asarray(self.level.min(axis=self.axis), dtype=np.float64)

    def without(self, lost: np.ndarray) -> GivenF0:
        """Return the same, NaN for the voxels that are `lost`, (*features)."""
        return self._replace(lost=lost)

    def apply(self, values: Any, *, how: int, offset: float, dtype: np.dtype[Any]) -> Any:
        """Return F0 or the change of values relative to it; see `InterpolatedF0.apply`."""
        work = partial(_compare, how=how, offset=offset, dtype=dtype)
        none = np.zeros((1,) * (values.ndim - 1), bool)
        lost = np.expand_dims(none if self.lost is None else self.lost, self.axis)
        if isinstance(values, np.ndarray):
            return _in_slabs(work, values, np.asarray(self.level), lost, dtype)
        import dask.array as da

        level, lost = (_chunked_like(values, array) for array in (self.level, lost))
        meta = np.empty((0,) * values.ndim, dtype=dtype)
        return da.map_blocks(work, values, level, lost, dtype=dtype, meta=meta)


def lay_over(baseline: Any, recording: xr.DataArray, *, axis: int) -> GivenF0:
    """Lay a given baseline over a recording, or refuse it.

    Raises
    ------
    TypeError
        If it is neither a number nor a DataArray of numbers.
    ValueError
        If it has other dimensions, sizes or coordinates than the recording.
    """
    if is_number(baseline):
        baseline = xr.DataArray(float(baseline))
    if not isinstance(baseline, xr.DataArray):
        raise TypeError(
            "delta_f_over_f takes a baseline by name, as a number, or as a DataArray with the "
            f"recording's coordinates; it was given {type(baseline).__name__}. Label it: "
            "recording.copy(data=values)."
        )
    checks.require_array(baseline, caller="delta_f_over_f, for its baseline,")
    foreign = [str(dim) for dim in baseline.dims if dim not in recording.dims]
    if foreign:
        raise ValueError(
            f"The baseline has the dimensions {foreign}, which the recording lacks; it has "
            f"{tuple(map(str, recording.dims))}."
        )
    refuse_elsewhere(baseline, recording, caller="The baseline")
    refuse_other_slice(baseline, recording, caller="The baseline")
    for dim in baseline.dims:
        _require_same(baseline, recording, str(dim))
    missing = {dim: 1 for dim in recording.dims if dim not in baseline.dims}
    plain = baseline.reset_coords(drop=True).drop_vars(list(baseline.dims), errors="ignore")
    return GivenF0(plain.expand_dims(missing).transpose(*recording.dims).data, axis)


def _require_same(baseline: xr.DataArray, recording: xr.DataArray, dim: str) -> None:
    if baseline.sizes[dim] != recording.sizes[dim]:
        raise ValueError(
            f"The baseline has {baseline.sizes[dim]} places along {dim!r}, and the recording "
            f"{recording.sizes[dim]}. Estimate it from this recording, or select the same part."
        )
    if not align.comparable(baseline, recording, dim, caller="The baseline"):
        return
    if not same_grid(baseline[dim], recording[dim]):
        raise ValueError(
            f"The baseline lies on another grid: its {dim!r} begins at "
            f"{baseline[dim].values[0]!s} and ends at {baseline[dim].values[-1]!s}, the "
            f"recording's at {recording[dim].values[0]!s} and {recording[dim].values[-1]!s}. "
            "Interpolate it first: baseline.interp_like(recording)."
        )


def _compare(
    values: np.ndarray,
    level: np.ndarray,
    lost: np.ndarray,
    *,
    how: int,
    offset: float,
    dtype: np.dtype[Any],
) -> np.ndarray:
    shape = np.broadcast_shapes(values.shape, level.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        base = np.where(lost, np.nan, np.asarray(level, dtype=np.float64))
        if how == BASELINE:
            return np.broadcast_to(base, shape).astype(dtype)
        change = np.subtract(values, base, dtype=np.float64) / (base - offset)
        if how == RISE:
            change = np.where(change <= 0, 0.0, change)
    return change.astype(dtype)


def _in_slabs(
    work: Any, values: np.ndarray, level: np.ndarray, lost: np.ndarray, dtype: np.dtype[Any]
) -> np.ndarray:
    result = np.empty(values.shape, dtype)
    rows = max(1, BLOCK * values.shape[0] // values.size)
    for start in range(0, values.shape[0], rows):
        part = slice(start, start + rows)
        pieces = (array[part] if array.shape[0] > 1 else array for array in (level, lost))
        result[part] = work(values[part], *pieces)
    return result


def _chunked_like(values: Any, array: Any) -> Any:
    import dask.array as da

    chunks = tuple(
        sizes if n > 1 else (1,) for n, sizes in zip(array.shape, values.chunks, strict=True)
    )
    if isinstance(array, np.ndarray):
        return da.from_array(array, chunks=chunks)
    return array.rechunk(chunks)
