"""What a NIfTI header and its sidecar say of dimensions, places and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import xarray as xr

from partita.io.nifti.geometry import space_of
from partita.io.nifti.timing import HeaderTiming, time_of

Array = np.ndarray[Any, Any]

DIMS = {
    2: ("y", "x"),
    3: ("z", "y", "x"),
    4: ("time", "z", "y", "x"),
    5: ("time", "z", "y", "x", "volume"),
}


class Described(NamedTuple):
    """A file's dimensions and coordinates, and what its user should be told.

    ``unit_notes`` and ``time_notes`` need not be said where the coordinates of space or time come
    from elsewhere.
    """

    dims: tuple[str, ...]
    coords: dict[str, xr.DataArray]
    notes: list[str]
    unit_notes: list[str]
    time_notes: list[str]


class _Affine(NamedTuple):
    best: Array
    codes: tuple[int, int]
    qform: Array | None  # where it differs from the sform


def describe(header: Any, *, fields: Mapping[str, Any], sidecar: Path | None) -> Described:
    """Return the dimensions and coordinates of a recording.

    Parameters
    ----------
    header : nibabel.Nifti1Header or nibabel.Nifti2Header
        Unchecked; its dimensions have been looked at before.
    fields : Mapping
        The sidecar, as it was read.
    sidecar : pathlib.Path, optional
        Its path, for messages.
    """
    n_dims, *sizes = (int(number) for number in header["dim"])
    dims = DIMS[min(n_dims, 5)]
    sizes = [*sizes[:n_dims], *(1,) * (5 - n_dims)]
    notes: list[str] = []
    space_unit, time_unit = _units(header)
    affine = _affine(header, notes)
    unit_notes = _unit_notes(space_unit)
    scale = _millimetres(space_unit)
    qform = None if affine.qform is None else scale(affine.qform)
    space = space_of(scale(affine.best), tuple(sizes[:3]), codes=affine.codes, qform=qform)
    coords = dict(space.coords)
    if "z" not in dims:
        coords["z"] = coords["z"].isel(z=0)
    if "volume" in dims:
        coords["volume"] = xr.DataArray(
            np.arange(sizes[4]), dims="volume", attrs={"units": "1", "long_name": "volume"}
        )
    if "time" not in dims:
        return Described(dims, coords, notes + space.notes, unit_notes, [])
    says = HeaderTiming(
        shortest(header["pixdim"][4]),
        shortest(header["toffset"]),
        None if time_unit == "unknown" else time_unit,
    )
    timing = time_of(sizes[3], says, fields=fields, sidecar=sidecar)
    coords = {"time": timing.time, **coords}
    return Described(dims, coords, notes + space.notes, unit_notes, timing.notes)


def shortest(number: Any) -> float:
    """Return a header's number as the shortest decimal it prints as: 1.35, not 1.3500000238."""
    return float(str(np.asarray(number)[()]))


def _all_shortest(numbers: Array) -> Array:
    return np.array([shortest(number) for number in numbers])


def _units(header: Any) -> tuple[str, str]:
    try:
        space, time = header.get_xyzt_units()
    except KeyError:
        return "unknown", "unknown"
    return space, time


def _unit_notes(unit: str) -> list[str]:
    if unit != "unknown":
        return []
    return ["the header does not say the unit of space; its numbers are taken as mm."]


def _millimetres(unit: str) -> Callable[[Array], Array]:
    factor, divisor = {"meter": (1000.0, 1.0), "micron": (1.0, 1000.0)}.get(unit, (1.0, 1.0))

    def convert(affine: Array) -> Array:
        scaled = affine * factor / divisor
        scaled[3] = affine[3]
        return scaled

    return convert


def _affine(header: Any, notes: list[str]) -> _Affine:
    """Return the sform where it has a code, else the qform, else nibabel's guess from the sizes."""
    sizes = _voxel_sizes(header, notes)
    q_code, s_code = int(header["qform_code"]), int(header["sform_code"])
    sform = _sform(header) if s_code > 0 else None
    qform = _qform(header, sizes) if q_code > 0 else None
    for name, code, affine in (("sform", s_code, sform), ("qform", q_code, qform)):
        if code > 0 and affine is None:
            notes.append(
                f"the {name} of the header is not an affine (not finite, or flat); it is left out, "
                "and the place comes from what else the header says."
            )
    if sform is not None:
        differs = qform is not None and not np.allclose(qform, sform, rtol=1e-4, atol=1e-3)
        kept_q = q_code if qform is not None else 0
        return _Affine(sform, (kept_q, s_code), qform if differs else None)
    if qform is not None:
        return _Affine(qform, (q_code, 0), None)
    return _Affine(_centred(header, sizes), (0, 0), None)


def _voxel_sizes(header: Any, notes: list[str]) -> Array:
    sizes = _all_shortest(header["pixdim"][1:4])
    negative = sizes < 0
    if negative.any():
        notes.append(
            f"voxel sizes in the header are negative (pixdim {sizes.tolist()}); their magnitude is "
            "used, and directions come from the affine."
        )
    sizes = np.abs(sizes)
    unusable = ~np.isfinite(sizes) | (sizes == 0)
    n_space = min(int(header["dim"][0]), 3)
    if unusable[:n_space].any() and int(header["sform_code"]) <= 0:
        notes.append(
            f"voxel sizes in the header are zero or not finite (pixdim {sizes.tolist()}); 1 is "
            "used in their place."
        )
    return np.where(unusable, 1.0, sizes)


def _sform(header: Any) -> Array | None:
    rows = [_all_shortest(header[f"srow_{row}"]) for row in "xyz"]
    return _usable(np.array([*rows, [0.0, 0.0, 0.0, 1.0]]))


def _qform(header: Any, sizes: Array) -> Array | None:
    imaginary = np.array([float(header[f"quatern_{part}"]) for part in "bcd"])
    squared = float(imaginary @ imaginary)
    if not np.isfinite(squared) or squared > 1 + 1e-5:
        return None
    quaternion = np.array([np.sqrt(max(0.0, 1 - squared)), *imaginary])
    rotation = nib.quaternions.quat2mat(quaternion)
    nearest = np.round(rotation)
    if np.abs(rotation - nearest).max() < 1e-6:  # float32 rounding of quarter turns
        rotation = nearest
    handedness = -1.0 if header["pixdim"][0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * sizes * [1.0, 1.0, handedness]
    affine[:3, 3] = [shortest(header[f"qoffset_{axis}"]) for axis in "xyz"]
    return _usable(affine)


def _usable(affine: Array) -> Array | None:
    if not np.isfinite(affine).all() or np.linalg.det(affine[:3, :3]) == 0:
        return None
    return affine


def _centred(header: Any, sizes: Array) -> Array:
    """Return what nibabel takes where there is no affine: x to the left, centred."""
    steps = sizes * [-1.0, 1.0, 1.0]
    n_dims = min(int(header["dim"][0]), 3)
    shape = np.array([*header["dim"][1 : n_dims + 1], *(1,) * (3 - n_dims)])
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -(shape - 1) / 2 * steps
    return affine
