"""Neighbouring voxels averaged with Gaussian weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita._labels.grid import EVEN_TOLERANCE, even_spacing
from partita._labels.numbers import is_finite
from partita._labels.warn import warn
from partita.preprocess.voxels.cutting import BLOCK

_SPACE = ("z", "y", "x")
_FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
# The Gaussian ends at this many standard deviations, as in `scipy.ndimage`.
_TRUNCATE = 4.0
_NARROWEST = 0.5  # voxels, full width: below, the next voxel weighs less than 2e-5


def smooth(recording: xr.DataArray, *, fwhm: float | Mapping[str, float]) -> xr.DataArray:
    r"""Smooth in space with a Gaussian.

    .. math:: Y(r) = \frac{\sum_{r'} g(r - r')\, X(r')}{\sum_{r'} g(r - r')}, \quad
       g(d) = \exp\Bigl(-4 \ln 2\, \sum_i d_i^2 / \text{fwhm}_i^2\Bigr),

    where both sums go over the voxels that hold a value: voxels that are NaN, and what lies beyond
    the field, neither enter nor darken their neighbours, and stay NaN (normalised convolution,
    Knutsson & Westin 1993). The Gaussian ends at four standard deviations. A lazy recording stays
    lazy; where space is cut its blocks read the margins of their neighbours, and blocks narrower
    than the Gaussian are joined.

    Parameters
    ----------
    recording : xarray.DataArray, any dimensions
        A recording, or a map. Integers of up to 16 bits are promoted to float32, longer ones to
        float64.
    fwhm : float or mapping of str to float
        Full width at half maximum, in the units of the space coordinates (mm), voxels of any shape;
        one number for `z`, `y` and `x`, as far as they are there and longer than one voxel, or one
        a dimension: ``{"y": 0.2, "x": 0.4}``. 0 leaves a dimension as it is.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        In the same units; float32 for float32, else float64.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers.
    ValueError
        If a width is negative, there is no dimension to smooth along, or a coordinate is missing,
        uneven or in other units than the rest; or, when it is computed, if values are infinite.

    Warns
    -----
    UserWarning
        If the width is below half the distance of voxels, so that nothing changes.

    Examples
    --------
    >>> import partita as pt
    >>> image = xr.DataArray([0.0, 0, 4, 0, np.nan], {"x": np.arange(5) * 0.5}, ("x",))
    >>> pt.preprocess.smooth(image, fwhm=1.0).values.round(2)
    array([0.16, 0.97, 1.94, 1.28,  nan])
    """
    checks.require_array(recording, caller="smooth")
    checks.require_dense(recording, caller="smooth")
    widths = _widths(recording, fwhm)
    sigmas = tuple(
        widths[str(dim)] / (_FWHM_PER_SIGMA * _spacing(recording, str(dim)))
        if widths.get(str(dim), 0) > 0
        else 0.0
        for dim in recording.dims
    )
    _warn_of_no_change(sigmas, widths)
    dtype = checks.promote(recording.dtype)
    work = partial(_smooth_block, sigmas=sigmas, dtype=dtype)
    if recording.chunks is None:
        values = work(recording.values)
    else:
        values = _overlapping(recording.data, work, sigmas, dtype)
    line = describe_call("smooth", fwhm={k: float(v) for k, v in widths.items()})
    return append_history(recording.copy(deep=False, data=values), line)


def _warn_of_no_change(sigmas: tuple[float, ...], widths: dict[str, float]) -> None:
    """Warn of widths so far below a voxel's that they leave it as it is."""
    widest = max(sigmas) * _FWHM_PER_SIGMA
    if 0 < widest < _NARROWEST:
        warn(
            f"smooth changes nothing: fwhm={max(widths.values()):g} is {widest:.2g} of the "
            "distance between voxels. It is in the units of the coordinates, mm where they say so."
        )


def _widths(recording: xr.DataArray, fwhm: Any) -> dict[str, float]:
    if isinstance(fwhm, Mapping):
        widths = {str(dim): width for dim, width in fwhm.items()}
        foreign = [dim for dim in widths if dim not in recording.dims]
    else:
        widths = {dim: fwhm for dim in _SPACE if recording.sizes.get(dim, 1) > 1}
        foreign = [] if widths else list(_SPACE)
    if foreign or not widths:
        raise ValueError(
            f"smooth finds no dimension {', '.join(foreign) or 'in fwhm={}'}: the recording has "
            f"{tuple(map(str, recording.dims))}. Name those to smooth along: fwhm={{'y': 0.2}}."
        )
    for dim, width in widths.items():
        if not is_finite(width) or width < 0:
            raise ValueError(f"fwhm must be 0 or above along {dim!r}, and was {width!r}.")
    known = [recording[dim].attrs.get("units") for dim in widths if dim in recording.coords]
    units = sorted({str(unit) for unit in known if unit is not None})
    if len(units) > 1 and not isinstance(fwhm, Mapping):
        raise ValueError(
            f"smooth cannot take one width along coordinates in {', '.join(units)}. Give "
            "one a dimension, each in its own units: fwhm={'y': 0.2, 'x': 200}."
        )
    return widths


def _spacing(recording: xr.DataArray, dim: str) -> float:
    if dim not in recording.coords or recording[dim].dtype.kind not in "iuf":
        raise ValueError(
            f"smooth needs to know how far apart voxels are along {dim!r}, which has no numbers as "
            f"coordinate. Assign them: recording.assign_coords({dim}=...)."
        )
    places = recording[dim].values.astype(float)
    if places.size == 1:
        return abs(float(recording[dim].attrs.get("step", 1.0))) or 1.0
    spacing, away = even_spacing(places)
    if not away <= EVEN_TOLERANCE:
        raise ValueError(
            f"smooth needs voxels evenly spaced along {dim!r}; they lie up to {100 * away:.2g} % "
            f"of the spacing off an even grid. Leave it out, fwhm={{...}}, or interpolate first: "
            f"recording.interp({dim}=...)."
        )
    return abs(spacing)


def _overlapping(values: Any, work: Any, sigmas: tuple[float, ...], dtype: np.dtype[Any]) -> Any:
    """Smooth the blocks of a lazy array, each with the margins that it needs of its neighbours."""
    import dask.array as da

    wide = {i: -1 for i, s in enumerate(sigmas) if s and _radius(s) >= min(values.chunks[i])}
    values = values.rechunk(wide) if wide else values
    reach = {i: _radius(s) if len(values.chunks[i]) > 1 else 0 for i, s in enumerate(sigmas)}
    return da.map_overlap(
        work, values, depth=reach, boundary="none", dtype=dtype,
        meta=np.empty((0,) * values.ndim, dtype),
    )  # fmt: skip


def _radius(sigma: float) -> int:
    return int(_TRUNCATE * sigma + 0.5)


def _smooth_block(
    values: np.ndarray, *, sigmas: tuple[float, ...], dtype: np.dtype[Any]
) -> np.ndarray:
    free = [axis for axis, sigma in enumerate(sigmas) if not sigma]
    if not free:
        return _smooth_piece(values, sigmas, dtype)
    # Along the longest axis that is not smoothed, a few megabytes at a time.
    axis = max(free, key=lambda i: values.shape[i])
    rows = max(1, BLOCK * values.shape[axis] // max(1, values.size))
    result = np.empty(values.shape, dtype)
    for start in range(0, values.shape[axis], rows):
        part = (slice(None),) * axis + (slice(start, start + rows),)
        result[part] = _smooth_piece(values[part], sigmas, dtype)
    return result


def _smooth_piece(
    values: np.ndarray, sigmas: tuple[float, ...], dtype: np.dtype[Any]
) -> np.ndarray:
    filled = np.array(values, np.float64)
    empty = np.isnan(filled)
    if np.isinf(filled).any():
        raise ValueError(
            f"smooth cannot use infinite values: {int(np.isinf(filled).sum())} of {filled.size} in "
            "this block are. Make them NaN, which is passed over: "
            "recording.where(abs(recording) < float('inf'))."
        )
    filled[empty] = 0
    if empty.any():
        weight = _convolve((~empty).astype(np.float64), sigmas)
    else:  # the same for every frame: only what lies beyond the field is missing
        shape = tuple(n if sigma else 1 for n, sigma in zip(values.shape, sigmas, strict=True))
        weight = _convolve(np.ones(shape), sigmas)
    weighted = _convolve(filled, sigmas)
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted /= weight
    weighted[empty] = np.nan
    return weighted.astype(dtype)


def _convolve(values: np.ndarray, sigmas: tuple[float, ...]) -> np.ndarray:
    for axis, sigma in enumerate(sigmas):
        if sigma:  # what lies beyond the field is nothing, however wide the Gaussian
            reach = min(_radius(sigma), values.shape[axis] - 1)
            values = ndimage.gaussian_filter1d(
                values, sigma, axis=axis, mode="constant", radius=reach
            )
    return values
