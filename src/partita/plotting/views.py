"""What of a map lies on the paper: two image dimensions, its slices and where they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.grid import is_even
from partita._labels.placement import direction_of_y, grid_affine
from partita.plotting.style import axis_label

SPACE = ("z", "y", "x")

_MINUS = "\N{MINUS SIGN}"


class Places(NamedTuple):
    """Where the voxels of one dimension lie on the paper, in ascending order."""

    order: np.ndarray[Any, Any]
    centres: np.ndarray[Any, Any]
    edges: np.ndarray[Any, Any]
    words: list[str] | None
    label: str

    @property
    def span(self) -> float:
        """The length from the first edge to the last."""
        return float(self.edges[-1] - self.edges[0])

    @property
    def regular(self) -> bool:
        """Whether all voxels have the same size (to 1 % of it)."""
        return is_even(self.edges)


class View(NamedTuple):
    """The dimensions of a map on the paper."""

    vertical: str
    horizontal: str
    others: tuple[str, ...]
    down: bool
    physical: bool


class Cut(NamedTuple):
    """One slice: where it lies, in places and in words, at length and in short."""

    places: dict[str, int]
    label: str
    short: str


def choose_view(map_: xr.DataArray, *, slice_dim: str | None, y_axis: str, caller: str) -> View:
    """Return which two dimensions make the image and which way it stands.

    Raises
    ------
    ValueError
        If the map has fewer than two dimensions, or `slice_dim` or `y_axis` is not known.
    """
    if y_axis not in ("auto", "up", "down"):
        raise ValueError(f"y_axis must be 'auto', 'up' or 'down'; given: {y_axis!r}.")
    image = _image_dims(map_, slice_dim=slice_dim, caller=caller)
    downward = [_points_down(map_, dim) for dim in image]
    if downward == [False, True] and _is_depth(map_, image[1]):
        image, downward = image[::-1], downward[::-1]
    down = downward[0] if y_axis == "auto" else y_axis == "down"
    others = tuple(str(d) for d in map_.dims if d not in image and _is_stack(map_, d, slice_dim))
    return View(image[0], image[1], others, down, _is_physical(map_, image))


def locate(array: xr.DataArray, dim: str) -> Places:
    """Return where the voxels along `dim` lie; without numeric coordinates they are counted."""
    size = array.sizes[dim]
    coordinate = array[dim]
    if not _is_numeric(array, dim):
        words = [str(label) for label in coordinate.values] if dim in array.coords else None
        counted = np.arange(size, dtype=float)
        return Places(np.arange(size), counted, edges_of(counted), words, axis_label(coordinate))
    values = coordinate.values.astype(float)
    order = np.argsort(values, kind="stable")
    edges = edges_of(values[order], alone=float(coordinate.attrs.get("step", 1.0)))
    return Places(order, values[order], edges, None, axis_label(coordinate))


def choose_cuts(
    map_: xr.DataArray,
    view: View,
    *,
    slices: float | str | Sequence[float | str] | None,
    slice_dim: str | None,
    at_most: int,
) -> list[Cut]:
    """Return the slices to draw: those asked for, else all or `at_most` spread evenly.

    Raises
    ------
    ValueError
        If there is nothing to slice, the dimension is not clear, no slice is asked for, or a
        position is not in the map.
    """
    if slices is None:
        return _spread(_all_cuts(map_, view, {}), at_most)
    dim = slice_dim or _slice_dim(map_, view)
    wanted: Any = [slices] if np.ndim(slices) == 0 else slices
    if len(wanted) == 0:
        raise ValueError(
            f"No slice was asked for. Give positions along {dim!r}, or leave slices= out for all."
        )
    chosen = [_find(map_, dim, position) for position in wanted]
    return _all_cuts(map_, view, {dim: chosen})


def peak_cut(maps: xr.DataArray, view: View, *, along: tuple[str, ...]) -> list[Cut]:
    """Return the one slice in which maps peak: where the largest of their values lies.

    Parameters
    ----------
    maps : xarray.DataArray, (some more dimensions, *features)
        Several may be given that are to share a slice: the sum of their squares counts.
    view : View
        Of one of them.
    along : tuple of str
        The dimensions of one of them.
    """
    more = [dim for dim in maps.dims if dim not in along]
    power = (maps.astype(float) ** 2).sum(more).transpose(*along)
    at = np.unravel_index(int(power.values.argmax()), power.shape)
    places = dict(zip(along, map(int, at), strict=True))
    return [cut_at(power, {dim: places[dim] for dim in view.others})]


def sides_of(map_: xr.DataArray, view: View) -> tuple[str, str] | None:
    """Return which side of the head lies at the left and the right of the image, where it is known.

    It is where a scanner's affine comes with the recording, and the horizontal axis runs from one
    side to the other more than any other way.
    """
    if "grid" not in map_.coords or view.horizontal not in ("x", "y", "z"):
        return None
    about = map_.coords["grid"].attrs
    if not (about.get("qform_code", 0) or about.get("sform_code", 0)):
        return None
    column = grid_affine(map_)[:3, "xyz".index(view.horizontal)]
    if abs(column[0]) < max(abs(column[1]), abs(column[2])):
        return None
    return ("L", "R") if column[0] > 0 else ("R", "L")


def cut_values(array: xr.DataArray, cut: Cut, view: View) -> np.ndarray[Any, Any]:
    """Return one slice as (vertical, horizontal), both in ascending order of position."""
    part = array.isel({dim: at for dim, at in cut.places.items() if dim in array.dims})
    # What is left beside the image has length one.
    extra = [dim for dim in part.dims if dim not in (view.vertical, view.horizontal)]
    part = part.isel(dict.fromkeys(extra, 0)).transpose(view.vertical, view.horizontal)
    rows, columns = locate(part, view.vertical).order, locate(part, view.horizontal).order
    return np.asarray(part.values)[np.ix_(rows, columns)]


def arrange(count: int, *, width: float, height: float, ratio: float) -> int:
    """Return how many columns of tiles suit a box: large tiles, and few places left empty."""

    def scale(columns: int) -> float:
        return min(ratio / (columns * width), 1 / (-(-count // columns) * height))

    options = range(1, count + 1)
    least = 0.6 * max(map(scale, options))
    large = [columns for columns in options if scale(columns) >= least]
    return min(large, key=lambda columns: (-count % columns, -scale(columns)))


def _image_dims(map_: xr.DataArray, *, slice_dim: str | None, caller: str) -> tuple[str, str]:
    dims = [str(dim) for dim in map_.dims]
    if slice_dim is not None and slice_dim not in dims:
        raise ValueError(
            f"{caller} cannot slice along {slice_dim!r}: the map has the dimensions {tuple(dims)}."
        )
    dims = [dim for dim in dims if dim != slice_dim]
    long = [dim for dim in dims if map_.sizes[dim] > 1]
    spatial = [dim for dim in dims if dim in SPACE]
    # A map one voxel wide is still an image: places of length one in space fill up what lacks.
    long += [dim for dim in reversed(spatial) if dim not in long][: max(0, 2 - len(long))]
    found = [dim for dim in dims if dim in long]
    if len(found) < 2:
        raise ValueError(
            f"{caller} needs a map with two dimensions, and was given {tuple(map(str, map_.dims))} "
            f"of sizes {tuple(map_.sizes.values())}. plot_components(model) draws bars for such "
            "maps; in xarray, map_.plot() does."
        )
    if "y" in found and "x" in found:
        return "y", "x"
    inside = [dim for dim in found if dim in SPACE]
    pair = inside if len(inside) == 2 else found[-2:]
    return pair[0], pair[1]


def _points_down(map_: xr.DataArray, dim: str) -> bool:
    if dim not in map_.coords or map_[dim].dtype.kind not in "iuf":
        return True  # counted and named places are read from the top, as in a table
    coordinate = map_[dim]
    if "positive" in coordinate.attrs:
        return str(coordinate.attrs["positive"]).lower() == "down"
    if "depth" in str(coordinate.attrs.get("long_name", "")).lower():
        return True
    return dim == "y" and direction_of_y(coordinate, map_.coords.get("grid")) == "down"


def _is_depth(map_: xr.DataArray, dim: str) -> bool:
    return dim in SPACE and _is_numeric(map_, dim)


def _is_stack(map_: xr.DataArray, dim: Any, slice_dim: str | None) -> bool:
    return map_.sizes[dim] > 1 or dim == slice_dim


def _is_numeric(array: xr.DataArray, dim: str) -> bool:
    if dim not in array.coords or array[dim].dtype.kind not in "iuf":
        return False
    values = array[dim].values
    return bool(np.isfinite(values).all()) and np.unique(values).size == values.size


def _is_physical(map_: xr.DataArray, image: tuple[str, str]) -> bool:
    if not all(_is_numeric(map_, dim) or dim not in map_.coords for dim in image):
        return False
    units = [map_[dim].attrs.get("units") for dim in image]
    return units[0] == units[1] and all(dim in SPACE or units[0] is not None for dim in image)


def edges_of(centres: np.ndarray[Any, Any], *, alone: float = 1.0) -> np.ndarray[Any, Any]:
    """Return the borders between places; a place alone is `alone` wide."""
    if centres.size == 1:
        half = abs(alone) / 2 or 0.5
        return np.array([centres[0] - half, centres[0] + half])
    middles = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - middles[0], 2 * centres[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]])


def _slice_dim(map_: xr.DataArray, view: View) -> str:
    stacked = view.others or tuple(
        str(dim) for dim in map_.dims if dim not in (view.vertical, view.horizontal)
    )
    if len(stacked) == 1:
        return stacked[0]
    if "z" in stacked:
        return "z"
    raise ValueError(
        f"slices= needs one dimension to slice along; beside the image this map has {stacked}. "
        "Name it: slice_dim=."
    )


def _find(map_: xr.DataArray, dim: str, position: float | str) -> int:
    values = map_[dim].values
    if not _is_numeric(map_, dim):
        return _find_label(values.tolist(), dim, position)
    distance = np.abs(values.astype(float) - _number(position))
    nearest = int(distance.argmin())
    if not distance[nearest] <= _reach(values.astype(float), nearest):
        units = map_[dim].attrs.get("units", "")
        raise ValueError(
            f"There is no slice at {dim} = {position} {units}".rstrip()
            + f": the map reaches from {values.min():g} to {values.max():g} ({values.size} slices)."
        )
    return nearest


def _number(position: float | str) -> float:
    """Return a position as a number; NaN, which is nowhere, where it is none."""
    try:
        return float(position)
    except (TypeError, ValueError):
        return np.nan


def _find_label(labels: list[Any], dim: str, position: float | str) -> int:
    if position not in labels:
        known = ", ".join(map(str, labels[:20]))
        raise ValueError(f"There is no slice {dim} = {position!r}. Known: {known}.")
    if labels.count(position) > 1:
        raise ValueError(
            f"There are {labels.count(position)} slices {dim} = {position!r}. Select one before: "
            f"map_.isel({dim}=[{labels.index(position)}])."
        )
    return labels.index(position)


def _reach(values: np.ndarray[Any, Any], at: int) -> float:
    """Return how far from a place a position may lie to be taken for it: half the spacing."""
    others = np.delete(values, at)
    return float(np.abs(others - values[at]).min()) * 0.501 if others.size else 0.5


def _all_cuts(map_: xr.DataArray, view: View, chosen: dict[str, list[int]]) -> list[Cut]:
    dims = list(view.others) + [dim for dim in chosen if dim not in view.others]
    ranges = [chosen.get(dim) or _in_order(map_, dim) for dim in dims]
    return [cut_at(map_, dict(zip(dims, at, strict=True))) for at in product(*ranges)]


def _in_order(map_: xr.DataArray, dim: str) -> list[int]:
    """Return the places along `dim` that hold anything, by rising position."""
    away = [other for other in map_.dims if other != dim]
    filled = map_.notnull().any(away).values
    order = [int(at) for at in locate(map_, dim).order]
    return [at for at in order if filled[at]] or order


def cut_at(map_: xr.DataArray, places: dict[str, int]) -> Cut:
    """Return what lies at these places, and where that is in words."""
    words = {dim: _word(map_, dim, at) for dim, at in places.items()}
    long = ", ".join(f"{dim} = {word}" for dim, word in words.items())
    return Cut(places, long, ", ".join(words.values()))


def _word(map_: xr.DataArray, dim: str, at: int) -> str:
    label = map_[dim].values[at] if dim in map_.coords else at
    # 0.0 is added to a number: -0.0 has no sign that anyone would read.
    text = f"{label + 0.0:.4g}" if isinstance(label, float | np.floating) else str(label)
    units = map_[dim].attrs.get("units", "") if dim in map_.coords else ""
    return f"{text.replace('-', _MINUS)} {units}".rstrip() if _is_numeric(map_, dim) else text


def _spread(cuts: list[Cut], at_most: int) -> list[Cut]:
    if len(cuts) <= at_most:
        return cuts
    # The middles of equal parts: the outermost slices of a volume are mostly empty.
    at = ((np.arange(at_most) + 0.5) * len(cuts) / at_most).astype(int)
    return [cuts[i] for i in at]
