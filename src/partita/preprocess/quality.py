"""How good a recording is: its mean, its steadiness, and the jumps from frame to frame."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call, long_name_with
from partita._labels.stack import Stacker
from partita._labels.warn import warn
from partita.preprocess.voxels import moments
from partita.preprocess.voxels.cutting import BLOCK, spans_of
from partita.preprocess.voxels.gaps import places_of, refuse_isolated

Normalize = Literal["percent", "none"]


def temporal_mean(recording: xr.DataArray, *, sample_dim: str = "time") -> xr.DataArray:
    """Average every voxel over time.

    In float64, in one streaming pass when the function is called; a lazy recording is never held.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, (*features), in memory
        The mean, in the units of `recording`, with the coordinates that are not over time. NaN
        where a voxel is NaN at all times.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If some values of a voxel are NaN or infinite.

    Examples
    --------
    >>> import partita as pt
    >>> recording = pt.datasets.load_sample()
    >>> dict(pt.preprocess.temporal_mean(recording).sizes)
    {'z': 1, 'y': 64, 'x': 48}
    """
    found = _moments(recording, sample_dim=sample_dim, caller="temporal_mean")
    words = long_name_with(recording, "mean over time", alone="Mean over time")
    return append_history(
        _as_map(found.mean, recording, sample_dim, long_name=words), "temporal_mean()"
    )


def tsnr(recording: xr.DataArray, *, sample_dim: str = "time") -> xr.DataArray:
    """Divide every voxel's mean over time by its standard deviation: temporal signal to noise.

    In float64, in one streaming pass when the function is called; a lazy recording is never held.
    After a step that takes the mean out, ask it to keep the mean: ``detrend(recording,
    keep_mean=True)``.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        With its mean.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, (*features), in memory
        tSNR (units "1"), with the coordinates that are not over time. NaN where a voxel is NaN at
        all times, or constant.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If there are fewer than two samples, the mean was taken out of every voxel, or some values
        of a voxel are NaN or infinite.

    Warns
    -----
    UserWarning
        If voxels are constant over time.

    References
    ----------
    Krüger & Glover (2001), Physiological noise in oxygenation-sensitive magnetic resonance imaging.

    Examples
    --------
    >>> import partita as pt
    >>> recording = xr.DataArray([[9.0], [11.0]], dims=("time", "voxel"))
    >>> pt.preprocess.tsnr(recording).values
    array([10.])
    """
    found = _moments(recording, sample_dim=sample_dim, caller="tsnr", at_least=2)
    dtype = checks.promote(recording.dtype)
    constant, ratio = _mean_by_sd(found, dtype)
    _refuse_without_mean(ratio, caller="tsnr")
    if constant.any():
        warn(
            f"tsnr: {int(constant.sum())} of {constant.size} voxels do not change over time; "
            "theirs is NaN."
        )
    result = _as_map(ratio, recording, sample_dim, long_name="tSNR", units="1")
    return append_history(result, "tsnr()")


def dvars(
    recording: xr.DataArray,
    *,
    normalize: Normalize = "percent",
    mask: xr.DataArray | None = None,
    sample_dim: str = "time",
) -> xr.DataArray:
    r"""Measure how much the recording changes from each frame to the next.

    .. math:: \mathrm{DVARS}_t = \sqrt{\langle (X_t - X_{t-1})^2 \rangle},

    the root mean square over the voxels. Power et al. scale each recording so that its typical
    brightness is 1000, and count in tenths of a percent; here, by default, it is percent of the
    median over the voxels of their means over time: their 5 is 0.5.

    Computed in float64 when the function is called. A lazy recording is read twice, once for the
    median (not with ``normalize="none"``), and never held.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units; with its mean, for percent.
    normalize : {"percent", "none"}
        Whether to divide by the median brightness.
    mask : xarray.DataArray of bool, (some feature dimensions), optional
        The voxels that count, matched by label; all by default. Voxels that are NaN at all times
        never do.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, (time,), in memory
        In percent (units "%"), or in the units of `recording`; NaN for the first frame, which
        follows none. With the coordinates over time.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers, or the mask not one of truth
        values.
    ValueError
        If there are fewer than two samples; `normalize` is not known; the median brightness is not
        above 0; the mask is empty or lies on another grid; or some values of a voxel are NaN or
        infinite.

    References
    ----------
    Smyser et al. (2010), Longitudinal analysis of neural network development in preterm infants.
    Power et al. (2012), Spurious but systematic correlations in functional connectivity MRI
    networks arise from subject motion.

    Examples
    --------
    >>> import partita as pt
    >>> recording = xr.DataArray([[100.0, 100], [101, 99], [101, 99]], dims=("time", "voxel"))
    >>> pt.preprocess.dvars(recording).values
    array([nan,  1.,  0.])
    """
    checks.require_choice("normalize", normalize, get_args(Normalize))
    checks.require_recording(recording, sample_dim=sample_dim, caller="dvars")
    checks.require_samples(recording, sample_dim=sample_dim, caller="dvars")
    checks.require_dense(recording, caller="dvars")
    stacker = Stacker.of(recording, sample_dim=sample_dim, mask=mask)
    inside = stacker.inside_mask()
    brightness = 1.0
    if normalize == "percent":
        brightness = _brightness(recording, inside, sample_dim=sample_dim)
    squares = _mean_squares(recording, inside, sample_dim=sample_dim)
    scale = 100 / brightness if normalize == "percent" else 1.0
    jumps = np.concatenate([[np.nan], scale * np.sqrt(squares)])
    dtype = checks.promote(recording.dtype)
    signals = stacker.signals(jumps.astype(dtype)[:, None], component=[0])
    result = signals.isel(component=0, drop=True).rename("dvars")
    units = "%" if normalize == "percent" else recording.attrs.get("units")
    result.attrs = {"long_name": "DVARS"} | ({"units": units} if units else {})
    line = describe_call("dvars", normalize=normalize)
    return append_history(result, line, after=recording)


def _moments(
    recording: xr.DataArray, *, sample_dim: str, caller: str, at_least: int = 1
) -> moments.Moments:
    checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
    if at_least > 1:
        checks.require_samples(recording, sample_dim=sample_dim, caller=caller)
    checks.require_dense(recording, caller=caller)
    axis = recording.get_axis_num(sample_dim)
    take = moments.over_time if recording.chunks is None else moments.over_chunks
    found = take(recording.data, axis=axis)
    refuse_isolated(found, places_of(recording, sample_dim=sample_dim), caller=caller)
    return found


def brightness(recording: xr.DataArray, *, sample_dim: str, caller: str) -> xr.DataArray:
    """Return the mean over time of a recording that still has it (see `temporal_mean`).

    Raises
    ------
    ValueError
        If the mean was taken out of every voxel: what is left of it is rounding.
    """
    found = _moments(recording, sample_dim=sample_dim, caller=caller)
    if found.n_samples > 1:
        _refuse_without_mean(_mean_by_sd(found, checks.promote(recording.dtype))[1], caller=caller)
    return _as_map(found.mean, recording, sample_dim)


def _mean_by_sd(found: moments.Moments, dtype: np.dtype[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return which voxels are constant, and the mean over the sd of the others (else NaN)."""
    constant = found.is_constant(dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.where(constant, np.nan, np.sqrt(found.deviation / found.n_samples))
        return constant, np.asarray(found.mean / sd)


def _refuse_without_mean(ratio: np.ndarray, *, caller: str) -> None:
    centred = np.abs(ratio) < 1e-5
    if centred.any() and (centred | np.isnan(ratio)).all():
        raise ValueError(
            f"{caller} needs the mean of every voxel, which was taken out of this recording. Keep "
            "it: detrend(recording, keep_mean=True), and likewise in regress_out and the filters; "
            "before zscore, take the recording as it was."
        )


def _as_map(
    values: np.ndarray, recording: xr.DataArray, sample_dim: str, **words: str
) -> xr.DataArray:
    template = Stacker.of(recording, sample_dim=sample_dim).feature_template()
    result = template.copy(deep=False, data=values.astype(checks.promote(recording.dtype)))
    result.name = recording.name
    return result.assign_attrs({**recording.attrs, **words})


def _brightness(recording: xr.DataArray, inside: xr.DataArray, *, sample_dim: str) -> float:
    found = _moments(recording, sample_dim=sample_dim, caller="dvars")
    there = inside.values & ~np.isnan(found.mean)
    median = float(np.median(found.mean[there])) if there.any() else float("nan")
    spread = (found.high[there].astype(float) - found.low[there]).max(initial=0)
    if not median > 1e-6 * spread:
        raise ValueError(
            f"dvars in percent needs a recording with its mean; the median over the voxels is "
            f"{median:g}. Keep the mean, detrend(recording, keep_mean=True), leave out what is "
            "dark, mask=brain_mask(recording), or take normalize='none'."
        )
    return median


def _mean_squares(recording: xr.DataArray, inside: xr.DataArray, *, sample_dim: str) -> np.ndarray:
    """Return the mean square of the change to each frame but the first."""
    axis = recording.get_axis_num(sample_dim)
    values = np.moveaxis(recording.data, axis, 0)
    places = inside.values
    if recording.chunks is None:
        squares, counts = _squares(values, places)
    else:
        squares, counts = _squares_of_chunks(values, places)
    if not (counts == counts[0]).all() or not counts[0] or not np.isfinite(squares).all():
        _moments(recording, sample_dim=sample_dim, caller="dvars")  # says where the gaps are
        raise ValueError("dvars finds no voxel inside the mask that holds values.")
    found: np.ndarray = squares / counts
    return found


def _squares(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of squared changes of each frame from the one before, and of how many."""
    n_times = len(values)
    squares, counts = np.zeros(n_times - 1), np.zeros(n_times - 1, np.int64)
    rows = max(1, BLOCK // max(1, inside.size))
    for start in range(0, n_times - 1, rows):
        picked = values[start : start + rows + 1][:, inside].astype(np.float64)
        with np.errstate(invalid="ignore"):
            change = np.diff(picked, axis=0) ** 2
        here = ~np.isnan(change)
        counts[start : start + rows] = here.sum(axis=1)
        squares[start : start + rows] = np.where(here, change, 0).sum(axis=1)
    return squares, counts


def _squares_of_chunks(values: Any, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from dask import compute, delayed  # type: ignore[attr-defined]

    squares = np.zeros(values.shape[0] - 1)
    counts = np.zeros(values.shape[0] - 1, np.int64)
    blocks, last = values.to_delayed(), len(values.chunks[0]) - 1
    tasks, rows = [], []
    for at in np.ndindex(values.numblocks):
        row, *where = spans_of(values.chunks, at)
        if not inside[tuple(where)].any():
            continue
        # A chunk brings along the first frame of the next.
        beyond = blocks[(min(at[0] + 1, last), *at[1:])][: int(at[0] < last)]
        tasks.append(delayed(_squares_to)(blocks[at], beyond, inside[tuple(where)]))
        rows.append(slice(row.start, row.stop if at[0] < last else row.stop - 1))
    for row, (added, count) in zip(rows, compute(*tasks), strict=True):
        squares[row] += added
        counts[row] += count
    return squares, counts


def _squares_to(
    block: np.ndarray, beyond: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return _squares(np.concatenate([block, beyond]), inside)
