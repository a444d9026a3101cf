"""Another rate of sampling, or an even one."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita._labels.grid import EVEN_TOLERANCE, even_spacing
from partita._labels.numbers import is_positive
from partita._labels.time import from_seconds, require_seconds, sample_times
from partita.preprocess.cleaning.interpolation import (
    LEAST,
    Decimation,
    Interpolation,
    decimate,
    interpolate,
)


def resample_time(
    recording: xr.DataArray,
    *,
    rate: float | None = None,
    step: float | None = None,
    times: npt.ArrayLike | xr.DataArray | None = None,
    interpolation: Interpolation = "cubic",
    sample_dim: str = "time",
) -> xr.DataArray:
    """Bring a recording to even times, to another rate, or to given times.

    Values between samples are interpolated. Where the new samples are even and further apart than
    the old ones, what is too fast for them is taken out first, by a windowed sinc that ends at
    half the new rate, so that nothing comes back as an alias.

    On a lazy recording nothing is computed when the function is called; a block of the result
    needs the chunks around it (60 samples on either side for the spline, 10 of the result for the
    windowed sinc), so memory stays bounded. NaN are refused when a block is computed. A voxel that
    is NaN at all times stays NaN.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        With rising times, even or not. Integers of up to 16 bits are promoted to float32, longer
        ones to float64.
    rate : float, optional
        Samples a second, from the first time on.
    step : float, optional
        Seconds between samples, from the first time on.
    times : array_like or xarray.DataArray, (n_times,), optional
        The new times themselves: in seconds, or in the dtype or `units` of the recording's if it
        is a DataArray; within the recording. If they are uneven, no low-pass is applied.
    interpolation : {"cubic", "linear"}
        A cubic spline keeps fast fluctuations better, and can overshoot (below
        zero, too); a line cannot.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions as `recording`
        In the same units. Its times have the units or dtype of the old ones; other coordinates on
        time are interpolated by a line if they hold floating numbers, else taken from the nearest
        sample.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If not exactly one of `rate`, `step` and `times` is given; if it is out of range; if the
        recording has no times, too few, or they fall or repeat; or if values are NaN or infinite,
        and others of the same voxel are not.

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> recording = xr.DataArray(
    ...     [[0.0], [1.0], [3.0]], dims=("time", "neuron"), coords={"time": [0.0, 1.0, 3.0]}
    ... )
    >>> pt.preprocess.resample_time(recording, step=0.5, interpolation="linear").values.ravel()
    array([0. , 0.5, 1. , 1.5, 2. , 2.5, 3. ])
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller="resample_time")
    checks.require_dense(recording, caller="resample_time")
    own = _own_times(recording, sample_dim=sample_dim, interpolation=interpolation)
    targets = _targets(recording, own, rate=rate, step=step, times=times, sample_dim=sample_dim)
    factor = _factor(own, targets)
    if factor > 1:
        spacing = (targets[-1] - targets[0]) / (targets.size - 1)
        wanted = Decimation(targets[0], spacing, targets.size, factor)
        values = decimate(
            recording,
            own,
            wanted,
            interpolation=interpolation,
            sample_dim=sample_dim,
            caller="resample_time",
        )
    else:
        values = interpolate(
            recording,
            own,
            targets,
            interpolation=interpolation,
            sample_dim=sample_dim,
            caller="resample_time",
        )
    coords = _coords_at(recording, own, targets, sample_dim=sample_dim)
    result = xr.DataArray(values, dims=recording.dims, attrs=recording.attrs).assign_coords(coords)
    result.name = recording.name
    asked: dict[str, Any] = {"rate": rate} if rate is not None else {"step": step}
    if times is not None:
        asked = {"n_times": targets.size}
    return append_history(
        result, describe_call("resample_time", **asked, interpolation=interpolation)
    )


def _own_times(recording: xr.DataArray, *, sample_dim: str, interpolation: str) -> np.ndarray:
    checks.require_choice("interpolation", interpolation, get_args(Interpolation))
    times = sample_times(recording, sample_dim=sample_dim, caller="resample_time")
    if recording.sizes[sample_dim] < LEAST[interpolation]:
        raise ValueError(
            f"resample_time needs at least {LEAST[interpolation]} samples for "
            f"interpolation={interpolation!r}, and was given {recording.sizes[sample_dim]}."
        )
    return times


def _targets(
    recording: xr.DataArray,
    own: np.ndarray,
    *,
    rate: float | None,
    step: float | None,
    times: Any,
    sample_dim: str,
) -> np.ndarray:
    given = [name for name, value in (("rate", rate), ("step", step), ("times", times))
             if value is not None]  # fmt: skip
    if len(given) != 1:
        raise ValueError(
            "resample_time needs exactly one of rate= (samples a second), step= (seconds) and "
            f"times=; given: {', '.join(given) or 'none'}."
        )
    if times is not None:
        return _given_times(times, recording[sample_dim], own)
    value = rate if step is None else step
    if not is_positive(value):
        raise ValueError(f"{given[0]} must be a number above 0, and was {value!r}.")
    spacing = 1 / value if step is None else value
    span = own[-1] - own[0]
    if spacing > span:
        raise ValueError(
            f"resample_time would leave one sample: the recording spans {span:g} s, and the new "
            f"ones are {spacing:g} s apart. Take a mean over time instead: temporal_mean."
        )
    return own[0] + spacing * np.arange(int(np.floor(span / spacing * (1 + 1e-9))) + 1)


def _given_times(times: Any, coordinate: xr.DataArray, own: np.ndarray) -> np.ndarray:
    if not isinstance(times, xr.DataArray):
        row = np.asarray(times)
        times = xr.DataArray(row, dims="time" if row.ndim == 1 else None, name="times")
    if times.dtype.kind == "M" and coordinate.dtype.kind == "M":
        times = times.copy(deep=False, data=times.values - coordinate.values[0])
    is_row = times.ndim == 1 and times.size
    targets = require_seconds(times, caller="resample_time") if is_row else np.empty(0)
    slack = 1e-9 * max(float(own[-1] - own[0]), 1.0)
    if not is_row or targets[0] < own[0] - slack or targets[-1] > own[-1] + slack:
        given = f"{targets[0]:g} to {targets[-1]:g} s" if is_row else _shape(times)
        raise ValueError(
            f"times must be a row of times within the recording, which runs from {own[0]:g} to "
            f"{own[-1]:g} s: nothing is known of it before and after. Given: "
            f"{given}."
        )
    return targets


def _shape(times: xr.DataArray) -> str:
    return f"{times.ndim} dimensions" if times.size else "none"


def _factor(own: np.ndarray, targets: np.ndarray) -> int:
    """Return how many old steps, at least, make a new one; 1 where the rate does not fall."""
    if targets.size < 2:
        return 1
    spacing, away = even_spacing(targets)
    # A rate that is lower by less than even sampling may waver is the same one.
    ratio = spacing / float(np.median(np.diff(own)))
    if away > EVEN_TOLERANCE or ratio < 1 + EVEN_TOLERANCE:
        return 1
    return int(np.ceil(ratio * (1 - 1e-6)))


def _coords_at(
    recording: xr.DataArray, own: np.ndarray, targets: np.ndarray, *, sample_dim: str
) -> dict[Any, Any]:
    return {
        name: from_seconds(targets, like=coord)
        if name == sample_dim
        else _coord_at(coord, own, targets, sample_dim=sample_dim)
        for name, coord in recording.coords.items()
    }


def _coord_at(coord: xr.DataArray, own: np.ndarray, targets: np.ndarray, *, sample_dim: str) -> Any:
    """Return a coordinate at new times: numbers interpolated, marks kept, else the nearest."""
    if sample_dim not in coord.dims:
        return coord.variable.copy(deep=False)
    if coord.dtype.kind == "b":
        return (coord.dims, _marked_at(coord, own, targets, sample_dim=sample_dim), coord.attrs)
    if coord.dtype.kind != "f":
        middles = (own[1:] + own[:-1]) / 2
        return coord.variable.isel({sample_dim: np.searchsorted(middles, targets)})
    plain, name = coord.reset_coords(drop=True), str(coord.name)
    values = interpolate(
        plain, own, targets, interpolation="linear", sample_dim=sample_dim, caller=name
    )
    return (coord.dims, values, coord.attrs)


def _marked_at(
    coord: xr.DataArray, own: np.ndarray, targets: np.ndarray, *, sample_dim: str
) -> np.ndarray:
    """Return marks at new times: true where any old sample is that a new one stands for.

    These are the ones between which it lies, and those nearer to it than to another new one.
    """
    middles = (targets[1:] + targets[:-1]) / 2
    first = np.searchsorted(own, np.concatenate([[own[0]], middles]))
    last = np.searchsorted(own, np.concatenate([middles, [own[-1]]]), side="right")
    first = np.minimum(first, np.searchsorted(own, targets, side="right") - 1).clip(min=0)
    last = np.maximum(last, np.searchsorted(own, targets) + 1).clip(max=own.size)
    axis = coord.get_axis_num(sample_dim)
    counted = np.cumsum(np.moveaxis(coord.values, axis, 0), axis=0, dtype=np.int64)
    before = np.concatenate([np.zeros_like(counted[:1]), counted])
    return np.moveaxis(before[last] > before[first], 0, axis)
