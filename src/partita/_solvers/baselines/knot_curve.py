"""Curves that are held at knots, straight lines between them."""

from __future__ import annotations

import math

from ..compute.compilation import compiled
from ..compute.types import Array


@compiled
def smooth(curve: Array, work: Array, lines: Array, weights: Array) -> None:
    r"""Replace a curve at the knots by straight lines fitted in stretches around them, in place.

    .. math:: c_b \leftarrow \sum_i w_{b,i}\, c_{l_b + i}

    Parameters
    ----------
    curve : ndarray, (n_knots,)
    work : ndarray, at least (n_knots,)
        Overwritten.
    lines, weights : ndarray
        Of the `TimeGrid`.
    """
    for b in range(len(curve)):
        total = 0.0
        for i in range(lines[b, 0], lines[b, 1]):
            total += weights[b, i - lines[b, 0]] * curve[i]
        work[b] = total
    curve[:] = work[: len(curve)]


@compiled
def add_curve(y: Array, curve: Array, places: Array, sign: float) -> None:
    r"""Add a curve at the knots, times `sign`, to values that lie among them, in place.

    .. math:: y_i \leftarrow y_i \pm [(1 - a) c_k + a c_{k + 1}], \quad k + a = p_i

    Parameters
    ----------
    y : ndarray, (n,)
        In the units of the curve.
    curve : ndarray, (n_knots,)
    places : ndarray, (n,)
        In knots; the outermost lines go on beyond the ends.
    sign : float
        1 or -1.
    """
    n = len(curve)
    for i in range(len(y)):
        left = min(max(math.floor(places[i]), 0), max(n - 2, 0))
        right = min(left + 1, n - 1)
        y[i] += sign * (curve[left] + (places[i] - left) * (curve[right] - curve[left]))
