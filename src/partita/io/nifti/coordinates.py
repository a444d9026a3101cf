"""What a NIfTI header and its sidecar say of dimensions, places and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.numbers import is_finite
from partita.io.lazy_array import Array
from partita.io.nifti.affine import affine_of
from partita.io.nifti.geometry import space_of
from partita.io.nifti.header import shortest
from partita.io.nifti.sidecar import OWN
from partita.io.nifti.timing import HeaderTiming, at_rate, doubts, time_of

DIMS = {
    2: ("y", "x"),
    3: ("z", "y", "x"),
    4: ("time", "z", "y", "x"),
    5: ("time", "z", "y", "x", "volume"),
}


# What a fourth axis is that is not time.
COMPONENT = "component"


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


def describe(
    header: Any,
    *,
    fields: Mapping[str, Any],
    sidecar: Path | None,
    fourth: str = "time",
    frame_rate: float | None = None,
) -> Described:
    """Return the dimensions and coordinates of a recording.

    Parameters
    ----------
    header : nibabel.Nifti1Header or nibabel.Nifti2Header
        Unchecked; its dimensions have been looked at before.
    fields : Mapping
        The sidecar, as it was read.
    sidecar : pathlib.Path, optional
        Its path, for messages.
    fourth : {"time", "component"}
        What the fourth axis is, where there is one.
    frame_rate : float, optional
        Hz; goes before what the file says of time.
    """
    n_dims, *sizes = (int(number) for number in header["dim"])
    dims = tuple(fourth if dim == "time" else dim for dim in DIMS[min(n_dims, 5)])
    sizes = [*sizes[:n_dims], *(1,) * (5 - n_dims)]
    notes: list[str] = []
    space_unit, time_unit = _units(header)
    affine = affine_of(header, notes)
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
    if frame_rate is not None:
        time = at_rate(sizes[3], frame_rate, has_time="time" in dims)
        return Described(dims, {"time": time, **coords}, notes + space.notes, unit_notes, [])
    if COMPONENT in dims:
        coords = {COMPONENT: _components(sizes[3]), **coords}
    if "time" not in dims:
        coords |= _only_time(fields)
        return Described(dims, coords, notes + space.notes, unit_notes, [])
    says = HeaderTiming(
        shortest(header["pixdim"][4]),
        shortest(header["toffset"]),
        None if time_unit == "unknown" else time_unit,
    )
    timing = time_of(sizes[3], says, fields=fields, sidecar=sidecar)
    coords = {"time": timing.time, **coords}
    questions = [] if OWN in fields else doubts(timing.time)
    time_notes = [*timing.notes, *questions]
    return Described(dims, coords, notes + space.notes, unit_notes, time_notes)


def _components(count: int) -> xr.DataArray:
    return xr.DataArray(np.arange(count), dims=COMPONENT, attrs={"long_name": COMPONENT})


def _only_time(fields: Mapping[str, Any]) -> dict[str, xr.DataArray]:
    """Return when the only volume of a file was acquired, where its sidecar says that."""
    given = fields.get("VolumeTiming")
    if not isinstance(given, list) or len(given) != 1 or not is_finite(given[0]):
        return {}
    return {"time": xr.DataArray(float(given[0]), attrs={"units": "s", "long_name": "time"})}


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
