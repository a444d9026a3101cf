"""What a recording has and NIfTI with BIDS does not: kept in Partita's own object of the sidecar.

Coordinates stand there only where the header and the fields of BIDS would give others. The
background is left out: an image as text would be larger than many a recording.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.attrs import plain, storable
from partita._labels.background import is_background
from partita._labels.grid import GRID_TOLERANCE, same_places
from partita._labels.placement import SPACE
from partita._labels.time import seconds_of
from partita.io.nifti.coordinates import Described
from partita.io.nifti.geometry import voxel_affine

_LARGEST_COORDINATE = 200_000


def remainder(recording: xr.DataArray, described: Described) -> dict[str, Any]:
    """Return what `restore` needs to give back the coordinates and dimensions of a recording.

    Parameters
    ----------
    recording : xarray.DataArray
        What is saved.
    described : Described
        What its file would be loaded as.

    Raises
    ------
    ValueError
        If a coordinate is too large for a sidecar, or is neither numbers nor text.
    """
    own: dict[str, Any] = {
        "Name": None if recording.name is None else str(recording.name),
        "Dimensions": [dim for dim in described.dims if dim in recording.dims],
        "Absent": [name for name in described.coords if name not in recording.coords],
    }
    coordinates = {
        str(name): _encoded(name, coordinate)
        for name, coordinate in recording.coords.items()
        if not _is_described(coordinate, described.coords.get(str(name)))
        and not is_background(name, coordinate, sample_dim="time")
    }
    return {**own, "Coordinates": coordinates} if coordinates else own


def restore(
    recording: xr.DataArray, own: Any, described: Described
) -> tuple[xr.DataArray, list[str]]:
    """Return a recording with the remainder that was saved with it, and what to tell its user.

    The header and the fields of BIDS are believed where they were changed since.
    """
    if not isinstance(own, Mapping):
        return recording, [*described.notes, *described.unit_notes, *described.time_notes]
    recording = recording.rename(own.get("Name"))
    kept = own.get("Dimensions", recording.dims)
    alone = {d: 0 for d in recording.dims if d not in kept and recording.sizes[d] == 1}
    recording = recording.isel(alone)
    coordinates = {k: _decoded(v) for k, v in own.get("Coordinates", {}).items()}
    notes = list(described.notes)
    fitting = {name: c for name, c in coordinates.items() if _fits(c, recording)}
    if len(fitting) < len(coordinates):
        left_out = sorted(set(coordinates) - set(fitting))
        notes.append(f"the sidecar's coordinates {left_out} have other sizes and are left out.")
    restored = recording.assign_coords(fitting)
    for names, agrees in ((("grid", *SPACE), _same_place), (("time",), _same_times)):
        if not agrees(recording, restored):
            notes.append(
                f"the place or time of the file was changed after its sidecar was written; the "
                f"sidecar's coordinates {[n for n in names if n in fitting]} are left out."
            )
            fitting = {name: c for name, c in fitting.items() if name not in names}
    absent = [name for name in own.get("Absent", []) if name in recording.coords]
    restored = recording.assign_coords(fitting).drop_vars(absent)
    if "time" not in fitting and "time" not in absent:
        notes += described.time_notes
    if not {"grid", *SPACE} & set(fitting):
        notes += described.unit_notes
    return restored, notes


def without_times(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the remainder of a recording whose times come from elsewhere."""
    kept = {name: one for name, one in own.get("Coordinates", {}).items() if name != "time"}
    absent = [name for name in own.get("Absent", []) if name != "time"]
    return {**own, "Coordinates": kept, "Absent": absent}


def _is_described(coordinate: xr.DataArray, described: xr.DataArray | None) -> bool:
    if described is None or described.dtype != coordinate.dtype:
        return False
    stored = coordinate.variable.copy(deep=False)
    stored.attrs = storable(coordinate.attrs)
    return bool(stored.identical(described.variable))


def _encoded(name: Hashable, coordinate: xr.DataArray) -> dict[str, Any]:
    values = coordinate.values
    if coordinate.size > _LARGEST_COORDINATE:
        raise ValueError(
            f"The coordinate {name!r} has {coordinate.size} values over {coordinate.dims}, too "
            f"many for a NIfTI sidecar. Save it as .nc instead, or drop it: "
            f"recording.drop_vars({name!r})."
        )
    if values.dtype.kind in "OT" and all(isinstance(item, str) for item in values.ravel()):
        values = np.asarray(values.tolist(), np.str_)
    if values.dtype.kind not in "iufbUmM" or values.dtype == np.longdouble:
        raise ValueError(
            f"The coordinate {name!r} holds {values.dtype}, which a NIfTI sidecar cannot. Save it "
            f"as .nc instead, or drop it: recording.drop_vars({name!r})."
        )
    dtype = values.dtype.str
    if values.dtype.kind in "mM":
        values = values.astype(np.int64)
    return {
        "Dimensions": [str(dim) for dim in coordinate.dims],
        "Type": dtype,
        "Values": values.tolist(),
        "Attributes": {key: plain(value) for key, value in storable(coordinate.attrs).items()},
    }


def _decoded(saved: Mapping[str, Any]) -> xr.DataArray:
    dtype = np.dtype(saved["Type"])
    values = np.asarray(saved["Values"], dtype=np.int64 if dtype.kind in "mM" else dtype)
    return xr.DataArray(
        values.astype(dtype), dims=saved["Dimensions"], attrs=storable(_arrays(saved["Attributes"]))
    )


def _arrays(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: np.asarray(value) if isinstance(value, list) and not _is_text(value) else value
        for key, value in attrs.items()
    }


def _is_text(value: list[Any]) -> bool:
    return all(isinstance(item, str) for item in value)


def _fits(coordinate: xr.DataArray, recording: xr.DataArray) -> bool:
    return all(recording.sizes.get(dim) == size for dim, size in coordinate.sizes.items())


def _same_place(described: xr.DataArray, restored: xr.DataArray) -> bool:
    """Tell whether two recordings put their voxels in one place, within 1e-3 of a voxel."""
    ours, theirs = voxel_affine(described), voxel_affine(restored)
    steps = np.linalg.norm(ours[:3, :3], axis=0)
    sizes = [described.sizes.get(name, 1) - 1 for name in SPACE]
    corners = np.array(np.meshgrid(*[[0, size] for size in sizes])).reshape(3, -1)
    offsets = (theirs - ours)[:3] @ np.vstack([corners, np.ones(8)])
    return bool(np.abs(offsets).max() <= GRID_TOLERANCE * steps.min())


def _same_times(described: xr.DataArray, restored: xr.DataArray) -> bool:
    if "time" not in described.coords or "time" not in restored.coords:
        return True
    ours, theirs = seconds_of(described["time"]), seconds_of(restored["time"])
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return True
    return same_places(theirs, ours)
