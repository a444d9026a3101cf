"""The grid of a recording in space: which dimensions are axes, how far apart its voxels are."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.grid import EVEN_TOLERANCE, even_spacing

Per = Literal["volume", "plane"]

LEAST_SIZE = 8
"""Voxels along an axis of a plane; fewer hold too little structure to align."""
LEAST_PLANES = 4
"""Voxels along z: a cubic spline needs as many."""

_ALONE = "_plane"
_TAKEN = ("axis", "rotation_axis", "row", "column", "patch_y", "patch_x")


class VoxelGrid(NamedTuple):
    """Where voxels are.

    Attributes
    ----------
    samples : str
        The dimension of samples.
    axes : tuple of str
        The axes along which the tissue moves: (y, x) or (z, y, x), or the recording's two
        dimensions of other names in their order.
    plane : str or None
        The dimension whose places are registered each on its own.
    single : str or None
        A dimension of length one that is no axis.
    first, spacing : numpy.ndarray, (d,)
        Coordinate of the first voxel and signed size of a voxel.
    units : str or None
        Units of the coordinates.
    shape : tuple of int
        Voxels along each axis.
    """

    samples: str
    axes: tuple[str, ...]
    plane: str | None
    single: str | None
    first: np.ndarray
    spacing: np.ndarray
    units: str | None
    shape: tuple[int, ...]

    @property
    def centre(self) -> np.ndarray:
        """The centre of the field."""
        return self.first + self.spacing * (np.array(self.shape) - 1) / 2

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions of a recording laid out as `lay_out` does."""
        return (self.samples, self.plane or self.single or _ALONE, *self.axes)

    def lay_out(self, recording: xr.DataArray) -> xr.DataArray:
        """Return a recording or image as ([time], plane, *axes), with a plane of one if none."""
        if self.dims[1] == _ALONE:
            recording = recording.expand_dims(_ALONE)
        return recording.transpose(*(dim for dim in self.dims if dim in recording.dims))

    def bring_back(self, array: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
        """Undo `lay_out`."""
        if _ALONE in array.dims:
            array = array.squeeze(_ALONE)
        return array.transpose(*like.dims)


def voxel_grid_of(recording: xr.DataArray, *, per: str, sample_dim: str, caller: str) -> VoxelGrid:
    """Find the axes of a recording, and refuse what has none that could be aligned.

    Raises
    ------
    TypeError, ValueError
        If it is no recording, has other dimensions than time and space, is too small, or its
        coordinates are not evenly spaced numbers in one unit.
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
    checks.require_features(recording, sample_dim=sample_dim, caller=caller)
    checks.require_dense(recording, caller=caller)
    taken = [str(dim) for dim in recording.dims if dim in _TAKEN]
    if taken:
        raise ValueError(
            f"{caller} gives the motion dimensions named {', '.join(_TAKEN)}, and the recording "
            f"has {', '.join(taken)} too. Rename it: recording.rename({taken[0]}='y')."
        )
    axes, plane, single = _name_axes(recording, per=per, sample_dim=sample_dim, caller=caller)
    shape = tuple(recording.sizes[axis] for axis in axes)
    _require_size(axes, shape, caller=caller)
    places = [_spaced(recording, axis, caller=caller) for axis in axes]
    first, spacing = np.array(places).T
    units = _one_unit(recording, axes, caller=caller)
    return VoxelGrid(sample_dim, axes, plane, single, first, spacing, units, shape)


def _name_axes(
    recording: xr.DataArray, *, per: str, sample_dim: str, caller: str
) -> tuple[tuple[str, ...], str | None, str | None]:
    if per not in get_args(Per):
        raise ValueError(f'per must be "volume" or "plane", and was {per!r}.')
    features = [str(dim) for dim in recording.dims if dim != sample_dim]
    if len(features) == 2:
        named = sorted(features, key="zyx".index) if set(features) <= set("zyx") else features
        if per == "plane":
            raise ValueError(
                f'{caller} with per="plane" needs a dimension of planes beside {sample_dim}, y and '
                f'x; this recording has the dimensions {_list(recording.dims)}. Use per="volume".'
            )
        return tuple(named), None, None
    others = [dim for dim in features if dim not in ("y", "x")]
    if len(features) != 3 or len(others) != 1:
        others.sort(key=lambda dim: dim == "z")
        raise ValueError(
            f"{caller} needs {sample_dim}, y and x, and z in volumes; this recording has the "
            f"dimensions {_list(recording.dims)}. Choose one place of each further dimension, "
            f"recording.isel({(others or features)[0]}=0); the motion found there can be applied "
            "to the others."
        )
    if per == "plane":
        return ("y", "x"), others[0], None
    if recording.sizes[others[0]] == 1:
        return ("y", "x"), None, others[0]
    if others[0] != "z":
        raise ValueError(
            f"{caller} moves volumes along z, y and x, and was given the further dimension "
            f"{others[0]!r} of length {recording.sizes[others[0]]}. If its places are planes that "
            'move each on its own, use per="plane"; else choose one, '
            f"recording.isel({others[0]}=0), and apply its motion to the others."
        )
    return ("z", "y", "x"), None, None


def _require_size(axes: tuple[str, ...], shape: tuple[int, ...], *, caller: str) -> None:
    least = (LEAST_PLANES, LEAST_SIZE, LEAST_SIZE)[-len(axes) :]
    if all(size >= need for size, need in zip(shape, least, strict=True)):
        return
    sizes = ", ".join(f"{axis}: {size}" for axis, size in zip(axes, shape, strict=True))
    advice = (
        'Register each plane on its own: per="plane".'
        if min(shape[-2:]) >= LEAST_SIZE
        else "Was the recording cropped, or are its dimensions misnamed?"
    )
    raise ValueError(
        f"{caller} needs at least {LEAST_SIZE} voxels along y and x, and {LEAST_PLANES} along z "
        f"in volumes; this recording has {sizes}. {advice}"
    )


def _spaced(recording: xr.DataArray, axis: str, *, caller: str) -> tuple[float, float]:
    """Return the first coordinate and the signed spacing along an axis; 0 and 1 without one."""
    if axis not in recording.coords:
        return 0.0, 1.0
    values = recording[axis].values
    if values.dtype.kind not in "iuf":
        raise ValueError(
            f"{caller} needs numbers as coordinates of {axis!r}; they are {values.dtype}. Assign "
            f"positions, or drop them to count in voxels: recording.drop_vars({axis!r})."
        )
    values = values.astype(np.float64)
    spacing, away = even_spacing(values)
    if not away <= EVEN_TOLERANCE:
        raise ValueError(
            f"{caller} needs evenly spaced voxels; the coordinates of {axis!r} step by "
            f"{np.diff(values).min():g} to {np.diff(values).max():g}. Interpolate to an even "
            f"grid: recording.interp({axis}=...)."
        )
    return float(values[0]), spacing


def _one_unit(recording: xr.DataArray, axes: tuple[str, ...], *, caller: str) -> str | None:
    units = {
        axis: recording[axis].attrs.get("units") if axis in recording.coords else None
        for axis in axes
    }
    known = {str(unit) for unit in units.values() if unit}
    if len(known) > 1:
        raise ValueError(
            f"{caller} needs one unit of length; the coordinates have "
            f"{', '.join(f'{axis}: {unit}' for axis, unit in units.items())}. Convert one of them."
        )
    return known.pop() if known else None


def _list(dims: Any) -> str:
    return "(" + ", ".join(map(str, dims)) + ")"
