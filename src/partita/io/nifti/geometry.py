"""Where voxels lie: NIfTI affines to axis coordinates in millimetres, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.grid import GRID_TOLERANCE, even_spacing
from partita._labels.placement import MILLIMETRES_PER_UNIT, SPACE, grid_affine, with_direction
from partita.io.lazy_array import Array
from partita.io.millimetres import axis_coordinate

# Below this share of a voxel, what lies off the diagonal is the rounding of a float32 header.
_ROUNDING = 1e-6


class Space(NamedTuple):
    """Coordinates of a file's voxels.

    ``coords`` are ``x``, ``y``, ``z`` (1-D) and the scalar ``grid``; ``notes`` are what the user
    should be told.
    """

    coords: dict[str, xr.DataArray]
    notes: list[str]


def space_of(
    affine: Array,
    shape: tuple[int, ...],
    *,
    codes: tuple[int, int],
    qform: Array | None = None,
) -> Space:
    """Return the coordinates that an affine gives to the voxels of a file.

    Where the voxel axes are the scanner's, they are its millimetres and ``grid`` is the identity.
    Otherwise they are millimetres along the voxel axes from the first voxel, and ``grid`` takes
    them to the scanner's.

    Parameters
    ----------
    affine : numpy.ndarray, (4, 4)
        From voxel numbers (i, j, k) to scanner millimetres.
    shape : tuple of int, (i, j, k)
        Number of voxels along each axis.
    codes : tuple of int
        The qform and sform codes.
    qform : numpy.ndarray, (4, 4), optional
        The qform's affine, where it is another one.
    """
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    off_diagonal = affine[:3, :3] - np.diag(np.diag(affine))[:3, :3]
    aligned = bool(np.all(np.abs(off_diagonal) <= _ROUNDING * steps))
    own = np.diag([*steps, 1.0])
    if aligned:
        own = np.diag(np.diag(affine))
        own[:3, 3] = affine[:3, 3]
    to_scanner = np.eye(4) if aligned else affine / np.diag(own)
    attrs: dict[str, Any] = {
        "long_name": "grid",
        "affine": to_scanner.ravel(),
        "qform_code": codes[0],
        "sform_code": codes[1],
    }
    if qform is not None:
        attrs["qform_affine"] = (qform @ np.linalg.inv(own)).ravel()
    coords = {
        name: axis_coordinate(name, origin + step * np.arange(size), step)
        for name, origin, step, size in zip(SPACE, own[:3, 3], np.diag(own)[:3], shape, strict=True)
    }
    coords["grid"] = xr.DataArray(0, attrs=attrs)
    return Space(with_direction(coords), [] if aligned else [_oblique_note(affine, steps)])


def _oblique_note(affine: Array, steps: Array) -> str:
    cosines = np.abs(affine[:3, :3] / steps).max(axis=0).clip(0, 1)
    angle = np.degrees(np.arccos(cosines)).max()
    turned = "the voxel axes are the scanner's in another order"
    if angle > 0.01:
        turned = f"the voxel axes lie up to {angle:.2g} degrees off the scanner's"
    return (
        f"{turned}. The coordinates x, y and z are millimetres along the voxel axes i, j and k; "
        "the affine is kept exactly in the coordinate grid."
    )


def voxel_affine(recording: xr.DataArray) -> Array:
    """Return the affine (4, 4) from voxel numbers (i, j, k) of x, y, z to scanner millimetres.

    Raises
    ------
    ValueError
        If positions along an axis are not numbers at even distances, or the grid is no affine.
    """
    own = np.eye(4)
    for axis, name in enumerate(SPACE):
        own[axis, 3], own[axis, axis] = _origin_and_step(recording, name)
    return grid_affine(recording) @ own


def grid_codes(recording: xr.DataArray) -> tuple[int, int]:
    """Return the qform and sform codes that a recording was loaded with; (0, 0) where unknown."""
    attrs = recording.coords["grid"].attrs if "grid" in recording.coords else {}
    return int(attrs.get("qform_code", 0)), int(attrs.get("sform_code", 0))


def space_unit_is_known(recording: xr.DataArray) -> bool:
    """Tell whether the units of every space coordinate are lengths; none count as mm."""
    units = [recording[name].attrs.get("units", "mm") for name in SPACE if name in recording.coords]
    return all(unit in MILLIMETRES_PER_UNIT for unit in units)


def _origin_and_step(recording: xr.DataArray, name: str) -> tuple[float, float]:
    if name not in recording.coords:
        return 0.0, 1.0
    coordinate = recording[name]
    scale = MILLIMETRES_PER_UNIT.get(str(coordinate.attrs.get("units", "mm")), 1.0)
    values = np.atleast_1d(coordinate.values)
    if values.dtype.kind not in "iuf" or coordinate.ndim > 1 or not np.isfinite(values).all():
        raise ValueError(
            f"NIfTI needs numeric positions along {name!r}, and the recording has {values.dtype} "
            f"{values[:3].tolist()}. Save it as .nc instead, or assign positions in mm."
        )
    values = values.astype(float) * scale
    if values.size == 1:
        return float(values[0]), float(coordinate.attrs.get("step", 1.0)) * scale or 1.0
    step, away = even_spacing(values)
    # What a program reads from the file must be the grid that was saved, not merely an even one.
    if not away <= GRID_TOLERANCE:
        gaps = np.abs(np.diff(values))
        raise ValueError(
            f"NIfTI needs evenly spaced positions along {name!r}, and here neighbours are "
            f"{gaps.min():g} to {gaps.max():g} mm apart. Save it as .nc instead, or interpolate: "
            f"recording.interp({name}=...)."
        )
    return float(values[0]), float(step)
