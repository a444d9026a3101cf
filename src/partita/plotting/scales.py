"""Which colours stand for which values: one scale for all maps that are to be compared."""

from __future__ import annotations

from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.colors import Colormap, Normalize

from partita.plotting.style import THEMES, Theme

# Of the values that are not zero, the share that may lie beyond the end of the colours: one
# bright voxel does not darken a map.
BEYOND = 0.01
_FEW = 500


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
) -> Scale:
    """Return the scale for maps drawn together: diverging about 0 only if they have two signs.

    An end that is not given is where 1 % of a map's values other than zero lie beyond (the map
    that reaches furthest counts); of fewer than 500 values none do. Over an image in grey the
    colours are bright, whatever the page.

    Raises
    ------
    ValueError
        If `vmin` is not below `vmax`.
    """
    values = [_finite(map_) for map_ in maps]
    lowest = min((part.min() for part in values if part.size), default=0.0)
    highest = max((part.max() for part in values if part.size), default=1.0)
    reach = max((_reach(part) for part in values), default=1.0) or 1.0
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
        return mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
    if low < 0 < high:
        return theme.diverging
    return theme.sequential.reversed() if high <= 0 else theme.sequential


def _finite(map_: xr.DataArray) -> np.ndarray[Any, Any]:
    values = np.asarray(map_.values, dtype=float)
    return values[np.isfinite(values)]


def _reach(values: np.ndarray[Any, Any]) -> float:
    sizes = np.abs(values[values != 0])
    if not sizes.size:
        return 0.0
    return float(sizes.max() if sizes.size < _FEW else np.quantile(sizes, 1 - BEYOND))
