"""The penalty that no rescaling of a component evades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ..compute.types import Array, Floats
from .penalty import UNWEIGHTED, Extent, Terms, Weights

_LEAST_LENGTH = 1e-12  # of a row, relative to the longest: below it the tangent would overflow


@dataclass(frozen=True)
class UnitNorm:
    """Sparseness and shrinkage as if maps, and signals, had unit norm.

    ``r * (H_l1 * sum_j |w_j| |h_j|_1 + W_l1 * sum_j |h_j| |w_j|_1) + l2 / 2 * sum_j |w_j|^2
    |h_j|^2`` with r the root mean square of X; for other losses than Frobenius all of it times
    ``r**(beta - 2)``. The norms count weights as the misfit does, so that the signals of a sample
    do not depend on its weight.
    """

    W_l1: float = 0.0
    H_l1: float = 0.0
    l2: float = 0.0
    scale_free: ClassVar[bool] = True
    couples_signals: ClassVar[bool] = False

    @property
    def active(self) -> bool:
        """Whether any strength differs from zero."""
        return any((self.W_l1, self.H_l1, self.l2))

    def against(self, extent: Extent) -> UnitNorm:
        """Return the strengths times the powers of r."""
        l1, l2 = extent.rms ** (extent.beta - 1.0), extent.rms ** (extent.beta - 2.0)
        return UnitNorm(self.W_l1 * l1, self.H_l1 * l1, self.l2 * l2)

    def value(self, W: Array, H: Array, weights: Weights = UNWEIGHTED) -> float:
        """Return the penalty, norms in float64.

        Examples
        --------
        >>> import numpy as np
        >>> UnitNorm(H_l1=0.5).value(np.ones((1, 4)), np.ones((1, 9)))
        9.0
        """
        of_W, of_H = _Norms.of(W, weights[0]), _Norms.of(H, weights[1])
        sparse = self.H_l1 * of_W.lengths @ of_H.sums + self.W_l1 * of_H.lengths @ of_W.sums
        return float(sparse + 0.5 * self.l2 * of_W.squares @ of_H.squares)

    def majorise(
        self, moving: Array, given: Array, *, signals: bool, weights: Weights = UNWEIGHTED
    ) -> Terms:
        """Bound the norm of each row that moves by its tangent parabola."""
        own, other = (self.W_l1, self.H_l1) if signals else (self.H_l1, self.W_l1)
        of_moving, of_given = weights if signals else weights[::-1]
        stays = _Norms.of(given, of_given)
        ridge = self.l2 * stays.squares
        if other:
            lengths = _Norms.of(moving, of_moving).lengths
            longest = float(np.max(lengths, initial=1e-30))
            ridge = ridge + other * stays.sums / np.maximum(lengths, _LEAST_LENGTH * longest)
        return Terms((own * stays.lengths)[:, None], ridge[:, None])

    @property
    def turned(self) -> UnitNorm:
        """The same with the factors in each other's place."""
        return UnitNorm(self.H_l1, self.W_l1, self.l2)

    def scaled(self, *, W: float, H: float, loss: float) -> UnitNorm:
        """Return the strengths in other units."""
        l1, l2 = W * H / loss, (W * H) ** 2 / loss
        return UnitNorm(self.W_l1 * l1, self.H_l1 * l1, self.l2 * l2)

    def restricted(self, share: float) -> UnitNorm:
        """Return the same: its norms are those of what is kept."""
        return self


class _Norms(NamedTuple):
    """Sums and sums of squares of each row."""

    sums: Floats
    squares: Floats

    @classmethod
    def of(cls, rows: Array, weights: Array | None) -> _Norms:
        weighed = rows if weights is None else rows * weights
        squares = np.einsum("ij,ij->i", weighed, rows, dtype=np.float64)
        return cls(weighed.sum(1, dtype=np.float64), squares)

    @property
    def lengths(self) -> Floats:
        return np.sqrt(self.squares)
