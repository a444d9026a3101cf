"""The image below a map: whether it fits, and where in it a slice of the map lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from partita._labels.align import refuse_other_units
from partita._labels.grid import same_grid
from partita._labels.placement import placed_like, refuse_other_slice
from partita.plotting.views import Cut, View, locate


def background_of(maps: xr.DataArray, background: Any) -> xr.DataArray | None:
    """Return what is to be drawn below maps: what is given, or with "auto" what they bring along.

    Raises
    ------
    ValueError
        If it is another word.
    """
    if not isinstance(background, str):
        return background
    if background != "auto":
        raise ValueError(
            f"background must be a DataArray, 'auto' or None; given: {background!r}. An image "
            "from a file: partita.load(path)."
        )
    if "background" not in maps.coords or maps["background"].dtype.kind not in "iuf":
        return None
    found = maps["background"].reset_coords(drop=True)
    return found if found.ndim and not {"component", "sign"} & set(found.dims) else None


def require_background(background: Any, map_: xr.DataArray, view: View) -> xr.DataArray:
    """Return the background, counted as the map is, if it has the map's image dimensions.

    Raises
    ------
    TypeError
        If it is not a DataArray of numbers.
    ValueError
        If it has other dimensions, is turned against the map, or lies beside it.
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
    placed, lay = placed_like(background, map_, caller="The background")
    refuse_other_slice(placed, map_, caller="The background", within=1)
    for dim in needed:
        if dim in placed.coords and dim in map_.coords:
            refuse_other_units(placed[dim], map_[dim], dim, caller="The background")
        _require_overlap(placed, map_, dim, lay)
    return placed


def _require_overlap(background: xr.DataArray, map_: xr.DataArray, dim: str, lay: str) -> None:
    ours, theirs = locate(map_, dim), locate(background, dim)
    if ours.words is not None or theirs.words is not None:
        _require_same_words(theirs.words, ours.words, dim)
        return
    if theirs.edges[0] < ours.edges[-1] and theirs.edges[-1] > ours.edges[0]:
        return
    raise ValueError(
        f"The background lies beside the map{f', {lay}' if lay else ''}: along {dim} it reaches "
        f"from {theirs.edges[0]:.4g} to {theirs.edges[-1]:.4g}, and the map from "
        f"{ours.edges[0]:.4g} to {ours.edges[-1]:.4g}. Choose the background of this recording."
    )


def _require_same_words(theirs: list[str] | None, ours: list[str] | None, dim: str) -> None:
    """Refuse labels that are words, and not the map's in its order: no axis would show it."""
    if theirs is None or ours is None or theirs == ours:
        return
    raise ValueError(
        f"The background has other labels along {dim} than the map, or in another order: "
        f"{', '.join(theirs[:3])} ... against {', '.join(ours[:3])} ... Bring it into the map's "
        f"order: background.reindex_like(map_)."
    )


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
        if same_grid(background[dim], map_[dim]):
            return at
        hits = np.flatnonzero(given == wanted)
        if hits.size > 1:
            raise ValueError(
                f"The background has {hits.size} slices {dim} = {wanted}: which one is meant, "
                "nothing tells. Give every slice a label of its own."
            )
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
