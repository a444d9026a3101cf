"""Fluorescence traces of cells whose baseline and transients are known."""

from __future__ import annotations

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
from partita.datasets.coordinates import FLUORESCENCE, time_coordinate, with_history
from partita.datasets.seeds import Seed, spawn_generators

Floats = npt.NDArray[np.float64]

CALLER = "simulate_traces"
LEVEL = 100.0
"""Of the baseline at the start."""
RISE_TIME = 0.07
"""Time constant of the rise of a transient, s: that of a fast calcium indicator."""
DRIFT_TIME = 20.0
"""Standard deviation of the Gaussian that smooths the drift, s."""


def simulate_traces(
    *,
    n_times: int = 9000,
    n_neurons: int = 20,
    sampling_interval: float = 1 / 30,
    snr: float = 8.0,
    event_rate: float = 0.3,
    amplitude: float = 0.5,
    decay_time: float = 0.7,
    bleaching: float = 0.25,
    drift: float = 0.03,
    random_state: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> xr.Dataset:
    r"""Simulate fluorescence traces with a known baseline that bleaches and drifts.

    .. math:: F(t) = F_0(t) + 100\, a\, c(t) + \varepsilon(t), \quad
       F_0(t) = 100\, (1 - b(t) + d(t)),

    with transients :math:`c` of unit peak at Poisson times, log-normal sizes (sd 0.3 of the
    logarithm), a rise of 0.07 s and an exponential decay; bleaching :math:`b` that rises
    exponentially, with time constants of 60 to 200 s, to between four fifths of `bleaching` and
    all of it; smooth drift :math:`d` that turns over some 20 s; and white Gaussian noise.

    Parameters
    ----------
    n_times : int
        Number of samples, at least 2.
    n_neurons : int
        Number of traces.
    sampling_interval : float
        Time between samples, s.
    snr : float
        Signal over noise: the peak of a usual transient, in standard deviations of the noise.
    event_rate : float
        Mean rate of transients, 1/s.
    amplitude : float
        Peak of a usual transient, as a part of the initial baseline.
    decay_time : float
        Time constant of the decay, s.
    bleaching : float
        Largest part of the baseline that is lost by the end, 0 to below 1.
    drift : float
        Standard deviation of the drift, as a part of the initial baseline.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed; None differs from call to call.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    xarray.Dataset
        ``recording`` (time, neuron): fluorescence, arbitrary units. ``baseline`` (time, neuron):
        F0. ``change`` (time, neuron): ΔF/F without noise.

    Raises
    ------
    ValueError
        If a size, time or rate is out of its range, or the dtype is no floating type.

    Examples
    --------
    >>> from partita.datasets import simulate_traces
    >>> truth = simulate_traces(n_times=300, n_neurons=2, random_state=0)
    >>> dict(truth.recording.sizes)
    {'time': 300, 'neuron': 2}
    """
    given = dict(locals())
    kind = require_floating(CALLER, dtype)
    require_counts(CALLER, n_neurons=n_neurons)
    require_counts(CALLER, minimum=2, n_times=n_times)
    require_positive(CALLER, sampling_interval=sampling_interval, snr=snr, decay_time=decay_time)
    require_amounts(CALLER, event_rate=event_rate, amplitude=amplitude, drift=drift)
    if not 0 <= bleaching < 1:
        raise ValueError(f"{CALLER} needs bleaching to be from 0 to below 1; got {bleaching!r}.")
    slow_rng, event_rng, noise_rng = spawn_generators(random_state, 3)
    times: Floats = float(sampling_interval) * np.arange(n_times, dtype=np.float64)
    baseline = _draw_baselines(times, n_neurons, bleaching=bleaching, drift=drift, rng=slow_rng)
    activity = _draw_transients(times, n_neurons, event_rate, decay_time, rng=event_rng)
    activity *= LEVEL * amplitude
    noise = LEVEL * amplitude / snr * noise_rng.standard_normal(activity.shape)
    dims = ("time", "neuron")
    ratio = {"units": "1", "long_name": "ΔF/F"}
    truth = xr.Dataset(
        {
            "recording": (dims, (baseline + activity + noise).astype(kind), dict(FLUORESCENCE)),
            "baseline": (dims, baseline.astype(kind), {"units": "a.u.", "long_name": "Baseline"}),
            "change": (dims, (activity / baseline).astype(kind), ratio),
        },
        coords={
            "time": time_coordinate(np.round(times, 9)),
            "neuron": xr.Variable("neuron", np.arange(n_neurons), {"long_name": "neuron"}),
        },
    )
    return with_history(truth, CALLER, given)


def _draw_baselines(
    times: Floats, count: int, *, bleaching: float, drift: float, rng: np.random.Generator
) -> Floats:
    lost = bleaching * rng.uniform(0.8, 1.0, count)
    falling = 1 - np.exp(-times[:, None] / rng.uniform(60, 200, count))
    width = DRIFT_TIME / (times[1] - times[0])
    # White noise reaches well beyond both ends, so that the drift is as large there as inside.
    margin = int(4 * width)
    white = rng.standard_normal((len(times) + 2 * margin, count))
    wander = ndimage.gaussian_filter1d(white, width, axis=0)[margin : margin + len(times)]
    # Smoothing leaves white noise smaller by this root; so its standard deviation is 1 again.
    wander *= np.sqrt(2 * np.sqrt(np.pi) * width)
    baseline: Floats = LEVEL * (1 - lost * falling / falling[-1] + drift * wander)
    return baseline


def _draw_transients(
    times: Floats, count: int, rate: float, decay_time: float, *, rng: np.random.Generator
) -> Floats:
    step = times[1] - times[0]
    lags = np.arange(0, 8 * decay_time + step, step)
    shape = (1 - np.exp(-lags / RISE_TIME)) * np.exp(-lags / decay_time)
    events = rng.poisson(rate * step, (len(times), count)).astype(float)
    # Of mean 1, for half of 0.3 squared is 0.045.
    events *= rng.lognormal(-0.045, 0.3, events.shape)
    courses = signal.fftconvolve(events, shape[:, None] / shape.max(), axes=0)[: len(times)]
    return np.asarray(courses, dtype=np.float64)
