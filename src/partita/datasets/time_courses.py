"""Time courses of simulated sources: haemodynamic fluctuations and calcium transients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Floats = NDArray[np.float64]

FINE_STEP = 0.05
"""Interval at which haemodynamic drive is drawn before it is sampled, s."""


def haemodynamic_courses(times: Floats, count: int, *, rng: np.random.Generator) -> Floats:
    """Draw slow signed fluctuations (n_times, count) of zero mean and unit standard deviation.

    Bursts of activity (a Poisson process of 0.08 a second, log-normal strength) over white noise,
    convolved with a gamma-shaped response that peaks after 1.5 s.
    """
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


def calcium_courses(
    spikes: NDArray[np.float64], *, decay_time: float, sampling_interval: float
) -> Floats:
    """Turn spike counts (n_times, count) into AR(1) transients of unit jump per spike."""
    decay = np.exp(-sampling_interval / decay_time)
    return np.asarray(signal.lfilter([1.0], [1.0, -decay], spikes, axis=0), dtype=np.float64)
