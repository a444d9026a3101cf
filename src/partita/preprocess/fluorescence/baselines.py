"""Baselines of fluorescence, and fluorescence relative to them."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita._labels.stack import Stacker
from partita._labels.time import sample_times
from partita._solvers.baselines import running_baseline as solver
from partita._solvers.baselines.running_baseline import Held, Plan
from partita.preprocess.fluorescence import given, held
from partita.preprocess.fluorescence.windows import (
    require_offset,
    require_percentile,
    require_window,
)
from partita.preprocess.voxels import gaps

Baseline = Literal["minimum", "adaptive", "maximin", "percentile", "median", "mean", "exponential"]
BASELINES: tuple[str, ...] = get_args(Baseline)
NEAR_ZERO = 0.05
"""A baseline below this share of the root mean square of its voxel is near zero."""


def estimate_baseline(
    recording: xr.DataArray,
    *,
    baseline: Baseline = "minimum",
    window: float | None = 30.0,
    percentile: float = 8,
    sample_dim: str = "time",
    verbose: int = 0,
) -> xr.DataArray:
    r"""Estimate the slow baseline F0 of every voxel.

    The default, ``"minimum"``, takes the recording to be a baseline that drifts and bleaches,
    transients that only rise above it, and white noise. Means over a 45th of the window lose most
    of the noise. Their running minimum over the window is soft,

    .. math:: m = -w \log \langle e^{-x / w} \rangle, \quad w = \sigma / 2,

    with σ the noise of one mean, known from second differences in quiet stretches: of a soft
    minimum the bias by noise, :math:`-\sigma^2 / 2w`, is known exactly and taken off. The trend is
    taken out and the minimum run again, so that slopes cost nothing, and straight lines are fitted
    over 1.8 windows. What transients leave of a bias is taken off last: mean, variance and soft
    minimum of the whole trace tell the Gamma law of its activity.

    ``"adaptive"``
        Running quantile of the same means at a quarter of the quiet fraction of the time, which
        is estimated with it, and corrected for noise. For sparse activity.
    ``"maximin"``
        Running minimum of the same means, then running maximum (as in suite2p); biased by noise.
    ``"percentile"``, ``"median"``
        Running `percentile` (as in CaImAn), or the 50th, of the samples; biased by noise and by
        activity. Near the ends a window holds less and stands for the middle of what it holds.
    ``"mean"``
        Running mean of the samples, likewise.
    ``"exponential"``
        Bleaching, :math:`a + b e^{-t / \tau}`, fitted to the ``"minimum"`` by least squares.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Raw fluorescence. Integers of up to 16 bits are promoted to float32, longer ones to
        float64. A voxel that is NaN at all times stays NaN.
    baseline : str
        One of those above.
    window : float or None
        Length of the window, s by the time coordinate, at least two samples; samples may be
        irregular. None is the whole recording: percentile, median and mean are then constant.
    percentile : float
        0 to 100, for ``"percentile"``.
    sample_dim : str
        The dimension of samples.
    verbose : int
        1 shows a progress bar.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        F0, in the units of `recording`. It is computed at knots a fifth of the window apart when
        the function is called, for a dask-backed recording in one streaming pass (in several if
        its means would take more than half a gigabyte), and is a straight line between them;
        the full baseline of a dask-backed recording is lazy.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If the baseline is unknown, the window is shorter than two samples or longer than the
        recording, the percentile is outside 0 to 100, there is no time coordinate or its times
        repeat or fall, or some values of a voxel are NaN or infinite.

    References
    ----------
    Martin (2001), Noise power spectral density estimation based on optimal smoothing and minimum
    statistics. Pachitariu et al. (2017), Suite2p. Giovannucci et al. (2019), CaImAn.

    Examples
    --------
    >>> import numpy as np, partita as pt, xarray as xr
    >>> time = np.arange(0, 100, 0.1)
    >>> values = 50 + np.outer(np.exp(-(time % 25)), [20, 40])
    >>> recording = xr.DataArray(values, dims=("time", "neuron"), coords={"time": time})
    >>> float(pt.preprocess.estimate_baseline(recording).max().round(1))
    50.0
    """
    caller = "estimate_baseline"
    values, axis, dtype = _checked(recording, sample_dim, caller)
    plan, where = _planned(recording, baseline, window, percentile, sample_dim, caller)
    found = held.hold(values, plan, axis=axis, dtype=dtype, verbose=verbose)
    _refuse_isolated(found, recording, sample_dim, caller)
    result = recording.copy(
        data=held.apply(
            values, found.knots, where, axis=axis, how=held.BASELINE, offset=0.0, dtype=dtype
        )
    )
    result.attrs["long_name"] = _named(recording, "baseline", alone="Baseline")
    line = describe_call(caller, **_described(baseline, window, percentile))
    return append_history(result, line)


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
        1 shows a progress bar.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        ΔF/F, a ratio (units "1"). Lazy for a dask-backed recording, of which only the baseline at
        its knots is computed when the function is called, in one streaming pass (see
        `estimate_baseline`).
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
    values, axis, dtype = _checked(recording, sample_dim, caller)
    offset = require_offset(offset)
    if isinstance(baseline, str):
        plan, where = _planned(recording, baseline, window, percentile, sample_dim, caller)
        described = _described(baseline, window, percentile)
    else:
        level = given.over(baseline, recording)
        plan, where = given.survey(recording.sizes[sample_dim])
        described = {"baseline": "given"}
    found = held.hold(values, plan, axis=axis, dtype=dtype, verbose=verbose)
    _refuse_isolated(found, recording, sample_dim, caller)
    low = held.lowest(found.knots, where) if isinstance(baseline, str) else level.lowest(sample_dim)
    lost = _near_zero(found, low, recording.sizes[sample_dim], offset)
    if isinstance(baseline, str):
        found.knots[:, lost] = np.nan
        write = partial(held.apply, values, found.knots, where, axis=axis, offset=offset)
    else:
        write = partial(level.apply, values, lost, axis=axis, offset=offset)
    result = recording.copy(data=write(how=held.RISE if rectify else held.CHANGE, dtype=dtype))
    result.attrs.update(units="1", long_name=_named(recording, "ΔF/F", alone="ΔF/F"))
    described |= {"offset": offset, "rectify": rectify}
    result = append_history(result, describe_call(caller, **described))
    if not return_baseline:
        return result
    used = recording.copy(data=write(how=held.BASELINE, dtype=dtype))
    used.attrs["long_name"] = _named(recording, "baseline", alone="Baseline")
    return result, append_history(used, describe_call(caller, **described))


def _checked(
    recording: xr.DataArray, sample_dim: str, caller: str
) -> tuple[Any, int, np.dtype[Any]]:
    checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
    checks.require_samples(recording, sample_dim=sample_dim, caller=caller)
    if recording.chunks is None and not isinstance(recording.data, np.ndarray):
        raise TypeError(
            f"{caller} needs a dense recording, and was given {type(recording.data).__name__}: a "
            "baseline has no zeros to leave out. Make it dense first: recording.as_numpy()."
        )
    return (
        recording.data,
        int(recording.get_axis_num(sample_dim)),
        checks.promote(recording.dtype),
    )


def _planned(
    recording: xr.DataArray,
    baseline: str,
    window: float | None,
    percentile: float,
    sample_dim: str,
    caller: str,
) -> tuple[Plan, np.ndarray]:
    """Return how the baseline is computed, and where the times lie among its knots."""
    if baseline not in BASELINES:
        raise ValueError(
            f"{caller} does not know the baseline {baseline!r}. Choose one of "
            f"{', '.join(map(repr, BASELINES))}."
        )
    share = require_percentile(percentile, caller) / 100 if baseline == "percentile" else 0.5
    kind = "quantile" if baseline in ("percentile", "median") else baseline
    times = sample_times(recording, sample_dim=sample_dim, caller=caller)
    plan = solver.plan(times, kind=kind, window=require_window(window, times, caller), share=share)  # type: ignore[arg-type]
    return plan, held.positions(times, plan)


def _refuse_isolated(found: Held, recording: xr.DataArray, sample_dim: str, caller: str) -> None:
    n_bad, first_bad, n_nan = found.bad
    missing = gaps.Gaps(recording.sizes[sample_dim], n_nan, n_bad, first_bad)
    gaps.refuse_isolated(missing, Stacker.of(recording, sample_dim=sample_dim), caller=caller)


def _near_zero(found: Held, low: np.ndarray, n_times: int, offset: float) -> np.ndarray:
    """Tell which voxels have a baseline that comes near zero, and warn of them."""
    total, squares = found.sums
    power = (squares - 2 * offset * total) / n_times + offset**2
    with np.errstate(invalid="ignore"):
        safe = low - offset > NEAR_ZERO * np.sqrt(np.maximum(power, 0))
    empty = found.bad[2] == n_times
    lost = ~safe
    count = int((lost & ~empty).sum())
    if count:
        warnings.warn(
            f"delta_f_over_f: the baseline of {count} of {lost.size} voxels comes near zero or "
            "below it at some time; they are NaN at all times. ΔF/F needs raw fluorescence, above "
            "zero: not z-scores, nor what has been filtered or centred. If it is raw, offset= may "
            "be too large, or these voxels hold no tissue.",
            UserWarning,
            stacklevel=3,
        )
    return np.asarray(lost)


def _described(baseline: str, window: float | None, percentile: float) -> dict[str, object]:
    described: dict[str, object] = {"baseline": baseline, "window": window}
    return {**described, "percentile": percentile} if baseline == "percentile" else described


def _named(recording: xr.DataArray, what: str, *, alone: str) -> str:
    before = recording.attrs.get("long_name")
    return f"{before} ({what})" if before else alone
