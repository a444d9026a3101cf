"""What of a template is compared: slow brightness off, soft windows, Wiener's share of signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from ..compute.types import Floats

# Least share of signal. For a template that holds the noise of its frames (SNR 0.6 a pixel) 0.2 has
# 36 % more error, 0.005 has 4 % less, and 1, no share at all, twice the error.
_DULL = 0.05


def high_pass(image: Floats, width: Floats) -> Floats:
    """Subtract the image blurred by a Gaussian of `width` voxels; 0 where it is not finite."""
    inside = np.isfinite(image)
    filled = np.where(inside, image, 0.0)
    share = np.ones(()) if inside.all() else _blur(inside.astype(np.float64), width)
    slow = _blur(filled, width) / np.maximum(share, 1e-9)
    sharp: Floats = np.where(inside, filled - slow, 0.0)
    return sharp


def _blur(image: Floats, width: Floats) -> Floats:
    """Blur by a Gaussian, the image mirrored at its edges; as quick for a wide one."""
    spectrum = scipy.fft.dctn(image)
    for axis, (count, sigma) in enumerate(zip(image.shape, width, strict=True)):
        response = np.exp(-0.5 * (np.pi * np.arange(count) / count * sigma) ** 2)
        spectrum *= response.reshape(-1, *[1] * (image.ndim - axis - 1))
    blurred: Floats = scipy.fft.idctn(spectrum)
    return blurred


def soft_window(inside: NDArray[np.bool_], taper: Floats) -> Floats:
    """Weights that rise from 0 at the border of what is inside to 1 within `taper` voxels."""
    reach = np.maximum(taper, 1.0)
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=1 / reach)
    core = depth[(slice(1, -1),) * inside.ndim]
    return rise(core)


def rise(depth: Floats) -> Floats:
    """Rise smoothly from 0 at depth 0 to 1 at depth 1."""
    weights: Floats = np.sin(np.pi / 2 * np.clip(depth, 0, 1)) ** 2
    return weights


def window_image(image: Floats, window: Floats) -> Floats:
    """Image under a window, its weighted mean taken off first."""
    mean = (window * image).sum() / max(float(window.sum()), 1e-300)
    seen: Floats = window * (image - mean)
    return seen


def wiener_profile(spectrum: NDArray[Any], shape: tuple[int, ...]) -> Floats:
    """Wiener's share of signal in the power of a template, from frequency zero to Nyquist's.

    The noise is what is left at the highest frequencies. Its share of the power is taken off, so
    that a template that is still noisy is not matched with the noise of the frames it came from.
    """
    n_bins = max(4, min(shape) // 4)
    bins = _bins(shape, n_bins)
    power = np.abs(spectrum) ** 2
    count = np.bincount(bins.ravel(), minlength=n_bins + 1)
    profile = np.bincount(bins.ravel(), power.ravel(), n_bins + 1) / np.maximum(count, 1)
    noise = profile[-2:].min()
    share: Floats = np.clip(1 - noise / np.maximum(profile, 1e-300), _DULL, 1)
    return share


def spread_profile(profile: Floats, shape: tuple[int, ...]) -> Floats:
    """Trust in every element of a half spectrum, counted as often as it stands for."""
    trust: Floats = profile[_bins(shape, len(profile) - 1)] * _half_weights(shape)
    return trust


def _bins(shape: tuple[int, ...], n_bins: int) -> NDArray[np.intp]:
    lines = [scipy.fft.fftfreq(count) for count in shape[:-1]]
    lines.append(scipy.fft.rfftfreq(shape[-1]))
    radius = np.sqrt(sum((line**2 for line in np.ix_(*lines)), np.zeros(())))
    return np.minimum((radius / 0.5 * n_bins).astype(np.intp), n_bins)


def low_pass_response(shape: tuple[int, ...], width: float) -> Floats:
    """Frequency response of a Gaussian blur of `width` fields, over a half spectrum."""
    lines = [scipy.fft.fftfreq(count) * count for count in shape[:-1]]
    lines.append(scipy.fft.rfftfreq(shape[-1]) * shape[-1])
    turns2 = sum((line**2 for line in np.ix_(*lines)), np.zeros(()))
    response: Floats = np.exp(-2 * (np.pi * width) ** 2 * turns2)
    return response


def _half_weights(shape: tuple[int, ...]) -> Floats:
    """How often each element of a half spectrum counts; 0 for the mean and at Nyquist."""
    half = (*shape[:-1], shape[-1] // 2 + 1)
    weights = np.full(half, 2.0)
    weights[..., 0] = 1.0
    for axis, count in enumerate(shape):
        if count % 2 == 0:
            np.moveaxis(weights, axis, 0)[count // 2] = 0.0
    weights[(0,) * len(half)] = 0.0
    return weights
