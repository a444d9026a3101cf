"""Signals with signs of a streamed matrix for given maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compute.types import Array
from ..matrices.matrix import add
from ..matrices.streamed import Stream


def signals_for(stream: Stream, H: Array, *, mean: Array | None) -> tuple[Array, Array]:
    """Return the least-squares signals (n_samples, k) of centred data for maps H: one pass.

    Parameters
    ----------
    stream : Stream
        The data, without features that are NaN.
    H : ndarray, (k, n_features)
        Maps, features in the recording's order.
    mean : ndarray, (n_features,), or None
        What is taken off each feature; None takes each sample's own mean off.

    Returns
    -------
    W : ndarray, (n_samples, k)
        Signals in the dtype of the stream.
    means : ndarray, (n_samples,)
        The mean of each sample after `mean` was taken off.
    """
    rows = H[:, stream.order].astype(np.float64)
    off = np.zeros(stream.order.size) if mean is None else mean[stream.order].astype(np.float64)
    if stream.by_samples:
        _, parts = stream.run(_of_samples, (rows, off))
        cross, sums = (np.concatenate(side) for side in zip(*parts, strict=True))
    else:
        (cross, sums), _ = stream.run(_of_features, None, rows, off)
    means = sums / stream.order.size
    if mean is None:
        cross = cross - np.outer(means, rows.sum(axis=1))
    W = np.linalg.lstsq(rows @ rows.T, cross.T, rcond=None)[0].T
    return W.astype(stream.dtype), means.astype(stream.dtype)


def _of_samples(X: Array, _: None, common: tuple[Array, Array]) -> tuple[None, Any]:
    rows, off = common
    centred = X - off[:, None]
    return None, (centred.T @ rows.T, centred.sum(axis=0))


def _of_features(
    X: Array, so_far: Any, _: None, rows: Array, off: Array
) -> tuple[tuple[Array, Array], None]:
    centred = X - off
    return add(so_far, (centred @ rows.T, centred.sum(axis=1))), None
