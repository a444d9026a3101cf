"""What windows hold of values, side by side."""

from __future__ import annotations

import numpy as np

from ..compute.types import Array


def held_in(values: Array, first: Array, last: Array, *, missing: float = np.inf) -> Array:
    """Return the values from `first` to `last` of every window: (n_windows, width, n_voxels).

    Parameters
    ----------
    values : ndarray, (n, n_voxels)
    first, last : ndarray of int64, (n_windows,)
        Where every window begins, and where it ends.
    missing : float
        What stands in windows narrower than the widest.
    """
    at = first[:, None] + np.arange((last - first).max())
    held = values[np.minimum(at, len(values) - 1)]
    held[at >= last[:, None]] = missing
    return np.asarray(held)


def running_minimum(values: Array, blocks: Array, windows: Array) -> Array:
    """Return the minimum of bins over the window around each knot: (n_knots, n_voxels).

    Parameters
    ----------
    values : ndarray, (n_bins, n_voxels)
    blocks, windows : ndarray
        Of the `TimeGrid`.
    """
    low = held_in(values, blocks[:-1], blocks[1:]).min(axis=1)
    return np.asarray(held_in(low, *windows.T).min(axis=1))


def maximin(values: Array, blocks: Array, windows: Array) -> Array:
    """Return the running maximum of the running minimum, both over the windows."""
    low = running_minimum(values, blocks, windows)
    return np.asarray(held_in(low, *windows.T, missing=-np.inf).max(axis=1))
