"""Confounds: taken out of a recording, or found in a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita._labels.numbers import is_whole
from partita._labels.stack import Stacker
from partita.preprocess.cleaning.drifts import drift_courses, times_of
from partita.preprocess.cleaning.projection import orthonormal, residual, take_out
from partita.preprocess.cleaning.regressors import design_of
from partita.preprocess.voxels.gaps import find_gaps, refuse_isolated

if TYPE_CHECKING:
    from partita.preprocess.cleaning.regressors import Confounds


def regress_out(
    recording: xr.DataArray,
    confounds: Confounds,
    *,
    keep_mean: bool = False,
    sample_dim: str = "time",
) -> xr.DataArray:
    r"""Take confounds out of every voxel by least squares.

    .. math:: Y = X - C\,C^+ X,

    with :math:`C` the confounds and a constant. Only what they span counts: a confound that is
    constant, or a combination of others, changes nothing, and neither do their units and offsets.
    What is regressed out together is taken out once; one after the other, a later step can bring
    back what an earlier one removed, so filter the confounds as the recording was filtered
    (Lindquist et al. 2019).

    For a dask-backed recording the weights, as many values a voxel as there are independent
    confounds, are computed in one streaming pass when the function is called (the first chunk is
    read once more before it); the result stays lazy, in the recording's own chunks. A voxel that
    is NaN at all times stays NaN.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units. Integers of up to 16 bits are promoted to float32, longer
        ones to float64.
    confounds : xarray.DataArray, xarray.Dataset, pandas.DataFrame, pandas.Series, or a list of them
        One course or many, in any units: an array over time and whatever else; every variable of a
        Dataset; every column of a table; what a list holds, together. Matched by time label where
        both have one (a table by its index, unless that merely counts the rows), else by position.
    keep_mean : bool
        Whether every voxel keeps its mean over time, as tSNR and ΔF/F need it.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        The residual, in the same units; float32 for float32, else float64. A mean that was taken
        away is left as the coordinate `background`, unless the recording has one.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers, or the confounds are no labelled
        table of numbers.
    ValueError
        If the confounds belong to other samples, are not finite, or leave nothing (as many
        independent ones as samples); or if some values of a voxel are NaN or infinite.

    See Also
    --------
    compcor : Confounds found in a mask.

    References
    ----------
    Friston et al. (1996), Movement-related effects in fMRI time-series.
    Lindquist et al. (2019), Modular preprocessing pipelines can reintroduce artifacts into fMRI
    data.

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> drift = xr.DataArray([0.0, 1.0, 2.0, 3.0], dims="time")
    >>> recording = xr.DataArray([[1.0], [3.0], [4.0], [6.0]], dims=("time", "neuron"))
    >>> pt.preprocess.regress_out(recording, drift).values.ravel().round(2)
    array([-0.1,  0.3, -0.3,  0.1])
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller="regress_out")
    checks.require_samples(recording, sample_dim=sample_dim, caller="regress_out")
    checks.require_dense(recording, caller="regress_out")
    design = design_of(confounds, recording, sample_dim=sample_dim, caller="regress_out")
    basis = orthonormal(design)
    if basis.shape[1] >= len(basis) - 1:
        raise ValueError(
            f"regress_out was given {design.shape[1]} confounds, {basis.shape[1]} of them "
            f"independent, for {len(basis)} samples: with the mean they explain every sample, and "
            "nothing would be left. Choose fewer, such as the first components of a PCA."
        )
    result = take_out(
        recording, basis, keep_mean=keep_mean, sample_dim=sample_dim, caller="regress_out"
    )
    line = describe_call("regress_out", n_confounds=design.shape[1], keep_mean=keep_mean)
    return append_history(result, line)


def compcor(
    recording: xr.DataArray,
    mask: xr.DataArray,
    *,
    n_components: int = 5,
    order: int = 1,
    sample_dim: str = "time",
) -> xr.DataArray:
    """Find the courses that voxels of no interest share: confounds by principal components.

    The voxels inside the mask lose their mean and a polynomial drift and are brought to unit
    variance; the leading principal components of what is left are the confounds. A mask of
    cerebrospinal fluid and white matter gives the anatomical variant, one of the voxels that vary
    most (``sd > sd.quantile(0.98)``) the temporal.

    The courses of the voxels inside are read into memory, in float64; a dask-backed recording is
    read once. Voxels that are NaN at all times, or that the drift explains up to rounding, are left
    out.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units.
    mask : xarray.DataArray of bool, (some feature dimensions)
        True where nothing of interest happens; matched with the recording by label.
    n_components : int
        How many confounds.
    order : int
        Of the polynomial taken out before; 0 for the mean alone.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, (time, component)
        Confounds of mean 0 and standard deviation 1 (units "1"), the one that explains most first,
        each rising where the voxels do on the whole. The coordinate `explained_variance_ratio`
        (component) is the share of the variance inside the mask.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers, or the mask not one of truth
        values.
    ValueError
        If the mask is empty or lies on another grid, the voxels inside hold fewer independent
        courses than `n_components`, or some values of a voxel inside are NaN or infinite.

    See Also
    --------
    regress_out : Takes them out.

    References
    ----------
    Behzadi, Restom, Liau & Liu (2007), A component based noise correction method (CompCor) for
    BOLD and perfusion based fMRI.

    Examples
    --------
    >>> import partita as pt
    >>> recording = pt.datasets.load_sample()
    >>> outside = recording.mean("time") < 4e3
    >>> confounds = pt.preprocess.compcor(recording, outside, n_components=2)
    >>> dict(confounds.sizes)
    {'time': 300, 'component': 2}
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller="compcor")
    checks.require_dense(recording, caller="compcor")
    _require_count(n_components)
    stacker = Stacker.of(recording, sample_dim=sample_dim, mask=mask)
    courses = _courses_inside(recording, stacker)
    refuse_isolated(find_gaps(courses), stacker, caller="compcor")
    times = times_of(recording, sample_dim=sample_dim, caller="compcor")
    drifts = drift_courses(
        times, drift="polynomial", order=order, longest_period=np.inf, caller="compcor"
    )
    known = courses[:, np.isfinite(courses[0])]
    standard = _standardised(known, orthonormal(drifts), checks.promote(recording.dtype))
    signals, shares = _leading(standard, n_components)
    found = stacker.signals(
        signals.astype(checks.promote(recording.dtype)), component=np.arange(n_components)
    )
    found = found.assign_coords(
        explained_variance_ratio=(
            "component",
            shares,
            {"units": "1", "long_name": "Share of the variance inside the mask"},
        )
    )
    found.attrs = {"units": "1", "long_name": "CompCor confound"}
    line = describe_call("compcor", n_components=n_components, order=order)
    return append_history(found.rename("compcor"), line, after=recording)


def _require_count(n_components: object) -> None:
    if not is_whole(n_components) or n_components < 1:
        raise ValueError(
            f"n_components must be a whole number above 0, and was {n_components!r}. Use 5."
        )


def _courses_inside(recording: xr.DataArray, stacker: Stacker) -> np.ndarray:
    """Return the courses of the voxels inside the mask, (time, voxels), float64."""
    if recording.chunks is None:
        return np.asarray(stacker.matrix(recording), np.float64)
    flat = stacker.blocks(recording).reshape(stacker.n_samples, -1)
    inside = flat[:, np.flatnonzero(stacker.inside_mask().values)]
    return np.asarray(inside.compute(), np.float64)


def _standardised(courses: np.ndarray, drifts: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Take mean and drifts out and divide by the standard deviation; without what leaves none."""
    basis = np.column_stack([np.full(len(courses), len(courses) ** -0.5), drifts])
    left = residual(courses.copy(), basis=basis, keep_mean=False, dtype=dtype)
    spread = left.std(axis=0)
    return left[:, spread > 0] / spread[spread > 0]


def _leading(standard: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the leading principal courses, of unit variance, and their share of it."""
    n_times, n_voxels = standard.shape
    tall = n_times > n_voxels
    gram = standard.T @ standard if tall else standard @ standard.T
    total = float(np.trace(gram))
    rank = 0
    if gram.size and total:
        strength, vectors = scipy.linalg.eigh(gram)
        strength, vectors = strength[::-1], vectors[:, ::-1]
        rank = int((strength > strength[0] * 1e-10).sum())
    if rank < count:
        raise ValueError(
            f"compcor finds {rank} independent courses in the {n_voxels} voxels of the mask that "
            f"vary, fewer than n_components={count}. Widen the mask, or ask for fewer."
        )
    strength, vectors = strength[:count], vectors[:, :count]
    signals = (standard @ vectors if tall else vectors * np.sqrt(strength)) / np.sqrt(strength)
    rises = np.sign(standard.sum(axis=1) @ signals)
    signals *= np.where(rises == 0, 1, rises) * np.sqrt(n_times)
    return signals, strength / total
