"""Motion taken out of a recording, and kept beside it."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr

from partita._labels.attrs import append_history, describe_call
from partita._solvers.registration.frame_resampling import ORDERS
from partita.preprocess.motion import correction
from partita.preprocess.motion.estimation import estimate
from partita.preprocess.motion.motion_dataset import (
    bending_of,
    beside_recording,
    require_motion,
    require_motion_of,
)
from partita.preprocess.motion.options import Options, Reference
from partita.preprocess.motion.tracking import Transform
from partita.preprocess.motion.voxel_grid import Per, VoxelGrid, voxel_grid_of

Interpolation = Literal["cubic", "linear", "nearest"]
Fill = Literal["nearest", "nan", "outside"]


def apply_motion(
    recording: xr.DataArray,
    motion: xr.Dataset,
    *,
    interpolation: Interpolation = "cubic",
    fill: Fill = "nearest",
    sample_dim: str = "time",
) -> xr.DataArray:
    """Take estimated motion out of a recording.

    Each frame is interpolated once, from its original samples, at the places that `motion.affine`
    gives or, where tissue bends, a cubic spline through `motion.displacement`. The cubic spline
    rings a little at sharp edges: where a frame is nowhere negative, what rings below zero is set
    to zero, so that a non-negative recording stays non-negative.

    A lazy recording stays lazy: its blocks of time are kept, each in one piece in space.

    Parameters
    ----------
    recording : xarray.DataArray, (time, y, x) or (time, z, y, x), in any order
        The recording whose motion was estimated, or another of the same times and places, such as
        a second channel. NaN stays where it is in the tissue. Integers of up to 16 bits are
        promoted to float32, longer ones to float64.
    motion : xarray.Dataset
        From `estimate_motion`. If it holds ``displacement``, this is taken out; else ``affine``.
    interpolation : {"cubic", "linear", "nearest"}
        Cubic B-spline, linear, or the nearest voxel. Linear interpolation blurs by an amount that
        follows the motion.
    fill : {"nearest", "nan", "outside"}
        What voxels become whose tissue lies outside the field of a frame: the value at the border;
        NaN in that frame; or NaN at all times if it does so in any frame, so that decompositions
        leave them out.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, same dimensions, coordinates and units as `recording`

    Raises
    ------
    TypeError, ValueError
        If `motion` is no motion or that of another recording (times and places are compared), or
        `interpolation` or `fill` is unknown.

    Examples
    --------
    >>> import partita as pt
    >>> truth = pt.datasets.simulate_fusi(
    ...     n_times=40, shape=(1, 48, 40), motion=0.03, rotation=0.2, random_state=0
    ... )
    >>> motion = pt.preprocess.estimate_motion(truth.recording)
    >>> still = pt.preprocess.apply_motion(truth.recording, motion, fill="outside")
    >>> still.dims
    ('time', 'z', 'y', 'x')
    """
    _require_words(interpolation=interpolation, fill=fill)
    per = require_motion(motion, caller="apply_motion")
    grid = voxel_grid_of(recording, per=per, sample_dim=sample_dim, caller="apply_motion")
    require_motion_of(motion, grid, grid.lay_out(recording), caller="apply_motion")
    line = describe_call(
        "apply_motion",
        transform=motion.attrs.get("transform"),
        interpolation=interpolation,
        fill=fill,
    )
    return append_history(_apply(recording, motion, grid, interpolation, fill), line)


def register(
    recording: xr.DataArray,
    *,
    transform: Transform = "rigid",
    reference: Reference = "robust",
    per: Per = "volume",
    max_shift: float | None = None,
    smooth_fwhm: float | None = None,
    patch_size: float | None = None,
    max_deviation: float | None = None,
    interpolation: Interpolation = "cubic",
    fill: Fill = "nearest",
    sample_dim: str = "time",
    verbose: int = 0,
) -> xr.DataArray:
    """Estimate the motion of a recording and take it out: `estimate_motion`, then `apply_motion`.

    The motion stays beside the recording as coordinates along time (and planes, with
    ``per="plane"``): ``motion_y`` and ``motion_x`` (``motion_z`` in volumes), of the whole frame,
    in the units of space, ``motion_rotation`` in radians (``motion_rotation_z``, ``_y`` and ``_x``
    in volumes), ``motion_similarity``, ``framewise_displacement`` and ``suspect``. To keep the
    affines, and the displacement of patches, use the two functions one after the other.

    Parameters
    ----------
    recording : xarray.DataArray, (time, y, x) or (time, z, y, x), in any order
        Any real values. A lazy recording is read twice, in blocks of time, and its result is lazy.
    transform, reference, per, max_shift, smooth_fwhm, patch_size, max_deviation
        As for `estimate_motion`.
    interpolation, fill
        As for `apply_motion`.
    sample_dim : str
        The dimension of samples.
    verbose : int
        1 shows on stderr how far it is.

    Returns
    -------
    xarray.DataArray, same dimensions and units as `recording`, with the motion as coordinates

    Raises
    ------
    TypeError, ValueError
        As `estimate_motion` and `apply_motion` do.

    Examples
    --------
    >>> import partita as pt
    >>> truth = pt.datasets.simulate_fusi(
    ...     n_times=40, shape=(1, 48, 40), motion=0.03, rotation=0.2, random_state=0
    ... )
    >>> still = pt.preprocess.register(truth.recording)
    >>> int(still.suspect.sum())
    0
    """
    _require_words(interpolation=interpolation, fill=fill)
    options = Options(transform, reference, per, max_shift, smooth_fwhm, patch_size, max_deviation)
    motion, grid = estimate(
        recording, options, sample_dim=sample_dim, verbose=verbose, caller="register"
    )
    result = beside_recording(_apply(recording, motion, grid, interpolation, fill), motion)
    line = describe_call("register", **options.said(), interpolation=interpolation, fill=fill)
    return append_history(result, line)


def _apply(
    recording: xr.DataArray, motion: xr.Dataset, grid: VoxelGrid, interpolation: str, fill: str
) -> xr.DataArray:
    laid = grid.lay_out(recording)
    if "displacement" in motion:
        bend, *centres = bending_of(motion, grid)
        still = correction.straighten(
            laid, bend, (centres[0], centres[1]), order=ORDERS[interpolation], fill=fill
        )
        return grid.bring_back(still, recording)
    affine = motion["affine"].values
    affine = affine if grid.plane else affine[:, np.newaxis]
    still = correction.undo(laid, affine, grid, order=ORDERS[interpolation], fill=fill)
    return grid.bring_back(still, recording)


def _require_words(*, interpolation: str, fill: str) -> None:
    for name, given, known in (
        ("interpolation", interpolation, get_args(Interpolation)),
        ("fill", fill, get_args(Fill)),
    ):
        if given not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, and was {given!r}.")
