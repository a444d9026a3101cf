"""Masks: which voxels are bright, and which of those are the brain."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita.preprocess.quality import brightness

_BINS = 256  # of a histogram, as many as 8 bits tell; from 64 on, masks of heads and brains agree
# Brightness is looked at on a logarithmic scale, from this share of the bright voxels' up: below
# it, differences in darkness would stretch the scale. Simulated heads are found with an overlap
# (Dice) of 0.97 at 0.02 and 0.99 at 0.05; at 0.1 real heads begin to lose their rim.
_FLOOR = 0.05
_BRIGHT = 0.9  # the quantile that is bright; between 0.7 and 0.99 the overlap moves by 0.002
# Two classes explain 2/pi = 0.64 of the variance of a single Gaussian hump, and nearly all of two
# humps apart. Between 0.75 and 0.9 nothing changes on heads, simulated and real, and on slices of
# power Doppler; at 0.7 some of those, at 0.5 all, keep their vessels alone.
_DISTINCT = 0.8
_SPACE = ("z", "y", "x")


def intensity_mask(
    recording: xr.DataArray, *, threshold: float | None = None, sample_dim: str = "time"
) -> xr.DataArray:
    """Mark the voxels that are brighter than a threshold.

    Without a threshold, Otsu's divides the voxels into a dark and a bright class. It is found so
    that vessels do not set it: in power Doppler a few are tens of times brighter than the tissue,
    and on a linear scale the threshold would lie between vessels and tissue, not between tissue and
    the outside. So it is found on the logarithm of the mean over time, smoothed by one voxel in
    space (single vessels and speckle). Where the two classes explain less than 0.8 of its variance,
    it is one broad hump of vessels and tissue rather than two, and the threshold is found again
    with all that lies above the first clipped to it.

    The mean is computed when the function is called; a lazy recording is read once.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) or (*features)
        A recording, or an image such as its mean.
    threshold : float, optional
        In the units of `recording`; found by default.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray of bool, (*features)
        True for bright voxels, with the recording's coordinates that are not over time; its
        attribute `threshold` says what was taken. NaN are outside.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If every voxel is as bright as every other, none is above the threshold, the mean was taken
        out (zscore), or some values of a voxel are NaN or infinite.

    References
    ----------
    Otsu (1979), A threshold selection method from gray-level histograms.

    Examples
    --------
    >>> import partita as pt
    >>> image = xr.DataArray([1.0, 1.2, 9.0, 10.0, 11.0, 40.0], dims="voxel")
    >>> pt.preprocess.intensity_mask(image).values
    array([False, False,  True,  True,  True,  True])
    """
    image = _image_of(recording, sample_dim=sample_dim, caller="intensity_mask")
    mask = _bright(image, threshold, caller="intensity_mask")
    line = describe_call("intensity_mask", threshold=threshold)
    return append_history(_worded(mask, "Bright voxels"), line, after=recording)


def brain_mask(
    recording: xr.DataArray, *, threshold: float | None = None, sample_dim: str = "time"
) -> xr.DataArray:
    """Mark the brain: the largest bright region, its holes filled.

    The threshold of :func:`partita.preprocess.intensity_mask` is applied to the smoothed logarithm
    that it was found on (a given one to the image itself). The bright region is opened by one
    voxel, so that thin bridges do not tie the brain to what lies around it; of the pieces that hang
    together by their faces the largest is kept, and what it encloses is inside too (in a single
    slice, what it encloses in the plane). Look at it before trusting it:
    ``plot_map(mean, mask=mask)``.

    The mean is computed when the function is called; a lazy recording is read once.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) or (*features)
        A recording, or an image such as its mean.
    threshold : float, optional
        In the units of `recording`; found by default.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray of bool, (*features)
        True inside, with the recording's coordinates that are not over time; its attribute
        `threshold` says what was taken. NaN are outside unless enclosed.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If a dimension is none of space (z, y, x), every voxel is as bright as every other, none
        is above the threshold, the mean was taken out (zscore), or some values of a voxel are NaN
        or infinite.

    Examples
    --------
    >>> import partita as pt
    >>> mask = pt.preprocess.brain_mask(pt.datasets.load_sample())
    >>> mask.dims, bool(mask.any()), bool(mask.all())
    (('z', 'y', 'x'), True, False)
    """
    image = _image_of(recording, sample_dim=sample_dim, caller="brain_mask")
    foreign = [str(dim) for dim in image.dims if dim not in _SPACE]
    if foreign:
        raise ValueError(
            f"brain_mask looks for a region in space (z, y, x), and was given {', '.join(foreign)} "
            f"besides. Reduce it first, recording.mean({foreign[0]!r}), or take intensity_mask."
        )
    bright = _bright(image, threshold, caller="brain_mask")
    if threshold is None:
        level = bright.attrs["threshold"]
        bright = (_logarithm(image) > np.log(level)).assign_attrs(threshold=level)
    # A plane on its own would be eroded away from above and below.
    flat = bright.values.squeeze()
    brain = ndimage.binary_fill_holes(_largest(flat)).reshape(bright.shape)
    line = describe_call("brain_mask", threshold=threshold)
    mask = _worded(bright.copy(deep=False, data=brain), "Brain mask")
    return append_history(mask, line, after=recording)


def _image_of(recording: xr.DataArray, *, sample_dim: str, caller: str) -> xr.DataArray:
    checks.require_array(recording, caller=caller)
    checks.require_dense(recording, caller=caller)
    if sample_dim in recording.dims:
        return brightness(recording, sample_dim=sample_dim, caller=caller)
    if recording.size == 0:
        raise ValueError(f"{caller} was given an empty image: sizes {dict(recording.sizes)}.")
    return recording.compute()


def _bright(image: xr.DataArray, threshold: float | None, *, caller: str) -> xr.DataArray:
    if not np.isfinite(image.values).any():
        raise ValueError(
            f"{caller} cannot tell dark from bright: no voxel holds a value. Check what made the "
            "image: a selection, a division by zero or another mask."
        )
    chosen = _otsu_twice(image, caller=caller) if threshold is None else _number(threshold)
    mask = image > chosen
    if not mask.any():
        raise ValueError(
            f"{caller} finds no voxel above {chosen:g}; the brightest has "
            f"{float(image.max()):g}. Lower the threshold."
        )
    return mask.assign_attrs(threshold=chosen)


def _number(threshold: Any) -> float:
    try:
        number = float(threshold)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(
            f"threshold must be a number in the units of the recording, and was {threshold!r}. "
            "Leave it out to have it found."
        )
    return number


def _otsu_twice(image: xr.DataArray, *, caller: str) -> float:
    """Return the threshold between dark and bright, found on a logarithmic scale."""
    given = image.values[np.isfinite(image.values)].astype(float)
    if not given.size or np.quantile(given, _BRIGHT) <= 0 or given.min() == given.max():
        raise ValueError(
            f"{caller} cannot tell dark from bright: {given.size} voxels lie between "
            f"{given.min(initial=np.inf):g} and {given.max(initial=-np.inf):g}, and it needs them "
            "to differ, one in ten at least above 0. Give a threshold, or an image with its "
            "brightness, such as the mean of the raw recording."
        )
    smooth = _logarithm(image).values
    scale = smooth[np.isfinite(smooth)]
    chosen, distinct = _otsu(scale)
    if distinct < _DISTINCT:
        chosen, _ = _otsu(np.minimum(scale, chosen))
    return float(np.exp(chosen))


def _otsu(scale: np.ndarray) -> tuple[float, float]:
    """Return the threshold, and what share of the variance lies between the two classes."""
    counts, edges = np.histogram(scale, _BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    below, mass = np.cumsum(counts)[:-1], np.cumsum(counts * middles)
    above = scale.size - below
    between = (mass[-1] * below / scale.size - mass[:-1]) ** 2 / np.maximum(below * above, 1)
    # Empty bins between the classes are all as good: take their middle.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    share = float(between.max() / max(float(scale.var()), np.finfo(float).tiny))
    return float(edges[1:-1][best].mean()), share


def _logarithm(image: xr.DataArray) -> xr.DataArray:
    """Return the logarithm, smoothed by a standard deviation of one voxel in space.

    NaN stay, and do not spread.
    """
    values = image.values.astype(float)
    empty = np.isnan(values)
    floor = _FLOOR * np.quantile(values[~empty], _BRIGHT)
    logarithm = np.log(np.maximum(np.where(empty, floor, values), floor))
    sigmas = [1.0 if dim in _SPACE and n > 1 else 0.0 for dim, n in image.sizes.items()]
    total = ndimage.gaussian_filter(np.where(empty, 0.0, logarithm), sigmas, mode="nearest")
    weight = ndimage.gaussian_filter((~empty).astype(float), sigmas, mode="nearest")
    smooth = np.divide(total, weight, out=np.full_like(total, np.nan), where=~empty)
    return image.copy(deep=False, data=smooth)


def _largest(bright: np.ndarray) -> np.ndarray:
    """Keep the largest region, without what hangs on it by bridges one voxel wide."""
    opened = ndimage.binary_opening(np.pad(bright, 1, mode="edge"))[(slice(1, -1),) * bright.ndim]
    labels, _ = ndimage.label(opened if opened.any() else bright)
    sizes = np.bincount(labels.ravel())[1:]
    largest: np.ndarray = labels == 1 + int(sizes.argmax())
    return largest


def _worded(mask: xr.DataArray, long_name: str) -> xr.DataArray:
    result = mask.rename("mask")
    result.attrs = {"long_name": long_name, "threshold": mask.attrs["threshold"]}
    return result
