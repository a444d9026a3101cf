"""Cubic B-splines on regular grids: coefficients by a product an axis, values by kernels.

What turns samples into coefficients is a filter (Unser, Aldroubi & Eden 1993) that falls off by
0.27 a sample, and sooner with a Gaussian folded in: a band about the diagonal of a matrix. It is
cut into strips that BLAS takes, with what lies beyond the border mirrored, the border not repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..compute.compilation import compiled
from ..compute.types import Array

PAD = 2
"""Coefficients kept beyond the field on either side, so that no tap looks for the border."""


_POLE = 3.0**0.5 - 2.0
# Of the largest one: a tenth and ten times have the same registration error to 1e-4 voxels.
_LEAST_TAP = 2e-4
# Rows: strips of 32 take 1.0 to 1.1 times as long on fields of 80 to 512 voxels, of 64 1.5 times.
_STRIP = 16

Take = Callable[[str, tuple[int, ...], DTypeLike], NDArray[Any]]


class _Strip(NamedTuple):
    """Some rows of a matrix, of which only some columns are not 0."""

    rows: slice
    columns: slice
    block: Array


def coefficients(frames: Array, *, smoothing: float = 0.0, take: Take | None = None) -> Array:
    """Return the spline coefficients of frames, mirrored at the border and padded.

    Parameters
    ----------
    frames : numpy.ndarray, (n, y, x) or (n, z, y, x), float32 or float64, C-contiguous
        Finite values.
    smoothing : float
        Standard deviation in voxels of a Gaussian to smooth by on the way.
    take : callable, optional
        Gives the arrays of a name, a shape and a data type that are filled; new ones by default.

    Returns
    -------
    numpy.ndarray, (n, *(size + 2 PAD))
    """
    values, kind = frames, frames.dtype.name
    for axis in range(frames.ndim - 1, 0, -1):
        shape = (*values.shape[:axis], values.shape[axis] + 2 * PAD, *values.shape[axis + 1 :])
        filled = take(f"axis {axis}", shape, kind) if take else np.empty(shape, kind)
        _multiply(_strips(values.shape[axis], smoothing, kind), values, axis, filled)
        values = filled
    return values


def pad(frames: Array) -> Array:
    """Return frames with `PAD` mirrored samples beyond every border."""
    return np.pad(frames, [(0, 0)] + [(PAD, PAD)] * (frames.ndim - 1), mode="reflect")


def _multiply(strips: list[_Strip], values: Array, axis: int, out: Array) -> None:
    """Multiply along an axis, frame by frame: what surrounds a frame does not change its sums."""
    if axis == values.ndim - 1:
        lines, filled = (array.reshape(len(array), -1, array.shape[-1]) for array in (values, out))
        for rows, columns, block in strips:
            np.matmul(lines[..., columns], block.T, out=filled[..., rows])
        return
    after = int(np.prod(values.shape[axis + 1 :]))
    cubes, filled = (array.reshape(-1, array.shape[axis], after) for array in (values, out))
    for rows, columns, block in strips:
        np.matmul(block, cubes[:, columns], out=filled[:, rows])


@lru_cache(maxsize=32)
def _strips(size: int, smoothing: float, kind: str) -> list[_Strip]:
    """Return the matrix (size + 2 PAD, size) from samples to coefficients in strips."""
    taps = filter_taps(smoothing, kind)
    steps = np.arange(len(taps)) - len(taps) // 2
    strips = []
    for first in range(0, size + 2 * PAD, _STRIP):
        rows = np.arange(first, min(first + _STRIP, size + 2 * PAD))
        samples = fold(rows[:, None] - PAD + steps, size)
        begin, end = int(samples.min()), int(samples.max()) + 1
        block = np.zeros((len(rows), end - begin))
        np.add.at(block, (rows[:, None] - first, samples - begin), taps)
        strips.append(
            _Strip(slice(first, int(rows[-1]) + 1), slice(begin, end), block.astype(kind))
        )
    return strips


def filter_taps(smoothing: float, kind: str) -> Array:
    r"""Return the filter from samples to coefficients, smoothed; odd in number, of sum 1.

    .. math:: h_k \propto z^{|k|}, \quad z = \sqrt{3} - 2
    """
    reach = int(np.log(np.finfo(kind).eps) / np.log(-_POLE)) + 1
    steps = np.arange(-reach, reach + 1)
    taps: Array = _POLE ** np.abs(steps)
    if smoothing:
        taps = np.convolve(taps, np.exp(-0.5 * (steps / smoothing) ** 2), "same")
        taps = taps[np.abs(taps) > _LEAST_TAP * taps.max()]
    return np.asarray(taps / taps.sum())


def fold(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return the samples that places beyond the border mirror, the border not repeated."""
    period = max(2 * size - 2, 1)
    index = np.abs(index) % period
    folded: NDArray[np.int64] = np.minimum(index, period - index)
    return folded


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
def narrow(weights: tuple[float, float, float, float], like: Array) -> tuple[Any, Any, Any, Any]:
    """Return weights in the data type of `like`, so that sums run in it."""
    kind = like.dtype.type
    return kind(weights[0]), kind(weights[1]), kind(weights[2]), kind(weights[3])
