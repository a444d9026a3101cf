"""The image below a map: whether it fits, and where in it a slice of the map lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from partita.plotting.views import Cut, View


def require_background(background: Any, view: View) -> xr.DataArray:
    """Return the background if it has the map's image dimensions.

    Raises
    ------
    TypeError
        If it is not a DataArray of numbers.
    ValueError
        If it has other dimensions.
    """
    if not isinstance(background, xr.DataArray):
        raise TypeError(
            "The background is a DataArray with the map's image dimensions, such as a mean over "
            f"time: recording.mean('time'); given: {type(background).__name__}."
        )
    if background.dtype.kind not in "biuf":
        raise TypeError(
            f"The background holds real numbers, and this one {background.dtype}. Convert it "
            "first: background.astype(float)."
        )
    needed = (view.vertical, view.horizontal)
    known = {*needed, *view.others}
    foreign = [dim for dim in background.dims if dim not in known and background.sizes[dim] > 1]
    if foreign or any(dim not in background.dims for dim in needed):
        raise ValueError(
            f"The background must have the dimensions {needed}, and beside them no others than "
            f"{view.others}; given: {tuple(map(str, background.dims))}. Reduce or select: "
            "background.mean('time'), background.isel(z=0)."
        )
    return background


def find_places(background: xr.DataArray, map_: xr.DataArray, cut: Cut) -> dict[str, int]:
    """Return where the slice lies in the background, by label where both have one.

    Raises
    ------
    ValueError
        If the background does not reach there.
    """
    found = {}
    for dim, at in cut.places.items():
        if dim in background.dims:
            found[dim] = _same_place(background, map_, dim, at)
    return found


def _same_place(background: xr.DataArray, map_: xr.DataArray, dim: str, at: int) -> int:
    if dim not in background.coords or dim not in map_.coords:
        return min(at, background.sizes[dim] - 1)
    wanted, given = map_[dim].values[at], background[dim].values
    if given.dtype.kind not in "iuf":
        hits = np.flatnonzero(given == wanted)
        distance, nearest = (0.0, int(hits[0])) if hits.size else (np.inf, 0)
    else:
        nearest = int(np.abs(given - wanted).argmin())
        distance = float(abs(given[nearest] - wanted))
    if distance > _thickness(background, map_, dim):
        raise ValueError(
            f"The background has no slice near {dim} = {wanted}: it reaches from {given[0]} to "
            f"{given[-1]}. Bring it onto the map's grid: background.interp_like(map_)."
        )
    return nearest


def _thickness(background: xr.DataArray, map_: xr.DataArray, dim: str) -> float:
    """Return the larger spacing of the two grids along `dim`."""
    sizes = [np.diff(array[dim].values.astype(float)) for array in (background, map_)
             if array[dim].dtype.kind in "iuf"]  # fmt: skip
    return max((float(np.abs(steps).max()) for steps in sizes if steps.size), default=1e-9)
