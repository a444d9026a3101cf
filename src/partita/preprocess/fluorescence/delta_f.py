"""Fluorescence relative to its baseline: ΔF/F."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from partita._labels.attrs import append_history, describe_call, long_name_with
from partita._labels.background import leave_background
from partita._labels.numbers import is_finite
from partita._labels.warn import warn
from partita._solvers.baselines.design import BaselineDesign, design_baseline
from partita._solvers.baselines.running_baseline import Baselines
from partita.preprocess.fluorescence.f0 import (
    Baseline,
    checked,
    describe,
    plan_of,
    refuse_isolated,
)
from partita.preprocess.fluorescence.f0_at_knots import fit
from partita.preprocess.fluorescence.f0_given import GivenF0, lay_over
from partita.preprocess.fluorescence.f0_interpolated import (
    BASELINE,
    CHANGE,
    RISE,
    InterpolatedF0,
)

NEAR_ZERO = 0.05
"""A baseline below this share of the root mean square of its voxel is near zero.

What is left is divided by a twentieth of its size at least, so that noise grows twentyfold at most.
"""


def delta_f_over_f(
    recording: xr.DataArray,
    *,
    baseline: Baseline | xr.DataArray | float = "minimum",
    window: float | None = 30.0,
    percentile: float = 8,
    offset: float = 0.0,
    rectify: bool = False,
    return_baseline: bool = False,
    sample_dim: str = "time",
    verbose: int = 0,
) -> xr.DataArray | tuple[xr.DataArray, xr.DataArray]:
    r"""Return the change of fluorescence relative to its baseline, ΔF/F.

    .. math:: \Delta F / F = \frac{F - F_0}{F_0 - o}

    with the baseline :math:`F_0` that `estimate_baseline` describes and the offset `o`.

    Where the baseline comes near zero the ratio means nothing. A voxel whose baseline, less the
    offset, falls at any time below 5 % of the root mean square of its fluorescence, less the
    offset, is NaN at all times, so that decompositions leave it out, and a warning counts such
    voxels. The rule does not depend on the unit.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Raw fluorescence, not z-scores. Integers of up to 16 bits are promoted to float32, longer
        ones to float64. A voxel that is NaN at all times stays NaN.
    baseline : str, float or xarray.DataArray, (some dimensions of recording)
        How F0 is estimated, see `estimate_baseline`: "minimum", "adaptive", "maximin",
        "percentile", "median", "mean" or "exponential". Or F0 itself, in the units of
        `recording` and on its grid, the offset still in it; without time it is constant.
    window : float or None
        Length of the window, s by the time coordinate, at least two samples; samples may be
        irregular. None is the whole recording.
    percentile : float
        0 to 100, for ``"percentile"``.
    offset : float
        What the camera reads in the dark, in the units of `recording`.
    rectify : bool
        Set what lies below the baseline to 0, for non-negative methods.
    return_baseline : bool
        Return the baseline too.
    sample_dim : str
        The dimension of samples.
    verbose : int
        1 shows on stderr how far it is.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        ΔF/F, a ratio (units "1"). Lazy for a dask-backed recording, of which only the baseline at
        its knots is computed when the function is called, in one streaming pass (see
        `estimate_baseline`). The mean fluorescence is left as the coordinate `background`, unless
        the recording has one.
    xarray.DataArray
        With ``return_baseline=True``: F0 as used, in the units of `recording`, NaN where ΔF/F is.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers, or `baseline` none of those above.
    ValueError
        If the baseline is unknown or lies on another grid, the offset is not finite, the window
        is shorter than two samples or longer than the recording, the percentile is outside 0 to
        100, there is no time coordinate or its times repeat or fall, or some values of a voxel are
        NaN or infinite.

    Warns
    -----
    UserWarning
        If the baseline of some voxels comes near zero.

    Examples
    --------
    >>> import numpy as np, partita as pt, xarray as xr
    >>> time = np.arange(0, 100, 0.1)
    >>> values = 50 + np.outer(np.exp(-(time % 25)), [20, 40])
    >>> recording = xr.DataArray(values, dims=("time", "neuron"), coords={"time": time})
    >>> change = pt.preprocess.delta_f_over_f(recording, rectify=True)
    >>> change.max("time").values.round(2)
    array([0.4, 0.8])
    """
    caller = "delta_f_over_f"
    values, axis, dtype = checked(recording, sample_dim, caller)
    offset = _require_offset(offset)
    f0: GivenF0 | InterpolatedF0
    if isinstance(baseline, str):
        plan, where = plan_of(recording, baseline, window, percentile, sample_dim, caller)
        described = describe(baseline, window, percentile)
    else:
        f0 = lay_over(baseline, recording, axis=axis)
        plan = _mean_alone(recording.sizes[sample_dim])
        described = {"baseline": "given"}
    found = fit(values, plan, axis=axis, dtype=dtype, verbose=verbose)
    refuse_isolated(found, recording, sample_dim, caller)
    if isinstance(baseline, str):
        f0 = InterpolatedF0(found.knots, where, axis)
    f0 = f0.without(_near_zero(found, f0.lowest(), recording.sizes[sample_dim], offset))
    write = partial(f0.apply, values, offset=offset, dtype=dtype)
    result = recording.copy(deep=False, data=write(how=RISE if rectify else CHANGE))
    named = long_name_with(recording, "ΔF/F", alone="ΔF/F")
    result.attrs.update(units="1", long_name=named)
    mean = found.sums[0] / recording.sizes[sample_dim]
    result = leave_background(result, mean, of=recording, sample_dim=sample_dim)
    described |= {"offset": offset, "rectify": rectify}
    result = append_history(result, describe_call(caller, **described))
    if not return_baseline:
        return result
    used = recording.copy(deep=False, data=write(how=BASELINE))
    used.attrs["long_name"] = long_name_with(recording, "baseline", alone="Baseline")
    return result, append_history(used, describe_call(caller, **described))


def _mean_alone(n_times: int) -> BaselineDesign:
    """Return a plan that takes the mean: a pass over the recording that finds what is missing."""
    return design_baseline(np.arange(float(n_times)), kind="mean", window=None)


def _near_zero(found: Baselines, low: np.ndarray, n_times: int, offset: float) -> np.ndarray:
    """Tell which voxels have a baseline that comes near zero, and warn of them."""
    total, squares = found.sums
    power = (squares - 2 * offset * total) / n_times + offset**2
    with np.errstate(invalid="ignore"):
        safe = low - offset > NEAR_ZERO * np.sqrt(np.maximum(power, 0))
    empty = found.bad[2] == n_times
    lost = ~safe
    count = int((lost & ~empty).sum())
    if count:
        warn(
            f"delta_f_over_f: the baseline of {count} of {lost.size} voxels comes near zero or "
            "below it at some time; they are NaN at all times. ΔF/F needs raw fluorescence, above "
            "zero: not z-scores, nor what has been filtered or centred. If it is raw, offset= may "
            "be too large, or these voxels hold no tissue."
        )
    return np.asarray(lost)


def _require_offset(offset: object) -> float:
    """Return the offset as a number, or refuse it."""
    if not is_finite(offset):
        raise ValueError(
            f"delta_f_over_f needs offset to be a finite number, what the camera reads in the "
            f"dark; it was given {offset!r}."
        )
    return float(offset)
