"""Simulated recordings of ordinary sizes, standardised as a user would, for the benchmarks."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
import scipy.signal

Array = np.ndarray


def make_fusi(seed: int = 0) -> Array:
    """Make 751 volumes of 114 x 80 voxels of power Doppler, z-scored and split: (751, 18240)."""
    rng = np.random.default_rng(seed)
    n, shape, k = 751, (114, 80), 14
    maps = _smooth_maps(rng, k, shape, width=5.0)
    signals = _slow_signals(rng, n, k, width=6.0)
    vessels = np.exp(scipy.ndimage.gaussian_filter(rng.standard_normal(shape), 1.5) * 5).ravel()
    drift = scipy.ndimage.gaussian_filter1d(rng.standard_normal((n, 3)), 60, axis=0)
    common = drift / drift.std(0) @ _smooth_maps(rng, 3, shape, width=14.0)
    speckle = rng.gamma(40.0, 1 / 40.0, (n, vessels.size))
    power = 1e4 * vessels * (1 + 0.06 * signals @ maps + 0.04 * common) * speckle
    return split(standardise(power))


def make_fmri(seed: int = 0) -> Array:
    """Make 300 volumes of 30 000 voxels and 20 sources, z-scored, split: (300, 60000)."""
    rng = np.random.default_rng(seed)
    n, shape, k = 300, (30, 40, 25), 20
    maps = _smooth_maps(rng, k, shape, width=2.5)
    signals = _slow_signals(rng, n, k, width=2.0)
    noise = rng.standard_normal((n, maps.shape[1]))
    noise = scipy.ndimage.gaussian_filter1d(noise, 0.6, axis=0)
    return split(standardise(100 + signals @ maps + 1.5 * noise))


def make_calcium(seed: int = 0) -> Array:
    """Make 3000 frames of 160 x 160 pixels, 17 cells, as rectified dF/F: (3000, 25600)."""
    rng = np.random.default_rng(seed)
    n, side, cells = 3000, 160, 17
    y, x = np.mgrid[:side, :side]
    centres = rng.uniform(8, side - 8, (cells, 2))
    radii = rng.uniform(3, 6, cells)
    distance = [(y - a) ** 2 + (x - b) ** 2 for a, b in centres]
    maps = np.array([np.exp(-d / (2 * r * r)) for d, r in zip(distance, radii, strict=True)])
    spikes = rng.poisson(0.01, (n, cells)) * rng.uniform(0.5, 1.5, cells)
    decay = np.exp(-np.arange(200) / 25.0)[:, None]
    traces = scipy.signal.fftconvolve(spikes, decay, axes=0)[:n]
    neuropil = np.abs(_slow_signals(rng, n, 3, width=30.0)) @ _smooth_maps(
        rng, 3, (side, side), width=25.0
    )
    clean = (traces @ maps.reshape(cells, -1) + 0.3 * neuropil).astype(np.float32)
    noisy = clean + 0.25 * rng.standard_normal(clean.shape, dtype=np.float32)
    return np.maximum(noisy, 0)


RECORDINGS = {
    "fUSI-like 751 x 18240, k 10": (make_fusi, 10),
    "fUSI-like 751 x 18240, k 30": (make_fusi, 30),
    "fMRI-like 300 x 60000, k 20": (make_fmri, 20),
    "calcium-like 3000 x 25600, k 20": (make_calcium, 20),
}


def standardise(recording: Array) -> Array:
    """Take every column to mean 0 and standard deviation 1."""
    return (recording - recording.mean(0)) / recording.std(0)


def split(recording: Array) -> Array:
    """Put the positive part of every row before its negative part, in float32."""
    n, p = recording.shape
    signed = np.empty((n, 2, p), np.float32)
    np.maximum(recording, 0, out=signed[:, 0])
    np.maximum(-recording, 0, out=signed[:, 1])
    return signed.reshape(n, 2 * p)


def _smooth_maps(rng: np.random.Generator, k: int, shape: tuple[int, ...], width: float) -> Array:
    fields = [scipy.ndimage.gaussian_filter(rng.standard_normal(shape), width) for _ in range(k)]
    return np.array([np.maximum(field / field.std() - 0.5, 0).ravel() for field in fields])


def _slow_signals(rng: np.random.Generator, n: int, k: int, width: float) -> Array:
    slow = scipy.ndimage.gaussian_filter1d(rng.standard_normal((n, k)), width, axis=0)
    return slow / slow.std(0)
