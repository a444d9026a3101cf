"""Between tracks and the labelled Dataset of motion; and whose motion a Dataset is."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._solvers import rotations
from partita.preprocess import suspects, tracking
from partita.preprocess.courses import Course
from partita.preprocess.grids import SAMPLES, Grid

Reference = str | int | xr.DataArray

_KNOWN_REFERENCES = ("robust", "mean")
_MOTION_VARIABLES = ("translation", "rotation", "affine", "framewise_displacement", "suspect")


def require_parameters(
    *, transform: object, max_shift: object, smooth: object, caller: str
) -> None:
    """Refuse an unknown transform, and lengths or durations that are not above 0."""
    if transform not in tracking.TRANSFORMS:
        raise ValueError(
            f"{caller} does not know the transform {transform!r}. Known: "
            f"{', '.join(map(repr, tracking.TRANSFORMS))}."
        )
    for name, value, unit in (("max_shift", max_shift, "space"), ("smooth", smooth, "time (s)")):
        if value is None:
            continue
        real = isinstance(value, int | float | np.integer | np.floating)
        if isinstance(value, bool) or not real or not 0 < float(value) < np.inf:  # type: ignore[arg-type]
            raise ValueError(
                f"{name} must be a number above 0, in the units of {unit}, or None; it was "
                f"{value!r}."
            )


def require_planes(transform: str, grid: Grid, *, caller: str) -> None:
    """Refuse to bend volumes whose planes move together."""
    if transform == "piecewise" and len(grid.axes) != 2:
        raise ValueError(
            f'{caller} with transform="piecewise" bends planes, and was given a volume with the '
            f'axes {", ".join(grid.axes)}. Let each plane move on its own, per="plane", or use '
            'transform="rigid".'
        )


def describe_reference(reference: Reference) -> object:
    """Return what history says of a reference."""
    return "given image" if isinstance(reference, xr.DataArray) else reference


def resolve_reference(
    reference: Reference, laid: xr.DataArray, grid: Grid, *, caller: str
) -> xr.DataArray | None:
    """Return the image to align to, laid out (plane, *axes); None for the robust reference."""
    if isinstance(reference, xr.DataArray):
        return _given_image(reference, laid, grid, caller=caller)
    if isinstance(reference, int | np.integer) and not isinstance(reference, bool):
        if not -len(laid) <= reference < len(laid):
            raise ValueError(
                f"There is no frame {reference} to be the reference: the recording has "
                f"{len(laid)}, counted from 0."
            )
        return laid.isel({SAMPLES: int(reference)}, drop=True).compute()
    if isinstance(reference, str) and reference == "mean":
        return tracking.average(laid)
    if isinstance(reference, str) and reference == "robust":
        return None
    raise ValueError(
        f"{caller} does not know the reference {reference!r}. Give "
        f"{', '.join(map(repr, _KNOWN_REFERENCES))}, the number of a frame, or an image with the "
        "recording's coordinates: recording.mean('time')."
    )


def motion_dataset(
    tracks: tracking.Tracks, laid: xr.DataArray, grid: Grid, *, smooth: float | None, caller: str
) -> xr.Dataset:
    """Label tracks, after bridging frames that were lost and smoothing if asked."""
    good = np.isfinite(tracks.shift[..., 0])
    angles = rotations.to_angles(tracks.turn)
    course = Course(tracks.shift, angles, tracks.bend, tracks.centres).bridge(good)
    converged = tracks.converged & good
    suspect = _find_suspects(course, tracks.similarity, converged, grid)
    if smooth is not None:
        seconds = checks.seconds(laid[SAMPLES], caller=f"{caller} with smooth=")
        course = course.smooth(seconds, ~suspect, fwhm=smooth)
    labelled = _label(
        laid,
        grid,
        translation=course.shift,
        rotation=course.angles,
        affine=course.affine(grid),
        similarity=tracks.similarity,
        converged=converged,
        suspect=suspect,
        framewise_displacement=course.framewise_displacement(grid),
        reference=tracks.reference,
    )
    return _with_bending(labelled, course, grid) if course.bends else labelled


def bending_of(motion: xr.Dataset, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return displacements (time, plane, 2, patch_y, patch_x) and the centres, all in voxels."""
    along = (SAMPLES, grid.plane) if grid.plane else (SAMPLES,)
    field = motion["displacement"].transpose(*along, "axis", "patch_y", "patch_x").values
    field = field if grid.plane else field[:, np.newaxis]
    centres = [
        (motion[name].values - first) / step
        for name, first, step in zip(("patch_y", "patch_x"), grid.first, grid.spacing, strict=True)
    ]
    return field / grid.spacing[:, None, None], centres[0], centres[1]


def require_motion_of(motion: xr.Dataset, grid: Grid, laid: xr.DataArray, *, caller: str) -> None:
    """Refuse the motion of another recording."""
    for dim in (SAMPLES, *((grid.plane,) if grid.plane else ()), *grid.axes):
        _require_same(motion, laid, dim, caller=caller)
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
    """Return the recording with its motion as coordinates along time, a number a frame each."""
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
    return result.assign_coords(plain)


def _find_suspects(
    course: Course, similarity: np.ndarray, converged: np.ndarray, grid: Grid
) -> np.ndarray:
    way = course.framewise_displacement(grid)
    voxel = float(np.abs(grid.spacing).min())
    found = [
        suspects.find_suspects(similarity[:, k], converged[:, k], way[:, k], voxel=voxel)
        for k in range(way.shape[1])
    ]
    return np.stack(found, axis=1)


def _label(laid: xr.DataArray, grid: Grid, **arrays: np.ndarray) -> xr.Dataset:
    along = (SAMPLES, grid.plane) if grid.plane else (SAMPLES,)
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
    shared = [dim for dim in dataset.dims if dim in laid.coords]
    dataset = dataset.assign_coords({dim: laid[dim].variable for dim in shared})
    turns = list(grid.axes) if len(grid.axes) == 3 else [_normal(grid.axes)]
    return dataset.assign_coords(axis=list(grid.axes), rotation_axis=turns)


def _with_bending(motion: xr.Dataset, course: Course, grid: Grid) -> xr.Dataset:
    along = (SAMPLES, grid.plane) if grid.plane else (SAMPLES,)
    length = {"units": grid.units} if grid.units else {}
    words = {**length, "long_name": "Displacement of the tissue at patches"}
    kept = course.bend if grid.plane else course.bend.squeeze(1)
    places = {
        name: (name, first + step * at, {**length, "long_name": f"Centres of patches along {axis}"})
        for name, axis, first, step, at in zip(
            ("patch_y", "patch_x"), grid.axes, grid.first, grid.spacing, course.centres, strict=True
        )
    }
    dims = (*along, "axis", "patch_y", "patch_x")
    return motion.assign(displacement=(dims, kept, words)).assign_coords(places)


def _normal(axes: tuple[str, ...]) -> str:
    """Return the name of the axis that a plane turns about."""
    rest = [name for name in "zyx" if name not in axes]
    return rest[0] if len(rest) == 1 else "normal"


def _given_image(
    image: xr.DataArray, laid: xr.DataArray, grid: Grid, *, caller: str
) -> xr.DataArray:
    checks.require_array(image, caller=f"{caller} with reference=")
    wanted = [dim for dim in laid.dims[1:] if laid.sizes[dim] > 1 or dim in image.dims]
    if set(image.dims) != set(wanted):
        raise ValueError(
            f"The reference has the dimensions {tuple(map(str, image.dims))}, and needs "
            f"{tuple(map(str, wanted))}. Take the mean over time of a recording: "
            "recording.mean('time')."
        )
    for dim in wanted:
        _require_same(image, laid, dim, caller=caller, what="reference")
    return grid.lay_out(_with_plane(image, laid)).compute()


def _with_plane(image: xr.DataArray, laid: xr.DataArray) -> xr.DataArray:
    alone = laid.dims[1]
    known = alone in image.dims or str(alone).startswith("_")
    return image if known else image.expand_dims(alone)


def _require_same(
    given: xr.Dataset | xr.DataArray,
    laid: xr.DataArray,
    dim: Any,
    *,
    caller: str,
    what: str = "motion",
) -> None:
    if dim not in given.dims or given.sizes[dim] != laid.sizes[dim]:
        raise ValueError(
            f"{caller} was given a {what} of another recording: it has "
            f"{given.sizes.get(dim, 'no')} places along {dim!r}, the recording "
            f"{laid.sizes[dim]}. Use the {what} of this one, or select the same part of both."
        )
    if dim not in given.coords or dim not in laid.coords:
        return
    if not checks.same_grid(given[dim], laid[dim]):
        raise ValueError(
            f"{caller} was given a {what} of another recording: its coordinates along {dim!r} run "
            f"from {given[dim].values[0]} to {given[dim].values[-1]}, the recording's from "
            f"{laid[dim].values[0]} to {laid[dim].values[-1]}. Use the {what} of this one, or "
            "select the same part of both."
        )
