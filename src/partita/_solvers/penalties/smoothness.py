"""Smoothness along a graph: of signals over time, of maps over neighbouring voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse

from ..compute.types import Array, Floats
from .penalty import UNWEIGHTED, Extent, Terms, Weights

_LEAST_WEIGHT = 1e-6  # of a sample or feature: what has no weight follows its neighbours alone


class Graph(NamedTuple):
    """Which entries of a factor are neighbours, by pairs, and how strongly each pair is tied.

    `first`, `second` and `ties` are (n_pairs,); `size` is the number of entries.
    """

    first: Array
    second: Array
    ties: Array
    size: int

    def laplacian(self) -> Any:
        """Return the matrix L (size, size) with ``x @ L @ x = sum(ties * (x_i - x_j)**2)``."""
        shape = (self.size, self.size)
        tied = scipy.sparse.coo_array((self.ties, (self.first, self.second)), shape=shape)
        both = tied + tied.T
        degrees = np.asarray(both.sum(axis=1), np.float64).ravel()
        return (scipy.sparse.diags_array(degrees) - both).tocsr()


def chain(steps: Array) -> Graph:
    """Return the graph of samples in a row.

    Parameters
    ----------
    steps : ndarray, (n - 1,)
        From each sample to the next. The tie of a pair is the median step over its own; pairs whose
        step is not positive, such as where another run begins, are not tied.

    Examples
    --------
    >>> import numpy as np
    >>> chain(np.array([1.0, 1.0, 2.0])).ties
    array([1. , 1. , 0.5])
    """
    steps = np.asarray(steps, np.float64)
    forward = np.flatnonzero(steps > 0)
    middle = float(np.median(steps[forward])) if forward.size else 1.0
    return Graph(forward, forward + 1, middle / steps[forward], steps.size + 1)


@dataclass(frozen=True)
class Smoothness:
    """Squared differences between neighbours, of signals for unit maps or of maps for unit signals.

    Of signals ``strength / 2 * sum_j |h_j|^2 w_j L w_j`` with L the Laplacian of the graph of
    samples (Cai et al. 2011), of maps the like: no rescaling of a component evades it. For other
    losses than Frobenius all of it times ``r**(beta - 2)`` with r the root mean square of X.
    """

    strength: float
    laplacian: Any
    of_signals: bool = True
    scale_free: ClassVar[bool] = True

    @classmethod
    def along(cls, graph: Graph, strength: float, *, signals: bool = True) -> Smoothness:
        """Return the penalty along a graph of samples or of features."""
        return cls(strength, graph.laplacian(), signals)

    @property
    def active(self) -> bool:
        """Whether neighbours are known and tied."""
        return self.strength > 0 and self.laplacian is not None

    @property
    def couples_signals(self) -> bool:
        """Whether it is about signals."""
        return self.of_signals

    def against(self, extent: Extent) -> Smoothness:
        """Return the strength times the power of r."""
        return replace(self, strength=self.strength * extent.rms ** (extent.beta - 2.0))

    def value(self, W: Array, H: Array, weights: Weights = UNWEIGHTED) -> float:
        """Return the penalty, in float64.

        Examples
        --------
        >>> import numpy as np
        >>> smooth = Smoothness.along(chain(np.ones(2)), 2.0)
        >>> smooth.value(np.array([[0.0, 1.0, 3.0]]), np.ones((1, 4)))
        20.0
        """
        own, other = (W, H) if self.of_signals else (H, W)
        return float(0.5 * self.strength * self._roughness(own) @ _squares(other))

    def majorise(
        self, moving: Array, given: Array, *, signals: bool, weights: Weights = UNWEIGHTED
    ) -> Terms:
        """Bound the Laplacian by twice its diagonal, which it never exceeds (Gershgorin).

        The diagonal alone does not bound it. To the other factor it is a ridge.
        """
        if signals is self.of_signals:
            exact = moving.astype(np.float64)
            tied = self.strength * _squares(given)[:, None]
            bound = 2.0 * self.laplacian.diagonal()
            linear = tied * ((self.laplacian @ exact.T).T - bound * exact)
            ridge = tied * bound
        else:
            ridge = self.strength * self._roughness(given)[:, None]
            linear = np.zeros_like(ridge)
        of_moving = weights[0 if signals else 1]
        if of_moving is None:
            return Terms(linear, ridge)
        # Terms count by the weight of their entry, and these do not.
        counted = np.maximum(of_moving, _LEAST_WEIGHT * of_moving.max())
        return Terms(linear / counted, ridge / counted)

    @property
    def turned(self) -> Smoothness:
        """The same with the factors in each other's place."""
        return replace(self, of_signals=not self.of_signals)

    def scaled(self, *, W: float, H: float, loss: float) -> Smoothness:
        """Return the strength in other units."""
        return replace(self, strength=self.strength * (W * H) ** 2 / loss)

    def restricted(self, share: float) -> Smoothness:
        """Return the penalty, without that of maps: their columns are no neighbours now."""
        return self if self.of_signals else replace(self, laplacian=None)

    def _roughness(self, factor: Array) -> Floats:
        """Return ``x @ L @ x`` of each row."""
        exact = factor.astype(np.float64)
        return np.asarray(np.einsum("ij,ij->i", exact, (self.laplacian @ exact.T).T))


def _squares(factor: Array) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", factor, factor, dtype=np.float64))
