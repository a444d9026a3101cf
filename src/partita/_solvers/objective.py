"""What a fit minimises, starts from, shows while it runs and answers with.

Everywhere X is (n, p) with n samples and p features, W (n, k) holds the signals and H (k, p)
the maps, X ~ W @ H.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
RankOne = tuple[Array, Array]


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


class Start(NamedTuple):
    """Factors to begin from; the one that is None is solved from the other.

    With fewer components than the fit has, those missing follow, started by the name in `rest` on
    what the given ones leave over.
    """

    W: Array | None = None
    H: Array | None = None
    rest: str = "auto"


class State(NamedTuple):
    """What a watcher sees after each iteration, in the units of X."""

    iteration: int
    loss: float
    residual: float
    W: Array
    H: Array


class Certificate(NamedTuple):
    """How far each factor is from its optimum while the other stays.

    `W_residual` and `H_residual` are projected gradients in the metric of the Hessian's diagonal,
    relative to the misfit; `W_decrease` and `H_decrease` the largest relative decrease of the
    loss that changing this factor alone could still bring.
    """

    W_residual: float
    H_residual: float
    W_decrease: float
    H_decrease: float

    @property
    def residual(self) -> float:
        """Both residuals in one number: the root of the sum of their squares."""
        return math.hypot(self.W_residual, self.H_residual)


class Solution(NamedTuple):
    """What a fit answers with; entry i of `losses` is the loss after iteration i + 1.

    Where the data could not be read to the end, `failure` says why and nothing is certified.
    `norm2` is that of X, unweighted, and `misfit` the norm of the residual, where a fit came by
    them.
    """

    W: Array
    H: Array
    losses: npt.NDArray[np.float64]
    n_iter: int
    converged: bool
    interrupted: bool
    certificate: Certificate
    report: dict[str, object]
    failure: OSError | None = None
    norm2: float | None = None
    misfit: float | None = None


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
