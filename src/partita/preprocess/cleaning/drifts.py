"""Slow drifts taken out of every voxel."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita._labels.numbers import is_positive, is_whole
from partita._labels.time import merely_numbered, require_seconds
from partita.preprocess.cleaning.projection import orthonormal, take_out

Times = np.ndarray

Drift = Literal["polynomial", "cosine"]


def detrend(
    recording: xr.DataArray,
    *,
    drift: Drift = "polynomial",
    order: int = 1,
    longest_period: float = 128.0,
    keep_mean: bool = False,
    sample_dim: str = "time",
) -> xr.DataArray:
    r"""Take slow drifts out of every voxel by least squares.

    A polynomial of the given order over time, or the cosines

    .. math:: c_k(t) = \cos\bigl(\pi k (t - t_0 + \Delta/2) / T\bigr),
       \quad k = 1, \ldots, \lfloor 2 T / P \rfloor,

    of all periods longer than :math:`P`, the `longest_period` that stays, with :math:`T` the
    duration of the recording and :math:`\Delta` the time between samples: the high-pass of SPM.
    Times may be uneven: drifts follow the seconds, not the count of samples.

    For a dask-backed recording the weights of the drifts, a few values a voxel in float64, are
    computed in one streaming pass when the function is called (the first chunk is read once more
    before it); the result stays lazy, in the recording's own chunks. A voxel that is NaN at all
    times stays NaN.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units. Integers of up to 16 bits are promoted to float32, longer
        ones to float64.
    drift : {"polynomial", "cosine"}
        What is fitted.
    order : int
        Of the polynomial: 0 takes out the mean, 1 a line, 2 a parabola.
    longest_period : float
        Of what stays, s: cosines of longer periods are taken out. 128 is usual in fMRI.
    keep_mean : bool
        Whether every voxel keeps its mean over time, as tSNR and ΔF/F need it. By default it goes,
        as in `scipy.signal.detrend`.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        The recording without its drifts, in the same units; float32 for float32, else float64. A
        mean that was taken away is left as the coordinate `background`, unless the recording has
        one.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If there is no sample dimension; if times fall or repeat; if the polynomial has as many
        terms as there are samples, or no cosine is slower than `longest_period`; or if some values
        of a voxel are NaN or infinite.

    See Also
    --------
    highpass : The same with a filter instead of a regression.
    regress_out : Confounds and drifts together.

    References
    ----------
    Ashburner et al., SPM12 manual (2014), ``spm_filter``.

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> recording = xr.DataArray([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], dims=("time", "neuron"))
    >>> pt.preprocess.detrend(recording, keep_mean=True).values.round(12)
    array([[2., 5.],
           [2., 5.],
           [2., 5.]])
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller="detrend")
    checks.require_samples(recording, sample_dim=sample_dim, caller="detrend")
    checks.require_dense(recording, caller="detrend")
    times = times_of(
        recording, sample_dim=sample_dim, in_seconds=drift == "cosine", caller="detrend"
    )
    courses = drift_courses(
        times, drift=drift, order=order, longest_period=longest_period, caller="detrend"
    )
    result = take_out(
        recording,
        orthonormal(courses),
        keep_mean=keep_mean,
        sample_dim=sample_dim,
        caller="detrend",
    )
    shape = {"order": order} if drift == "polynomial" else {"longest_period": longest_period}
    line = describe_call("detrend", drift=drift, **shape, keep_mean=keep_mean)
    return append_history(result, line)


def times_of(
    recording: xr.DataArray, *, sample_dim: str, in_seconds: bool = False, caller: str
) -> Times:
    """Return the times of the samples, s; their count where they have no times.

    Samples that are merely numbered are so far apart as their numbers, unless what is to be done
    needs times `in_seconds`: then they are refused.
    """
    if sample_dim not in recording.coords:
        return np.arange(recording.sizes[sample_dim], dtype=float)
    coordinate = recording[sample_dim]
    if not in_seconds and merely_numbered(coordinate):
        coordinate = coordinate.drop_attrs()
    return require_seconds(coordinate, caller=caller)


def drift_courses(
    times: Times, *, drift: Drift, order: int, longest_period: float, caller: str
) -> np.ndarray:
    """Return the courses of drifts, (time, n_courses), without the constant.

    Raises
    ------
    ValueError
        If the drift is unknown, or there are too many courses or none.
    """
    if drift not in get_args(Drift):
        raise ValueError(f"{caller} knows the drifts 'polynomial' and 'cosine'; given: {drift!r}.")
    if drift == "polynomial":
        return _polynomials(times, order, caller=caller)
    return _cosines(times, longest_period, caller=caller)


def _polynomials(times: Times, order: int, *, caller: str) -> np.ndarray:
    if not is_whole(order) or order < 0:
        raise ValueError(
            f"order must be a whole number, 0 or more, and was {order!r}. 1 fits a line."
        )
    if order >= times.size - 1:
        raise ValueError(
            f"{caller} with a polynomial of order {order} needs more than {order + 1} samples, and "
            f"was given {times.size}: it would fit them all, and nothing would be left."
        )
    middle, half = (times[0] + times[-1]) / 2, (times[-1] - times[0]) / 2
    # Legendre polynomials are nearly orthogonal over the samples, powers of time are not.
    return np.polynomial.legendre.legvander((times - middle) / half, int(order))[:, 1:]


def _cosines(times: Times, longest_period: float, *, caller: str) -> np.ndarray:
    if not is_positive(longest_period):
        raise ValueError(
            f"longest_period must be above 0 s, and was {longest_period!r}. SPM takes 128."
        )
    step = float(np.median(np.diff(times)))
    duration = times[-1] - times[0] + step
    count = int(np.floor(2 * duration / longest_period * (1 + 1e-9)))
    if count == 0:
        raise ValueError(
            f"{caller} finds no cosine slower than {longest_period:g} s in a recording of "
            f"{duration:g} s, which holds half a period of {2 * duration:g} s at most. Choose a "
            "longest_period below that, or a polynomial: drift='polynomial', order=1."
        )
    if count >= times.size - 1:
        raise ValueError(
            f"{caller} with longest_period={longest_period:g} s has {count} cosines for "
            f"{times.size} samples: nothing would be left. Choose a longer one; 128 s is "
            "usual in fMRI."
        )
    phase = np.pi * (times - times[0] + step / 2) / duration
    return np.cos(np.outer(phase, np.arange(1, count + 1)))
