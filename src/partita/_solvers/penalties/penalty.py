"""Penalties on the factors: their value, and how each factor sees them while the other stays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compute.types import Array, Floats


class Penalty(NamedTuple):
    """Strengths of the penalties, by factor.

    With `scale_free` the penalty is ``r * (H_l1 * sum_j |w_j| |h_j|_1 + W_l1 * sum_j |h_j|
    |w_j|_1) + l2 / 2 * sum_j |w_j|^2 |h_j|^2`` where r is the rms of X and ``l2 = W_l2 = H_l2``:
    no rescaling of a component changes it. Otherwise it is scikit-learn's, ``W_l1 * p * |W|_1 +
    H_l1 * n * |H|_1 + W_l2 * p / 2 * |W|^2 + H_l2 * n / 2 * |H|^2``.
    """

    W_l1: float = 0.0
    H_l1: float = 0.0
    W_l2: float = 0.0
    H_l2: float = 0.0
    scale_free: bool = True

    @property
    def active(self) -> bool:
        """Whether any strength differs from zero."""
        return any((self.W_l1, self.H_l1, self.W_l2, self.H_l2))

    @property
    def turned(self) -> Penalty:
        """The same penalty when X is transposed and the factors change places."""
        return Penalty(self.H_l1, self.W_l1, self.H_l2, self.W_l2, self.scale_free)

    def divided(self, scale: float) -> Penalty:
        """Return the penalty that has the same minima when X and W are divided by `scale`."""
        if self.scale_free:
            return self
        of_H = self.H_l1 / scale**2, self.H_l2 / scale**2
        return Penalty(self.W_l1 / scale, of_H[0], self.W_l2, of_H[1], scale_free=False)


NONE = Penalty()


def penalty_value(
    W: Array,
    H: Array,
    penalty: Penalty,
    *,
    rms: float,
    weights: tuple[Array | None, Array | None] = (None, None),
) -> float:
    """Evaluate the penalty of a pair of factors, in float64.

    Parameters
    ----------
    W : ndarray, (n, k)
        Signals.
    H : ndarray, (k, p)
        Maps.
    penalty : Penalty
        Strengths.
    rms : float
        Root mean square of X, used by the scale-free form.
    weights : tuple of ndarray, (n,) and (p,), or None
        Weights of samples and features; the norms of the scale-free form count them as the
        misfit does, so that the signals of a sample do not depend on its weight.

    Returns
    -------
    float
        What is added to the misfit.

    Examples
    --------
    >>> import numpy as np
    >>> penalty_value(np.ones((4, 1)), np.ones((1, 9)), Penalty(H_l1=0.5), rms=2.0)
    18.0
    """
    if not penalty.active:
        return 0.0
    row, column = weights
    W_weighed = W if row is None else W * row[:, None]
    H_weighed = H if column is None else H * column
    W_sums, H_sums = W_weighed.sum(0, dtype=np.float64), H_weighed.sum(1, dtype=np.float64)
    W_squares = np.einsum("ij,ij->j", W_weighed, W, dtype=np.float64)
    H_squares = np.einsum("ji,ji->j", H_weighed, H, dtype=np.float64)
    if not penalty.scale_free:
        n, p = W.shape[0], H.shape[1]
        of_W = penalty.W_l1 * W_sums.sum() + 0.5 * penalty.W_l2 * W_squares.sum()
        of_H = penalty.H_l1 * H_sums.sum() + 0.5 * penalty.H_l2 * H_squares.sum()
        return float(p * of_W + n * of_H)
    of_H = penalty.H_l1 * np.sqrt(W_squares) @ H_sums
    of_W = penalty.W_l1 * np.sqrt(H_squares) @ W_sums
    return float(rms * (of_H + of_W) + 0.5 * penalty.H_l2 * W_squares @ H_squares)


class Terms(NamedTuple):
    """A penalty as one factor's row sees it while the other factor stays.

    ``linear @ w + ridge @ w**2 / 2`` in each row, and ``group_j * |w_j|`` for a whole component.
    """

    linear: Floats
    ridge: Floats
    group: Floats


_NOTHING = np.zeros(1)
FREE = Terms(_NOTHING, _NOTHING, _NOTHING)  # broadcasts over any number of components


def terms_of_W(H: Array, penalty: Penalty, *, rms: float) -> Terms:
    """Turn a penalty into what each row of W sees while H (k, p) stays."""
    sums = H.sum(axis=1, dtype=np.float64)
    squares = np.einsum("jc,jc->j", H, H, dtype=np.float64)
    if penalty.scale_free:
        linear = rms * penalty.W_l1 * np.sqrt(squares)
        return Terms(linear, penalty.W_l2 * squares, rms * penalty.H_l1 * sums)
    p = H.shape[1]
    same = np.ones_like(sums)
    return Terms(p * penalty.W_l1 * same, p * penalty.W_l2 * same, 0.0 * same)
