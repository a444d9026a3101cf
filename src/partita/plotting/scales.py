"""Which colours stand for which values: one scale for all maps that are to be compared."""

from __future__ import annotations

from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.colors import Colormap, Normalize

from partita._labels.numbers import is_finite
from partita.plotting.style import THEMES, Theme

# The share of a map's squares that may lie beyond the end of the colours: one bright voxel does not
# darken a map, and a cell of a thousandth of the field is not outshone by noise everywhere.
_BEYOND = 0.05
# The quantiles that `robust` goes by, as xarray's.
_ROBUST = (0.02, 0.98)


class Scale(NamedTuple):
    """Colours and the values at their ends."""

    colours: Colormap
    norm: Normalize
    extend: str

    @property
    def signed(self) -> bool:
        """Whether the scale has two signs."""
        return bool(self.norm.vmin < 0 < self.norm.vmax)  # type: ignore[operator]


def choose_scale(
    maps: list[xr.DataArray],
    *,
    theme: Theme,
    over_image: bool = False,
    cmap: str | Colormap | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    robust: bool = False,
) -> Scale:
    """Return the scale for maps drawn together: diverging about 0 only if they have two signs.

    An end that is not given is the value beyond which 5 % of a map's squares lie (the map that
    reaches furthest counts); with `robust` that beyond which 2 % of its values do. Over an image in
    grey the colours are bright, whatever the page.

    Raises
    ------
    ValueError
        If `vmin` is not below `vmax`, or one of them is not finite.
    """
    for name, end in (("vmin", vmin), ("vmax", vmax)):
        if end is not None and not is_finite(end):
            raise ValueError(f"{name} must be a finite number in the map's units; given: {end!r}.")
    values = [_finite(map_) for map_ in maps]
    reach_of = _robust_reach if robust else _energetic_reach
    lowest = min((part.min() for part in values if part.size), default=0.0)
    highest = max((part.max() for part in values if part.size), default=1.0)
    reach = max((reach_of(part) for part in values), default=1.0) or 1.0
    low, high = _ends(lowest, highest, reach, vmin=vmin, vmax=vmax)
    if not low < high:
        raise ValueError(f"vmin must lie below vmax; given: vmin={low:g}, vmax={high:g}.")
    extend = ("neither", "max", "min", "both")[(highest > high) + 2 * (lowest < low)]
    colours = _colours(cmap, low, high, theme=THEMES["dark"] if over_image else theme)
    return Scale(colours, Normalize(vmin=low, vmax=high), extend)


def _ends(
    lowest: float, highest: float, reach: float, *, vmin: float | None, vmax: float | None
) -> tuple[float, float]:
    if lowest >= 0:
        low, high = 0.0, reach
    elif highest <= 0:
        low, high = -reach, 0.0
    else:
        reach = max((abs(end) for end in (vmin, vmax) if end is not None), default=reach)
        low, high = -reach, reach
    return (low if vmin is None else float(vmin)), (high if vmax is None else float(vmax))


def _colours(cmap: str | Colormap | None, low: float, high: float, *, theme: Theme) -> Colormap:
    if cmap is not None:
        return _colours_named(cmap) if isinstance(cmap, str) else cmap
    if low < 0 < high:
        return theme.diverging
    return theme.sequential.reversed() if high <= 0 else theme.sequential


def _colours_named(name: str) -> Colormap:
    if name not in mpl.colormaps:
        raise ValueError(
            f"There is no colour map {name!r}. Those of matplotlib are known by name, such as "
            "'viridis', 'gray' and 'hot'; so is a Colormap itself."
        )
    return mpl.colormaps[name]


def _finite(map_: xr.DataArray) -> np.ndarray[Any, Any]:
    values = np.asarray(map_.values, dtype=float)
    return values[np.isfinite(values)]


def _energetic_reach(values: np.ndarray[Any, Any]) -> float:
    """Return the size beyond which a twentieth of the squares lies."""
    sizes = np.sort(np.abs(values))
    if not sizes.size or sizes[-1] == 0:
        return 0.0
    below = np.cumsum(np.square(sizes / sizes[-1]))
    return float(sizes[np.searchsorted(below, (1 - _BEYOND) * below[-1])])


def _robust_reach(values: np.ndarray[Any, Any]) -> float:
    return float(np.abs(np.quantile(values, _ROBUST)).max()) if values.size else 0.0
