"""Iconeus ``.scan``: power Doppler of functional ultrasound, in HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from partita.io.hdf5_sources import refuse_sources
from partita.io.lazy_array import Array, FileArray, Slices
from partita.io.millimetres import axis_coordinate
from partita.io.movies.description import Movie
from partita.io.movies.hdf5 import Hdf5Values, opened, read_hdf5
from partita.io.request import Wanted

# The axes of Data as HDF5 has them, the slowest first; the leading ones may be left out. `cycle`
# counts rounds over the poses of the probe, `repeat` the volumes at one pose.
_AXES = ("extra", "cycle", "pose", "repeat", "y", "z", "x")

# From the recording's (x, y, z) to the probe's: along it, across it, and depth pointing upwards.
_TO_PROBE = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], dtype=float)

_TEXTS = {
    "Subject_tag": "subject", "Session_tag": "session", "Scan_tag": "scan", "Date": "date",
    "Machine_SN": "device_serial_number", "Neuroscan_version": "software_versions",
}  # fmt: skip


class ScanValues(FileArray):
    """``Data`` of a scan, of whose axes some are wanted, in another order.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    axes : tuple of int
        The axes of ``Data`` that are wanted; the others have length one.
    external : bool
        Whether values may lie in files outside the folder of the file.
    """

    def __init__(self, path: Path, axes: tuple[int, ...], *, external: bool = False) -> None:
        self.stored = Hdf5Values(path, "/Data", external=external)
        self.axes = axes
        super().__init__(path, tuple(self.stored.shape[axis] for axis in axes), self.stored.dtype)

    def read(self, slices: Slices) -> Array:
        """Return values as they are stored, transposed."""
        by_axis = dict(zip(self.axes, slices, strict=True))
        values = self.stored[tuple(by_axis.get(axis, 0) for axis in range(self.stored.ndim))]
        kept = sorted(self.axes)
        return values.transpose([kept.index(axis) for axis in self.axes])


def read_scan(path: Path, wanted: Wanted) -> Movie:
    """Return the recording in an Iconeus scan.

    ``y`` is depth, ``x`` lies along the probe and ``z`` across it, in mm from the probe's origin;
    the affine of ``grid`` takes them to the laboratory's. A probe that moves adds the dimension
    ``pose``, whose affines are its attribute, and the coordinate ``pose_time``. Times are those
    of the file; of a round over several poses, the first.

    Raises
    ------
    ValueError
        If the layout is none of those known.
    """
    if wanted.dataset or wanted.dims:  # the array as it is
        return read_hdf5(path, wanted)
    with opened(path) as file:
        data, about = file["Data"], file["acqMetaData"]
        for array in (data, *(one for one in about.values() if isinstance(one, h5py.Dataset))):
            refuse_sources(array, path, external=wanted.allow_external)
        present = _AXES[len(_AXES) - data.ndim :]
        sizes = dict.fromkeys(_AXES, 1) | dict(zip(present, data.shape, strict=True))
        _refuse_layout(sizes, path)
        times = np.ravel(about["time"][()]) if "time" in about else np.empty(0)
        voxels = _affines(about["voxelsToProbe"][()])[0]
        poses = _affines(about["probeToLab"][()]) if "probeToLab" in about else None
        attrs = _texts(file.get("scanMetaData", {}))
    time = "cycle" if sizes["pose"] > 1 or sizes["cycle"] > 1 else "repeat"
    axes = [axis for axis in (time, "pose", "z", "y", "x") if _is_kept(axis, sizes, present)]
    coords = _space(voxels, sizes) | _poses(poses, sizes) | _pose_times(times, sizes)
    return Movie(
        values=ScanValues(
            path, tuple(present.index(axis) for axis in axes), external=wanted.allow_external
        ),
        dims=tuple("time" if axis == time else axis for axis in axes),
        name=attrs.get("scan") or path.name.partition(".")[0],
        kind="Iconeus scan (HDF5)",
        times=_times(times, sizes, sizes[time]) if time in axes else None,
        coords=coords,
        attrs={"long_name": "Power Doppler", **attrs},
    )


def _is_kept(axis: str, sizes: dict[str, int], present: tuple[str, ...]) -> bool:
    if axis == "cycle":
        return sizes["cycle"] > 1
    return axis in present and (axis != "pose" or sizes["pose"] > 1)


def _refuse_layout(sizes: dict[str, int], path: Path) -> None:
    moving = sum(sizes[axis] > 1 for axis in ("cycle", "pose"))
    if sizes["extra"] > 1 or (moving and sizes["repeat"] > 1):
        held = {axis: size for axis, size in sizes.items() if size > 1}
        raise ValueError(
            f"{path} is an Iconeus scan with the sizes {held}, whose order in time is not known "
            "here. Load the array and name its axes: partita.load(path, dataset='/Data', "
            "dims=(...))."
        )


def _affines(given: Any) -> Array:
    """Return affines (n, 4, 4) with their translations in the last column."""
    affines = np.asarray(given, dtype=float).reshape(-1, 4, 4)
    transposed = np.any(affines[:, 3, :3] != 0, axis=1) & np.all(affines[:, :3, 3] == 0, axis=1)
    return np.where(transposed[:, None, None], affines.transpose(0, 2, 1), affines)


def _space(voxels: Array, sizes: dict[str, int]) -> dict[str, xr.DataArray]:
    """Return mm along x, y (depth) and z, from the affine of voxels that count from one."""
    rows = {"x": (0, 1e3), "y": (2, -1e3), "z": (1, 1e3)}
    coords = {}
    for dim, (row, scale) in rows.items():
        step, origin = scale * voxels[row, row], scale * voxels[row, 3]
        positions = origin + step * np.arange(1, sizes[dim] + 1)
        coords[dim] = axis_coordinate(dim, positions, step)
    return coords


def _poses(poses: Array | None, sizes: dict[str, int]) -> dict[str, xr.DataArray]:
    if poses is None or len(poses) != sizes["pose"]:
        return {}
    in_mm = poses.copy()
    in_mm[:, :3, 3] *= 1e3
    affines = in_mm @ _TO_PROBE
    if sizes["pose"] > 1:
        attrs = {"long_name": "pose of the probe", "affine": affines.ravel()}
        return {"pose": xr.DataArray(np.arange(len(poses)), dims="pose", attrs=attrs)}
    attrs = {"long_name": "grid", "affine": affines.ravel(), "qform_code": 0, "sform_code": 1}
    return {"grid": xr.DataArray(0, attrs=attrs)}


def _times(times: Array, sizes: dict[str, int], n_times: int) -> Array | None:
    if times.size != n_times * sizes["pose"]:
        return None
    return times.reshape(n_times, sizes["pose"]).min(axis=1)


def _pose_times(times: Array, sizes: dict[str, int]) -> dict[str, xr.DataArray]:
    shape = sizes["cycle"], sizes["pose"]
    if shape[1] == 1 or times.size != shape[0] * shape[1]:
        return {}
    attrs = {"units": "s", "long_name": "time at each pose"}
    if shape[0] == 1:
        return {"pose_time": xr.DataArray(times, dims="pose", attrs=attrs)}
    return {"pose_time": xr.DataArray(times.reshape(shape), dims=("time", "pose"), attrs=attrs)}


def _texts(about: Any) -> dict[str, str]:
    """Return texts, which MATLAB wrote as arrays of one."""
    texts = {}
    for key, name in _TEXTS.items():
        value = np.ravel(about[key][()])[0] if key in about else ""
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        if text.strip():
            texts[name] = text.strip()
    return texts
