"""Draw a map that is not an image: a weight for each neuron, muscle or frequency."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from partita.plotting.style import Theme, axis_label

# Of more features than this, or than have room, the largest bars are named and not all.
_MOST_NAMES = 24
_LARGEST = 3
# From this many on, bars touch, and each is a line at least a point wide: a pixel at 72 dpi.
_MANY = 60
_POINT = 1.0


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


def by_weight(maps: xr.DataArray) -> xr.DataArray:
    """Return which place each feature takes in an order by weight: (feature), whole numbers.

    A feature stands with the component in which it weighs most, the heaviest first, so that parts
    are blocks and one order serves all of them.

    Parameters
    ----------
    maps : xarray.DataArray, (component, *features), perhaps (sign)
        With one long feature dimension.

    Returns
    -------
    xarray.DataArray, (feature)
        For `maps.isel`: where the features that come first, second ... stand in `maps`.
    """
    beside = [dim for dim in maps.dims if dim in ("component", "sign")]
    dim = flatten(maps.isel(dict.fromkeys(beside, 0))).dims[0]
    others = [other for other in maps.dims if other not in ("component", dim)]
    weights = abs(maps).max(others).transpose("component", dim).fillna(0).values
    owner, largest = weights.argmax(axis=0), weights.max(axis=0)
    return xr.DataArray(np.lexsort((-largest, owner)), dims=str(dim))


def longest_name(map_: xr.DataArray, *, inches: float, theme: Theme) -> int:
    """Return how many letters the longest name below an axis has; 0 where none has room there."""
    names = _names(flatten(map_))
    fit = len(names) <= _room_for_names(inches, theme)
    return max(map(len, names)) if names and fit else 0


def _room_for_names(inches: float, theme: Theme) -> int:
    return min(int(72 * inches / (1.15 * theme.letters.tick)), _MOST_NAMES)


def _inches(ax: Axes) -> float:
    return float(ax.get_window_extent().width / ax.figure.dpi)


def draw_profile(
    ax: Axes,
    map_: xr.DataArray,
    *,
    limits: tuple[float, float],
    theme: Theme,
    colour: str,
    ordered: bool = True,
) -> None:
    """Draw a line where features are ordered by number, else a bar for each.

    Where there are more bars than have room for names, the largest are named. `ordered` tells
    whether features stand in the order of their coordinate.
    """
    flat = flatten(map_)
    values = np.asarray(flat.values, dtype=float)
    if ordered and is_ordered(flat):
        at = flat[flat.dims[0]].values
        ax.plot(at, values, color=colour, linewidth=1.1)
        ax.fill_between(at, 0, values, color=colour, alpha=0.25, linewidth=0)
        ax.set_xlim(at.min(), at.max())
    else:
        # Room beside the first bar: of many, each as thin as a line, it would hide in the axis.
        room = max(0.6, 0.02 * values.size)
        ax.set_xlim(-room, values.size - 1 + room)
        _draw_bars(ax, values, colour=colour)
        _name_features(ax, flat, ordered=ordered, theme=theme)
    if limits[0] < 0 < limits[1]:
        ax.axhline(0, color=theme.ink, linewidth=0.5)
    ax.set_ylim(*limits)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    dim = axis_label(flat[flat.dims[0]])
    ax.set_xlabel(dim if ordered else f"{dim}, by weight")
    ax.set_ylabel(axis_label(map_))
    many = flat.size > _room_for_names(_inches(ax), theme)
    if many and (_is_listed(flat) or not ordered):
        _name_largest(ax, flat, theme=theme)


def _draw_bars(ax: Axes, values: np.ndarray[Any, Any], *, colour: str) -> None:
    if values.size < _MANY:
        ax.bar(np.arange(values.size), values, color=colour, width=0.8)
        return
    there = np.flatnonzero(np.nan_to_num(values))
    # The smallest first: where neighbours share a pixel, the largest is seen.
    there = there[np.argsort(np.abs(values[there]), kind="stable")]
    thick = max(72 * _inches(ax) / values.size, _POINT)
    ax.vlines(there, 0, values[there], color=colour, linewidth=thick, capstyle="butt", snap=True)


def _names(flat: xr.DataArray) -> list[str]:
    dim = flat.dims[0]
    if dim not in flat.coords or is_ordered(flat) or flat[dim].dtype.kind in "iuf":
        return []
    return [str(label) for label in flat[dim].values]


def _is_listed(flat: xr.DataArray) -> bool:
    """Whether features are named, by words or by whole numbers."""
    return flat.dims[0] in flat.coords and not is_ordered(flat)


def _name_features(ax: Axes, flat: xr.DataArray, *, ordered: bool, theme: Theme) -> None:
    """Write names below few bars, and numbers below every so many of many; else nothing."""
    dim, words = flat.dims[0], bool(_names(flat))
    if dim not in flat.coords:
        return
    if (words or not ordered) and flat.size > _room_for_names(_inches(ax), theme):
        ax.set_xticks([])
        return
    every = 1 if words or not ordered else _round_up(flat.size / 8)
    at = np.arange(0, flat.size, every)
    names = [str(label) for label in flat[dim].values[at]]
    upright = words and max(map(len, names)) > 2
    ax.set_xticks(at, names, rotation=90 if upright else 0)


def _round_up(number: float) -> int:
    """Return the first of 1, 2, 5, 10, 20 ... that is no less."""
    power = 10.0 ** np.floor(np.log10(max(number, 1)))
    return int(min(step * power for step in (1, 2, 5, 10) if step * power >= number))


def _name_largest(ax: Axes, flat: xr.DataArray, *, theme: Theme) -> None:
    """Write the names of the largest bars at their tips; of two that would overlap the larger."""
    dim = flat.dims[0]
    labels = flat[dim].values if dim in flat.coords else np.arange(flat.size)
    sizes = np.abs(np.nan_to_num(flat.values.astype(float)))
    box, points = ax.get_window_extent(), 72 / ax.figure.dpi
    taken: list[tuple[float, float, float]] = []
    for at in np.argsort(-sizes, kind="stable")[:_LARGEST]:
        if not sizes[at]:
            break
        tip = float(flat.values[at])
        x, y = ax.transData.transform((at, tip))
        long = (0.62 * len(str(labels[at])) + 0.6) * theme.letters.tick / points
        high = 1.3 * theme.letters.tick / points
        # To the right of the bar, else to its left, and always inside.
        left = x + 2 / points if x + long <= box.x1 else x - long
        left = max(left, box.x0)
        if any(left < end and left + long > start and abs(y - up) < high
               for start, end, up in taken):  # fmt: skip
            continue
        taken.append((left, left + long, y))
        ax.annotate(
            str(labels[at]), (at, tip), xytext=((left - x) * points, 0),
            textcoords="offset points", ha="left", va="center", fontsize=theme.letters.tick,
            color=theme.ink, annotation_clip=False,
            path_effects=[patheffects.withStroke(linewidth=2, foreground=theme.page)],
        )  # fmt: skip
