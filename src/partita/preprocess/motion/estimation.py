"""Motion of the tissue, estimated."""

from __future__ import annotations

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history, describe_call
from partita._solvers.registration.template import NoContrastError
from partita.preprocess.motion import tracking
from partita.preprocess.motion.motion_dataset import motion_dataset
from partita.preprocess.motion.options import Options, Reference
from partita.preprocess.motion.tracking import Transform
from partita.preprocess.motion.voxel_grid import Per, VoxelGrid, voxel_grid_of


def estimate_motion(
    recording: xr.DataArray,
    *,
    transform: Transform = "rigid",
    reference: Reference = "robust",
    per: Per = "volume",
    max_shift: float | None = None,
    smooth_fwhm: float | None = None,
    patch_size: float | None = None,
    max_deviation: float | None = None,
    sample_dim: str = "time",
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
        fraction of a voxel. "piecewise", for planes: tissue that bends. Patches, half overlapping,
        are matched near the shift of the whole frame (Pnevmatikakis & Giovannucci 2017), and a
        smooth field is fitted to what they tell.
    reference : {"robust", "mean"}, int or xarray.DataArray
        What to align to. "robust": the mean of a spread of frames, sharpened by aligning them to
        it, round by round; frames that resemble it least are left out, and its place is the median
        place of the tissue. In planes that do not turn they are aligned by shifts alone, in coarse
        pixels, to the mean of the others. "mean": the mean over time as it is. A number: that
        frame. An image with the recording's coordinates in space: that image.
    per : {"volume", "plane"}
        Whether the planes of a volume move together, or each on its own.
    max_shift : float or None
        Longest displacement along each axis, in the units of space; frames found beyond are held
        there and are suspect. At most half the field; None: a quarter of it, and two voxels.
    smooth_fwhm : float or None
        Full width at half maximum, s, of a Gaussian that the motion is smoothed with over time,
        by the time coordinate; suspect frames are left out of the average. None: not smoothed.
    patch_size : float or None
        For ``transform="piecewise"`` only: length of a patch along either axis, in the units of
        space, at least 16 voxels. Small ones follow finer bending and need more light. None: 64
        voxels.
    max_deviation : float or None
        For ``transform="piecewise"`` only: how far a patch may be displaced beyond the whole frame
        along each axis, in the units of space; at most half a patch. None: 5 voxels.
    sample_dim : str
        The dimension of samples.
    verbose : int
        1 shows on stderr how far it is.

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
        median absolute deviations (and 0.02), that lie elsewhere than the frames around, by ten of
        them (and a voxel; five and two voxels where the similarity is usually below 0.5), or that
        jumped, further than the median way by ten of them (and a voxel). ``reference``: what was
        aligned to. With ``per="plane"`` all have the dimension of planes after time. With
        ``transform="piecewise"`` the rotation is 0, ``translation`` is that of the whole frame, and
        ``displacement`` (time, axis, patch_y, patch_x) that of the tissue at the centres of
        patches, translation included, in the units of space, as are the coordinates ``patch_y`` and
        ``patch_x``; ``affine`` holds its mean over the field, and ``framewise_displacement`` tells
        of it.

        A frame that could not be followed at all (blank, constant, mostly NaN) has the motion
        between its neighbours, is not converged, and is suspect.

    Raises
    ------
    TypeError
        If `recording` is no DataArray of real numbers.
    ValueError
        If there are dimensions beside time and space, fewer than two frames, fewer than 8 voxels
        along y or x or 4 along z, uneven or mixed coordinates; if a parameter is unknown, out of
        range, or of another transform; if a volume that moves as one is to bend; if every frame,
        or the reference, is constant.

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
    options = Options(transform, reference, per, max_shift, smooth_fwhm, patch_size, max_deviation)
    motion, _ = estimate(
        recording, options, sample_dim=sample_dim, verbose=verbose, caller="estimate_motion"
    )
    return motion


def estimate(
    recording: xr.DataArray, options: Options, *, sample_dim: str, verbose: int, caller: str
) -> tuple[xr.Dataset, VoxelGrid]:
    """Find the motion of a recording on behalf of `caller`, and the grid that it is on."""
    options.require(caller=caller)
    grid = voxel_grid_of(recording, per=options.per, sample_dim=sample_dim, caller=caller)
    patches = options.patches(grid, caller=caller)
    checks.require_samples(recording, sample_dim=sample_dim, caller=caller)
    laid = grid.lay_out(recording)
    if laid.dtype.itemsize > 8:  # longer numbers than what is compiled knows
        laid = laid.astype(np.float64)
    image = options.image(laid, grid, caller=caller)
    try:
        tracks = tracking.track(
            laid,
            grid,
            transform=options.transform,
            reference=image,
            max_shift=options.max_shift,
            patches=patches,
            verbose=verbose,
        )
    except NoContrastError as reason:
        raise ValueError(
            f"{caller} has nothing to align: {reason}. Look at a few frames, "
            f"recording.isel({sample_dim}=[0, -1]).plot(col={sample_dim!r}), and choose another "
            "reference."
        ) from None
    motion = motion_dataset(tracks, laid, grid, smooth_fwhm=options.smooth_fwhm, caller=caller)
    motion.attrs = {"transform": options.transform, "per": options.per}
    line = describe_call("estimate_motion", **options.said())
    return append_history(motion, line, after=recording), grid
