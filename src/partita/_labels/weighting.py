"""Weights of a matrix's entries: what they leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

Array = np.ndarray[Any, Any]
Weights = Array | tuple[Array, Array]


def is_entrywise(weights: xr.DataArray, *, sample_dim: str) -> bool:
    """Say whether weights differ from sample to sample and from feature to feature.

    Others are kept as one weight a sample, or one a feature.
    """
    return sample_dim in weights.dims and weights.ndim > 1


def proportions(weights: Any) -> Any:
    """Return weights whose largest is 1; those that cannot be used are returned as they are."""
    if not isinstance(weights, xr.DataArray):  # refused in words where it is matched
        return weights
    most = float(weights.max()) if weights.size and weights.dtype.kind in "biuf" else 0.0
    return weights / most if np.isfinite(most) and most > 0 else weights


def columns_without(weights: Weights) -> Array | None:
    """Return which columns have no weight in any row; None where each has some."""
    by_column = weights[1] == 0 if isinstance(weights, tuple) else ~weights.any(axis=0)
    empty = np.asarray(by_column)
    return empty if empty.any() else None


def silenced(matrix: Any, weights: Weights) -> Any:
    """Return the matrix with zeros where the weight is zero; itself where no weight is.

    Parameters
    ----------
    matrix : array or sparse matrix, (n_samples, n_features)
        May hold anything, NaN included, where the weight is zero.
    weights : numpy.ndarray, (n_samples, n_features), or (samples, features)
        As `Stacker.weights` returns them, no column without weight.
    """
    if not isinstance(weights, tuple):
        nothing = weights == 0
        if isinstance(matrix, np.ndarray):
            return np.where(nothing, matrix.dtype.type(0), matrix) if nothing.any() else matrix
        return matrix.multiply(~nothing).tocsr()
    rows = weights[0] == 0
    if not rows.any():
        return matrix
    if isinstance(matrix, np.ndarray):
        return np.where(rows[:, None], matrix.dtype.type(0), matrix)
    return matrix.multiply(~rows[:, None]).tocsr()
