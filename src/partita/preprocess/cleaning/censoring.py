"""Frames that cannot be trusted: left out, or replaced by what their neighbours say."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita.preprocess.cleaning.drifts import times_of
from partita.preprocess.cleaning.interpolation import LEAST, Interpolation, interpolate
from partita.preprocess.cleaning.regressors import match

How = Literal["drop", "interpolate"]


def censor(
    recording: xr.DataArray,
    frames: xr.DataArray | None = None,
    *,
    sample_mask: npt.ArrayLike | None = None,
    how: How = "drop",
    interpolation: Interpolation = "linear",
    sample_dim: str = "time",
) -> xr.DataArray:
    """Leave out suspect frames, or interpolate over them.

    Dropping makes the times uneven, which regressions and decompositions take and filters refuse;
    interpolate before a filter, so that a frame spoilt by motion does not ring through its
    neighbours, and drop afterwards what was interpolated: it holds no information of its own.

    Interpolation goes by the times of the frames kept, uneven or not. Frames before the first and
    after the last one kept are given its values. What the suspect frames themselves hold, NaN
    included, does not matter. A voxel that is NaN in all frames stays NaN. On a lazy recording
    nothing is computed when the function is called, and NaN elsewhere are refused when a block is
    computed; a cubic spline then sees 60 frames on either side of a chunk, enough for its rounding.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units. Interpolation promotes integers of up to 16 bits to float32,
        longer ones to float64.
    frames : xarray.DataArray of bool, (time,) or (time, *features), optional
        True for the bad frames, which are censored, such as `suspect` of a motion estimate, or
        ``framewise_displacement > 0.5``. Matched by time label where both have one. With planes
        that were registered each on its own, a frame is censored whole where any of them is
        marked.
    sample_mask : array_like of int or of bool, (n_kept,) or (time,), optional
        In place of `frames`: the good frames, which are kept, as nilearn has them: their numbers,
        or True for each.
    how : {"drop", "interpolate"}
        What becomes of them.
    interpolation : {"linear", "cubic"}
        A line between the frames kept, or a cubic spline, which is smoother, and can overshoot.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions as `recording`, fewer samples after "drop"
        In the same units, with every coordinate. After "interpolate" a coordinate `censored` on
        time says which frames were, those that were interpolated before among them.

    Raises
    ------
    TypeError
        If `recording` is not a DataArray of real numbers, `frames` not one of truth values, or
        `sample_mask` holds neither truth values nor whole numbers.
    ValueError
        If not exactly one of `frames` and `sample_mask` is given; if the frames belong to other
        samples, or have dimensions that the recording lacks; if too few would be left; if `how` or
        `interpolation` is not known; or if values kept are NaN or infinite, and others of the same
        voxel are not.

    References
    ----------
    Power et al. (2014), Methods to detect, characterize, and remove motion artifact in resting
    state fMRI.

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> recording = xr.DataArray([[1.0], [90.0], [3.0]], dims=("time", "neuron"))
    >>> jumped = xr.DataArray([False, True, False], dims="time")
    >>> pt.preprocess.censor(recording, jumped, how="interpolate").values.ravel()
    array([1., 2., 3.])
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller="censor")
    checks.require_dense(recording, caller="censor")
    checks.require_choice("how", how, get_args(How))
    checks.require_choice("interpolation", interpolation, get_args(Interpolation))
    bad = _bad_frames(frames, sample_mask, recording, sample_dim=sample_dim)
    least = 1 if how == "drop" else LEAST[interpolation]
    if (~bad).sum() < least:
        raise ValueError(
            f"censor would leave {int((~bad).sum())} of {bad.size} frames, and "
            f"{'dropping' if how == 'drop' else interpolation + ' interpolation'} needs at least "
            f"{least}. Raise the threshold that marks them, or leave this recording out."
        )
    kept = recording.isel({sample_dim: ~bad})
    if how == "drop":
        line = describe_call("censor", n_frames=int(bad.sum()), how=how)
        return append_history(kept, line)
    times = times_of(recording, sample_dim=sample_dim, caller="censor")
    values = interpolate(
        kept,
        times[~bad],
        times,
        interpolation=interpolation,
        sample_dim=sample_dim,
        caller="censor",
    )
    result = recording.copy(deep=False, data=values).assign_coords(
        censored=(sample_dim, bad | _before(recording), {"long_name": "Interpolated frame"})
    )
    line = describe_call("censor", n_frames=int(bad.sum()), how=how, interpolation=interpolation)
    return append_history(result, line)


def _before(recording: xr.DataArray) -> np.ndarray | bool:
    """Return which frames an earlier call has interpolated."""
    marks = recording.coords.get("censored")
    return False if marks is None or marks.dtype != bool else np.asarray(marks.values)


def _bad_frames(
    frames: Any, sample_mask: Any, recording: xr.DataArray, *, sample_dim: str
) -> np.ndarray:
    if (frames is None) == (sample_mask is None):
        raise ValueError(
            "censor needs either frames, True where they are bad, or sample_mask=, the good ones "
            f"as nilearn has them; given: {'neither' if frames is None else 'both'}. Where nilearn "
            "answers None, every frame is good, and there is nothing to censor."
        )
    if frames is not None:
        return _frames_of(frames, recording, sample_dim=sample_dim)
    return ~_good_frames(sample_mask, recording.sizes[sample_dim])


def _good_frames(sample_mask: Any, n_times: int) -> np.ndarray:
    given = np.asarray(sample_mask)
    if given.dtype.kind not in "iub" or given.ndim != 1:
        raise TypeError(
            "censor needs sample_mask as the numbers of the frames that are kept, or True for "
            f"each; given: {given.dtype} with {given.ndim} dimensions. Of several runs, censor "
            "each with its own."
        )
    if given.dtype.kind == "b" and given.size != n_times:
        raise ValueError(
            f"censor was given a sample_mask of {given.size} truth values for {n_times} frames. "
            "It belongs to another recording, or frames were left out since."
        )
    if given.dtype.kind != "b" and given.size and not 0 <= given.min() <= given.max() < n_times:
        raise ValueError(
            f"censor was given a sample_mask that keeps the frames {given.min()} to "
            f"{given.max()}, and the recording has {n_times}, counted from 0. It belongs to "
            "another recording, or frames were left out since."
        )
    good = np.zeros(n_times, bool)
    good[given] = True
    return good


def _frames_of(frames: Any, recording: xr.DataArray, *, sample_dim: str) -> np.ndarray:
    if not isinstance(frames, xr.DataArray) or frames.dtype.kind != "b":
        kind = f"{type(frames).__name__} of {getattr(frames, 'dtype', 'no dtype')}"
        raise TypeError(
            "censor needs the frames as a boolean DataArray over time, True where bad; given: "
            f"{kind}. Compare to make one: motion.framewise_displacement > 0.5."
        )
    given = tuple(map(str, frames.dims))
    if sample_dim not in frames.dims:
        raise ValueError(
            f"censor needs frames over {sample_dim!r}; given: {given}. Compare a series over time "
            "to make them: motion.framewise_displacement > 0.5."
        )
    foreign = [str(dim) for dim in frames.dims if dim not in recording.dims]
    if foreign:
        raise ValueError(
            f"censor needs frames over {sample_dim!r}, and planes of the recording at most; given: "
            f"{given}. Reduce them: frames.any({foreign[0]!r})."
        )
    whole = frames.any([dim for dim in frames.dims if dim != sample_dim])
    table = whole.reset_coords(drop=True).expand_dims("confound", axis=1)
    matched = match(table, recording, sample_dim=sample_dim, what="The series of frames to censor")
    found: np.ndarray = matched.values[:, 0]
    return found
