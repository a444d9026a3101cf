"""Any X as the kind of matrix that it is, turned the way round in which it is solved."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from ..compute.types import Array
from .in_memory import Dense, Sparse
from .matrix import Matrix
from .streamed import Stream

_SMALL = 1_000_000  # entries: 8 MB in float64, which is as fast there and free of its noise


class Laid(NamedTuple):
    """A matrix whose columns are worked on part by part.

    Its rows are samples where the signals are the short factor, else features. `order` are the
    features in the order in which they come, None where it is that of X.
    """

    matrix: Matrix
    signals_short: bool
    order: Array | None

    def as_laid(self, H: Array) -> Array:
        """Return maps (k, n_features) in the order in which the features come."""
        return H if self.order is None else H[:, self.order]

    def as_given(self, H: Array) -> Array:
        """Return maps in the order of X."""
        if self.order is None:
            return H
        own = np.empty_like(H)
        own[:, self.order] = H
        return own


def lay(X: Any) -> Laid:
    """Turn X, dense, scipy.sparse or a stream, so that its short side comes first.

    Nothing dense is copied but what is small. A stream lies as its parts do.
    """
    if isinstance(X, Stream):
        return Laid(X, not X.by_samples, None if X.by_samples else X.order)
    X = X.astype(np.float64) if math.prod(X.shape) <= _SMALL else X
    short = X.shape[0] <= X.shape[1]
    turned = X if short else X.T
    return Laid(Sparse(turned) if scipy.sparse.issparse(X) else Dense(turned), short, None)
