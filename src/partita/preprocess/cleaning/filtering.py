"""Frequencies let through or held back: Butterworth filters that shift nothing in time."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, as_fluctuation, describe_call
from partita._labels.background import leave_background
from partita._labels.grid import is_even
from partita._labels.time import sample_times, sampling_interval
from partita._solvers.compute.memory import available_memory
from partita.preprocess.cleaning.butterworth import (
    apply,
    design,
    require_cuts,
    require_length,
    require_order,
)
from partita.preprocess.cleaning.resampling import resample_time
from partita.preprocess.voxels.columns import Window, transform, transform_with_mean

Irregular = Literal["refuse", "resample"]

# Of a recording that is put together along time: as it is read, as it is cut, and filtered.
_COPIES = 3
_TILE = 32 << 20  # bytes of whole courses in a chunk, as a fit reads them


def lowpass(
    recording: xr.DataArray,
    *,
    cutoff: float,
    order: int = 4,
    irregular: Irregular = "refuse",
    sample_dim: str = "time",
) -> xr.DataArray:
    """Keep what is slower than a cut-off frequency.

    A Butterworth filter is run forwards and backwards, so nothing is shifted in time; at the
    cut-off half of the amplitude is left. Both ends are continued by turning the recording about
    its end points, as `scipy.signal.sosfiltfilt` does.

    On a lazy recording nothing is computed when the function is called. A filter needs whole time
    courses: the result has time in one chunk, and where the recording is cut along time every block
    of the result reads all of it, which `compute` and `partita.save` do once; save it before a fit,
    or load it cut along space, ``partita.load(path, chunks={"time": -1, "y": 8})``. One that is cut
    along time and would not fit into memory three times is refused. A voxel that is NaN at all
    times stays NaN.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Evenly sampled, to 1 % of the interval. Integers of up to 16 bits are promoted to float32,
        longer ones to float64.
    cutoff : float
        Frequency at which half of the amplitude is left, Hz.
    order : int
        Of the filter; its two runs make it twice as steep.
    irregular : {"refuse", "resample"}
        What to do with uneven times: refuse them, or bring the recording to even ones first, as
        far apart as the median (:func:`partita.preprocess.resample_time`).
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        The filtered recording, in the same units; float32 for float32, else float64.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If the recording has no times, or uneven ones; if the cut-off is not between 0 and half the
        sampling rate; if the recording is too short for the filter; if it is lazy, cut along time
        and too large to be put together; or if some values of a voxel are NaN or infinite (on a
        lazy recording, when it is computed).

    See Also
    --------
    highpass, bandpass, detrend

    References
    ----------
    Gustafsson (1996), Determining the initial states in forward-backward filtering.

    Examples
    --------
    >>> import partita as pt
    >>> time = np.arange(200) * 0.5
    >>> slow, fast = np.sin(0.1 * time), np.sin(3 * time)
    >>> recording = xr.DataArray((slow + fast)[:, None], {"time": time}, ("time", "neuron"))
    >>> left = pt.preprocess.lowpass(recording, cutoff=0.1)
    >>> bool(abs(left.squeeze() - slow)[20:-20].max() < 0.01)
    True
    """
    return _filtered(
        recording, "lowpass", {"cutoff": cutoff}, order=order, keep_mean=False,
        irregular=irregular, sample_dim=sample_dim,
    )  # fmt: skip


def highpass(
    recording: xr.DataArray,
    *,
    cutoff: float,
    order: int = 4,
    keep_mean: bool = False,
    irregular: Irregular = "refuse",
    sample_dim: str = "time",
) -> xr.DataArray:
    """Keep what is faster than a cut-off frequency.

    The filter, its edges and what it does with lazy recordings are those of
    :func:`partita.preprocess.lowpass`. A recording shorter than one period of the cut-off is
    refused: it holds nothing that the filter could tell from a drift.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Evenly sampled, to 1 % of the interval. Integers of up to 16 bits are promoted to float32,
        longer ones to float64.
    cutoff : float
        Frequency at which half of the amplitude is left, Hz.
    order : int
        Of the filter; its two runs make it twice as steep.
    keep_mean : bool
        Whether every voxel gets its mean over time back, as tSNR and ΔF/F need it.
    irregular : {"refuse", "resample"}
        What to do with uneven times, as in :func:`partita.preprocess.lowpass`.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        The filtered recording, in the same units; float32 for float32, else float64. A mean
        that was taken away is left as the coordinate `background`, unless the recording has one.

    Raises
    ------
    TypeError, ValueError
        As :func:`partita.preprocess.lowpass`, and if the recording is shorter than one period.

    Examples
    --------
    >>> import partita as pt
    >>> time = np.arange(200) * 0.5
    >>> recording = xr.DataArray(
    ...     (7 + np.sin(3 * time))[:, None], {"time": time}, ("time", "neuron")
    ... )
    >>> bool(abs(pt.preprocess.highpass(recording, cutoff=0.1).mean()) < 0.01)
    True
    """
    return _filtered(
        recording, "highpass", {"cutoff": cutoff}, order=order, keep_mean=keep_mean,
        irregular=irregular, sample_dim=sample_dim,
    )  # fmt: skip


def bandpass(
    recording: xr.DataArray,
    *,
    lowcut: float,
    highcut: float,
    order: int = 4,
    keep_mean: bool = False,
    irregular: Irregular = "refuse",
    sample_dim: str = "time",
) -> xr.DataArray:
    """Keep what lies between two cut-off frequencies.

    The filter, its edges and what it does with lazy recordings are those of
    :func:`partita.preprocess.lowpass`. Confounds that are regressed out of the result must have
    been filtered alike, or the regression brings back what the filter took out (Hallquist et al.
    2013, Lindquist et al. 2019).

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Evenly sampled, to 1 % of the interval. Integers of up to 16 bits are promoted to float32,
        longer ones to float64.
    lowcut, highcut : float
        Frequencies at which half of the amplitude is left, Hz.
    order : int
        Of the filter at each side; its two runs make it twice as steep.
    keep_mean : bool
        Whether every voxel gets its mean over time back, as tSNR and ΔF/F need it.
    irregular : {"refuse", "resample"}
        What to do with uneven times, as in :func:`partita.preprocess.lowpass`.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        The filtered recording, in the same units; float32 for float32, else float64. A mean
        that was taken away is left as the coordinate `background`, unless the recording has one.

    Raises
    ------
    TypeError, ValueError
        As :func:`partita.preprocess.lowpass`, and if `lowcut` is not below `highcut` or the
        recording is shorter than one period of `lowcut`.

    References
    ----------
    Hallquist, Hwang & Luna (2013), The nuisance of nuisance regression.
    Lindquist et al. (2019), Modular preprocessing pipelines can reintroduce artifacts into fMRI
    data.

    Examples
    --------
    >>> import partita as pt
    >>> time = np.arange(300) * 2.0
    >>> recording = xr.DataArray(np.sin(0.3 * time)[:, None], {"time": time}, ("time", "voxel"))
    >>> left = pt.preprocess.bandpass(recording, lowcut=0.01, highcut=0.1)
    >>> bool(abs(left - recording)[50:-50].max() < 0.05)
    True
    """
    return _filtered(
        recording, "bandpass", {"lowcut": lowcut, "highcut": highcut}, order=order,
        keep_mean=keep_mean, irregular=irregular, sample_dim=sample_dim,
    )  # fmt: skip


def _filtered(
    recording: xr.DataArray,
    kind: str,
    cuts: dict[str, float],
    *,
    order: int,
    keep_mean: bool,
    irregular: Irregular,
    sample_dim: str,
) -> xr.DataArray:
    checks.require_recording(recording, sample_dim=sample_dim, caller=kind)
    checks.require_samples(recording, sample_dim=sample_dim, caller=kind)
    checks.require_dense(recording, caller=kind)
    recording = _evenly_sampled(recording, irregular, sample_dim=sample_dim, caller=kind)
    step = sampling_interval(recording, sample_dim=sample_dim, caller=kind)
    require_cuts(cuts, 1 / step, caller=kind)
    n_times = recording.sizes[sample_dim]
    require_order(order, n_times, kind)
    chosen = design(kind, cuts, order, 1 / step, keep_mean=keep_mean)
    require_length(n_times, step, chosen.edge, kind, cuts)
    whole = _whole_courses(recording, sample_dim=sample_dim, caller=kind)
    how: dict[str, Any] = {"sample_dim": sample_dim, "caller": kind}
    work = partial(apply, chosen=chosen)
    said = {"order": order} if kind == "lowpass" else {"order": order, "keep_mean": keep_mean}
    line = describe_call(kind, **cuts, **said)
    if kind == "lowpass" or keep_mean:
        values = transform(whole, [Window(0, n_times, n_times, work)], **how)
        return append_history(whole.copy(deep=False, data=values), line)
    values, mean = transform_with_mean(whole, work, cut=recording, **how)
    result = as_fluctuation(whole.copy(deep=False, data=values))
    result = leave_background(result, mean, of=recording, sample_dim=sample_dim)
    return append_history(result, line)


def _whole_courses(recording: xr.DataArray, *, sample_dim: str, caller: str) -> xr.DataArray:
    """Put a lazy recording together along time, or refuse one that memory does not hold."""
    n_chunks = len(recording.variable.chunksizes.get(sample_dim, ()))
    if n_chunks <= 1:
        return recording
    needed = _COPIES * recording.size * checks.promote(recording.dtype).itemsize
    if needed > available_memory():
        raise ValueError(
            f"{caller} needs whole time courses, and this recording is cut along {sample_dim!r} "
            f"into {n_chunks} chunks: putting it together takes up to {needed / 1e9:.2g} GB, more "
            f"than is free. Cut it along space: partita.load(path, chunks={{{sample_dim!r}: -1, "
            "'y': 8}); or, where the file is stored frame by frame, convert it once before: "
            "partita convert FILE session.zarr --chunks y=8."
        )
    axis = recording.get_axis_num(sample_dim)
    whole = {i: -1 if i == axis else "auto" for i in range(recording.ndim)}
    values = recording.data.rechunk(whole, block_size_limit=_TILE)
    sizes = dict(zip(recording.dims, values.chunks, strict=True))
    lazy = {name: c.variable for name, c in recording.coords.items() if c.chunks is not None}
    cut = {name: c.chunk({dim: sizes[dim] for dim in c.dims}) for name, c in lazy.items()}
    return recording.copy(deep=False, data=values).assign_coords(cut)


def _evenly_sampled(
    recording: xr.DataArray, irregular: Irregular, *, sample_dim: str, caller: str
) -> xr.DataArray:
    checks.require_choice("irregular", irregular, get_args(Irregular))
    if irregular == "refuse" or sample_dim not in recording.coords:
        return recording
    times = sample_times(recording, sample_dim=sample_dim, caller=caller)
    if is_even(times):
        return recording
    return resample_time(recording, step=float(np.median(np.diff(times))), sample_dim=sample_dim)
