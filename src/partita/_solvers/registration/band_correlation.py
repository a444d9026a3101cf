"""The correlation of a frame with a template, as a sum of few waves, and where it is highest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]


Singles = NDArray[np.float32]


Spectrum = NDArray[np.complex64]


SPARED = 0.01
"""Share of what tells the position along an axis that may be left out with high frequencies."""


_DULL = 0.05
_STEPS = 8


class Band(NamedTuple):
    """The frequencies that tell about position: a block around zero of a half spectrum.

    `kept` (axes) holds the indices along each axis in the order of the FFT, `waves` (axes) their
    angular frequencies in radians a voxel.
    """

    shape: tuple[int, ...]
    kept: tuple[NDArray[np.intp], ...]
    waves: tuple[Floats, ...]

    @classmethod
    def of(cls, power: Floats, shape: tuple[int, ...]) -> Band:
        """Keep along each axis what holds all but a sliver of the knowledge of position."""
        kept, waves = [], []
        for axis, count in enumerate(shape):
            half = axis == len(shape) - 1
            turns = (
                np.arange(power.shape[axis]) if half else np.rint(scipy.fft.fftfreq(count) * count)
            )
            others = tuple(other for other in range(power.ndim) if other != axis)
            known = power.sum(axis=others) * turns**2
            known = np.bincount(np.abs(turns).astype(int), known)
            total = known.sum()
            tail = total - np.cumsum(known)
            last = int(np.argmax(tail <= SPARED * total)) if total > 0 else 1
            index = np.flatnonzero(np.abs(turns) <= max(last, 1))
            kept.append(index)
            waves.append(2 * np.pi * turns[index] / count)
        return cls(shape, tuple(kept), tuple(waves))

    def lower_half(self) -> Band:
        """Return the lower half of the waves, as a block of this block."""
        kept = [np.flatnonzero(np.abs(wave) <= np.abs(wave).max() / 2) for wave in self.waves]
        waves = [wave[index] for wave, index in zip(self.waves, kept, strict=True)]
        return Band(self.shape, tuple(kept), tuple(waves))

    def cut(self, spectrum: NDArray[Any]) -> NDArray[Any]:
        """Take the block out of a half spectrum over the last axes."""
        index: tuple[Any, ...] = (..., *np.ix_(*self.kept))
        block: NDArray[Any] = spectrum[index]
        return block

    def transform(self, image: Singles) -> Spectrum:
        """Return the block of the spectrum over the last axes; useless lines drop on the way."""
        spectrum = scipy.fft.rfft(image, axis=-1)[..., : len(self.kept[-1])]
        for axis, index in enumerate(self.kept[:-1], start=-len(self.kept)):
            spectrum = np.take(scipy.fft.fft(spectrum, axis=axis), index, axis=axis)
        return np.asarray(spectrum, dtype=np.complex64)

    def search(self, products: Spectrum, limits: Floats) -> Floats:
        """Return the place (n, axes) of each highest correlation, on a grid finer than its waves.

        It is four times as fine. Around the peak every wave of the correlation is then still on
        its crest, so that the climb starts where the correlation is concave.
        """
        cells = [
            scipy.fft.next_fast_len(4 * int(np.ceil(wave.max() * count / (2 * np.pi))) + 1, True)
            for wave, count in zip(self.waves, self.shape, strict=True)
        ]
        steps = np.asarray(self.shape) / cells
        lags = [
            _lags(cell, limit / step)
            for cell, limit, step in zip(cells, limits, steps, strict=True)
        ]
        heights: NDArray[Any] = products.copy()
        heights[..., 1:] *= 0.5
        # Lags out of reach are dropped axis by axis, before the next one is transformed.
        for axis, (wave, cell, lag) in enumerate(zip(self.waves, cells, lags, strict=True), 1):
            if axis == len(cells):
                heights = scipy.fft.irfft(heights, cell, axis=axis)
            else:
                sizes = (*heights.shape[:axis], cell, *heights.shape[axis + 1 :])
                padded = np.zeros(sizes, np.complex64)
                turns = np.rint(wave * self.shape[axis - 1] / (2 * np.pi)).astype(int)
                padded[(slice(None),) * axis + (turns,)] = heights
                heights = scipy.fft.ifft(padded, axis=axis, overwrite_x=True)
            heights = heights.take(lag, axis=axis)
        best = np.unravel_index(heights.reshape(len(heights), -1).argmax(axis=1), heights.shape[1:])
        places = [lag[at] * step for lag, at, step in zip(lags, best, steps, strict=True)]
        return np.stack(places, axis=1)

    def climb(
        self, products: Spectrum, starts: Floats, *, settled: float, most: int = _STEPS
    ) -> tuple[Floats, Floats]:
        """Go from near each peak to its top by Newton's method, never further than a voxel.

        Returns the places (n, axes) and the correlations there, (n,). Each has come there when
        its next step would be shorter than `settled` voxels; `most` is how many may be taken.
        """
        places, heights = starts.astype(np.float64), np.zeros(len(starts))
        going = np.arange(len(starts))
        for _ in range(most):
            seen = products if len(going) == len(products) else products[going]
            derivatives = self.evaluate(seen, places[going])
            slope, bend = _slope_and_bend(derivatives)
            hilly = np.linalg.eigvalsh(bend)[:, -1] < 0
            bend[~hilly] = -np.eye(len(self.shape))
            step = np.clip(-np.linalg.solve(bend, slope[..., None])[..., 0], -0.5, 0.5)
            step[~hilly] = 0
            places[going] = np.clip(places[going] + step, starts[going] - 1, starts[going] + 1)
            heights[going] = derivatives.reshape(len(going), -1)[:, 0]
            heights[going] += 0.5 * (slope * step).sum(axis=1)
            going = going[hilly & (np.abs(step).max(axis=1) >= settled)]
            if not going.size:
                break
        return places, heights

    def evaluate(self, products: Spectrum, places: Floats) -> Floats:
        """Return each correlation and its derivatives at a place, (n, (3,) * axes) by order."""
        values: NDArray[Any] = products
        for wave, at in zip(self.waves[::-1], places.T[::-1], strict=True):
            angle = at[:, None] * wave
            phase = np.cos(angle) + 1j * np.sin(angle)  # a third of the time of exp
            columns = np.stack([phase, 1j * wave * phase, -(wave**2) * phase], axis=1)
            lines = values.reshape(len(values), -1, len(wave))
            # The last axis is contracted and its orders come first, so that the next is last.
            summed = columns.astype(np.complex64) @ np.swapaxes(lines, 1, 2)
            values = summed.reshape(len(values), 3, *values.shape[1:-1])
        derivatives: Floats = values.real.astype(np.float64)
        return derivatives


def remove_slow(image: Floats, width: Floats) -> Floats:
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


def put_window(image: Floats, window: Floats) -> Floats:
    """Image under a window, its weighted mean taken off first."""
    mean = (window * image).sum() / max(float(window.sum()), 1e-300)
    seen: Floats = window * (image - mean)
    return seen


def trust_profile(spectrum: NDArray[Any], shape: tuple[int, ...]) -> Floats:
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


def spread_trust(profile: Floats, shape: tuple[int, ...]) -> Floats:
    """Trust in every element of a half spectrum, counted as often as it stands for."""
    trust: Floats = profile[_bins(shape, len(profile) - 1)] * _half_weights(shape)
    return trust


def _bins(shape: tuple[int, ...], n_bins: int) -> NDArray[np.intp]:
    lines = [scipy.fft.fftfreq(count) for count in shape[:-1]]
    lines.append(scipy.fft.rfftfreq(shape[-1]))
    radius = np.sqrt(sum((line**2 for line in np.ix_(*lines)), np.zeros(())))
    return np.minimum((radius / 0.5 * n_bins).astype(np.intp), n_bins)


def slow_response(shape: tuple[int, ...], width: float) -> Floats:
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


def _lags(cells: int, reach: float) -> NDArray[np.intp]:
    """Signed lags of at most `reach` cells; as indices they count from the end where negative."""
    whole = min(int(np.floor(reach)) if reach >= 1 else int(np.ceil(reach)), (cells - 1) // 2)
    return np.arange(-whole, whole + 1)


def _slope_and_bend(derivatives: Floats) -> tuple[Floats, Floats]:
    """Gradients (n, d) and Hessians (n, d, d) from mixed derivatives up to order two."""
    units = np.eye(derivatives.ndim - 1, dtype=int)
    slope = [derivatives[(..., *unit)] for unit in units]
    bend = [[derivatives[(..., *(one + other))] for other in units] for one in units]
    return np.stack(slope, axis=-1), np.moveaxis(np.array(bend), -1, 0)
