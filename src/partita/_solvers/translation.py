"""How far each frame is displaced as a whole: the peak of its correlation with a template.

For white noise the shift of largest correlation with the template is the most likely one, so the
spectrum is not whitened: phase correlation gives frequencies that hold nothing but noise the same
say as the rest. The correlation is a sum of few waves, because only frequencies that tell about
position are kept. It is therefore evaluated on a grid that cannot miss its peak, and then climbed
by Newton's method: no upsampled grid, no parabola, no error of interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from .threads import Crew, single_blas

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

SPARED = 0.01
"""Share of what tells the position along an axis that may be left out with high frequencies."""
TAPER = 1 / 16
"""Width of the soft edge of the template, a part of the field; where that is fewer, 6 voxels."""
SLOW = 1 / 12
"""Standard deviation of the blur that counts as slow brightness, a part of the field."""
_DULL = 0.05
_STEPS = 8
_OVERLAPS = 4
_SETTLED = 1e-3
_ROUGHLY = 0.05


class Translation(NamedTuple):
    """Displacements of frames against a template.

    `shifts` (n, axes): where the content of a frame lies relative to the template, in voxels,
    positive towards larger index. `similarity` (n,): the correlation with the template there, 1
    for the template itself; NaN (and a shift of 0) for a frame without any contrast.
    """

    shifts: Floats
    similarity: Floats


def estimate_translation(
    frames: NDArray[Any],
    template: NDArray[Any],
    *,
    max_shift: Sequence[float] | None = None,
    crew: Crew,
) -> Translation:
    """Find how far each frame is displaced against a template.

    Parameters
    ----------
    frames : ndarray, (n, y, x) or (n, z, y, x)
        Any real dtype; taken to float32 one frame at a time. What is not finite counts as the
        frame's mean.
    template : ndarray, (y, x) or (z, y, x)
        What to compare with. Voxels that are not finite, and those near them, have no say.
    max_shift : sequence of float, optional
        Largest displacement along each axis, voxels; a quarter of the field by default.
    crew : Crew
        Threads that share out the frames.

    Returns
    -------
    Translation
        Gain and offset of a frame do not matter, nor does slowly varying brightness that is
        added to it. Each frame is judged by itself: a blank or broken one changes no other.
    """
    return TranslationTemplate(template, max_shift=max_shift).estimate(frames, crew=crew)


class TranslationTemplate:
    """A template made ready once, for any number of blocks of frames."""

    def __init__(self, template: NDArray[Any], *, max_shift: Sequence[float] | None = None) -> None:
        image = np.asarray(template, dtype=np.float64)
        self.shape = image.shape
        quarter = np.asarray(self.shape) / 4
        limits = quarter if max_shift is None else np.asarray(max_shift, dtype=np.float64)
        self.max_shift: Floats = np.minimum(limits, (np.asarray(self.shape) - 1) / 2)
        self._sharp = remove_slow(image, SLOW * np.asarray(self.shape))
        self._taper: Floats = np.maximum(TAPER * np.asarray(self.shape), np.minimum(6.0, quarter))
        self._window = soft_window(np.isfinite(image), self._taper)
        seen = _windowed(self._sharp, self._window)
        spectrum = scipy.fft.rfftn(seen)
        trust = spectral_trust(spectrum, self.shape) * _half_weights(spectrum.shape, self.shape)
        self._band = _Band.of(np.abs(spectrum) ** 2 * trust, self.shape)
        self._rough = self._band.lower_half()
        self._trust = self._band.cut(trust).astype(np.float32)
        fast = 1 - _slow_response(self.shape)
        self._power = self._band.cut(trust * fast**2).astype(np.float32)
        self._own = self._band.transform(_centred(image)[0])
        self._filter, self._origin = self._match(self._window)

    def estimate(self, frames: NDArray[Any], *, crew: Crew) -> Translation:
        """Find the displacements of a block of frames."""
        n_frames, n_axes = len(frames), len(self.shape)
        size = max(1, min(16, -(-n_frames // (2 * crew.threads))))
        blocks = [slice(start, start + size) for start in range(0, n_frames, size)]
        answers: list[list[tuple[Floats, float]]] = []
        with single_blas():
            answers = crew.map(lambda block: [self._locate(one) for one in frames[block]], blocks)
        flat = [answer for block in answers for answer in block]
        shifts = np.array([shift for shift, _ in flat]).reshape(n_frames, n_axes)
        return Translation(shifts, np.array([similarity for _, similarity in flat]))

    def _locate(self, frame: NDArray[Any]) -> tuple[Floats, float]:
        """Shift and similarity of one frame."""
        image, contrast = _centred(frame)
        if not contrast or not self._filter.any():
            return np.zeros(len(self.shape)), np.nan
        spectrum = self._band.transform(image)
        product = spectrum * self._filter
        rough = self._rough.cut(product)
        start = self._rough.search(rough, self.max_shift)
        start, _ = self._rough.climb(rough, start, settled=_ROUGHLY)
        shift, height = self._band.climb(product, start, settled=_SETTLED)
        shift = shift - self._origin
        if np.any(np.abs(shift) > self._taper / 4):
            shift, height = self._compare_overlap(spectrum, shift, height)
        shift = np.clip(shift, -self.max_shift, self.max_shift)
        return shift, float(np.clip(height / self._loudness(spectrum), -1, 1))

    def _compare_overlap(
        self, spectrum: Spectrum, shift: Floats, height: float
    ) -> tuple[Floats, float]:
        """Climb again with what the frame still shows of the template, till that stays the same."""
        for _ in range(_OVERLAPS):
            before = shift
            shown, origin = self._match(self._window * self._overlap(shift))
            if not shown.any():
                break
            shift, height = self._band.climb(spectrum * shown, before, settled=_SETTLED)
            shift = shift - origin
            if np.all(np.abs(shift - before) < self._taper / 40):
                break
        return shift, height

    def _match(self, window: Floats) -> tuple[Spectrum, Floats]:
        """Filter that correlates with what the window shows of the template, and its origin.

        The correlation of the template with itself under the window is 1, and highest at the
        origin: a little off zero, where the soft edge of the window has bright structure.
        """
        spectrum = self._band.transform(_windowed(self._sharp, window).astype(np.float32))
        matched: Spectrum = (np.conj(spectrum) * self._trust).astype(np.complex64)
        origin, alike = self._band.climb(
            matched * self._own, np.zeros(window.ndim), settled=_SETTLED
        )
        if not alike > 0:
            return np.zeros_like(matched), np.zeros(window.ndim)
        matched *= np.float32(self._loudness(self._own) / alike)
        return matched, origin

    def _overlap(self, shift: Floats) -> Floats:
        """Window of the template that a frame displaced by `shift` still shows.

        Without it, what has left the field on one side would be compared with what entered it on
        the other.
        """
        ramps = []
        for count, at, taper in zip(self.shape, shift, self._taper, strict=True):
            index = np.arange(count)
            depth = count - index - at if at > 0 else index + 1 + at
            ramps.append(_rise(depth / taper))
        window: Floats = np.prod(np.broadcast_arrays(*np.ix_(*ramps)), axis=0)
        return window

    def _loudness(self, spectrum: Spectrum) -> float:
        """Root of the power of a frame, as the correlation weighs it."""
        power = spectrum.real**2 + spectrum.imag**2
        return float(np.sqrt(np.vdot(power, self._power)))


class _Band(NamedTuple):
    """The frequencies that tell about position: a block around zero of a half spectrum.

    `kept` (axes) holds the indices along each axis in the order of the FFT, `waves` (axes) their
    angular frequencies in radians a voxel.
    """

    shape: tuple[int, ...]
    kept: tuple[NDArray[np.intp], ...]
    waves: tuple[Floats, ...]

    @classmethod
    def of(cls, power: Floats, shape: tuple[int, ...]) -> _Band:
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

    def lower_half(self) -> _Band:
        """Return the lower half of the waves, as a block of this block."""
        kept = [np.flatnonzero(np.abs(wave) <= np.abs(wave).max() / 2) for wave in self.waves]
        waves = [wave[index] for wave, index in zip(self.waves, kept, strict=True)]
        return _Band(self.shape, tuple(kept), tuple(waves))

    def cut(self, spectrum: NDArray[Any]) -> NDArray[Any]:
        """Take the block out of a half spectrum."""
        return spectrum[np.ix_(*self.kept)]

    def transform(self, image: Singles) -> Spectrum:
        """Return the block of the image's spectrum; lines of no use are dropped on the way."""
        spectrum = scipy.fft.rfft(image, axis=-1)[..., : len(self.kept[-1])]
        for axis in range(len(self.shape) - 2, -1, -1):
            spectrum = scipy.fft.fft(spectrum, axis=axis)
            spectrum = np.take(spectrum, self.kept[axis], axis=axis)
        return np.asarray(spectrum, dtype=np.complex64)

    def search(self, product: Spectrum, limits: Floats) -> Floats:
        """Return the place of the highest correlation on a grid four times as fine as its waves.

        Around the peak every wave of the correlation is then still on its crest, so that the
        climb starts where the correlation is concave.
        """
        cells = [
            scipy.fft.next_fast_len(4 * int(np.ceil(wave.max() * count / (2 * np.pi))) + 1, True)
            for wave, count in zip(self.waves, self.shape, strict=True)
        ]
        padded = np.zeros((*cells[:-1], cells[-1] // 2 + 1), np.complex64)
        turns = [
            np.rint(wave * count / (2 * np.pi)).astype(int)
            for wave, count in zip(self.waves, self.shape, strict=True)
        ]
        padded[np.ix_(*turns)] = product
        padded[..., 1:] *= 0.5
        heights = scipy.fft.irfftn(padded, s=cells)
        steps = np.asarray(self.shape) / cells
        lags = [
            _lags(cell, limit / step)
            for cell, limit, step in zip(cells, limits, steps, strict=True)
        ]
        heights = heights[np.ix_(*lags)]
        best = np.unravel_index(int(heights.argmax()), heights.shape)
        place: Floats = np.array([lag[at] for lag, at in zip(lags, best, strict=True)]) * steps
        return place

    def climb(self, product: Spectrum, start: Floats, *, settled: float) -> tuple[Floats, float]:
        """Go from near a peak to its top by Newton's method, never further than a voxel.

        Returns the place and the correlation there; it has come there when the next step would
        be shorter than `settled` voxels.
        """
        place = start
        height = np.nan
        for _ in range(_STEPS):
            derivatives = self.evaluate(product, place)
            height = float(derivatives.flat[0])
            slope, bend = _slope_and_bend(derivatives)
            if np.linalg.eigvalsh(bend).max() >= 0:
                break
            step = np.clip(-np.linalg.solve(bend, slope), -0.5, 0.5)
            place = np.clip(place + step, start - 1, start + 1)
            height += 0.5 * float(slope @ step)
            if np.abs(step).max() < settled:
                break
        return place, height

    def evaluate(self, product: Spectrum, place: Floats) -> Floats:
        """Return the correlation and its derivatives at a place, (3,) * axes by their orders."""
        values: NDArray[Any] = product
        for wave, at in zip(self.waves[::-1], place[::-1], strict=True):
            phase = np.exp(1j * wave * at)
            columns = np.stack([phase, 1j * wave * phase, -(wave**2) * phase]).astype(np.complex64)
            # The last axis is contracted and its orders come first, so that the next is last.
            values = np.tensordot(columns, values, axes=(1, values.ndim - 1))
        derivatives: Floats = values.real.astype(np.float64)
        return derivatives


def remove_slow(image: Floats, width: Floats) -> Floats:
    """Subtract the image blurred by a Gaussian of `width` voxels; 0 where it is not finite."""
    inside = np.isfinite(image)
    filled = np.where(inside, image, 0.0)
    share = ndimage.gaussian_filter(inside.astype(float), width)
    slow = ndimage.gaussian_filter(filled, width) / np.maximum(share, 1e-9)
    sharp: Floats = np.where(inside, filled - slow, 0.0)
    return sharp


def soft_window(inside: NDArray[np.bool_], taper: Floats) -> Floats:
    """Weights that rise from 0 at the border of what is inside to 1 within `taper` voxels."""
    reach = np.maximum(taper, 1.0)
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=1 / reach)
    core = depth[(slice(1, -1),) * inside.ndim]
    return _rise(core)


def _rise(depth: Floats) -> Floats:
    """Rise smoothly from 0 at depth 0 to 1 at depth 1."""
    weights: Floats = np.sin(np.pi / 2 * np.clip(depth, 0, 1)) ** 2
    return weights


def _windowed(image: Floats, window: Floats) -> Floats:
    """Image under a window, its weighted mean taken off first."""
    mean = (window * image).sum() / max(float(window.sum()), 1e-300)
    seen: Floats = window * (image - mean)
    return seen


def spectral_trust(spectrum: NDArray[Any], shape: tuple[int, ...]) -> Floats:
    """Wiener's share of signal in the power of a template, smooth in frequency.

    The noise is what is left at the highest frequencies. Its share of the power is taken off, so
    that a template that is still noisy is not matched with the noise of the frames it came from.
    """
    radius = _radius(shape)
    n_bins = max(4, min(shape) // 4)
    bins = np.minimum((radius / 0.5 * n_bins).astype(int), n_bins)
    power = np.abs(spectrum) ** 2
    count = np.bincount(bins.ravel(), minlength=n_bins + 1)
    profile = np.bincount(bins.ravel(), power.ravel(), n_bins + 1) / np.maximum(count, 1)
    noise = profile[-2:].min()
    share = 1 - noise / np.maximum(profile, 1e-300)
    trust: Floats = np.clip(share, _DULL, 1)[bins]
    return trust


def _radius(shape: tuple[int, ...]) -> Floats:
    """Frequency of every element of a half spectrum, cycles a voxel."""
    lines = [scipy.fft.fftfreq(count) for count in shape[:-1]]
    lines.append(scipy.fft.rfftfreq(shape[-1]))
    return np.sqrt(sum((line**2 for line in np.ix_(*lines)), np.zeros(())))


def _slow_response(shape: tuple[int, ...]) -> Floats:
    """Frequency response of the blur that counts as slow brightness."""
    lines = [scipy.fft.fftfreq(count) * count for count in shape[:-1]]
    lines.append(scipy.fft.rfftfreq(shape[-1]) * shape[-1])
    turns2 = sum((line**2 for line in np.ix_(*lines)), np.zeros(()))
    return np.exp(-2 * (np.pi * SLOW) ** 2 * turns2)


def _half_weights(half: tuple[int, ...], shape: tuple[int, ...]) -> Floats:
    """How often each element of a half spectrum counts; 0 for the mean and at Nyquist."""
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
    """Gradient and Hessian from mixed derivatives up to order two along every axis."""
    units = np.eye(derivatives.ndim, dtype=int)
    slope = np.array([derivatives[tuple(unit)] for unit in units])
    bend = np.array([[derivatives[tuple(one + other)] for other in units] for one in units])
    return slope, bend


def _centred(frame: NDArray[Any]) -> tuple[Singles, bool]:
    """Frame of zero mean and unit spread in float32, and whether it has any contrast."""
    image = np.asarray(frame, dtype=np.float32 if frame.dtype.itemsize <= 4 else np.float64)
    mean = float(image.mean(dtype=np.float64))
    if not np.isfinite(mean):
        inside = np.isfinite(image)
        mean = float(image[inside].mean(dtype=np.float64)) if inside.any() else 0.0
        image = np.where(inside, image, np.asarray(mean, image.dtype))
    image = image - np.asarray(mean, image.dtype)
    spread = float(np.abs(image).max())
    if spread <= 8 * np.finfo(np.float32).eps * abs(mean):
        return image.astype(np.float32), False
    return (image / np.asarray(spread, image.dtype)).astype(np.float32, copy=False), True
