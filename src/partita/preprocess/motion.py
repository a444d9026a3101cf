"""Motion of the tissue: estimated, undone, and kept beside the recording."""

from __future__ import annotations

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita._solvers.reference import NoContrastError
from partita._solvers.resample import ORDERS
from partita.preprocess import moving, tracking
from partita.preprocess.grids import SAMPLES, Grid, grid_of
from partita.preprocess.motion_labels import (
    Reference,
    bending_of,
    beside_recording,
    describe_reference,
    motion_dataset,
    require_motion,
    require_motion_of,
    require_parameters,
    require_planes,
    resolve_reference,
)

_FILLS = ("nearest", "nan", "outside")


def estimate_motion(
    recording: xr.DataArray,
    *,
    transform: str = "rigid",
    reference: Reference = "robust",
    per: str = "volume",
    max_shift: float | None = None,
    smooth: float | None = None,
    verbose: int = 0,
) -> xr.Dataset:
    r"""Find where the tissue is in every frame, relative to a reference.

    A frame :math:`F`, made comparable (square root of non-negative values, light smoothing), is
    taken to be the reference :math:`T` under a gain, an offset and a motion :math:`W`,

    .. math:: F(W(r; p)) = a\, T(r) + b,

    and is followed by inverse-compositional Gauss-Newton steps in physical coordinates (Baker &
    Matthews 2004), from the shift at the peak of its cross-correlation with the reference; frames
    that turn far, or end unlike the others, go through coarse steps first. Shifts of up to a
    quarter of the field are found. Brightness that changes slowly across the field, as brain
    activity does, is left out of the equations. No frame's answer depends on another's.

    The recording is read twice: a spread of frames for the reference, then all, in blocks of time.

    Parameters
    ----------
    recording : xarray.DataArray, (time, y, x) or (time, z, y, x), in any order
        Any real values. A single slice (z of length one) moves in its plane. Voxels that are NaN
        are left out, frame by frame. Coordinates are evenly spaced, in one unit of length; without
        them distances are in voxels.
    transform : {"rigid", "translation", "piecewise"}
        Shifts and rotation (3 parameters in a plane, 6 in a volume), or shifts only: in planes
        the peak of a frame's correlation with the reference (Guizar-Sicairos et al. 2008), to a
        fraction of a voxel. "piecewise", for planes: tissue that bends. Patches of 64 voxels,
        half overlapping, are matched near the shift of the whole frame, up to 5 voxels beyond
        (Pnevmatikakis & Giovannucci 2017), and a smooth field is fitted to what they tell.
    reference : {"robust", "mean"}, int or xarray.DataArray
        What to align to. "robust": the mean of a spread of frames, sharpened by aligning them to
        it, round by round; frames that resemble it least are left out, and its place is the median
        place of the tissue. "mean": the mean over time as it is. A number: that frame. An image
        with the recording's coordinates in space: that image.
    per : {"volume", "plane"}
        Whether the planes of a volume move together, or each on its own.
    max_shift : float or None
        Longest displacement along each axis, in the units of space; frames found beyond are held
        there and are suspect. At most half the field; None: a quarter of it, and two voxels.
    smooth : float or None
        Full width at half maximum, s, of a Gaussian that the motion is smoothed with over time,
        by the time coordinate; suspect frames are left out of the average. None: not smoothed.
    verbose : int
        1 shows a progress bar.

    Returns
    -------
    xarray.Dataset
        ``translation`` (time, axis): displacement of the tissue relative to the reference, in the
        units of space, positive towards larger coordinates; axes in the order y, x or z, y, x.
        ``rotation`` (time, rotation_axis): radians about the centre of the field; one angle in a
        plane, from the first axis towards the second; three in a volume, about z (y towards x),
        y (z towards x) and x (z towards y), the one about x applied first. ``affine`` (time, row,
        column): takes reference to frame coordinates, axes in the order of `axis`.
        ``similarity``: correlation of the aligned frame with the reference, 0 for blank frames.
        ``converged``: whether the steps ended. ``framewise_displacement``: how far voxels moved
        since the frame before, rms over the field, 0 for the first. ``suspect``: frames that did
        not converge, whose similarity falls below that of their 60 neighbours by five scaled
        median absolute deviations (and 0.02), or that jumped, further than the median way by ten
        of them (and a voxel). ``reference``: what was aligned to. With ``per="plane"`` all have
        the dimension of planes after time. With ``transform="piecewise"`` the rotation is 0,
        ``translation`` is that of the whole frame, and ``displacement`` (time, axis, patch_y,
        patch_x) that of the tissue at the centres of patches, translation included, in the units
        of space, as are the coordinates ``patch_y`` and ``patch_x``; ``affine`` holds its mean
        over the field, and ``framewise_displacement`` tells of it.

        A frame that could not be followed at all (blank, constant, mostly NaN) has the motion
        between its neighbours, is not converged, and is suspect.

    Raises
    ------
    TypeError
        If `recording` is no DataArray of real numbers.
    ValueError
        If there are dimensions beside time and space, fewer than two frames, fewer than 8 voxels
        along y or x or 4 along z, uneven or mixed coordinates; if a parameter is unknown; if
        a volume that moves as one is to bend; if every frame, or the reference, is constant.

    References
    ----------
    Baker & Matthews (2004), Lucas-Kanade 20 years on: a unifying framework.
    Evangelidis & Psarakis (2008), Parametric image alignment using enhanced correlation
    coefficient maximization.
    Guizar-Sicairos, Thurman & Fienup (2008), Efficient subpixel image registration algorithms.
    Pnevmatikakis & Giovannucci (2017), NoRMCorre: an online algorithm for piecewise rigid motion
    correction of calcium imaging data.

    Examples
    --------
    >>> import partita as pt
    >>> truth = pt.datasets.simulate_fusi(
    ...     n_times=40, shape=(1, 48, 40), motion=0.03, rotation=0.2, random_state=0
    ... )
    >>> motion = pt.preprocess.estimate_motion(truth.recording)
    >>> motion.translation.dims
    ('time', 'axis')
    >>> error = motion.translation - truth.translation
    >>> bool((error - error.mean("time")).std() < 0.005)
    True
    """
    motion, _ = _estimate(
        recording,
        transform=transform,
        reference=reference,
        per=per,
        max_shift=max_shift,
        smooth=smooth,
        verbose=verbose,
        caller="estimate_motion",
    )
    return motion


def apply_motion(
    recording: xr.DataArray,
    motion: xr.Dataset,
    *,
    interpolation: str = "cubic",
    fill: str = "nearest",
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
    grid = grid_of(recording, per=per, caller="apply_motion")
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
    transform: str = "rigid",
    reference: Reference = "robust",
    per: str = "volume",
    max_shift: float | None = None,
    smooth: float | None = None,
    interpolation: str = "cubic",
    fill: str = "nearest",
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
    transform, reference, per, max_shift, smooth, verbose
        As for `estimate_motion`.
    interpolation, fill
        As for `apply_motion`.

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
    motion, grid = _estimate(
        recording,
        transform=transform,
        reference=reference,
        per=per,
        max_shift=max_shift,
        smooth=smooth,
        verbose=verbose,
        caller="register",
    )
    result = beside_recording(_apply(recording, motion, grid, interpolation, fill), motion)
    line = describe_call(
        "register",
        transform=transform,
        reference=describe_reference(reference),
        per=per,
        max_shift=max_shift,
        smooth=smooth,
        interpolation=interpolation,
        fill=fill,
    )
    return append_history(result, line)


def _estimate(
    recording: xr.DataArray,
    *,
    transform: str,
    reference: Reference,
    per: str,
    max_shift: float | None,
    smooth: float | None,
    verbose: int,
    caller: str,
) -> tuple[xr.Dataset, Grid]:
    require_parameters(transform=transform, max_shift=max_shift, smooth=smooth, caller=caller)
    grid = grid_of(recording, per=per, caller=caller)
    require_planes(transform, grid, caller=caller)
    checks.require_samples(recording, sample_dim=SAMPLES, caller=caller)
    laid = grid.lay_out(recording)
    image = resolve_reference(reference, laid, grid, caller=caller)
    try:
        tracks = tracking.track(
            laid, grid, transform=transform, reference=image, max_shift=max_shift, verbose=verbose
        )
    except NoContrastError as reason:
        raise ValueError(
            f"{caller} has nothing to align: {reason}. Look at a few frames, "
            "recording.isel(time=[0, -1]).plot(col='time'), and choose another reference."
        ) from None
    motion = motion_dataset(tracks, laid, grid, smooth=smooth, caller=caller)
    said = describe_call(
        "estimate_motion",
        transform=transform,
        reference=describe_reference(reference),
        per=per,
        max_shift=max_shift,
        smooth=smooth,
    )
    return motion.assign_attrs(transform=transform, per=per, history=said), grid


def _apply(
    recording: xr.DataArray, motion: xr.Dataset, grid: Grid, interpolation: str, fill: str
) -> xr.DataArray:
    laid = grid.lay_out(recording)
    if "displacement" in motion:
        bend, *centres = bending_of(motion, grid)
        still = moving.straighten(
            laid, bend, (centres[0], centres[1]), interpolation=interpolation, fill=fill
        )
        return grid.bring_back(still, recording)
    affine = motion["affine"].values
    affine = affine if grid.plane else affine[:, np.newaxis]
    still = moving.undo(laid, affine, grid, order=ORDERS[interpolation], fill=fill)
    return grid.bring_back(still, recording)


def _require_words(*, interpolation: str, fill: str) -> None:
    for name, given, known in (
        ("interpolation", interpolation, tuple(ORDERS)),
        ("fill", fill, _FILLS),
    ):
        if given not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, and was {given!r}.")
