"""How far factors are from their optimum: one measure for every loss, route and kind of matrix.

The residual of a factor is the root of ``sum(g**2 / h)`` over its entries, with g the projected
gradient of the loss and h the diagonal of its Hessian (the expected one under a divergence), in
units of the misfit, the root of twice the loss. Neither the units of X nor the scale of a component
nor which factor is called W changes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..compute.types import Array
from ..problem.solution import Certificate

# Of the norm of X. A loss is a difference of terms as large as |X|^2, whose rounding reads as a
# misfit of sqrt(2 eps) |X|: 5e-4 in float32. In float64 that is 2e-8; there X itself and what was
# done to it before decide, and a millionth of the signal is no part of a recording.
_FLOORS = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-6}
# Factors that were rounded make W @ H wrong by about sqrt(k) eps |X|.
_ROUNDINGS = 32
_TINY = float(np.finfo(np.float64).tiny)


class Slack(NamedTuple):
    """What a factor has left while the other stays.

    Parameters
    ----------
    gradient2 : float
        Squared projected gradient in the metric of the Hessian's diagonal.
    decrease : float
        What changing the factor could still take from the loss, at most; NaN where not asked.
    """

    gradient2: float
    decrease: float = math.nan


class Scale(NamedTuple):
    """What the slack of a fit is compared with.

    Parameters
    ----------
    floor : float
        Misfit below which rounding decides.
    exact : float
        Misfit that the rounding of the factors explains.
    rows : int
        Components whose gradients the misfit bounds; 0 where it bounds none.
    """

    floor: float
    exact: float = 0.0
    rows: int = 0


def floor_share(dtype: Any) -> float:
    """Return the share of the norm of X below which a misfit is decided by rounding."""
    return _FLOORS[np.dtype(dtype)]


def scale_of(norm2: float, dtype: Any, *, rows: int = 0) -> Scale:
    """Return what the slack of a fit is compared with.

    Parameters
    ----------
    norm2 : float
        Size of X as its loss weighs it: the sum of ``weights * X**beta``, for the squared error
        the squared norm.
    dtype : dtype
        Of X.
    rows : int
        Components of a factor, where twice the loss is the squared norm of a residual taken entry
        by entry, without penalties. In the metric of the Hessian no row of the gradient is then
        longer than the misfit (Cauchy-Schwarz), which tells more than the gradient itself where
        X is explained but for rounding; and there is none where the misfit is no more than the
        rounding of the factors.

    Returns
    -------
    Scale
    """
    norm = math.sqrt(norm2)
    eps = float(np.finfo(dtype).eps)
    return Scale(floor_share(dtype) * norm, _ROUNDINGS * eps * norm if rows else 0.0, rows)


def squared_gradient(slopes: Array, diagonal: Array, rows: Array, free: Array) -> float:
    """Return the squared projected gradient in the metric of the Hessian's diagonal.

    Parameters
    ----------
    slopes, diagonal : ndarray, (m, k)
        First and second derivatives of the loss, entry by entry.
    rows : ndarray, (m, k)
        Where the factor is: an entry at 0 counts only if it would rise.
    free : ndarray of bool, (k,)
        Components that may move.

    Returns
    -------
    float

    Examples
    --------
    >>> rows, free = np.array([[1.0, 0.0, 0.0]]), np.ones(3, bool)
    >>> squared_gradient(np.array([[2.0, -3.0, 5.0]]), np.ones((1, 3)), rows, free)
    13.0
    """
    pulled = np.where(rows > 0, slopes, np.minimum(slopes, 0))
    ratio = np.divide(pulled**2, diagonal, out=np.zeros_like(pulled), where=diagonal > 0)
    return float(ratio[:, free].sum(dtype=np.float64))


def relative_gradient(gradient2: float, loss: float, scale: Scale, *, factors: int = 1) -> float:
    """Return the length of the gradient of so many factors in units of the misfit, floored."""
    misfit, length = math.sqrt(max(2 * loss, 0.0)), math.sqrt(gradient2)
    if scale.rows:
        bound = math.sqrt(factors * scale.rows) * misfit
        length = 0.0 if misfit <= scale.exact else min(length, bound)
    return length / max(misfit, scale.floor, _TINY)


def relative_decrease(decrease: float, loss: float, scale: Scale) -> float:
    """Return a decrease as a share of the loss, floored; it is at most the whole loss."""
    if math.isnan(decrease):
        return decrease
    least = 0.5 * max(scale.floor, _TINY) ** 2
    return max(0.0, min(decrease, loss)) / max(loss, least, _TINY)


def together(parts: Iterable[Slack]) -> Slack:
    """Return the slack of a factor from that of its parts."""
    gradients, decreases = zip(*parts, strict=True)
    return Slack(math.fsum(gradients), math.fsum(decreases))


def certify(of_W: Slack, of_H: Slack, *, loss: float, scale: Scale) -> Certificate:
    """State how far both factors are from their optimum.

    Parameters
    ----------
    of_W, of_H : Slack
        Of the signals and of the maps, measured at the same factors.
    loss : float
        The loss there, penalties included.
    scale : Scale
        What both are compared with, in the units of the loss.

    Returns
    -------
    Certificate
    """
    (W_residual, W_decrease), (H_residual, H_decrease) = (
        (
            relative_gradient(one.gradient2, loss, scale),
            relative_decrease(one.decrease, loss, scale),
        )
        for one in (of_W, of_H)
    )
    return Certificate(W_residual, H_residual, W_decrease, H_decrease)
