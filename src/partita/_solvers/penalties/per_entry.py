"""The penalty of scikit-learn's NMF."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..compute.types import Array
from .penalty import UNWEIGHTED, Extent, Terms, Weights


@dataclass(frozen=True)
class PerEntry:
    """Sparseness and shrinkage of every entry, as scikit-learn's NMF has them.

    ``W_l1 * p * |W|_1 + H_l1 * n * |H|_1 + W_l2 * p / 2 * |W|^2 + H_l2 * n / 2 * |H|^2``, in the
    units of X whatever the loss.
    """

    W_l1: float = 0.0
    H_l1: float = 0.0
    W_l2: float = 0.0
    H_l2: float = 0.0
    scale_free: ClassVar[bool] = False
    couples_signals: ClassVar[bool] = False

    @property
    def active(self) -> bool:
        """Whether any strength differs from zero."""
        return any((self.W_l1, self.H_l1, self.W_l2, self.H_l2))

    def against(self, extent: Extent) -> PerEntry:
        """Return the strengths times the length of the other side."""
        n, p = extent.n, extent.p
        return PerEntry(self.W_l1 * p, self.H_l1 * n, self.W_l2 * p, self.H_l2 * n)

    def value(self, W: Array, H: Array, weights: Weights = UNWEIGHTED) -> float:
        """Return the penalty, sums in float64.

        Examples
        --------
        >>> import numpy as np
        >>> PerEntry(W_l1=0.5, H_l2=2.0).value(np.ones((1, 4)), np.ones((1, 9)))
        11.0
        """
        sums, squares = zip(*map(_sums, (W, H), weights), strict=True)
        sparse = self.W_l1 * sums[0] + self.H_l1 * sums[1]
        return float(sparse + 0.5 * (self.W_l2 * squares[0] + self.H_l2 * squares[1]))

    def majorise(
        self, moving: Array, given: Array, *, signals: bool, weights: Weights = UNWEIGHTED
    ) -> Terms:
        """Return the penalty, which is a quadratic itself."""
        l1, l2 = (self.W_l1, self.W_l2) if signals else (self.H_l1, self.H_l2)
        ones = np.ones((len(moving), 1))
        return Terms(l1 * ones, l2 * ones)

    @property
    def turned(self) -> PerEntry:
        """The same with the factors in each other's place."""
        return PerEntry(self.H_l1, self.W_l1, self.H_l2, self.W_l2)

    def scaled(self, *, W: float, H: float, loss: float) -> PerEntry:
        """Return the strengths in other units."""
        l1 = self.W_l1 * W / loss, self.H_l1 * H / loss
        return PerEntry(*l1, self.W_l2 * W**2 / loss, self.H_l2 * H**2 / loss)

    def restricted(self, share: float) -> PerEntry:
        """Return strengths that weigh W against a misfit of fewer columns as against all."""
        return replace(self, W_l1=self.W_l1 * share, W_l2=self.W_l2 * share)


def _sums(factor: Array, weights: Array | None) -> tuple[float, float]:
    weighed = factor if weights is None else factor * weights
    squares = np.einsum("ij,ij->", weighed, factor, dtype=np.float64)
    return float(weighed.sum(dtype=np.float64)), float(squares)
