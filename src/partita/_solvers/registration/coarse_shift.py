"""Coarse shifts of many frames at once: the highest point of their cross-correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from ..compute.types import Array

# Voxels: what is broader is left out, so that shading does not decide. Between 4 and 16 the errors
# on scenes that shift by up to 8 voxels are the same, for the fine steps that follow forget the
# start.
_COARSEST = 8.0


class Correlator(NamedTuple):
    """A template ready to be correlated.

    Attributes
    ----------
    spectrum : numpy.ndarray, complex64
        Conjugate spectrum of the template, padded with zeros.
    size : tuple of int
        Sizes after padding.
    reach : tuple of int
        Largest shift looked for along each axis, voxels.
    """

    spectrum: Array
    size: tuple[int, ...]
    reach: tuple[int, ...]


def prepare_correlator(template: Array, *, reach: Sequence[int]) -> Correlator:
    """Prepare a template (*shape) of mean 0, with zeros where it is unknown."""
    size = tuple(
        fft.next_fast_len(n + int(most), real=True)
        for n, most in zip(template.shape, reach, strict=True)
    )
    sharp = template - ndimage.gaussian_filter(template, _COARSEST)
    spectrum = np.conj(fft.rfftn(sharp.astype(np.float32), size))
    return Correlator(spectrum, size, tuple(int(most) for most in reach))


def find_shifts(frames: Array, correlator: Correlator) -> Array:
    """Return where the template lies in each frame (n, *shape): (n, d) voxels, by a parabola."""
    axes = tuple(range(1, frames.ndim))
    spectra = fft.rfftn(frames, correlator.size, axes=axes)
    spectra *= correlator.spectrum
    surface = fft.irfftn(spectra, correlator.size, axes=axes)
    for axis, reach in zip(axes, correlator.reach, strict=True):
        surface = surface.take(np.arange(-reach, reach + 1), axis=axis, mode="wrap")
    return np.stack([_peak(values) - correlator.reach for values in surface])


def _peak(surface: Array) -> Array:
    top = np.array(np.unravel_index(int(surface.argmax()), surface.shape))
    place = top.astype(np.float64)
    for axis, at in enumerate(top):
        if not 0 < at < surface.shape[axis] - 1:
            continue
        line = surface[tuple(slice(None) if k == axis else top[k] for k in range(surface.ndim))]
        before, middle, after = (float(line[at + step]) for step in (-1, 0, 1))
        bend = before - 2 * middle + after
        place[axis] += 0.5 * (before - after) / bend if bend < 0 else 0.0
    return place
