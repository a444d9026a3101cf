"""Between tracks and the labelled Dataset of motion; and whose motion a Dataset is."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from partita._labels import align
from partita._labels.grid import same_grid
from partita._labels.placement import refuse_elsewhere
from partita._labels.time import require_seconds
from partita._solvers.registration import rotations
from partita.preprocess.motion import suspects, tracking
from partita.preprocess.motion.trajectory import Trajectory
from partita.preprocess.motion.voxel_grid import VoxelGrid

_MOTION_VARIABLES = ("translation", "rotation", "affine", "framewise_displacement", "suspect")


def motion_dataset(
    tracks: tracking.Tracks,
    laid: xr.DataArray,
    grid: VoxelGrid,
    *,
    smooth_fwhm: float | None,
    caller: str,
) -> xr.Dataset:
    """Label tracks, after bridging frames that were lost and smoothing if asked."""
    good = np.isfinite(tracks.shift[..., 0])
    angles = rotations.to_angles(tracks.turn)
    path = Trajectory(tracks.shift, angles, tracks.bend, tracks.centres).bridge(good)
    converged = tracks.converged & good
    suspect = _find_suspects(path, tracks.similarity, converged, grid)
    if smooth_fwhm is not None:
        seconds = require_seconds(laid[grid.samples], caller=f"{caller} with smooth_fwhm=")
        path = path.smooth(seconds, ~suspect, fwhm=smooth_fwhm)
    labelled = _label(
        laid,
        grid,
        translation=path.shift,
        rotation=path.angles,
        affine=path.affine(grid),
        similarity=np.minimum(tracks.similarity, 1),
        converged=converged,
        suspect=suspect,
        framewise_displacement=path.framewise_displacement(grid),
        reference=tracks.reference,
    )
    return _with_bending(labelled, path, grid) if path.bends else labelled


def bending_of(motion: xr.Dataset, grid: VoxelGrid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return displacements (time, plane, 2, patch_y, patch_x) and the centres, all in voxels."""
    along = (grid.samples, grid.plane) if grid.plane else (grid.samples,)
    field = motion["displacement"].transpose(*along, "axis", "patch_y", "patch_x").values
    field = field if grid.plane else field[:, np.newaxis]
    centres = [
        (motion[name].values - first) / step
        for name, first, step in zip(("patch_y", "patch_x"), grid.first, grid.spacing, strict=True)
    ]
    return field / grid.spacing[:, None, None], centres[0], centres[1]


def require_motion_of(
    motion: xr.Dataset, grid: VoxelGrid, laid: xr.DataArray, *, caller: str
) -> None:
    """Refuse the motion of another recording."""
    refuse_elsewhere(motion, laid, caller=f"The motion given to {caller}")
    for dim in (grid.samples, *((grid.plane,) if grid.plane else ()), *grid.axes):
        require_same(motion, laid, dim, caller=caller)
    uncounted = [axis for axis in grid.axes if axis in motion.coords and axis not in laid.coords]
    if uncounted:  # its lengths would be taken for voxels
        raise ValueError(
            f"{caller} was given a motion in the units of the coordinates {', '.join(uncounted)}, "
            "which the recording lacks. Assign those of the recording that it was estimated from: "
            f"recording.assign_coords({uncounted[0]}=...)."
        )
    if [str(axis) for axis in motion["axis"].values] != list(grid.axes):
        raise ValueError(
            f"The motion is along {', '.join(map(str, motion['axis'].values))}, and the "
            f"recording's axes are {', '.join(grid.axes)}. Estimate the motion of this recording."
        )


def require_motion(motion: Any, *, caller: str) -> str:
    """Refuse what is no motion Dataset, and return whether it is per volume or per plane."""
    if not isinstance(motion, xr.Dataset):
        raise TypeError(
            f"{caller} needs the Dataset that estimate_motion returns, and was given "
            f"{type(motion).__name__}."
        )
    missing = [name for name in (*_MOTION_VARIABLES, "reference") if name not in motion]
    if missing:
        raise ValueError(
            f"{caller} needs the Dataset that estimate_motion returns; this one lacks "
            f"{', '.join(missing)}."
        )
    return "plane" if len(motion["translation"].dims) == 3 else "volume"


def beside_recording(result: xr.DataArray, motion: xr.Dataset) -> xr.DataArray:
    """Return the recording with its motion as coordinates along time, a number a frame each.

    Frames that an earlier registration has called suspect stay so.
    """
    coords: dict[str, xr.DataArray] = {}
    for axis in motion["axis"].values:
        coords[f"motion_{axis}"] = motion["translation"].sel(axis=axis, drop=True)
    angles = motion["rotation_axis"].values
    for angle in angles:
        name = "motion_rotation" if len(angles) == 1 else f"motion_rotation_{angle}"
        coords[name] = motion["rotation"].sel(rotation_axis=angle, drop=True)
    for name in ("similarity", "framewise_displacement", "suspect"):
        coords["motion_similarity" if name == "similarity" else name] = motion[name]
    plain = {name: (array.dims, array.values, array.attrs) for name, array in coords.items()}
    before = result.coords.get("suspect")
    if before is not None and before.dtype == bool and before.dims == motion["suspect"].dims:
        dims, values, words = plain["suspect"]
        plain["suspect"] = dims, values | before.values, words
    return result.assign_coords(plain)


def _find_suspects(
    path: Trajectory, similarity: np.ndarray, converged: np.ndarray, grid: VoxelGrid
) -> np.ndarray:
    ways = [path.distance(grid, lag) for lag in range(1, suspects.NEAREST + 1)]
    voxel = float(np.abs(grid.spacing).min())
    found = [
        suspects.find_suspects(
            similarity[:, k], converged[:, k], [way[:, k] for way in ways], voxel=voxel
        )
        for k in range(similarity.shape[1])
    ]
    return np.stack(found, axis=1)


def _label(laid: xr.DataArray, grid: VoxelGrid, **arrays: np.ndarray) -> xr.Dataset:
    along = (grid.samples, grid.plane) if grid.plane else (grid.samples,)
    dims = {
        "translation": (*along, "axis"),
        "rotation": (*along, "rotation_axis"),
        "affine": (*along, "row", "column"),
        "reference": (*along[1:], *grid.axes),
    }
    length = {"units": grid.units} if grid.units else {}
    words: dict[str, dict[str, Any]] = {
        "translation": {**length, "long_name": "Displacement of the tissue"},
        "rotation": {"units": "rad", "long_name": "Rotation about the centre of the field"},
        "affine": {"long_name": "Reference to frame coordinates", **length},
        "similarity": {"units": "1", "long_name": "Correlation with the reference"},
        "converged": {"long_name": "Alignment converged"},
        "suspect": {"long_name": "Frame not to be trusted"},
        "framewise_displacement": {**length, "long_name": "Framewise displacement (rms)"},
        "reference": {key: laid.attrs[key] for key in ("units", "long_name") if key in laid.attrs},
    }
    variables = {}
    for name, values in arrays.items():
        at = 0 if name == "reference" else 1
        kept = values if grid.plane else values.squeeze(at)
        variables[name] = (dims.get(name, along), kept, words[name])
    dataset = xr.Dataset(variables)
    dataset = dataset.assign_coords(
        {
            name: coord.variable
            for name, coord in laid.coords.items()
            if name not in variables
            and any(set(coord.dims) <= set(array.dims) for array in dataset.values())
        }
    )
    turns = list(grid.axes) if len(grid.axes) == 3 else [_normal(grid.axes)]
    return dataset.assign_coords(axis=list(grid.axes), rotation_axis=turns)


def _with_bending(motion: xr.Dataset, path: Trajectory, grid: VoxelGrid) -> xr.Dataset:
    along = (grid.samples, grid.plane) if grid.plane else (grid.samples,)
    length = {"units": grid.units} if grid.units else {}
    words = {**length, "long_name": "Displacement of the tissue at patches"}
    kept = path.bend if grid.plane else path.bend.squeeze(1)
    places = {
        name: (name, first + step * at, {**length, "long_name": f"Centres of patches along {axis}"})
        for name, axis, first, step, at in zip(
            ("patch_y", "patch_x"), grid.axes, grid.first, grid.spacing, path.centres, strict=True
        )
    }
    dims = (*along, "axis", "patch_y", "patch_x")
    return motion.assign(displacement=(dims, kept, words)).assign_coords(places)


def _normal(axes: tuple[str, ...]) -> str:
    """Return the name of the axis that a plane turns about."""
    rest = [name for name in "zyx" if name not in axes]
    return rest[0] if len(rest) == 1 else "normal"


def require_same(
    given: xr.Dataset | xr.DataArray,
    laid: xr.DataArray,
    dim: Any,
    *,
    caller: str,
    what: str = "motion",
) -> None:
    """Refuse a motion, or another thing, that does not share a dimension of the recording."""
    if dim not in given.dims or given.sizes[dim] != laid.sizes[dim]:
        raise ValueError(
            f"{caller} was given a {what} of another recording: it has "
            f"{given.sizes.get(dim, 'no')} places along {dim!r}, the recording "
            f"{laid.sizes[dim]}. Use the {what} of this one, or select the same part of both."
        )
    if not align.comparable(given, laid, dim, caller=f"The {what} given to {caller}"):
        return
    if not same_grid(given[dim], laid[dim]):
        raise ValueError(
            f"{caller} was given a {what} of another recording: its coordinates along {dim!r} run "
            f"from {given[dim].values[0]} to {given[dim].values[-1]}, the recording's from "
            f"{laid[dim].values[0]} to {laid[dim].values[-1]}. Use the {what} of this one, or "
            "select the same part of both."
        )
