"""A functional-ultrasound recording with known sources and known motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import signal

from partita._labels.numbers import (
    require_amounts,
    require_counts,
    require_floating,
    require_positive,
)
from partita.datasets.brain_phantom import paint_power, paint_regions
from partita.datasets.canvas import Canvas, lay_canvas
from partita.datasets.coordinates import (
    POWER,
    SOURCE_MAP,
    component_coordinate,
    grid_coordinate,
    require_field,
    require_spacing,
    space_coordinate,
    time_coordinate,
    with_history,
)
from partita.datasets.rigid_motion import Motion, affines, draw_motion, render_moving
from partita.datasets.seeds import Seed, spawn_generators

Floats = npt.NDArray[np.float64]

CALLER = "simulate_fusi"
# Of the first voxel, mm: as in the recordings of Nunez-Elizalde et al. (2022).
FIRST_DEPTH = 2.73008
FIRST_PLANE = 1.0
FINE_STEP = 0.05
"""Interval at which haemodynamic drive is drawn before it is sampled, s."""


def simulate_fusi(
    *,
    n_times: int = 751,
    shape: Sequence[int] = (1, 114, 80),
    n_components: int = 10,
    spacing: float | Sequence[float] = (0.4, 0.04832, 0.1),
    sampling_interval: float = 0.3,
    timing_jitter: float = 0.0,
    amplitude: float = 0.08,
    speckle: float = 0.1,
    motion: float = 0.0,
    transient: float = 0.0,
    rotation: float = 0.0,
    random_state: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> xr.Dataset:
    r"""Simulate a power Doppler recording of a brain slice whose sources are known.

    The noise-free power at place :math:`r` and time :math:`t` is

    .. math:: C(r, t) = P(r) \Bigl(1 + \sum_k m_k(r)\, s_k(t)\Bigr),

    with :math:`P` a vessel-like image (vessels grown by random walks over a log-normal capillary
    bed, inside the outline of a brain, 4e3 to 5e4), :math:`m_k \ge 0` smooth regions with a peak
    of 1, every other one with a twin across the midline, and :math:`s_k` signed haemodynamic
    fluctuations. The recording is :math:`Y(r, t) = C(A_t^{-1} r, t)\, g(r, t)`: the tissue moves
    as one rigid body, :math:`A_t`, and speckle :math:`g` multiplies it, independent gamma noise
    of mean 1. The tissue is painted three times finer than the voxels (twice in volumes) and a
    fifth wider than the field on every side, moved and sampled once by a cubic spline; what
    enters the field is tissue. Power is never negative.

    The same seed gives the same tissue, sources and speckle whatever the motion, so a recording
    and its motionless twin can be compared.

    Parameters
    ----------
    n_times : int
        Number of volumes, at least 2.
    shape : sequence of 3 int
        Voxels along z, y and x. One plane (z = 1) moves in the plane, more planes move in space.
    n_components : int
        Number of sources.
    spacing : float or sequence of 3 float
        Voxel size along z, y and x, mm; one number for all.
    sampling_interval : float
        Time between volumes, s.
    timing_jitter : float
        Standard deviation of the start of each volume about its regular time, s; below a fifth
        of `sampling_interval`, so that time rises.
    amplitude : float
        Typical standard deviation of :math:`s_k`, a fraction of the power (single sources
        between 0.7 and 1.3 times this).
    speckle : float
        Standard deviation of the multiplicative noise, a fraction of the power; 0 for none.
    motion : float
        Jitter of the tissue from volume to volume, rms length of the displacement, mm.
    transient : float
        Largest of the brief displacements that come on top about every 20 s, mm.
    rotation : float
        Jitter of the angle (of each of three angles together in space), rms, degrees.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed; None differs from call to call.
    dtype : dtype
        float32 or float64, of the recording and of its sources.

    Returns
    -------
    xarray.Dataset
        ``recording`` (time, z, y, x): power Doppler, arbitrary units. ``power`` (z, y, x): the
        mean image *P*. ``maps`` (component, z, y, x) and ``signals`` (time, component): the
        sources, so that without motion and speckle ``recording`` equals
        ``power * (1 + (maps * signals).sum("component"))``. The motion:
        ``translation`` (time, axis), the displacement of the tissue in mm, positive towards
        larger coordinates; ``rotation`` (time, rotation_axis) in radians about the centre of the
        field, positive from y towards x, z towards x and z towards y; ``affine`` (time, row,
        column), which takes reference to frame coordinates in mm, axes in the order of `axis`.

    Raises
    ------
    ValueError
        If a size is not positive, the dtype is no floating type, or the motion carries the field
        beyond the simulated tissue.

    Notes
    -----
    Geometry, sampling and power of the defaults are those of the recordings of
    Nunez-Elizalde et al. (2022), :func:`partita.datasets.fetch_nunez_elizalde_2022`. A recording
    that shakes as awake mice do: ``motion=0.03, transient=0.23, rotation=0.2``.

    Examples
    --------
    >>> from partita.datasets import simulate_fusi
    >>> truth = simulate_fusi(n_times=20, shape=(1, 32, 24), n_components=3, random_state=0)
    >>> dict(truth.recording.sizes)
    {'time': 20, 'z': 1, 'y': 32, 'x': 24}
    >>> truth.maps.dims, truth.signals.dims
    (('component', 'z', 'y', 'x'), ('time', 'component'))
    """
    given = dict(locals())
    kind = require_floating(CALLER, dtype)
    counts = require_field(CALLER, shape, n_axes=3, least=4)
    steps = require_spacing(CALLER, spacing, axes=("z", "y", "x"))
    require_counts(CALLER, n_components=n_components)
    require_counts(CALLER, minimum=2, n_times=n_times)
    shaking = {"motion": motion, "transient": transient, "rotation": rotation}
    require_amounts(CALLER, amplitude=amplitude, speckle=speckle, **shaking)
    tissue_rng, course_rng, motion_rng, speckle_rng, time_rng = spawn_generators(random_state, 5)
    times = _draw_times(n_times, sampling_interval, timing_jitter, rng=time_rng)
    moving = slice(1 if counts[0] == 1 else 0, None)
    canvas = lay_canvas(counts[moving], steps[moving])
    power = paint_power(canvas, rng=tissue_rng)
    regions = paint_regions(canvas, n_components, rng=tissue_rng)
    signals = amplitude * course_rng.uniform(0.7, 1.3, n_components)
    signals = signals * _draw_courses(times, n_components, rng=course_rng)
    path = draw_motion(times, len(counts[moving]), **shaking, rng=motion_rng)
    frames = _render(canvas, power, regions, signals, path, counts[moving], kind)
    _add_speckle(frames, speckle, rng=speckle_rng)
    truth = _label(
        times,
        counts,
        steps,
        recording=frames,
        power=canvas.at_voxels(power),
        maps=canvas.at_voxels(regions),
        signals=signals,
    )
    return with_history(_add_motion(truth, path), CALLER, given)


def _draw_times(
    n_times: int, sampling_interval: float, timing_jitter: float, *, rng: np.random.Generator
) -> Floats:
    """Start of each volume, s; whole milliseconds where it is irregular."""
    require_positive(CALLER, sampling_interval=sampling_interval)
    require_amounts(CALLER, timing_jitter=timing_jitter)
    if timing_jitter > sampling_interval / 5:
        raise ValueError(
            f"{CALLER} needs timing_jitter of at most a fifth of the sampling interval, "
            f"{sampling_interval / 5:g} s, so that time rises; got {timing_jitter:g} s."
        )
    regular = sampling_interval * np.arange(n_times)
    shifts = timing_jitter * np.clip(rng.standard_normal(n_times), -2, 2)
    times: Floats = np.round(regular + shifts - shifts[0], 3 if timing_jitter else 9)
    return times


def _draw_courses(times: Floats, count: int, *, rng: np.random.Generator) -> Floats:
    """Draw slow signed fluctuations (n_times, count) of zero mean and unit standard deviation.

    Bursts of activity (a Poisson process of 0.08 a second, log-normal strength) over white noise,
    convolved with a gamma-shaped response that peaks after 1.5 s.
    """
    # Longer than the response, 12 s, so that the first volume has a past.
    lead = 15.0
    n_fine = int(np.ceil((times[-1] - times[0] + lead) / FINE_STEP)) + 2
    fine = times[0] - lead + FINE_STEP * np.arange(n_fine)
    bursts = rng.random((n_fine, count)) < 0.08 * FINE_STEP
    drive = bursts * rng.lognormal(0, 0.5, bursts.shape)
    drive += 0.04 * rng.standard_normal(drive.shape)
    lag = np.arange(0, 12, FINE_STEP)
    response = lag**3 * np.exp(-lag / 0.5)
    courses = signal.fftconvolve(drive, response[:, None], axes=0)[:n_fine]
    sampled = np.column_stack([np.interp(times, fine, course) for course in courses.T])
    centred = sampled - sampled.mean(axis=0)
    courses = centred / np.maximum(centred.std(axis=0), 1e-12)
    return np.asarray(courses, dtype=np.float64)


def _render(
    canvas: Canvas,
    power: Floats,
    regions: npt.NDArray[np.float32],
    signals: Floats,
    path: Motion,
    shape: tuple[int, ...],
    kind: np.dtype[np.floating],
) -> npt.NDArray[np.floating]:
    """Noise-free frames (n_times, *shape), moved where anything moves."""
    if not path.is_still:
        moved = render_moving(canvas, power, regions, signals, path, shape)
        np.maximum(moved, 0, out=moved)
        return moved.astype(kind, copy=False)
    seen = canvas.at_voxels(power).ravel().astype(kind)
    maps = canvas.at_voxels(regions).reshape(len(regions), -1).astype(kind)
    frames = signals.astype(kind) @ maps
    frames += 1
    frames *= seen
    np.maximum(frames, 0, out=frames)
    return frames.reshape(len(signals), *shape)


def _add_speckle(
    frames: npt.NDArray[np.floating], speckle: float, *, rng: np.random.Generator
) -> None:
    """Multiply by gamma noise of mean 1 and standard deviation `speckle`, in place."""
    if not speckle:
        return
    shape = 1 / speckle**2
    for frame in frames:
        frame *= rng.standard_gamma(shape, frame.shape, dtype=np.float32) / np.float32(shape)


def _label(
    times: Floats,
    shape: tuple[int, ...],
    spacing: tuple[float, ...],
    **arrays: npt.NDArray[np.floating],
) -> xr.Dataset:
    """Name the dimensions of everything and give them coordinates."""
    recording, maps = arrays["recording"], arrays["maps"]
    kind = recording.dtype
    first = (FIRST_PLANE, FIRST_DEPTH, -spacing[2] * (shape[2] - 1) / 2)
    space = ("z", "y", "x")
    places = {
        name: space_coordinate(name, start, step, count)
        for name, start, step, count in zip(space, first, spacing, shape, strict=True)
    }
    signal_words = {"units": "1", "long_name": "Relative change of power at the map's peak"}
    return xr.Dataset(
        {
            "recording": (("time", *space), recording.reshape(-1, *shape), dict(POWER)),
            "power": (space, arrays["power"].reshape(shape).astype(kind), dict(POWER)),
            "maps": (
                ("component", *space),
                maps.reshape(-1, *shape).astype(kind),
                dict(SOURCE_MAP),
            ),
            "signals": (("time", "component"), arrays["signals"].astype(kind), signal_words),
        },
        coords={
            "time": time_coordinate(times),
            **places,
            "component": component_coordinate(len(maps)),
            "grid": grid_coordinate(),
        },
    )


def _add_motion(truth: xr.Dataset, path: Motion) -> xr.Dataset:
    """Add where the tissue truly was, in the terms of the recording's coordinates."""
    in_plane = path.translation.shape[1] == 2
    axes = ["y", "x"] if in_plane else ["z", "y", "x"]
    centre = np.array([float(truth[axis].mean()) for axis in axes])
    words = {"units": "mm", "long_name": "Displacement of the tissue"}
    turn = {"units": "rad", "long_name": "Rotation about the centre of the field"}
    return truth.assign(
        translation=(("time", "axis"), path.translation, words),
        rotation=(("time", "rotation_axis"), path.rotation, turn),
        affine=(
            ("time", "row", "column"),
            affines(path, centre),
            {"long_name": "Reference to frame coordinates in mm"},
        ),
    ).assign_coords(axis=axes, rotation_axis=["z"] if in_plane else axes)
