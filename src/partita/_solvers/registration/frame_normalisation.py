"""Frames made comparable before they are aligned: stabilised, filled, of mean 0 and rms 1.

The noise of speckle and of photon counting grows with brightness; a square root makes it more
alike everywhere. Gain and offset of a frame go with its rms and mean. For coarse shifts its shading
goes too, cosines of up to three half waves across the field; fine steps leave that to their
instruments, which bias nothing.
"""

from __future__ import annotations

import itertools
from functools import lru_cache, reduce
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ..compute.types import Array
from .splines import coefficients

SMOOTHING = 0.7
"""Standard deviation of the smoothing, voxels: more loses detail, less lets in what aliases.

On scenes at SNR 1 and 1.7 a voxel, 1.1 has 25 to 30 % more error in planes and twice as much in
volumes; 0.4 has 6 to 13 % less in planes and 8 % more in volumes.
"""


ROUNDINGS = 64  # a spread of so many roundings of the largest value is no contrast
_HALF_WAVES = 3  # of shading across the field; 1 to 5 have the same error on scenes without any
_MOST_MISSING = 0.75  # of a frame: one that lacks more cannot show the share that `rigid` asks for


class NormalisedFrames(NamedTuple):
    """Frames ready for alignment.

    Attributes
    ----------
    values : numpy.ndarray, (n, *shape), float32
        Frames of mean 0 and rms 1, less their shading; 0 where a voxel is missing.
    coefficients : numpy.ndarray, (n, *(size + 2 PAD)), float32
        Spline coefficients of the smoothed frames, shading included.
    missing : numpy.ndarray of bool, (n, *shape), or (n, 0, ...) where nothing is missing
        Voxels not to be used: those without a value, and their neighbours.
    blank : numpy.ndarray of bool, (n,)
        Frames without contrast, or with hardly any value.
    """

    values: Array
    missing: Array
    blank: Array
    coefficients: Array


def normalise_frames(frames: Array, *, roots: bool) -> NormalisedFrames:
    """Make frames (n, *shape) comparable; `roots` takes the square root of non-negative values."""
    values = np.array(frames, dtype=np.float32, order="C")
    flat = values.reshape(len(values), -1)
    lost = _find_lost(flat)
    if lost is not None:
        flat[lost] = 0
    top = np.abs(flat).max(axis=1)
    if roots:
        np.sqrt(np.maximum(flat, 0, out=flat), out=flat)
        top = np.sqrt(top)
    count = flat.shape[1] if lost is None else np.maximum((~lost).sum(axis=1), 1)
    flat -= (flat.sum(axis=1, dtype=np.float64) / count).astype(np.float32)[:, None]
    if lost is not None:
        flat[lost] = 0
    rms = np.sqrt(np.einsum("nv,nv->n", flat, flat) / count)
    blank = ~(rms > ROUNDINGS * np.finfo(np.float32).eps * top)
    flat /= np.where(blank, 1, rms).astype(np.float32)[:, None]
    missing = np.zeros((len(values), *(0,) * (values.ndim - 1)), dtype=bool)
    if lost is not None:
        blank |= lost.mean(axis=1) > _MOST_MISSING
        missing = _widen(lost.reshape(values.shape))
    spline = coefficients(values, smoothing=SMOOTHING)
    waves = shading(values.shape[1:])
    flat -= (flat @ waves.T) @ waves
    if lost is not None:
        flat[lost] = 0
    return NormalisedFrames(values, missing, blank, spline)


@lru_cache(maxsize=4)
def shading(shape: tuple[int, ...]) -> Array:
    """Return orthonormal cosines (k, voxels) of up to three half waves in all, without the mean."""
    lines = [
        np.cos(np.pi * np.outer(np.arange(_HALF_WAVES + 1), np.arange(n) + 0.5) / n) for n in shape
    ]
    waves = []
    for orders in itertools.product(range(_HALF_WAVES + 1), repeat=len(shape)):
        if 0 < sum(orders) <= _HALF_WAVES:
            rows = [line[order] for line, order in zip(lines, orders, strict=True)]
            wave = reduce(np.multiply.outer, rows).ravel()
            waves.append(wave / np.sqrt((wave**2).sum()))
    return np.array(waves, dtype=np.float32)


def _find_lost(flat: Array) -> Array | None:
    """Return where values are not finite; None where all are."""
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(flat.sum(axis=1)).all():
            return None
    lost: Array = ~np.isfinite(flat)
    return lost if lost.any() else None


def _widen(lost: Array) -> Array:
    """Add the neighbours, whose smoothed values know of the gap."""
    cross = ndimage.generate_binary_structure(lost.ndim - 1, 1)[None]
    wider: Array = ndimage.binary_dilation(lost, cross, iterations=2)
    return wider
