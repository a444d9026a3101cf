"""Voxels brought to one scale."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call, long_name_with
from partita._labels.background import leave_background
from partita._labels.numbers import is_whole
from partita._labels.warn import warn
from partita.preprocess.voxels import gaps, moments


def zscore(recording: xr.DataArray, *, ddof: int = 0, sample_dim: str = "time") -> xr.DataArray:
    """Subtract from every voxel its mean over time and divide by its standard deviation.

    Mean and standard deviation are computed in float64 when the function is called: for a
    dask-backed recording in one streaming pass, which holds a few chunks in memory. The z-scores
    of such a recording stay lazy, in its own chunks.

    A voxel that does not change over time, up to eight roundings of its largest value in the
    data type of the result, becomes 0 everywhere, and a warning counts such voxels. A voxel that
    is NaN at all times stays NaN.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units. Integers of up to 16 bits are promoted to float32, longer
        ones to float64.
    ddof : int
        The divisor of the variance is the number of time points less `ddof`: 0 for the standard
        deviation of these samples, 1 for the unbiased estimate of the variance.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        z-scores (units "1"); float32 for float32, else float64. The mean that was taken away is
        left as the coordinate `background`, unless the recording has one.

    Raises
    ------
    TypeError
        If `recording` is not a DataArray of real numbers.
    ValueError
        If there is no sample dimension, fewer than two time points or no more than `ddof`, or
        some values of a voxel are NaN or infinite.

    Warns
    -----
    UserWarning
        If voxels are constant over time.

    References
    ----------
    Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance.

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> recording = xr.DataArray([[1.0, 10.0], [3.0, 30.0]], dims=("time", "neuron"))
    >>> pt.preprocess.zscore(recording).values
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller="zscore")
    checks.require_samples(recording, sample_dim=sample_dim, caller="zscore")
    _require_ddof(ddof, count=recording.sizes[sample_dim], sample_dim=sample_dim)
    checks.require_dense(recording, caller="zscore")
    values, axis = recording.data, recording.get_axis_num(sample_dim)
    lazy = recording.chunks is not None
    found = (moments.over_chunks if lazy else moments.over_time)(values, axis=axis)
    places = gaps.places_of(recording, sample_dim=sample_dim)
    gaps.refuse_isolated(found, places, caller="zscore")
    dtype = checks.promote(recording.dtype)
    sd = _spread(found, ddof, dtype)
    mean, sd = np.expand_dims(found.mean, axis), np.expand_dims(sd, axis)
    apply = _standardise_lazily if lazy else moments.standardise
    result = recording.copy(deep=False, data=apply(values, mean, sd, axis=axis, dtype=dtype))
    result.attrs.update(units="1", long_name=long_name_with(recording, "z-score", alone="z-score"))
    result = leave_background(result, found.mean, of=recording, sample_dim=sample_dim)
    return append_history(result, describe_call("zscore", ddof=ddof))


def _spread(found: moments.Moments, ddof: int, dtype: np.dtype[Any]) -> np.ndarray:
    """Return the sd of every voxel, infinite where it is constant so that its z-scores are 0."""
    constant = found.is_constant(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        varying = np.sqrt(found.deviation / (found.n_samples - ddof))
    sd: np.ndarray = np.where(constant, np.inf, varying)
    if constant.any():
        warn(
            f"zscore: {int(constant.sum())} of {constant.size} voxels do not change over time; "
            "their z-scores are 0."
        )
    return sd


def _standardise_lazily(
    values: Any, mean: np.ndarray, sd: np.ndarray, *, axis: int, dtype: np.dtype[Any]
) -> Any:
    import dask.array as da

    chunks = tuple(1 if i == axis else sizes for i, sizes in enumerate(values.chunks))
    mean, sd = (da.from_array(statistic, chunks=chunks) for statistic in (mean, sd))
    standardise = partial(moments.standardise, axis=axis, dtype=dtype)
    meta = np.empty((0,) * values.ndim, dtype=dtype)
    return da.map_blocks(standardise, values, mean, sd, dtype=dtype, meta=meta)


def _require_ddof(ddof: object, *, count: int, sample_dim: str) -> None:
    if not is_whole(ddof) or ddof < 0:
        raise ValueError(f"ddof must be a whole number, 0 or more, and was {ddof!r}. Use 0 or 1.")
    if ddof >= count:
        raise ValueError(
            f"zscore with ddof={ddof} needs more than {ddof} samples along {sample_dim!r}, and "
            f"was given {count}. Use ddof=0."
        )
