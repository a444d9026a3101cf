"""The slow baseline of fluorescence, F0."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call, long_name_with
from partita._labels.numbers import is_number, is_positive
from partita._labels.time import sample_times
from partita._solvers.baselines.design import BaselineDesign, design_baseline
from partita._solvers.baselines.running_baseline import Baselines
from partita._solvers.baselines.time_grid import place
from partita.preprocess.fluorescence.f0_at_knots import fit
from partita.preprocess.fluorescence.f0_interpolated import BASELINE, InterpolatedF0
from partita.preprocess.voxels import gaps

Baseline = Literal["minimum", "adaptive", "maximin", "percentile", "median", "mean", "exponential"]
BASELINES: tuple[str, ...] = get_args(Baseline)


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
        1 shows on stderr how far it is.

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
    values, axis, dtype = checked(recording, sample_dim, caller)
    plan, where = plan_of(recording, baseline, window, percentile, sample_dim, caller)
    found = fit(values, plan, axis=axis, dtype=dtype, verbose=verbose)
    refuse_isolated(found, recording, sample_dim, caller)
    f0 = InterpolatedF0(found.knots, where, axis)
    result = recording.copy(
        deep=False, data=f0.apply(values, how=BASELINE, offset=0.0, dtype=dtype)
    )
    result.attrs["long_name"] = long_name_with(recording, "baseline", alone="Baseline")
    line = describe_call(caller, **describe(baseline, window, percentile))
    return append_history(result, line)


def checked(
    recording: xr.DataArray, sample_dim: str, caller: str
) -> tuple[Any, int, np.dtype[Any]]:
    """Return the values, their axis of time and the dtype to work in; refuse what has none."""
    checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
    checks.require_samples(recording, sample_dim=sample_dim, caller=caller)
    checks.require_dense(recording, caller=caller)
    native = recording.astype(recording.dtype.newbyteorder("="), copy=False)  # for compiled loops
    return (
        native.data,
        int(recording.get_axis_num(sample_dim)),
        checks.promote(recording.dtype),
    )


def plan_of(
    recording: xr.DataArray,
    baseline: str,
    window: float | None,
    percentile: float,
    sample_dim: str,
    caller: str,
) -> tuple[BaselineDesign, np.ndarray]:
    """Return how the baseline is computed, and where the times lie among its knots."""
    if baseline not in BASELINES:
        raise ValueError(
            f"{caller} does not know the baseline {baseline!r}. Choose one of "
            f"{', '.join(map(repr, BASELINES))}."
        )
    share = _require_percentile(percentile, caller) / 100 if baseline == "percentile" else 0.5
    kind = "quantile" if baseline in ("percentile", "median") else baseline
    times = sample_times(recording, sample_dim=sample_dim, caller=caller)
    length = _require_window(window, times, caller)
    plan = design_baseline(times, kind=kind, window=length, share=share)  # type: ignore[arg-type]
    return plan, place(times, plan.knots)


def refuse_isolated(
    found: Baselines, recording: xr.DataArray, sample_dim: str, caller: str
) -> None:
    """Refuse voxels that lack some of their values, not all (ValueError)."""
    n_bad, first_bad, n_nan = found.bad
    missing = gaps.Gaps(recording.sizes[sample_dim], n_nan, n_bad, first_bad)
    gaps.refuse_isolated(missing, gaps.places_of(recording, sample_dim=sample_dim), caller=caller)


def describe(baseline: str, window: float | None, percentile: float) -> dict[str, object]:
    """Return what history says of a baseline."""
    described: dict[str, object] = {"baseline": baseline, "window": window}
    return {**described, "percentile": percentile} if baseline == "percentile" else described


def _require_window(window: object, times: np.ndarray, caller: str) -> float | None:
    """Return the window in seconds, or refuse one that holds too little or too much."""
    if window is None:
        return None
    if not is_positive(window):
        raise ValueError(
            f"{caller} needs a window in seconds, above 0, or None for the whole recording; it "
            f"was given {window!r}."
        )
    step = float(np.median(np.diff(times)))
    if float(window) < 2 * step * (1 - 1e-6):
        raise ValueError(
            f"{caller} needs a window of at least two samples, {2 * step:g} s; it was given "
            f"{window:g} s. Windows are in seconds by the time coordinate: is its unit right?"
        )
    duration = float(times[-1] - times[0]) + step
    if float(window) > duration * (1 + 1e-6):
        raise ValueError(
            f"{caller} was given a window of {window:g} s, longer than the recording, "
            f"{duration:g} s. Shorten it, or set window=None to use the whole recording. Windows "
            "are in seconds by the time coordinate: is its unit right?"
        )
    return float(window)


def _require_percentile(percentile: object, caller: str) -> float:
    """Return the percentile as a number, or refuse it."""
    if not is_number(percentile):
        raise TypeError(f"{caller} needs percentile to be a number, and was given {percentile!r}.")
    if not 0 <= float(percentile) <= 100:
        raise ValueError(
            f"{caller} needs percentile to be between 0 and 100, and was given {percentile!r}. 8 "
            "is usual for calcium imaging."
        )
    return float(percentile)
