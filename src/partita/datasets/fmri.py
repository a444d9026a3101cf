"""An fMRI run whose sources, drifts, motion and physiology are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import ndimage, signal

from partita._labels.numbers import (
    require_amounts,
    require_counts,
    require_floating,
    require_positive,
)
from partita.datasets.coordinates import (
    SOURCE_MAP,
    component_coordinate,
    grid_coordinate,
    require_field,
    require_spacing,
    space_coordinate,
    time_coordinate,
    with_history,
)
from partita.datasets.seeds import Seed, spawn_generators

Floats = npt.NDArray[np.float64]

CALLER = "simulate_fmri"
BOLD = {"units": "a.u.", "long_name": "BOLD signal"}
CHANGE = {"units": "1", "long_name": "Relative change of the signal"}
BRIGHTNESS = 1000.0
"""Of white matter; grey matter is brighter by 15 %, ventricles by 50 %."""
BLOCK_LENGTH = 20.0
"""Of the task: on and off for as long, s."""


def simulate_fmri(
    *,
    n_times: int = 240,
    shape: Sequence[int] = (1, 40, 40),
    n_components: int = 4,
    spacing: float | Sequence[float] = 4.0,
    sampling_interval: float = 2.0,
    amplitude: float = 0.012,
    drift: float = 0.02,
    motion: float = 0.1,
    physiology: float = 0.02,
    noise: float = 0.006,
    random_state: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> xr.Dataset:
    r"""Simulate an fMRI run of which it is known what every step of cleaning should find.

    .. math:: Y(r, t) = B(r) \Bigl(1 + \sum_k m_k(r) s_k(t) + d(r, t) + p(r) g(t)\Bigr)
       - \nabla B(r) \cdot u(t) + j(r, t) + \varepsilon(r, t),

    with a head of grey and white matter and two ventricles, :math:`B`, in the dark; one source
    that follows a task (20 s on, 20 s off) and others that fluctuate below 0.1 Hz at rest,
    :math:`s_k`, in grey matter; slow drifts :math:`d` of periods beyond 150 s; a physiological
    rhythm :math:`g`, breathing and heart beats aliased by the sampling, strongest in the
    ventricles; motion :math:`u`, a slow wander with jumps, which shows at the edges; and frames
    :math:`j` that every jump spoils beyond what motion explains. The recording is the magnitude,
    :math:`|Y|`.

    Parameters
    ----------
    n_times : int
        Number of volumes, at least 20.
    shape : sequence of 3 int
        Voxels along z, y and x; at least 16 along y and x.
    n_components : int
        Number of sources; the first follows the task.
    spacing : float or sequence of 3 float
        Voxel size along z, y and x, mm; one number for all.
    sampling_interval : float
        Time between volumes, s.
    amplitude, drift, physiology : float
        Standard deviation over time of a source at its peak, of the drift of a typical voxel and
        of physiology in a ventricle, as fractions of the brightness.
    motion : float
        Standard deviation of the slow displacement along each axis, mm; jumps reach eight times
        as far. 0 for none, without jumps and spoilt frames too.
    noise : float
        Standard deviation of the noise, a fraction of the brightness of white matter.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed; None differs from call to call.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    xarray.Dataset
        ``recording`` (time, z, y, x), arbitrary units; ``brightness``, *B*, and the masks
        ``brain`` and ``ventricles`` (z, y, x); ``maps`` (component, z, y, x) with a peak of 1 and
        ``signals`` (time, component), relative changes; ``drift`` (time, z, y, x), relative too;
        ``physiology`` (time); ``translation`` (time, axis) in mm; ``suspect`` (time), the frames
        spoilt by jumps.

    Raises
    ------
    ValueError
        If a size, time or amount is out of its range, or the dtype is no floating type.

    Examples
    --------
    >>> from partita.datasets import simulate_fmri
    >>> truth = simulate_fmri(n_times=40, random_state=0)
    >>> dict(truth.recording.sizes)
    {'time': 40, 'z': 1, 'y': 40, 'x': 40}
    """
    given = dict(locals())
    kind = require_floating(CALLER, dtype)
    counts = require_field(CALLER, shape, n_axes=3, least=16)
    require_counts(CALLER, n_components=n_components)
    require_counts(CALLER, minimum=20, n_times=n_times)
    steps = require_spacing(CALLER, spacing, axes=("z", "y", "x"))
    require_positive(CALLER, sampling_interval=sampling_interval)
    amounts = {"amplitude": amplitude, "drift": drift, "motion": motion}
    amounts |= {"physiology": physiology, "noise": noise}
    require_amounts(CALLER, **amounts)
    map_rng, course_rng, drift_rng, beat_rng, motion_rng, noise_rng = spawn_generators(
        random_state, 6
    )
    times = np.round(sampling_interval * np.arange(n_times), 9)
    head = _Head(counts)
    maps = _draw_maps(head, n_components, rng=map_rng)
    signals = amplitude * _draw_courses(times, n_components, rng=course_rng)
    wander = _draw_drift(times, counts, rng=drift_rng) * drift
    beat = physiology * _draw_beat(times, rng=beat_rng)
    shift, suspect = _draw_motion(n_times, motion, rng=motion_rng)
    change = np.tensordot(signals, maps, 1) + wander
    change += np.multiply.outer(beat, head.rhythm)
    frames = head.brightness * (1 + change)
    slopes = [_slope(head.brightness, axis, step) for axis, step in enumerate(steps)]
    frames -= np.tensordot(shift, np.array(slopes), 1)
    frames += _spoil(suspect, counts, rng=motion_rng) * head.brightness
    frames += noise * BRIGHTNESS * noise_rng.standard_normal(frames.shape)
    truth = _label(
        times, counts, steps, kind,
        recording=np.abs(frames), head=head, maps=maps, signals=signals, drift=wander,
        beat=beat, shift=shift, suspect=suspect,
    )  # fmt: skip
    return with_history(truth, CALLER, given)


def _label(
    times: Floats,
    counts: tuple[int, ...],
    spacing: tuple[float, ...],
    kind: np.dtype[np.floating],
    *,
    recording: Floats,
    head: _Head,
    maps: Floats,
    signals: Floats,
    drift: Floats,
    beat: Floats,
    shift: Floats,
    suspect: npt.NDArray[np.bool_],
) -> xr.Dataset:
    """Name the dimensions of everything and give them coordinates."""
    space = ("z", "y", "x")
    centred = [-step * (n - 1) / 2 for step, n in zip(spacing, counts, strict=True)]
    return xr.Dataset(
        {
            "recording": (("time", *space), recording.astype(kind), dict(BOLD)),
            "brightness": (space, head.brightness.astype(kind), dict(BOLD)),
            "brain": (space, head.brain, {"long_name": "Brain"}),
            "ventricles": (space, head.ventricles, {"long_name": "Ventricles"}),
            "maps": (("component", *space), maps.astype(kind), dict(SOURCE_MAP)),
            "signals": (("time", "component"), signals.astype(kind), dict(CHANGE)),
            "drift": (("time", *space), drift.astype(kind), dict(CHANGE)),
            "physiology": ("time", beat.astype(kind), dict(CHANGE)),
            "translation": (
                ("time", "axis"),
                shift,
                {"units": "mm", "long_name": "Displacement of the tissue"},
            ),
            "suspect": ("time", suspect, {"long_name": "Spoilt frame"}),
        },
        coords={
            "time": time_coordinate(times),
            **{
                name: space_coordinate(name, start, step, n)
                for name, start, step, n in zip(space, centred, spacing, counts, strict=True)
            },
            "axis": list(space),
            "component": component_coordinate(len(maps)),
            "grid": grid_coordinate(),
        },
    )


class _Head:
    """Tissue on the grid: brightness, masks, and how strong the rhythm is."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        z, y, x = np.meshgrid(*(_reach(n) for n in shape), indexing="ij")
        inside = (z / 1.1) ** 2 + (y / 0.92) ** 2 + (x / 0.78) ** 2
        folds = 0.06 * np.cos(9 * np.arctan2(y, x))
        white = inside + folds < 0.45
        rooms = ((np.abs(x) - 0.16) / 0.1) ** 2 + ((y - 0.05) / 0.33) ** 2 + (z / 0.7) ** 2
        self.ventricles = rooms < 1
        self.brain = inside < 1
        self.grey = self.brain & ~white & ~self.ventricles
        levels = np.where(white, 1.0, 1.15)
        levels = np.where(self.ventricles, 1.5, levels) * self.brain
        # A voxel sees some of its neighbours.
        width = [0.6 if n > 1 else 0.0 for n in shape]
        self.brightness = BRIGHTNESS * ndimage.gaussian_filter(levels, width)
        rhythm = np.where(self.ventricles, 1.0, np.where(self.grey, 0.3, 0.1)) * self.brain
        self.rhythm = ndimage.gaussian_filter(rhythm, width)


def _reach(count: int) -> Floats:
    return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)


def _slope(image: Floats, axis: int, spacing: float) -> Floats:
    if image.shape[axis] == 1:
        return np.zeros_like(image)
    found: Floats = np.gradient(image, spacing, axis=axis)
    return found


def _draw_maps(head: _Head, count: int, *, rng: np.random.Generator) -> Floats:
    """Draw smooth patches of grey matter, far from one another."""
    places = np.argwhere(head.grey)
    chosen = [places[rng.integers(len(places))]]
    for _ in range(count - 1):
        away = np.min([np.linalg.norm(places - at, axis=1) for at in chosen], axis=0)
        far = np.argsort(away)[-max(1, len(places) // 20) :]
        chosen.append(places[rng.choice(far)])
    width = head.grey.shape[-1] / 14
    grid = np.indices(head.grey.shape)
    maps = []
    for centre in chosen:
        distance = sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True))
        patch = np.exp(-distance / (2 * width**2)) * head.grey
        maps.append(patch / patch.max())
    return np.array(maps)


def _draw_courses(times: Floats, count: int, *, rng: np.random.Generator) -> Floats:
    """Draw the response to the task, and rest between 0.01 and 0.1 Hz, of unit variance."""
    step = times[1] - times[0]
    fine = 0.1
    grid = np.arange(0, times[-1] + step, fine)
    lag = np.arange(0, 32, fine)
    response = lag**5 * np.exp(-lag) / 120 - lag**15 * np.exp(-lag) / 1.3e12 / 6
    on = (grid // BLOCK_LENGTH) % 2 == 1
    task = np.interp(times, grid, signal.fftconvolve(on, response)[: grid.size])
    courses = np.column_stack([task, *(_band(times, 0.01, 0.1, rng) for _ in range(count - 1))])
    courses -= courses.mean(axis=0)
    return np.asarray(courses / courses.std(axis=0))


def _band(times: Floats, low: float, high: float, rng: np.random.Generator) -> Floats:
    """Draw noise whose spectrum lies between two frequencies, Hz."""
    frequency = np.fft.rfftfreq(times.size, times[1] - times[0])
    inside = (frequency >= low) & (frequency <= high)
    inside[1] |= not inside.any()  # a run too short for the band has its slowest wave
    spectrum = rng.standard_normal((2, frequency.size)) * inside
    course: Floats = np.fft.irfft(spectrum[0] + 1j * spectrum[1], times.size)
    return course


def _draw_drift(times: Floats, shape: tuple[int, ...], *, rng: np.random.Generator) -> Floats:
    """Draw a line and two slow waves, weighted by smooth images: unit variance on the whole."""
    span = times[-1] - times[0]
    period = max(150.0, span)
    courses = [(times - times.mean()) / span]
    courses += [
        0.3 * np.sin(2 * np.pi * times / (period * share) + rng.uniform(0, 6.3))
        for share in (1.0, max(0.5, 150.0 / period))
    ]
    width = [n / 5 if n > 1 else 0.0 for n in shape]
    images = ndimage.gaussian_filter(rng.standard_normal((3, *shape)), [0, *width])
    images /= images.std(axis=(1, 2, 3), keepdims=True)
    drift: Floats = np.tensordot(np.array(courses).T, 1 + 0.5 * images, 1)
    return drift / drift.std()


def _draw_beat(times: Floats, *, rng: np.random.Generator) -> Floats:
    """Draw breathing and heart beats of wavering rate and depth, as the sampling catches them."""
    step = times[1] - times[0]
    slow = max(1.0, 20.0 / step)
    rhythm = np.zeros(times.size)
    for rate, depth in ((0.28, 1.0), (1.05, 0.7)):
        waver = ndimage.gaussian_filter1d(rng.standard_normal((2, times.size)), slow)
        waver /= np.maximum(waver.std(axis=1, keepdims=True), 1e-12)
        phase = 2 * np.pi * np.cumsum(rate * (1 + 0.03 * waver[0])) * step
        rhythm += depth * (1 + 0.4 * waver[1]) * np.sin(phase)
    rhythm -= rhythm.mean()
    return np.asarray(rhythm / rhythm.std())


def _draw_motion(
    n_times: int, size: float, *, rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Draw a slow wander with jumps (n_times, 3), and the frames that the jumps spoil."""
    wander = ndimage.gaussian_filter1d(rng.standard_normal((n_times, 3)), 8, axis=0)
    wander /= np.maximum(wander.std(axis=0), 1e-12)
    suspect = np.zeros(n_times, bool)
    jumps = np.zeros((n_times, 3))
    count = max(1, n_times // 40)
    starts = rng.choice(np.arange(3, n_times - 3), count, replace=False)
    for start in starts:
        jumps[start : start + 2] += 8 * rng.uniform(0.4, 1, 3) * rng.choice([-1, 1], 3)
        suspect[start : start + 2] = True
    if not size:
        suspect[:] = False
    return size * (wander + jumps), suspect


def _spoil(
    suspect: npt.NDArray[np.bool_], shape: tuple[int, ...], *, rng: np.random.Generator
) -> Floats:
    """Draw what a jump does beyond displacing: smooth bands of signal gained and lost."""
    frames = np.zeros((suspect.size, *shape))
    for at in np.flatnonzero(suspect):
        bands = ndimage.gaussian_filter1d(rng.standard_normal(shape[1]), 2)
        frames[at] = -0.04 + 0.08 * (bands / bands.std())[:, None]
    return frames
