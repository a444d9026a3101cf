"""Signals of a streamed matrix for given maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compute.types import Array
from ..matrices.matrix import add
from ..matrices.streamed import Stream
from ..penalties.penalty import NONE, Penalty
from . import solve


def signals_for(stream: Stream, H: Array, penalty: Penalty = NONE) -> Array:
    """Return the signals W >= 0 (n_samples, k) that fit best with maps H, exactly: one pass.

    Parameters
    ----------
    stream : Stream
        The data, without features that are NaN.
    H : ndarray, (k, n_features)
        Non-negative maps, features in the recording's order.
    penalty : Penalty
        Measured by the data already; none by default.

    Returns
    -------
    ndarray, (n_samples, k)
        Signals in the dtype of the stream.
    """
    maps = H[:, stream.order].astype(np.float64)
    if stream.by_samples:
        _, parts = stream.run(_cross_of_samples, maps)
        cross = np.concatenate(parts)
    else:
        (cross,), _ = stream.run(_cross_of_features, None, maps)
    W = solve.solve_normal(maps @ maps.T, cross, maps, penalty)
    return np.ascontiguousarray(W, stream.dtype)


def _cross_of_samples(X: Array, _: None, H: Array) -> tuple[None, Array]:
    return None, solve.Cross(X.T, H, single=False).rows(slice(0, X.shape[1]))


def _cross_of_features(X: Array, so_far: Any, _: None, H: Array) -> tuple[tuple[Array], None]:
    return add(so_far, (solve.Cross(X, H, single=False).rows(slice(0, X.shape[0])),)), None
