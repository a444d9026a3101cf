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

from ..compute.threads import Crew, single_blas
from ..compute.types import Floats, Singles, Spectrum
from .band_correlation import Band
from .template_filter import (
    high_pass,
    low_pass_response,
    rise,
    soft_window,
    spread_profile,
    wiener_profile,
    window_image,
)

TAPER = 1 / 16
"""Width of the soft edge of the template, a part of the field; where that is fewer, 6 voxels.

On simulated movies half and twice of it have 2 to 7 % more error at SNR 0.6 a pixel, and less at
SNR 10; half takes 1.7 times as long, because more frames are compared by what they still show.
"""


SLOW = 1 / 12
"""Standard deviation of the blur that counts as slow brightness, a part of the field.

Half and twice of it change the error on simulated movies by 1 % at SNR 0.6 a pixel.
"""


# On movies simulated with shifts of 4 and of 15 voxels one comparison ends where four do, and a
# tenth and ten times of either length change no error by 1e-4 voxels.
_OVERLAPS = 4
_SETTLED, _ROUGHLY = 1e-3, 0.05  # voxels


class Translation(NamedTuple):
    """Displacements of frames against a template.

    `shifts` (n, axes): where the content of a frame lies relative to the template, in voxels,
    positive towards larger index. `similarity` (n,): the correlation with the template there, 1
    for the template itself, and a little above for a frame that shows it in higher contrast; NaN
    (and a shift of 0) for a frame without any contrast.
    """

    shifts: Floats
    similarity: Floats


class TranslationTemplate:
    """A template made ready once, for any number of blocks of frames.

    Parameters
    ----------
    template : ndarray, (y, x) or (z, y, x)
        What to compare with. Voxels that are not finite, and those near them, have no say.
    max_shift : sequence of float, optional
        Largest displacement along each axis, voxels; a quarter of the field by default.
    """

    def __init__(self, template: NDArray[Any], *, max_shift: Sequence[float] | None = None) -> None:
        image = np.asarray(template, dtype=np.float64)
        self.shape = image.shape
        quarter = np.asarray(self.shape) / 4
        limits = quarter if max_shift is None else np.asarray(max_shift, dtype=np.float64)
        self.max_shift: Floats = np.minimum(limits, (np.asarray(self.shape) - 1) / 2)
        self._sharp = high_pass(image, SLOW * np.asarray(self.shape))
        self._taper: Floats = np.maximum(TAPER * np.asarray(self.shape), np.minimum(6.0, quarter))
        self._window = soft_window(np.isfinite(image), self._taper)
        seen = window_image(self._sharp, self._window)
        spectrum = scipy.fft.rfftn(seen)
        trust = spread_profile(wiener_profile(spectrum, self.shape), self.shape)
        self._band = Band.of(np.abs(spectrum) ** 2 * trust, self.shape)
        self._rough = self._band.lower_half()
        self._trust = self._band.cut(trust).astype(np.float32)
        fast = 1 - low_pass_response(self.shape, SLOW)
        self._power = self._band.cut(trust * fast**2).astype(np.float32)
        self._own = self._band.transform(centre_frames(image[None])[0][0])
        self._filter, self._origin = self._match(self._window)

    def estimate(self, frames: NDArray[Any], *, crew: Crew) -> Translation:
        """Find how far each frame is displaced.

        Parameters
        ----------
        frames : ndarray, (n, y, x) or (n, z, y, x)
            Any real dtype; taken to float32 one frame at a time. What is not finite counts as the
            frame's mean.
        crew : Crew
            Threads that share out the frames.

        Returns
        -------
        Translation
            Gain and offset of a frame do not matter, nor does slowly varying brightness that is
            added to it. Each frame is judged by itself: a blank or broken one changes no other.
        """
        blocks = crew.cut(len(frames), 4 * frames[:1].size) or [slice(0)]
        with single_blas():
            found = crew.map(lambda block: self._locate(frames[block]), blocks)
        return Translation(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))

    def _locate(self, frames: NDArray[Any]) -> Translation:
        """Locate some frames together: threads that take turns at small steps lose half."""
        images, contrasts = centre_frames(frames)
        shifts, similarity = np.zeros((len(frames), len(self.shape))), np.full(len(frames), np.nan)
        if not self._filter.any() or not contrasts.any():
            return Translation(shifts, similarity)
        spectra = self._band.transform(images if contrasts.all() else images[contrasts])
        products = spectra * self._filter
        rough = self._rough.cut(products)
        start = self._rough.search(rough, self.max_shift)
        start, _ = self._rough.climb(rough, start, settled=_ROUGHLY)
        found, height = self._band.climb(products, start, settled=_SETTLED)
        found -= self._origin
        for i in np.flatnonzero(np.any(np.abs(found) > self._taper / 4, axis=1)):
            found[i], height[i] = self._compare_overlap(spectra[i], found[i], height[i])
        shifts[contrasts] = np.clip(found, -self.max_shift, self.max_shift)
        loudness = [self._loudness(spectrum) for spectrum in spectra]
        similarity[contrasts] = np.maximum(height / loudness, -1)
        return Translation(shifts, similarity)

    def _compare_overlap(
        self, spectrum: Spectrum, shift: Floats, height: float
    ) -> tuple[Floats, float]:
        """Climb again with what the frame still shows of the template, till that stays the same."""
        for _ in range(_OVERLAPS):
            before = shift
            shown, origin = self._match(self._window * self._overlap(shift))
            if not shown.any():
                break
            shift, height = self._climb(spectrum * shown, before)
            shift = shift - origin
            if np.all(np.abs(shift - before) < self._taper / 40):
                break
        return shift, height

    def _match(self, window: Floats) -> tuple[Spectrum, Floats]:
        """Filter that correlates with what the window shows of the template, and its origin.

        The correlation of the template with itself under the window is 1, and highest at the
        origin: a little off zero, where the soft edge of the window has bright structure.
        """
        spectrum = self._band.transform(window_image(self._sharp, window).astype(np.float32))
        matched: Spectrum = (np.conj(spectrum) * self._trust).astype(np.complex64)
        origin, alike = self._climb(matched * self._own, np.zeros(window.ndim))
        if not alike > 0:
            return np.zeros_like(matched), np.zeros(window.ndim)
        matched *= np.float32(self._loudness(self._own) / alike)
        return matched, origin

    def _climb(self, product: Spectrum, start: Floats) -> tuple[Floats, float]:
        places, heights = self._band.climb(product[None], start[None], settled=_SETTLED)
        return places[0], float(heights[0])

    def _overlap(self, shift: Floats) -> Floats:
        """Window of the template that a frame displaced by `shift` still shows.

        Without it, what has left the field on one side would be compared with what entered it on
        the other.
        """
        ramps = []
        for count, at, taper in zip(self.shape, shift, self._taper, strict=True):
            index = np.arange(count)
            depth = count - index - at if at > 0 else index + 1 + at
            ramps.append(rise(depth / taper))
        window: Floats = np.prod(np.broadcast_arrays(*np.ix_(*ramps)), axis=0)
        return window

    def _loudness(self, spectrum: Spectrum) -> float:
        """Root of the power of a frame, as the correlation weighs it."""
        power = spectrum.real**2 + spectrum.imag**2
        return float(np.sqrt(np.vdot(power, self._power)))


def centre_frames(frames: NDArray[Any]) -> tuple[Singles, NDArray[np.bool_]]:
    """Frames (n, ...) of zero mean and unit spread in float32, and which have any contrast."""
    images = np.empty(frames.shape, np.float32)
    contrasts = [_centre(*pair) for pair in zip(frames, images, strict=True)]
    return images, np.array(contrasts, dtype=bool)


def _centre(frame: NDArray[Any], out: Singles) -> bool:
    """Write a frame of zero mean and unit spread to `out`; tell whether it has any contrast."""
    image: NDArray[Any] = out if frame.dtype.itemsize <= 4 else np.empty(frame.shape)
    image[...] = frame
    mean = float(image.mean(dtype=np.float64))
    if not np.isfinite(mean):
        inside = np.isfinite(image)
        mean = float(image[inside].mean(dtype=np.float64)) if inside.any() else 0.0
        image[~inside] = mean
    image -= image.dtype.type(mean)
    spread = max(image.max(), -image.min())
    contrast = bool(spread > 8 * np.finfo(np.float32).eps * abs(mean))
    if contrast:
        image /= spread
    if image is not out:
        out[...] = image
    return contrast
