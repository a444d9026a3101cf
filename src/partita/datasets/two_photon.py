"""A two-photon recording whose motion, rigid or not, is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from partita._labels.numbers import (
    require_amounts,
    require_counts,
    require_floating,
    require_positive,
)
from partita.datasets.canvas import lay_canvas
from partita.datasets.coordinates import (
    FLUORESCENCE,
    require_field,
    require_spacing,
    space_coordinate,
    time_coordinate,
    with_history,
)
from partita.datasets.neuropil import paint_neuropil
from partita.datasets.nonrigid_motion import Bending, displacements, draw_bending, render_bent
from partita.datasets.rigid_motion import draw_motion
from partita.datasets.seeds import Seed, spawn_generators

CALLER = "simulate_two_photon"
BRIGHTNESS = 100.0
"""Mean of the recording where no photons are counted."""
PHOTONS = {"units": "photons", "long_name": "Fluorescence"}


def simulate_two_photon(
    *,
    n_times: int = 200,
    shape: Sequence[int] = (256, 256),
    spacing: float | Sequence[float] = 0.002,
    sampling_interval: float = 1 / 30,
    motion: float = 0.0,
    transient: float = 0.0,
    warp: float = 0.0,
    photons: float | None = None,
    snr: float | None = None,
    random_state: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> xr.Dataset:
    r"""Simulate a two-photon recording of tissue that moves by a known displacement.

    The tissue that lies at :math:`r` in the reference :math:`S` is at
    :math:`r + d(r, t)` in frame :math:`t`:

    .. math:: F(r + d(r, t),\ t) = S(r), \qquad d(r, t) = u(t) + w(r, t),

    with a translation :math:`u` of the whole field and a smooth bending :math:`w` of at most one
    and a half waves across the field, whose mean over the field is nought. The scene (cell
    bodies with darker nuclei, neurites, neuropil, shadows of vessels) is painted three times
    finer than the pixels and a fifth wider than the field on every side, moved and sampled once
    by a cubic spline, so no frame is interpolated from another; what enters the field is tissue.
    Then comes noise: counted photons, or Gaussian.

    The same seed gives the same tissue and translation whatever the noise and the warp.

    Parameters
    ----------
    n_times : int
        Number of frames, at least 2.
    shape : sequence of 2 int
        Pixels along y and x, at least 4.
    spacing : float or sequence of 2 float
        Pixel size along y and x, mm; one number for both.
    sampling_interval : float
        Time between frames, s.
    motion : float
        Jitter of the whole field from frame to frame, rms length of the displacement, mm.
    transient : float
        Largest of the brief displacements that come on top about every 20 s, mm.
    warp : float
        Largest bending along an axis, reached somewhere in every frame, mm; 0 for none.
    photons : float, optional
        Mean number of photons in a pixel: the recording is then Poisson.
    snr : float, optional
        Signal over noise: the standard deviation of the scene, in standard deviations of the
        noise, which is Gaussian. Without `photons` and `snr` there is no noise.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed; None differs from call to call.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    xarray.Dataset
        ``recording`` (time, y, x): photons, or arbitrary units with a mean of 100.
        ``reference`` (y, x): the scene where nothing moves, without noise. ``translation``
        (time, axis): :math:`u` in mm, positive towards larger coordinates. With a warp also
        ``displacement`` (time, axis, y, x): :math:`d` in mm at the pixels of the reference,
        translation included.

    Raises
    ------
    ValueError
        If a size is out of its range, `photons` and `snr` are both given, the dtype is no
        floating type, the motion carries the field beyond the simulated tissue, or the warp
        would fold it.

    Examples
    --------
    >>> from partita.datasets import simulate_two_photon
    >>> truth = simulate_two_photon(
    ...     n_times=5, shape=(48, 64), motion=0.004, warp=0.002, photons=20, random_state=0
    ... )
    >>> truth.recording.dims, truth.displacement.dims
    (('time', 'y', 'x'), ('time', 'axis', 'y', 'x'))
    """
    given = dict(locals())
    kind = require_floating(CALLER, dtype)
    counts = require_field(CALLER, shape, n_axes=2, least=4)
    require_counts(CALLER, minimum=2, n_times=n_times)
    steps = require_spacing(CALLER, spacing, axes=("y", "x"))
    require_positive(CALLER, sampling_interval=sampling_interval)
    shaking = {"motion": motion, "transient": transient}
    require_amounts(CALLER, **shaking, warp=warp)
    _require_noise(photons=photons, snr=snr)
    tissue_rng, motion_rng, warp_rng, noise_rng = spawn_generators(random_state, 4)
    times = np.round(sampling_interval * np.arange(n_times), 9)
    canvas = lay_canvas(counts, steps)
    tissue = (photons or BRIGHTNESS) * paint_neuropil(canvas, rng=tissue_rng)
    shift = draw_motion(times, 2, **shaking, rotation=0.0, rng=motion_rng).translation
    path = draw_bending(shift, counts, warp=warp, rng=warp_rng)
    frames = np.maximum(render_bent(canvas, tissue, path, counts), 0)
    reference = canvas.at_voxels(tissue)
    spread = 0.0 if snr is None else float(reference.std()) / snr
    _add_noise(frames, spread, counted=photons is not None, rng=noise_rng)
    words = FLUORESCENCE if photons is None else PHOTONS
    truth = xr.Dataset(
        {
            "recording": (("time", "y", "x"), frames.astype(kind, copy=False), dict(words)),
            "reference": (("y", "x"), reference.astype(kind), dict(words)),
        },
        coords={
            "time": time_coordinate(times),
            "y": space_coordinate("y", 0.0, steps[0], counts[0]),
            "x": space_coordinate("x", 0.0, steps[1], counts[1]),
        },
    )
    return with_history(_add_motion(truth, path, kind), CALLER, given)


def _require_noise(**noise: float | None) -> None:
    """Refuse two kinds of noise, and amounts that are none (ValueError)."""
    given = {name: value for name, value in noise.items() if value is not None}
    if len(given) > 1:
        raise ValueError(
            f"{CALLER} adds one kind of noise: give photons= or snr=, not both; got "
            f"photons={given['photons']:g} and snr={given['snr']:g}."
        )
    require_positive(CALLER, **given)


def _add_noise(
    frames: npt.NDArray[np.float32], spread: float, *, counted: bool, rng: np.random.Generator
) -> None:
    """Count photons, or add Gaussian noise of standard deviation `spread`, in place."""
    if counted:
        for frame in frames:
            frame[:] = rng.poisson(frame)
    if spread:
        for frame in frames:
            frame += np.float32(spread) * rng.standard_normal(frame.shape, dtype=np.float32)


def _add_motion(truth: xr.Dataset, path: Bending, kind: np.dtype[np.floating]) -> xr.Dataset:
    """Add where the tissue truly was, in mm."""
    words = {"units": "mm", "long_name": "Displacement of the tissue"}
    truth = truth.assign(translation=(("time", "axis"), path.translation, dict(words)))
    truth = truth.assign_coords(axis=["y", "x"])
    if path.is_rigid:
        return truth
    bent = displacements(path, truth.reference.shape)
    total = (bent + path.translation[:, :, None, None]).astype(kind)
    return truth.assign(displacement=(("time", "axis", "y", "x"), total, dict(words)))
