"""Frames pulled back to the reference: by one displacement each, or by a smooth field of them.

Images and fields are cubic splines. A spline through the samples is a filter followed by four
taps; where a whole frame is displaced alike both are one short filter along each axis, the
cardinal spline, whose tails fall by 0.27 a voxel and are cut where float32 no longer sees them.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline

from .jit import compiled
from .threads import Crew

Floats = NDArray[np.float64]
Frames = NDArray[Any]
Interpolation = Literal["cubic", "linear"]
Sampling = Literal["cubic", "linear", "nearest"]
Fill = Literal["nearest", "nan"]

REACH = 11
"""Voxels on either side that have a say in a cubic spline; the next would have 5e-7."""
BORDER = 6
"""Voxels by which the spline of a frame goes on beyond its edges before it stays constant."""
_POLE = np.sqrt(3) - 2
_TOUCHED = 1e-3


def shift_frames(
    frames: Frames,
    shifts: Floats,
    *,
    interpolation: Interpolation = "cubic",
    fill: Fill = "nearest",
    non_negative: bool = False,
    out_dtype: DTypeLike = np.float32,
    crew: Crew,
) -> Frames:
    """Pull each frame back by its displacement: ``out(r) = frame(r + shift)``.

    Parameters
    ----------
    frames : ndarray, (n, y, x)
        Any real dtype.
    shifts : ndarray, (n, 2)
        Displacement of the content of each frame, voxels.
    interpolation : {"cubic", "linear"}
        Cubic spline, or straight lines between neighbours.
    fill : {"nearest", "nan"}
        What stands where the frame shows nothing: its nearest edge, or NaN.
    non_negative : bool
        Clip at 0 the ringing of the cubic spline.
    out_dtype : dtype
        float32 or float64, of the answer and of the arithmetic.
    crew : Crew
        Threads that share out the frames.

    Returns
    -------
    ndarray, (n, y, x)
        A voxel between others of which one is NaN is NaN; the rest of the frame is not.
    """
    out = np.empty(frames.shape, out_dtype)

    def pull(number: int) -> None:
        image, holes = _filled(frames[number], out.dtype)
        shift = shifts[number]
        _displace(image, shift, interpolation, out[number])
        if non_negative:
            np.maximum(out[number], 0, out=out[number])
        if holes is not None:
            touched = np.empty_like(out[number])
            _displace(holes.astype(out.dtype), shift, "linear", touched)
            out[number][touched > _TOUCHED] = np.nan
        if fill == "nan":
            lines = [np.arange(count) + at for count, at in zip(image.shape, shift, strict=True)]
            out[number][_outside(np.ix_(*lines), image.shape)] = np.nan

    crew.map(pull, range(len(frames)))
    return out


def warp(
    frames: Frames,
    displacement: Floats,
    centres_y: Floats,
    centres_x: Floats,
    *,
    fill: Fill = "nearest",
    interpolation: Sampling = "cubic",
    non_negative: bool = False,
    out_dtype: DTypeLike = np.float32,
    crew: Crew,
) -> Frames:
    """Pull each frame back through a smooth field: ``out(r) = frame(r + displacement(r))``.

    Parameters
    ----------
    frames : ndarray, (n, y, x)
        Any real dtype.
    displacement : ndarray, (n, 2, patches_y, patches_x)
        Displacement of the content at the centres, voxels; a natural cubic spline between them,
        straight beyond the outermost.
    centres_y, centres_x : ndarray, (patches_y,), (patches_x,)
        Where the centres lie, voxels, rising.
    interpolation : {"cubic", "linear", "nearest"}
        As for :func:`shift_frames`, or the nearest voxel.
    fill, non_negative, out_dtype, crew
        As for :func:`shift_frames`.

    Returns
    -------
    ndarray, (n, y, x)
        As of :func:`shift_frames`.
    """
    out = np.empty(frames.shape, out_dtype)
    rows, columns = (
        field_basis(centres, count)
        for centres, count in zip((centres_y, centres_x), frames.shape[1:], strict=True)
    )

    def pull(number: int) -> None:
        image, holes = _filled(frames[number], out.dtype)
        field = (rows @ displacement[number] @ columns.T).astype(out.dtype)
        _sample(image, field, interpolation, out[number])
        if non_negative:
            np.maximum(out[number], 0, out=out[number])
        if holes is not None:
            touched = np.empty_like(out[number])
            kind: Sampling = "nearest" if interpolation == "nearest" else "linear"
            _sample(holes.astype(out.dtype), field, kind, touched)
            out[number][touched > _TOUCHED] = np.nan
        if fill == "nan":
            places = [line + one for line, one in zip(np.indices(image.shape), field, strict=True)]
            out[number][_outside(places, image.shape)] = np.nan

    crew.map(pull, range(len(frames)))
    return out


def leaves_by_warp(
    shape: tuple[int, int], displacement: Floats, centres_y: Floats, centres_x: Floats
) -> NDArray[np.bool_]:
    """Tell which voxels of the reference lie outside the field in any frame, as `warp` sees it."""
    rows, columns = field_basis(centres_y, shape[0]), field_basis(centres_x, shape[1])
    still, left = np.indices(shape), np.zeros(shape, bool)
    for one in displacement:
        field = rows @ one @ columns.T
        left |= _outside(still + field, shape)
    return left


def field_basis(centres: Floats, count: int) -> Floats:
    """Return the weights (count, centres) of a natural cubic spline at ``0 ... count - 1``."""
    places = np.arange(count, dtype=np.float64)
    if len(centres) == 1:
        return np.ones((count, 1))
    spline = CubicSpline(centres, np.eye(len(centres)), bc_type="natural")
    within = np.clip(places, centres[0], centres[-1])
    basis: Floats = spline(within) + (places - within)[:, None] * spline(within, 1)
    return basis


def _displace(image: Frames, shift: Floats, interpolation: Interpolation, out: Frames) -> None:
    """Evaluate an image at the voxels, all displaced alike."""
    taps_y, first_y = _taps(float(shift[0]), interpolation, image.dtype)
    taps_x, first_x = _taps(float(shift[1]), interpolation, image.dtype)
    convolve(image, taps_y, taps_x, first_y, first_x, out)


def _taps(shift: float, interpolation: Interpolation, dtype: DTypeLike) -> tuple[NDArray[Any], int]:
    """Filter that evaluates an image `shift` voxels further on, and the offset of its first tap."""
    whole = int(np.floor(shift))
    fraction = shift - whole
    if fraction == 0:
        return np.ones(1, dtype), whole
    if interpolation == "linear":
        return np.array([1 - fraction, fraction], dtype), whole
    lags = np.arange(1 - REACH, REACH + 1)
    taps = np.zeros(len(lags))
    for knot, weight in enumerate(_cubic(fraction), start=-1):
        taps += weight * _inverse(lags - knot)
    return (taps / taps.sum()).astype(dtype), whole + 1 - REACH


def _cubic(fraction: float) -> tuple[float, ...]:
    """Cubic B-splines centred at -1, 0, 1 and 2, at a place between 0 and 1."""
    rest = 1 - fraction
    return (
        rest**3 / 6,
        2 / 3 - fraction**2 * (2 - fraction) / 2,
        2 / 3 - rest**2 * (2 - rest) / 2,
        fraction**3 / 6,
    )


def _inverse(lags: NDArray[np.int_]) -> Floats:
    """Filter that turns samples into the coefficients of their cubic spline."""
    inverse: Floats = -6 * _POLE / (1 - _POLE**2) * _POLE ** np.abs(lags)
    return inverse


def _filled(frame: Frames, dtype: DTypeLike) -> tuple[Frames, NDArray[np.bool_] | None]:
    """Frame whose holes hold their nearest value, and where they are, if anywhere."""
    image = np.ascontiguousarray(frame, dtype)
    if np.isfinite(image.sum(dtype=np.float64)):
        return image, None
    holes = ~np.isfinite(image)
    if not holes.any():
        return image, None
    if holes.all():
        return np.zeros_like(image), holes
    nearest = ndimage.distance_transform_edt(holes, return_distances=False, return_indices=True)
    return image[tuple(nearest)], holes


def _outside(places: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether a place lies beyond the outermost voxels, rounding aside."""
    outside = np.zeros(shape, bool)
    for place, count in zip(places, shape, strict=True):
        outside |= (place < -_TOUCHED) | (place > count - 1 + _TOUCHED)
    return outside


def _sample(image: Frames, field: Frames, interpolation: Sampling, out: Frames) -> None:
    """Evaluate an image at the voxels displaced by a field."""
    if interpolation == "nearest":
        places = np.rint(np.indices(image.shape) + field).astype(np.intp)
        down, right = (
            np.clip(place, 0, count - 1) for place, count in zip(places, image.shape, strict=True)
        )
        out[...] = image[down, right]
        return
    if interpolation == "linear":
        _sample_linear(image, field[0], field[1], out)
        return
    taps = _inverse(np.arange(-REACH, REACH + 1)).astype(image.dtype)
    coefficients = np.empty([count + 2 * BORDER for count in image.shape], image.dtype)
    first = -REACH - BORDER
    convolve(image, taps, taps, first, first, coefficients)
    _sample_cubic(coefficients, field[0], field[1], out)


@compiled
def convolve(
    image: Frames, taps_y: Frames, taps_x: Frames, first_y: int, first_x: int, out: Frames
) -> None:
    """Filter along both axes; beyond the edges stands the nearest voxel.

    ``out[y, x] = sum taps_y[j] taps_x[k] image[y + first_y + j, x + first_x + k]``.
    """
    n_rows, n_columns = image.shape
    height, width = out.shape
    line = np.empty(n_columns, image.dtype)
    padded = np.empty(width + len(taps_x) - 1, image.dtype)
    for y in range(height):
        line[:] = 0
        # Two taps at a time: half as often is the sum taken out of memory and put back.
        for j in range(0, len(taps_y) - 1, 2):
            upper = image[min(max(y + first_y + j, 0), n_rows - 1)]
            lower = image[min(max(y + first_y + j + 1, 0), n_rows - 1)]
            a, b = taps_y[j], taps_y[j + 1]
            for x in range(n_columns):
                line[x] += a * upper[x] + b * lower[x]
        if len(taps_y) % 2:
            upper = image[min(max(y + first_y + len(taps_y) - 1, 0), n_rows - 1)]
            for x in range(n_columns):
                line[x] += taps_y[-1] * upper[x]
        for x in range(len(padded)):
            padded[x] = line[min(max(x + first_x, 0), n_columns - 1)]
        target = out[y]
        target[:] = 0
        for k in range(0, len(taps_x) - 1, 2):
            a, b = taps_x[k], taps_x[k + 1]
            left, right = padded[k : k + width], padded[k + 1 : k + 1 + width]
            for x in range(width):
                target[x] += a * left[x] + b * right[x]
        if len(taps_x) % 2:
            left = padded[len(taps_x) - 1 :]
            for x in range(width):
                target[x] += taps_x[-1] * left[x]


@compiled
def _sample_linear(image: Frames, down: Frames, right: Frames, out: Frames) -> None:
    n_rows, n_columns = image.shape
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            at_y = min(max(y + down[y, x], 0.0), n_rows - 1.0)
            at_x = min(max(x + right[y, x], 0.0), n_columns - 1.0)
            i, j = min(int(at_y), n_rows - 2), min(int(at_x), n_columns - 2)
            f, g = at_y - i, at_x - j
            upper = (1 - g) * image[i, j] + g * image[i, j + 1]
            lower = (1 - g) * image[i + 1, j] + g * image[i + 1, j + 1]
            out[y, x] = (1 - f) * upper + f * lower


@compiled
def _sample_cubic(coefficients: Frames, down: Frames, right: Frames, out: Frames) -> None:
    """Evaluate a cubic spline whose coefficients go on for BORDER voxels beyond the frame."""
    one = coefficients.dtype.type(1)
    sixth, thirds, half = one / 6, one * 2 / 3, one / 2
    top, left = coefficients.shape[0] - 3, coefficients.shape[1] - 3
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            at_y = min(max(down[y, x] + (y + BORDER), one), one * top)
            at_x = min(max(right[y, x] + (x + BORDER), one), one * left)
            i, j = int(at_y), int(at_x)
            f, g = at_y - i, at_x - j
            r, s = one - f, one - g
            v0, v3 = r * r * r * sixth, f * f * f * sixth
            v1 = thirds - f * f * (one + r) * half
            v2 = thirds - r * r * (one + f) * half
            w0, w3 = s * s * s * sixth, g * g * g * sixth
            w1 = thirds - g * g * (one + s) * half
            w2 = thirds - s * s * (one + g) * half
            a, b = coefficients[i - 1], coefficients[i]
            c, d = coefficients[i + 1], coefficients[i + 2]
            out[y, x] = (
                v0 * (w0 * a[j - 1] + w1 * a[j] + w2 * a[j + 1] + w3 * a[j + 2])
                + v1 * (w0 * b[j - 1] + w1 * b[j] + w2 * b[j + 1] + w3 * b[j + 2])
                + v2 * (w0 * c[j - 1] + w1 * c[j] + w2 * c[j + 1] + w3 * c[j + 2])
                + v3 * (w0 * d[j - 1] + w1 * d[j] + w2 * d[j + 1] + w3 * d[j + 2])
            )
