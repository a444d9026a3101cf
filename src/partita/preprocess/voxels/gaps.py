"""Values that are missing: which voxels lie outside, and which hold gaps that must be filled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.layout import Layout
from partita._labels.stack import Stacker


class Gaps(NamedTuple):
    """What is not finite in a recording; each array has the shape of one frame.

    Attributes
    ----------
    n_samples : int
        Time points seen.
    n_nan, n_bad : numpy.ndarray, (*features), or (voxels inside a mask)
        How many values are NaN, and how many are NaN or infinite.
    first_bad : numpy.ndarray, (*features)
        Index in time of the first value that is not finite; `n_samples` where all are.
    """

    n_samples: int
    n_nan: np.ndarray
    n_bad: np.ndarray
    first_bad: np.ndarray


def find_gaps(values: np.ndarray) -> Gaps | None:
    """Return what is not finite in (time, *features); None where everything is."""
    count = values.shape[0]
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)):
            return None
    bad = ~np.isfinite(values)
    if not bad.any():  # the sum alone was too large
        return None
    first = np.where(bad.any(axis=0), bad.argmax(axis=0), count)
    return Gaps(count, np.isnan(values).sum(axis=0), bad.sum(axis=0), first)


def places_of(recording: xr.DataArray, *, sample_dim: str) -> Layout:
    """Return the geometry that says where something is missing, and compute nothing for it."""
    lazy = [name for name, coord in recording.coords.items() if coord.chunks is not None]
    return Stacker.of(recording.drop_vars(lazy), sample_dim=sample_dim)


def refuse_isolated(
    found: Any,
    stacker: Layout,
    *,
    caller: str,
    origin: tuple[int, ...] | None = None,
) -> None:
    """Refuse voxels that lack some of their values, not all (ValueError).

    Parameters
    ----------
    found : Gaps or Moments or None
        What was found in the recording, or in one block of it.
    stacker : Layout
        The geometry of the whole recording, to say where.
    caller : str
        Who asks, for the message.
    origin : tuple of int, optional
        Where the block begins, time first, then the features in their order.
    """
    if found is None:
        return
    isolated = (found.n_bad > 0) & (found.n_nan < found.n_samples)
    if not isolated.any():
        return
    earliest = np.where(isolated, found.first_bad, found.n_samples)
    voxel = np.unravel_index(int(np.argmin(earliest)), isolated.shape)
    start, *corner = origin or (0,) * (isolated.ndim + 1)
    full = tuple(stacker.sizes[dim] for dim in stacker.feature_dims)
    shape = full if isolated.ndim == len(full) else isolated.shape
    place = tuple(int(i) + offset for i, offset in zip(voxel, corner, strict=True))
    column = int(np.ravel_multi_index(place, shape)) if shape else 0
    dim = stacker.sample_dim
    raise ValueError(
        f"{caller} cannot use NaN or infinite values: {int(found.n_bad[isolated].sum())} in "
        f"{int(isolated.sum())} of {isolated.size} voxels, the first at "
        f"{stacker.place(start + int(earliest[voxel]), column)}. Voxels that are NaN at all times "
        f"are left as they are. Fill the isolated ones, recording.interpolate_na({dim!r}), "
        f"or drop their time points, recording.dropna({dim!r})."
    )
