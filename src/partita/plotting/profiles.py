"""Draw a map that is not an image: a weight for each neuron, muscle or frequency."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from partita.plotting.style import Theme, axis_label

# With more names than this along one axis, letters overlap: every second is named, and so on.
_MOST_NAMES = 24


def flatten(map_: xr.DataArray) -> xr.DataArray:
    """Return a map with its only long dimension; that of a single feature keeps one."""
    long = [dim for dim in map_.dims if map_.sizes[dim] > 1]
    keep = long[0] if long else (map_.dims[-1] if map_.dims else None)
    if keep is None:
        return map_.expand_dims("feature")
    return map_.isel({dim: 0 for dim in map_.dims if dim != keep}, drop=True)


def is_ordered(map_: xr.DataArray) -> bool:
    """Whether features lie on a scale of numbers (frequency, lag), so that a line joins them."""
    dim = map_.dims[0]
    if dim not in map_.coords or map_[dim].dtype.kind not in "iufmM" or map_.size < 3:
        return False
    # Whole numbers without a unit are names: neuron 7 is not between 6 and 8.
    return map_[dim].dtype.kind != "i" or "units" in map_[dim].attrs


def longest_name(map_: xr.DataArray) -> int:
    """Return how many letters the longest feature name has; 0 where numbers make the axis."""
    flat = flatten(map_)
    names = _names(flat)
    return max(map(len, names)) if names else 0


def draw_profile(
    ax: Axes, map_: xr.DataArray, *, limits: tuple[float, float], theme: Theme, colour: str
) -> None:
    """Draw a line where features are ordered by number, else a bar for each."""
    flat = flatten(map_)
    values = np.asarray(flat.values, dtype=float)
    if is_ordered(flat):
        at = flat[flat.dims[0]].values
        ax.plot(at, values, color=colour, linewidth=1.1)
        ax.fill_between(at, 0, values, color=colour, alpha=0.25, linewidth=0)
        ax.set_xlim(at.min(), at.max())
    else:
        counted = np.arange(values.size)
        ax.bar(counted, values, color=colour, width=0.8 if values.size < 60 else 1.0)
        ax.set_xlim(-0.6, values.size - 0.4)
        _name_features(ax, flat)
    if limits[0] < 0 < limits[1]:
        ax.axhline(0, color=theme.ink, linewidth=0.5)
    ax.set_ylim(*limits)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(axis_label(flat[flat.dims[0]]))
    ax.set_ylabel(axis_label(map_))


def _names(flat: xr.DataArray) -> list[str]:
    dim = flat.dims[0]
    if dim not in flat.coords or is_ordered(flat) or flat[dim].dtype.kind in "iuf":
        return []
    return [str(label) for label in flat[dim].values]


def _name_features(ax: Axes, flat: xr.DataArray) -> None:
    dim = flat.dims[0]
    if dim not in flat.coords:
        return
    every = -(-flat.size // (_MOST_NAMES if _names(flat) else 8))
    at = np.arange(0, flat.size, every)
    names = [str(label) for label in flat[dim].values[at]]
    ax.set_xticks(at, names, rotation=90 if _names(flat) and longest_name(flat) > 2 else 0)
