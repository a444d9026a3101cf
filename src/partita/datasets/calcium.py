"""A calcium-imaging movie with known cells."""

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
    require_shape,
)
from partita.datasets.coordinates import (
    FLUORESCENCE,
    SOURCE_MAP,
    component_coordinate,
    require_spacing,
    space_coordinate,
    time_coordinate,
    with_history,
)
from partita.datasets.neuropil import CELL_RADIUS
from partita.datasets.seeds import Seed, spawn_generators

Floats = npt.NDArray[np.float64]

CALLER = "simulate_calcium"
BASELINE = 100.0
"""Mean of the out-of-focus fluorescence, in standard deviations of the noise."""


def simulate_calcium(
    *,
    n_times: int = 1000,
    shape: Sequence[int] = (64, 64),
    n_components: int = 12,
    spacing: float | Sequence[float] = 0.002,
    sampling_interval: float = 0.1,
    decay_time: float = 0.5,
    event_rate: float = 0.15,
    snr: float = 4.0,
    random_state: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> xr.Dataset:
    r"""Simulate a calcium-imaging movie whose cells, transients and background are known.

    .. math:: Y(r, t) = b(r) f(t) + \sum_k m_k(r)\, c_k(t) + \varepsilon(r, t),
       \quad c_k(t) = \gamma\, c_k(t - 1) + s_k(t), \quad \gamma = e^{-\Delta t / \tau},

    with elliptical cells :math:`m_k` of about 12 µm across that may touch but do not share a
    centre, spikes :math:`s_k` counted from a Poisson process, a smooth out-of-focus background of
    about 100 that wavers by a few per cent, and Gaussian noise of standard deviation 1.

    Parameters
    ----------
    n_times : int
        Number of frames, at least 2.
    shape : sequence of 2 int
        Pixels along y and x.
    n_components : int
        Number of cells.
    spacing : float or sequence of 2 float
        Pixel size along y and x, mm; one number for both.
    sampling_interval : float
        Time between frames, s.
    decay_time : float
        Time constant of a transient, s.
    event_rate : float
        Mean rate of spikes, 1/s.
    snr : float
        Signal over noise: the peak of one spike at the cell's brightest pixel, in standard
        deviations of the noise.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed; None differs from call to call.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    xarray.Dataset
        ``recording`` (time, y, x): fluorescence, arbitrary units. ``maps`` (component, y, x):
        footprints with a peak of 1. ``signals`` (time, component): calcium in the units of the
        recording. ``spikes`` (time, component): counts. ``background`` (time, y, x).

    Raises
    ------
    ValueError
        If a size, time or rate is out of its range, or the dtype is no floating type.

    Examples
    --------
    >>> from partita.datasets import simulate_calcium
    >>> truth = simulate_calcium(n_times=50, shape=(24, 24), n_components=3, random_state=0)
    >>> dict(truth.recording.sizes)
    {'time': 50, 'y': 24, 'x': 24}
    """
    given = dict(locals())
    kind = require_floating(CALLER, dtype)
    counts = require_shape(CALLER, shape, n_axes=[2], axes="y and x")
    require_counts(CALLER, n_components=n_components)
    require_counts(CALLER, minimum=2, n_times=n_times)
    steps = require_spacing(CALLER, spacing, axes=("y", "x"))
    require_positive(CALLER, sampling_interval=sampling_interval, decay_time=decay_time)
    require_amounts(CALLER, event_rate=event_rate, snr=snr)
    cell_rng, spike_rng, background_rng, noise_rng = spawn_generators(random_state, 4)
    radius = np.maximum(CELL_RADIUS / np.array(steps), 1.0)
    maps = _draw_cells(counts, n_components, radius, rng=cell_rng)
    spikes = spike_rng.poisson(event_rate * sampling_interval, (n_times, n_components))
    signals = snr * _transients(
        spikes.astype(float), decay_time=decay_time, sampling_interval=sampling_interval
    )
    background = _draw_background(n_times, counts, rng=background_rng)
    movie = background + np.tensordot(signals, maps, axes=1)
    movie += noise_rng.standard_normal(movie.shape)
    truth = xr.Dataset(
        {
            "recording": (("time", "y", "x"), movie.astype(kind), dict(FLUORESCENCE)),
            "maps": (("component", "y", "x"), maps.astype(kind), dict(SOURCE_MAP)),
            "signals": (("time", "component"), signals.astype(kind), dict(FLUORESCENCE)),
            "spikes": (("time", "component"), spikes, {"units": "1", "long_name": "Spikes"}),
            "background": (("time", "y", "x"), background.astype(kind), dict(FLUORESCENCE)),
        },
        coords={
            "time": time_coordinate(np.round(sampling_interval * np.arange(n_times), 9)),
            "y": space_coordinate("y", 0.0, steps[0], counts[0]),
            "x": space_coordinate("x", 0.0, steps[1], counts[1]),
            "component": component_coordinate(n_components),
        },
    )
    return with_history(truth, CALLER, given)


def _transients(spikes: Floats, *, decay_time: float, sampling_interval: float) -> Floats:
    """Turn spike counts (n_times, count) into AR(1) transients of unit jump per spike."""
    decay = np.exp(-sampling_interval / decay_time)
    return np.asarray(signal.lfilter([1.0], [1.0, -decay], spikes, axis=0), dtype=np.float64)


def _draw_cells(
    shape: tuple[int, ...], count: int, radius: Floats, *, rng: np.random.Generator
) -> Floats:
    """Draw elliptical footprints with soft edges, centres as far apart as a few tries find.

    `radius` is in pixels, along y and x.
    """
    rows, columns = np.indices(shape)
    centres = _scatter(shape, count, rng)
    cells = np.empty((count, *shape))
    for number, (row, column) in enumerate(centres):
        angle, squeeze = rng.uniform(0, np.pi), rng.uniform(0.8, 1.25)
        down, right = (rows - row) / radius[0], (columns - column) / radius[1]
        along = down * np.cos(angle) + right * np.sin(angle)
        across = right * np.cos(angle) - down * np.sin(angle)
        distance = np.hypot(along / squeeze, across * squeeze)
        cells[number] = np.clip(1.3 - 0.6 * distance**2, 0, 1)
    cells /= cells.max(axis=(1, 2), keepdims=True)
    return cells


def _scatter(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> Floats:
    border = np.minimum(3, (np.asarray(shape) - 1) / 4)
    candidates = rng.uniform(border, np.asarray(shape) - 1 - border, (20 * count + 20, 2))
    chosen = [candidates[0]]
    distance = np.full(len(candidates), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, np.linalg.norm(candidates - chosen[-1], axis=1))
        # Among the emptier places rather than the emptiest, which would lie on a lattice.
        chosen.append(candidates[rng.choice(np.argsort(distance)[-len(candidates) // 4 :])])
    return np.array(chosen)


def _draw_background(n_times: int, shape: tuple[int, ...], *, rng: np.random.Generator) -> Floats:
    """Draw out-of-focus fluorescence: one smooth image that wavers slowly."""
    image = ndimage.gaussian_filter(rng.standard_normal(shape), np.asarray(shape) / 6)
    image = 1 + 0.2 * image / max(np.abs(image).max(), 1e-12)
    course = ndimage.gaussian_filter1d(rng.standard_normal(n_times), max(1.0, n_times / 60))
    course = 1 + 0.02 * course / max(course.std(), 1e-12)
    movie: Floats = BASELINE * course[:, None, None] * image
    return movie
