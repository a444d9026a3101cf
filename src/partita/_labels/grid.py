"""Places along a dimension: whether they are even, and whether two recordings share them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

Array = np.ndarray[Any, Any]

# Two grids are the same when their places agree within this share of the spacing: far more than
# a file format rounds away, far less than interpolation or smoothing would notice.
GRID_TOLERANCE = 1e-3
# Places are evenly spaced when none lies further than this share of the spacing from an even
# grid. At half the rate of sampling, the fastest there is, a sample that comes so late is in
# error by pi / 100 of the amplitude, 3 %, and by less the slower a signal is.
EVEN_TOLERANCE = 0.01


def even_spacing(places: Array) -> tuple[float, float]:
    """Return the spacing of the even grid that fits best, and how far places lie off it.

    The distance is the largest of all, a share of the spacing (infinite where that is 0).

    Parameters
    ----------
    places : numpy.ndarray, (n,)
        Two or more.
    """
    counts = np.arange(places.size) - (places.size - 1) / 2
    spacing = float(counts @ places / (counts @ counts))
    if not spacing:
        return 0.0, float("inf")
    away = places - places.mean() - spacing * counts
    return spacing, float(np.abs(away).max() / abs(spacing))


def is_even(places: Array) -> bool:
    """Tell whether two or more places are evenly spaced, to 1 % of the spacing."""
    return even_spacing(places)[1] <= EVEN_TOLERANCE


def least_spacing(places: Array) -> float:
    """Return the smallest distance between two different places, of finite ones.

    Where there are no two, the largest magnitude, at least 1.
    """
    known = np.sort(places[np.isfinite(places)].astype(float))
    gaps = np.diff(known)
    gaps = gaps[gaps > 0]
    return float(gaps.min()) if gaps.size else float(np.abs(known).max(initial=1.0))


def same_places(given: Array, expected: Array) -> bool:
    """Tell whether two rows of numbers agree within 1e-3 of the spacing; NaN agree with NaN."""
    if given.shape != expected.shape:
        return False
    reach = GRID_TOLERANCE * least_spacing(expected)
    return bool(np.allclose(given, expected, rtol=0, atol=reach, equal_nan=True))


def same_grid(given: xr.DataArray, expected: xr.DataArray) -> bool:
    """Tell whether two 1-D coordinates agree: numbers within 1e-3 of the spacing."""
    if any(hasattr(coordinate.dtype, "tz") for coordinate in (given, expected)):
        return bool(given.to_index().equals(expected.to_index()))
    ours, theirs = expected.values, given.values  # those of pandas' nullable numbers may be objects
    if ours.dtype.kind in "iuf" and theirs.dtype.kind in "iuf":
        return same_places(theirs, ours)
    return bool(given.to_index().equals(expected.to_index()))
