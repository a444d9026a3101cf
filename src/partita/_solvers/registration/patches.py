"""Overlapping patches of frames, each matched with its patch of a template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from ..compute.compilation import compiled
from ..compute.types import Floats, Singles, Spectrum
from .band_correlation import Band
from .template_filter import (
    high_pass,
    rise,
    soft_window,
    spread_profile,
    wiener_profile,
    window_image,
)

TAPER = 1 / 4
"""Width of the soft edge of a patch, a part of it.

On movies simulated with 2 and 20 photons a pixel 1/8 is within 4 % of its error, 1/2 is 5 to 10 %
worse.
"""


SLOW = 1 / 6
"""Standard deviation of the blur that counts as slow brightness, a part of a patch.

Half and twice of it change the error on the same movies by 1 %.
"""


_CLIMBS = 3  # one has up to half as much error again on the same movies, six have the same
# Share of a patch's power that is noise at least: a tenth and ten times of it change the error by
# 1 % where there is noise, and by 5 % where there is none.
_LEAST_NOISE = 0.02


class PatchShifts(NamedTuple):
    """What the patches of one frame say by themselves.

    `moved` (2, patches): displacement beyond the given whole one, voxels, as seen where the
    patch has structure. `information` (patches, 2, 2): inverse of its covariance.
    `confidence` (patches): height of the correlation in standard deviations of its noise.
    `similarity`: correlation of all patches together.
    """

    moved: Floats
    information: Floats
    confidence: Floats
    similarity: float


class PatchLayout(NamedTuple):
    """Where patches lie: first voxels along y and x, and the size of all."""

    starts: tuple[NDArray[np.int64], NDArray[np.int64]]
    size: tuple[int, int]

    @classmethod
    def over(
        cls, shape: Sequence[int], patch: Sequence[int], overlap: Sequence[int]
    ) -> PatchLayout:
        """Spread patches evenly, overlapping by at least `overlap`; they cover all but no more."""
        size = [min(int(one), count) for one, count in zip(patch, shape, strict=True)]
        starts = []
        for count, one, shared in zip(shape, size, overlap, strict=True):
            stride = max(1, one - int(shared))
            number = 1 + -(-(count - one) // stride)
            starts.append(np.rint(np.linspace(0, count - one, number)).astype(np.int64))
        return cls((starts[0], starts[1]), (size[0], size[1]))

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along y and x."""
        return len(self.starts[0]), len(self.starts[1])

    def centres(self) -> tuple[Floats, Floats]:
        """Middle of the patches along y and x, voxels."""
        (start_y, start_x), (height, width) = self.starts, self.size
        middle_y: Floats = start_y.astype(np.float64) + (height - 1) / 2
        middle_x: Floats = start_x.astype(np.float64) + (width - 1) / 2
        return middle_y, middle_x

    def cut(self, image: NDArray[Any], offset: NDArray[np.int64]) -> NDArray[Any]:
        """Patches (patches, *size) that lie `offset` further on; 0 beyond the image."""
        patches = np.empty((self.grid[0] * self.grid[1], *self.size), image.dtype)
        _cut(image, self.starts[0] + offset[0], self.starts[1] + offset[1], patches)
        return patches


class PatchTemplate:
    """The patches of a template made ready once."""

    def __init__(
        self,
        template: NDArray[Any],
        layout: PatchLayout,
        *,
        max_deviation: float | Sequence[float],
    ) -> None:
        image = np.asarray(template, dtype=np.float64)
        inside = np.isfinite(image)
        filled = np.where(inside, image - image[inside].mean() if inside.any() else 0.0, 0.0)
        sharp = high_pass(image, SLOW * np.asarray(layout.size))
        window = _patch_window(layout.size) * layout.cut(
            soft_window(np.pad(inside, 1, mode="edge"), np.full(2, 2.0))[1:-1, 1:-1], _NOWHERE
        )
        self.layout = layout
        self.max_deviation: Floats = np.broadcast_to(np.asarray(max_deviation, float), 2)
        sharp_patches = layout.cut(sharp, _NOWHERE)
        seen = np.stack([window_image(*pair) for pair in zip(sharp_patches, window, strict=True)])
        profile = wiener_profile(
            scipy.fft.rfftn(sharp * soft_window(inside, np.asarray(layout.size) / 4)), sharp.shape
        )
        trust = spread_profile(profile, layout.size)
        often = spread_profile(np.ones_like(profile), layout.size)
        spectra = scipy.fft.rfftn(seen, axes=(1, 2))
        self._band = Band.of((np.abs(spectra) ** 2).mean(axis=0) * trust, layout.size)
        own = self._band.transform(_level(layout.cut(filled, _NOWHERE)).astype(np.float32))
        seen_band = self._band.transform(seen.astype(np.float32))
        self._often = self._band.cut(often)
        self._trust = self._band.cut(trust)
        self._filter: Spectrum = (np.conj(seen_band) * self._trust).astype(np.complex64)
        self._own_power = (np.abs(own) ** 2 * self._often).sum(axis=(1, 2))
        products: Spectrum = own * self._filter
        self.origin, self._own_height = self._band.climb(
            products, np.zeros((len(own), 2)), settled=0.0, most=_CLIMBS
        )
        self._prepare_noise(own)
        self.weights = _structure(sharp_patches, window)

    def _prepare_noise(self, own: Spectrum) -> None:
        """How noise of unit power a wave moves the correlation and its peak."""
        known = self._own_height > 1e-9 * max(float(self._own_height.max()), 1e-300)
        noise = np.abs(self._filter) ** 2 / np.maximum(self._often, 1)
        self._noise_height = np.sqrt(noise.sum(axis=(1, 2)))
        waves = np.stack(np.meshgrid(*self._band.waves, indexing="ij"))
        rotate = np.einsum("iyx,jyx->ijyx", waves, waves).reshape(4, -1)
        tilt = (noise.reshape(len(own), -1) @ rotate.T).reshape(-1, 2, 2)
        bend = (own * self._filter).real.reshape(len(own), -1) @ rotate.T
        bend = bend.reshape(-1, 2, 2)
        tilt[~known], bend[~known] = np.eye(2), 0.0
        tilt += 1e-9 * np.trace(tilt, axis1=1, axis2=2)[:, None, None] * np.eye(2)
        self._precision = np.swapaxes(bend, 1, 2) @ np.linalg.solve(tilt, bend)
        self._known = known

    def measure(self, frame: Singles, shift: Floats) -> PatchShifts:
        """Match the patches of one centred frame near its displacement as a whole."""
        whole = np.rint(shift).astype(np.int64)
        patches = _level(self.layout.cut(frame, whole))
        spectra = self._band.transform(patches)
        product: Spectrum = spectra * self._filter
        start = self._search(product, shift - whole)
        place, height = self._band.climb(product, start, settled=0.0, most=_CLIMBS)
        power = (spectra.real**2 + spectra.imag**2) * self._often
        power = power.sum(axis=(1, 2), dtype=np.float64)
        gain = np.where(self._known, height / np.where(self._known, self._own_height, 1), 0)
        gain = np.maximum(gain, 0)
        noise = np.maximum(power - gain**2 * self._own_power, _LEAST_NOISE * power)
        noise = np.maximum(noise / self._often.sum(), 1e-30)
        confidence = np.where(
            self._known, height / np.sqrt(noise) / np.maximum(self._noise_height, 1e-30), 0
        )
        return PatchShifts(
            (place - self.origin).T - (shift - whole)[:, None],
            self._precision * (gain**2 / noise)[:, None, None],
            confidence,
            self._resemble(height, power),
        )

    def _resemble(self, height: Floats, power: Floats) -> float:
        """Correlation of all patches together, 1 for the template itself."""
        loud = float(np.sqrt(power.sum() * self._own_power.sum()))
        scale = float(self._own_height.sum()) / max(float(self._own_power.sum()), 1e-300)
        return max(float(height.sum() / (loud * scale)), -1.0) if loud * scale > 0 else np.nan

    def _search(self, product: Spectrum, middle: Floats) -> Floats:
        """Highest place around the middle of correlations shared with the patches next to each.

        Alone a dim patch may find a chance peak; its neighbours have moved much as it has.
        """
        lags = [np.arange(-reach, reach + 1) for reach in np.ceil(self.max_deviation).astype(int)]
        down, right = (
            np.exp(1j * np.outer(wave, at + lag)).astype(np.complex64)
            for wave, at, lag in zip(self._band.waves, middle, lags, strict=True)
        )
        heights = (down.T @ (product @ right)).real
        heights /= np.maximum(self._noise_height, 1e-30)[:, None, None].astype(np.float32)
        heights[~self._known] = 0
        shared = heights.reshape(*self.layout.grid, *heights.shape[1:])
        for axis in (0, 1):
            shared = ndimage.convolve1d(shared, [0.5, 1.0, 0.5], axis=axis, mode="constant")
        best = shared.reshape(len(heights), -1).argmax(axis=1)
        at_y, at_x = np.unravel_index(best, heights.shape[1:])
        places: Floats = np.stack([lags[0][at_y], lags[1][at_x]], axis=1) + middle
        return places


_NOWHERE = np.zeros(2, np.int64)


def _patch_window(size: tuple[int, int]) -> Floats:
    lines = []
    for count in size:
        index = np.arange(count)
        depth = np.minimum(index + 0.5, count - index - 0.5)
        lines.append(rise(depth / max(TAPER * count, 1.0)))
    window: Floats = np.outer(*lines)
    return window


def _level(patches: NDArray[Any]) -> NDArray[Any]:
    """Subtract the mean of each patch from what is not empty of it."""
    shown = patches != 0
    count = np.maximum(shown.sum(axis=(1, 2), keepdims=True), 1)
    level: NDArray[Any] = patches - shown * (patches.sum(axis=(1, 2), keepdims=True) / count)
    return level.astype(patches.dtype, copy=False)


def _structure(sharp: Floats, window: Floats) -> Floats:
    """Where in each patch its displacement is seen: weights of sum 1, by squared slopes."""
    down, right = np.gradient(sharp, axis=(1, 2))
    steep = window * (down**2 + right**2)
    steep = np.where(steep.sum(axis=(1, 2), keepdims=True) > 0, steep, window + 1e-12)
    weights: Floats = steep / steep.sum(axis=(1, 2), keepdims=True)
    return weights


@compiled
def _cut(
    image: NDArray[Any],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    patches: NDArray[Any],
) -> None:
    """Copy the patches that begin at rows and columns out of an image; 0 beyond it."""
    n_rows, n_columns = image.shape
    height, width = patches.shape[1:]
    for i in range(len(rows)):
        for j in range(len(columns)):
            patch = patches[i * len(columns) + j]
            patch[:] = 0
            top, left = rows[i], columns[j]
            for y in range(max(0, -top), min(height, n_rows - top)):
                for x in range(max(0, -left), min(width, n_columns - left)):
                    patch[y, x] = image[top + y, left + x]
