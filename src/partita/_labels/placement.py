"""Where voxels lie: the affine that a recording carries, and whether two recordings share a place.

The coordinates x, y and z say where a voxel lies along the axes of its recording, and the affine
in the attributes of the scalar coordinate `grid` takes them to the scanner's millimetres (of
`pose`, one affine a pose). Arrays that carry none say nothing of the scanner, and are compared by
their coordinates alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.grid import GRID_TOLERANCE, least_spacing

Array = np.ndarray[Any, Any]
Labelled = xr.DataArray | xr.Dataset

SPACE = ("x", "y", "z")
MILLIMETRES_PER_UNIT = {
    "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
    "nm": 1e-6, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3,
    "micrometer": 1e-3, "micrometers": 1e-3, "micrometre": 1e-3, "cm": 10.0, "m": 1e3,
    "meter": 1e3, "meters": 1e3, "metre": 1e3, "metres": 1e3, "inch": 25.4, "in": 25.4,
    "am": 1e-15, "fm": 1e-12, "pm": 1e-9, "Å": 1e-7, "\N{ANGSTROM SIGN}": 1e-7, "angstrom": 1e-7,
    "dm": 100.0, "dam": 1e4, "hm": 1e5, "km": 1e6, "thou": 0.0254, "li": 25.4 / 12, "ft": 304.8,
    "yd": 914.4, "mi": 1609344.0, "pt": 25.4 / 72,
}  # fmt: skip
_POSES = ("grid", "pose")
# Coordinates that say where a recording lies, and not which one it is.
PLACES = (*SPACE, *_POSES)


class Placed(NamedTuple):
    """An array whose x, y and z count as its template's do, and how it lay in words ("" alike)."""

    array: xr.DataArray
    words: str


def grid_affine(recording: Labelled, name: str = "affine") -> Array:
    """Return what takes the recording's own (x, y, z) in mm to scanner millimetres, (4, 4).

    Raises
    ------
    ValueError
        If it carries something else than 16 finite numbers.
    """
    attrs: Mapping[Any, Any] = recording.coords["grid"].attrs if "grid" in recording.coords else {}
    numbers = np.asarray(attrs.get(name, np.eye(4)))
    if numbers.dtype.kind not in "iuf" or numbers.size != 16 or not np.isfinite(numbers).all():
        raise ValueError(
            f"The coordinate 'grid' needs 16 finite numbers as its attribute {name!r}, row by "
            f"row; given: {numbers.tolist()}. Drop it for axis-aligned data: "
            "recording.drop_vars('grid')."
        )
    return numbers.astype(float).reshape(4, 4)


def direction_of_y(y: Any, grid: Any) -> str:
    """Return which way y grows in a picture, as CF's attribute `positive` says it: "up" or "down".

    Down where, in scanner coordinates, it is never negative, as depths and rows are, or grows
    towards the back. It is asked of whole recordings: a part of one has other ends.

    Parameters
    ----------
    y : xarray.DataArray or xarray.Variable, (y,)
        Numbers.
    grid : xarray.DataArray or xarray.Variable, optional
        The scalar coordinate with the affine.
    """
    slope, start = _along_scanner_y(grid)
    return "down" if slope < 0 or bool((slope * y + start).min() >= 0) else "up"


def _along_scanner_y(grid: Any) -> tuple[float, float]:
    """Return slope and start of the scanner's y along that of the map: 1 and 0 unless oblique."""
    affine = None if grid is None else grid.attrs.get("affine")
    if affine is None or np.size(affine) != 16:
        return 1.0, 0.0
    slope, start = np.reshape(affine, (4, 4))[1, [1, 3]]
    # Where another axis of the scanner is nearer, this one tells nothing.
    return (float(slope), float(start)) if abs(slope) > 0.5 else (1.0, 0.0)


def with_direction(coords: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return coordinates with the attribute `positive` on y, unless it says that already.

    Parameters
    ----------
    coords : Mapping
        Arrays, or variables, by name; those of a whole recording.
    """
    y = coords.get("y")
    if y is None or y.ndim > 1 or y.dtype.kind not in "iuf" or not y.size or "positive" in y.attrs:
        return dict(coords)
    told = y.copy(deep=False)
    told.attrs = {**y.attrs, "positive": direction_of_y(y, coords.get("grid"))}
    return {**coords, "y": told}


def placed_like(array: xr.DataArray, template: Labelled, *, caller: str) -> Placed:
    """Return an array with x, y and z as the template counts them, or refuse it.

    Where its axes are the template's in another order, turned round or counted from elsewhere,
    dimensions and coordinates are renamed and counted anew. No value is interpolated.

    Parameters
    ----------
    array : xarray.DataArray
        What was given.
    template : xarray.DataArray or xarray.Dataset
        Whose coordinates count.
    caller : str
        What was given, for the message.

    Raises
    ------
    ValueError
        If the affines of the two turn or stretch one against the other.
    """
    words = _how_it_differs(array, template)
    if not words:
        return Placed(array, "")
    ours, theirs = _affines_of(template), _affines_of(array)
    if ours is not None and theirs is not None and len(ours) == len(theirs) == 1:
        step = np.linalg.inv(ours[0]) @ theirs[0]
        exact = step.copy()
        exact[:3, :3] = np.round(step[:3, :3])
        corners = _corners(array)
        same = np.abs((step - exact)[:3] @ corners).max() <= GRID_TOLERANCE * _voxel(array)
        if same and (np.abs(exact[:3, :3]).sum(axis=0) == 1).all():
            return Placed(_counted_anew(array, template, exact), words)
    raise _elsewhere(words, caller=caller)


def refuse_elsewhere(array: Labelled, template: Labelled, *, caller: str) -> None:
    """Refuse what lies elsewhere in the scanner than its template (ValueError)."""
    words = _how_it_differs(array, template)
    if words:
        raise _elsewhere(words, caller=caller)


def refuse_other_slice(
    array: Labelled, template: Labelled, *, caller: str, within: float = GRID_TOLERANCE
) -> None:
    """Refuse what was cut at another place: by x, y or z, where both have it as one number.

    Raises
    ------
    ValueError
        If the places differ by more than `within`, a share of the voxels' spacing.
    """
    for name in SPACE:
        theirs, ours = _cut_at(array, name), _cut_at(template, name)
        if theirs is None or ours is None:
            continue
        step = template.coords[name].attrs.get("step")
        spacing = _voxel(template) if step is None else abs(float(step)) * _scale(template, name)
        if not abs(theirs - ours) <= within * spacing:
            raise ValueError(
                f"{caller} is another slice: it lies at {name} = {theirs:.6g} mm, and what it is "
                f"to be matched with at {name} = {ours:.6g} mm. Select the same one of both; if "
                f"they belong together all the same, drop the place: drop_vars({name!r})."
            )


def _cut_at(array: Labelled, name: str) -> float | None:
    """Return where an array was cut along an axis, in mm; None where it was not."""
    if name not in array.coords or array.coords[name].dims:
        return None
    places = _in_mm(array, name)
    return float(places[0]) if places.size and np.isfinite(places[0]) else None


def _elsewhere(words: str, *, caller: str) -> ValueError:
    return ValueError(
        f"{caller} lies elsewhere in the scanner: by its coordinate 'grid' it is {words}. Register "
        "and resample it onto the same grid. If the two share their places all the same, give it "
        "the other's: assign_coords(grid=other.grid)."
    )


def _how_it_differs(array: Labelled, template: Labelled) -> str:
    """Return in words how an array lies against its template; "" where both share a place."""
    ours, theirs = _affines_of(template), _affines_of(array)
    if ours is None or theirs is None:
        return ""
    if len(ours) != len(theirs):
        return f"seen in {len(theirs)} poses, and the other in {len(ours)}"
    corners, reach = _corners(template), GRID_TOLERANCE * _voxel(template)
    away = np.abs((theirs - ours)[:, :3] @ corners).max(axis=(1, 2))
    if away.max() <= reach:
        return ""
    worst = int(away.argmax())
    return _in_words(ours[worst], theirs[worst], corners.mean(axis=1), reach)


def _in_words(ours: Array, theirs: Array, middle: Array, reach: float) -> str:
    moved = theirs @ np.linalg.inv(ours)
    left, stretch, right = np.linalg.svd(moved[:3, :3])
    turn = left @ right
    words = []
    if np.linalg.det(turn) < 0:
        words.append("mirrored")
    else:
        angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        words += [f"turned by {angle:.3g}°"] if angle > 1e-3 else []
    if np.abs(stretch - 1).max() > GRID_TOLERANCE:
        words.append(f"stretched {stretch.min():.4g} to {stretch.max():.4g} times")
    shift = float(np.linalg.norm(((theirs - ours) @ middle)[:3]))
    if shift > reach or not words:
        words.append(f"shifted by {shift:.4g} mm")
    return " and ".join(words)


def _affines_of(array: Labelled) -> Array | None:
    """Return the affines (n, 4, 4) that an array carries, one a pose; None where it has none."""
    for name in _POSES:
        if name not in array.coords or "affine" not in array.coords[name].attrs:
            continue
        if name == "grid":
            return grid_affine(array)[np.newaxis]
        numbers = np.asarray(array.coords[name].attrs["affine"], float)
        return _of_pose(numbers, array.coords[name]) if numbers.size % 16 == 0 else None
    return None


def _of_pose(numbers: Array, pose: xr.DataArray) -> Array:
    """Return the affine of the pose that was selected, or those of all."""
    affines = numbers.reshape(-1, 4, 4)
    if pose.dims or pose.dtype.kind not in "iu" or not 0 <= int(pose) < len(affines):
        return affines
    return affines[[int(pose)]]


def _corners(array: Labelled) -> Array:
    """Return the corners of an array (4, 8) in mm along its own axes, each with a 1 below."""
    ends = []
    for name in SPACE:
        places = _in_mm(array, name)
        known = places[np.isfinite(places)]
        ends.append((known.min(), known.max()) if known.size else (0.0, 0.0))
    return np.vstack([np.array(list(product(*ends))).T, np.ones(8)])


def _voxel(array: Labelled) -> float:
    """Return the smallest distance of neighbours along the axes of space, in mm."""
    steps = [
        least_spacing(places)
        for name in SPACE
        if (places := _in_mm(array, name)).size > 1 and np.isfinite(places).any()
    ]
    alone = [
        abs(float(array[name].attrs.get("step", 1.0))) * _scale(array, name)
        for name in SPACE
        if name in array.dims
    ]
    return min(steps, default=min(alone, default=1.0)) or 1.0


def _in_mm(array: Labelled, name: str) -> Array:
    """Return the places along an axis, in mm; none where they are no numbers."""
    if name not in array.coords:
        return np.arange(array.sizes.get(name, 0), dtype=float)
    values = array.coords[name].values  # those of pandas' nullable numbers may be objects
    if values.dtype.kind not in "iuf":
        return np.empty(0)
    return np.ravel(values).astype(float) * _scale(array, name)


def _scale(array: Labelled, name: str) -> float:
    known = name in array.coords
    unit = str(array.coords[name].attrs.get("units", "mm")) if known else "mm"
    return MILLIMETRES_PER_UNIT.get(unit, 1.0)


def _counted_anew(array: xr.DataArray, template: Labelled, step: Array) -> xr.DataArray:
    """Return an array with its axes named, and their places counted, as the template's are."""
    names, coords = {}, {}
    for source, name in enumerate(SPACE):
        if name not in array.dims and name not in array.coords:
            continue
        target = int(np.abs(step[:3, source]).argmax())
        names[name] = SPACE[target]
        places = step[target, source] * _in_mm(array, name) + step[target, 3]
        like = template if SPACE[target] in template.coords else array
        old = array.coords[name] if name in array.coords else xr.Variable(name, places)
        about = like.coords[SPACE[target]].attrs if SPACE[target] in like.coords else old.attrs
        dims = tuple(SPACE[target] for _ in old.dims)
        values = places / _scale(like, SPACE[target])
        coords[SPACE[target]] = (dims, values if dims else values[0], about)
    moved = {old: new for old, new in names.items() if old != new}
    bare = array.drop_vars([name for name in SPACE if name in array.coords])
    renamed = bare.rename({old: new for old, new in moved.items() if old in array.dims})
    places_of = {
        name: template.coords[name].variable
        for name in _POSES
        if name in template.coords and set(template.coords[name].dims) <= set(renamed.dims)
    }
    return renamed.assign_coords(coords).assign_coords(places_of)
