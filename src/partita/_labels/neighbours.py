"""Which samples follow each other, and which voxels lie beside each other, as numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.stack import Stacker
from partita._labels.time import seconds_of

Array = np.ndarray[Any, Any]

_SPACE = ("x", "y", "z")


class Pairs(NamedTuple):
    """Columns of a matrix that are neighbours, each (n_pairs,), and how strongly they are tied.

    The tie is the median spacing of their dimension over their own: 1 on an even grid.
    """

    first: Array
    second: Array
    ties: Array


def steps_between_samples(stacker: Stacker) -> Array:
    """Return from each sample to the next (n_samples - 1,), in the units of its coordinate.

    Ones where samples have no coordinate that counts or measures.
    """
    name = stacker.sample_dim
    if name not in stacker.coords:
        return np.ones(stacker.n_samples - 1)
    coordinate = stacker.coords[name]
    seconds = seconds_of(coordinate)
    if seconds is not None:
        return np.diff(seconds)
    counts = coordinate.dtype.kind in "iuf"
    return np.diff(coordinate.values.astype(float)) if counts else np.ones(coordinate.size - 1)


def neighbouring_features(stacker: Stacker, *, caller: str) -> Pairs:
    """Return the pairs of columns that lie beside each other on the grid, both inside the mask.

    Neighbours are counted along x, y and z, and along every other dimension whose coordinate is a
    number with units.

    Raises
    ------
    ValueError
        If the recording has no such dimension.
    """
    shape = tuple(stacker.sizes[dim] for dim in stacker.feature_dims)
    column = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    if stacker.inside is not None:
        column = np.where(stacker.inside, np.cumsum(stacker.inside) - 1, -1).reshape(shape)
    along = [dim for dim in stacker.feature_dims if _is_measured(stacker.coords, dim)]
    if not along:
        raise ValueError(
            f"{caller} needs voxels that lie beside each other, along x, y or z or along a "
            "dimension whose coordinate is a number with units; the recording has the features "
            f"{stacker.feature_dims}. Assign one: "
            "recording.assign_coords(x=('x', places, {'units': 'mm'}))."
        )
    found = [_pairs_along(stacker, dim, column) for dim in along]
    return Pairs(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def _is_measured(coords: xr.Dataset, dim: str) -> bool:
    if dim not in coords:
        return dim in _SPACE
    numbers = coords[dim].dtype.kind in "iuf"
    return numbers and (dim in _SPACE or "units" in coords[dim].attrs)


def _pairs_along(stacker: Stacker, dim: str, column: Array) -> Pairs:
    axis = stacker.feature_dims.index(dim)
    columns = np.moveaxis(column, axis, -1)
    first, second = columns[..., :-1], columns[..., 1:]
    ties = np.broadcast_to(_ties(stacker.coords, dim, column.shape[axis]), first.shape)
    inside = (first >= 0) & (second >= 0) & (ties > 0)
    return Pairs(first[inside], second[inside], ties[inside])


def _ties(coords: xr.Dataset, dim: str, size: int) -> Array:
    if dim not in coords:
        return np.ones(size - 1)
    gaps = np.abs(np.diff(coords[dim].values.astype(float)))
    apart = gaps > 0
    middle = float(np.median(gaps[apart])) if apart.any() else 1.0
    return np.divide(middle, gaps, out=np.zeros(gaps.size), where=apart)
