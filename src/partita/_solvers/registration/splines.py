"""Cubic B-splines on regular grids: coefficients by one filter an axis, values by kernels.

The filter that turns samples into coefficients is a recursion there and back (Unser, Aldroubi &
Eden 1993). A recursion runs one lane wide along its axis, so many lines are taken side by side.
It falls off by 0.27 a sample: with a Gaussian folded in, it is a short symmetric filter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..compute.compilation import compiled
from ..compute.scratch import Scratch
from ..compute.types import Array

PAD = 2
"""Coefficients kept beyond the field on either side, so that no tap looks for the border."""


_POLE = 3.0**0.5 - 2.0
_LANES = 16  # of float32 in the widest registers there are
# Of the one in the middle: a tenth and ten times have the same registration error to 1e-4 voxels; a
# tenth takes 1.1 times as long.
_LEAST_TAP = 2e-4


def coefficients(frames: Array, *, smoothing: float = 0.0, scratch: Scratch | None = None) -> Array:
    """Return the spline coefficients of frames, mirrored at the border and padded.

    Parameters
    ----------
    frames : numpy.ndarray, (n, y, x) or (n, z, y, x), float32 or float64, C-contiguous
        Finite values.
    smoothing : float
        Standard deviation in voxels of a Gaussian to smooth by on the way.
    scratch : Scratch, optional
        Where the work is done and the answer lies; otherwise in new arrays.

    Returns
    -------
    numpy.ndarray, (n, *(size + 2 PAD))
    """
    scratch = Scratch() if scratch is None else scratch
    shape = frames.shape
    cubes = [
        (int(np.prod(shape[:axis])), shape[axis], int(np.prod(shape[axis + 1 :])))
        for axis in range(len(shape) - 2, 0, -1)
    ]
    filtered = scratch.take("filtered", shape, frames.dtype)
    lines, answers = frames.reshape(-1, shape[-1]), filtered.reshape(-1, shape[-1])
    if not smoothing:
        recurse_last(lines, answers)
        for cube in cubes:
            recurse_middle(filtered.reshape(cube))
        return pad(filtered, scratch=scratch)
    taps, spare = filter_taps(smoothing, frames.dtype.name), np.empty_like(frames)
    filter_last(lines, taps, answers)
    for cube in cubes:
        filter_middle(filtered.reshape(cube), taps, spare.reshape(cube))
        filtered, spare = spare, filtered
    return pad(filtered, scratch=scratch)


def pad(frames: Array, *, scratch: Scratch) -> Array:
    """Return frames with `PAD` mirrored samples beyond every border, in `scratch`."""
    padded = scratch.take(
        "padded", (len(frames), *(n + 2 * PAD for n in frames.shape[1:])), frames.dtype
    )
    padded[(slice(None), *(slice(PAD, -PAD),) * (frames.ndim - 1))] = frames
    for axis in range(1, frames.ndim):
        turned = np.moveaxis(padded, axis, 0)
        size = frames.shape[axis]
        for step in range(1, PAD + 1):
            turned[PAD - step] = turned[PAD + fold(step, size)]
            turned[PAD + size - 1 + step] = turned[PAD + fold(size - 1 + step, size)]
    return padded


@lru_cache(maxsize=16)
def filter_taps(smoothing: float, dtype: str) -> Array:
    """Return one half of a smoothing filter from samples to coefficients, the centre first."""
    angle = 2 * np.pi * np.fft.rfftfreq(512)
    response = np.exp(-0.5 * (smoothing * angle) ** 2) / ((4 + 2 * np.cos(angle)) / 6)
    taps = np.fft.irfft(response)[:256]
    kept = taps[: int(np.flatnonzero(np.abs(taps) > _LEAST_TAP * taps[0])[-1]) + 1]
    kept = kept / (kept[0] + 2 * kept[1:].sum())
    return np.ascontiguousarray(kept, dtype=dtype)


@compiled
def fold(index: int, size: int) -> int:
    """Return the sample that a place beyond the border mirrors, the border not repeated."""
    if size == 1:
        return 0
    period = 2 * size - 2
    index = abs(index) % period
    return index if index < size else period - index


@compiled
def recurse_last(values: Array, out: Array) -> None:
    """Turn every row of `values` (rows, n) into coefficients."""
    rows, size = values.shape
    beside = np.zeros((1, size, _LANES), values.dtype)
    for first in range(0, rows, _LANES):
        count = min(_LANES, rows - first)
        for lane in range(count):
            for j in range(size):
                beside[0, j, lane] = values[first + lane, j]
        recurse_middle(beside)
        for lane in range(count):
            for j in range(size):
                out[first + lane, j] = beside[0, j, lane]


@compiled
def recurse_middle(values: Array) -> None:
    r"""Turn `values` (before, n, after) into coefficients along the middle axis, in place.

    .. math:: c^+_i = x_i + z c^+_{i-1}, \quad c_i = z (c_{i+1} - 6 c^+_i), \quad z = \sqrt{3} - 2

    mirrored at both ends, the border not repeated.
    """
    size, kind = values.shape[1], values.dtype.type
    if size == 1:
        return
    pole, six = kind(_POLE), kind(6)
    last = kind(6 * _POLE / (_POLE * _POLE - 1))
    reach = 14 if values.itemsize == 4 else 30  # there pole**reach is below rounding
    for b in range(values.shape[0]):
        before = np.zeros(values.shape[2], values.dtype)
        for k in range(reach, 0, -1):
            row = values[b, fold(k, size)]
            for j in range(row.size):
                before[j] = pole * (before[j] + row[j])
        row = values[b, 0]
        for j in range(row.size):
            row[j] += before[j]
        for i in range(1, size):
            previous, row = values[b, i - 1], values[b, i]
            for j in range(row.size):
                row[j] += pole * previous[j]
        previous, row = values[b, size - 2], values[b, size - 1]
        for j in range(row.size):
            row[j] = last * (row[j] + pole * previous[j])
        for i in range(size - 2, -1, -1):
            row, following = values[b, i], values[b, i + 1]
            for j in range(row.size):
                row[j] = pole * (following[j] - six * row[j])


@compiled
def filter_last(values: Array, taps: Array, out: Array) -> None:
    r"""Filter every row of `values` (rows, n): :math:`o_j = \sum_k h_{|k|} x_{j+k}`, mirrored."""
    reach, size = taps.size - 1, values.shape[1]
    buffer = np.empty(size + 2 * reach, values.dtype)
    for i in range(values.shape[0]):
        buffer[reach : reach + size] = values[i]
        for j in range(1, reach + 1):
            buffer[reach - j] = values[i, fold(j, size)]
            buffer[reach + size - 1 + j] = values[i, fold(size - 1 + j, size)]
        row = out[i]
        row[:] = taps[0] * values[i]
        for k in range(1, reach + 1):
            # Slices counted from 0 run several lanes wide; one buffer at two offsets does not.
            before, after = buffer[reach - k :][:size], buffer[reach + k :][:size]
            tap = taps[k]
            for j in range(size):
                row[j] += tap * (before[j] + after[j])


@compiled
def filter_middle(values: Array, taps: Array, out: Array) -> None:
    """Filter `values` (before, n, after) along the middle axis, as `filter_last` does rows."""
    size = values.shape[1]
    for b in range(values.shape[0]):
        for i in range(size):
            row = out[b, i]
            row[:] = taps[0] * values[b, i]
            for k in range(1, taps.size):
                tap = taps[k]
                above, below = values[b, fold(i - k, size)], values[b, fold(i + k, size)]
                for j in range(row.size):
                    row[j] += tap * (above[j] + below[j])


@compiled
def cubic_weights(t: float) -> tuple[float, float, float, float]:
    r"""Return the weights of the four taps around a place `t` beyond the second of them.

    .. math:: \tfrac{u^3}{6},\ \tfrac{2}{3} - t^2 + \tfrac{t^3}{2},\
        \tfrac{2}{3} - u^2 + \tfrac{u^3}{2},\ \tfrac{t^3}{6}, \quad u = 1 - t

    Their sum is 1; t lies between 0 and 1, in samples.
    """
    u = 1.0 - t
    w0 = u * u * u * (1.0 / 6.0)
    w1 = 2.0 / 3.0 + t * t * (0.5 * t - 1.0)
    w2 = 2.0 / 3.0 + u * u * (0.5 * u - 1.0)
    w3 = t * t * t * (1.0 / 6.0)
    return w0, w1, w2, w3


@compiled
def tap_weights(t: float, order: int) -> tuple[float, float, float, float]:
    """Return four weights for a cubic (3), linear (1) or nearest (0) value."""
    if order == 3:
        return cubic_weights(t)
    if order == 1:
        return 0.0, 1.0 - t, t, 0.0
    return (0.0, 1.0, 0.0, 0.0) if t < 0.5 else (0.0, 0.0, 1.0, 0.0)


@compiled
def blend(
    rows: Array, top: int, at: int, v: tuple[Any, Any, Any, Any], w: tuple[Any, Any, Any, Any]
) -> Any:
    r"""Return :math:`\sum_{kl} v_k w_l c_{kl}`, 4 x 4 coefficients of a plane from a corner on."""
    r0, r1, r2, r3 = rows[top], rows[top + 1], rows[top + 2], rows[top + 3]
    c0 = v[0] * r0[at] + v[1] * r1[at] + v[2] * r2[at] + v[3] * r3[at]
    c1 = v[0] * r0[at + 1] + v[1] * r1[at + 1] + v[2] * r2[at + 1] + v[3] * r3[at + 1]
    c2 = v[0] * r0[at + 2] + v[1] * r1[at + 2] + v[2] * r2[at + 2] + v[3] * r3[at + 2]
    c3 = v[0] * r0[at + 3] + v[1] * r1[at + 3] + v[2] * r2[at + 3] + v[3] * r3[at + 3]
    return w[0] * c0 + w[1] * c1 + w[2] * c2 + w[3] * c3


@compiled
def blend_volume(
    planes: Array,
    deep: int,
    top: int,
    at: int,
    u: tuple[Any, Any, Any, Any],
    v: tuple[Any, Any, Any, Any],
    w: tuple[Any, Any, Any, Any],
) -> Any:
    r"""Return :math:`\sum_{jkl} u_j v_k w_l c_{jkl}`, 4 x 4 x 4 coefficients from a corner on."""
    value = u[0] * blend(planes[deep], top, at, v, w)
    for k in range(1, 4):
        value += u[k] * blend(planes[deep + k], top, at, v, w)
    return value


@compiled
def narrow(weights: tuple[float, float, float, float], like: Array) -> tuple[Any, Any, Any, Any]:
    """Return weights in the data type of `like`, so that sums run in it."""
    kind = like.dtype.type
    return kind(weights[0]), kind(weights[1]), kind(weights[2]), kind(weights[3])
