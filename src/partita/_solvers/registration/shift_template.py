"""A template of frames that only shift, from what a spread of them shows in coarse pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compute.threads import Crew
from ..compute.types import Array, Floats
from .frame_normalisation import ROUNDINGS
from .frame_resampling import add_up, divide
from .template import NoContrastError, threshold
from .translation import TranslationTemplate

LEAST_KNOWN = 0.5
"""Share of a frame that must have values: what it lacks may not outweigh it."""


# On 20 frames at an SNR of 0.3 and 0.6 a pixel two to five rounds, of four parts or of as many as
# there are frames, have the same error within 10 %; frames that are in the mean themselves have up
# to four times as much at 0.3. Binned to 128 pixels 96 frames at 0.4 have 2 % more error than
# binned to 256, in 0.7 times the time; aligned once more in full they have no less.
_ROUNDS = 3
_PARTS = 4
_BINNED = 128  # pixels left along the shorter side


def build_picture(frames: Array, *, max_shift: Floats, crew: Crew) -> Floats:
    """Average a spread of planes (n, y, x) where their shifts have been taken out.

    Frames that resemble the mean least are left out, and its place is the median place of the
    tissue. `max_shift` (2,) is the largest displacement in voxels.

    Returns
    -------
    numpy.ndarray, (y, x)
        In the units of the frames; NaN where none of them shows anything.
    """
    factor = max(1, min(frames.shape[1:]) // _BINNED)
    small = np.stack([_standardise(_bin(frame, factor)) for frame in frames])
    shifts, chosen = _match(small, max_shift / factor, crew=crew)
    shifts = factor * (shifts - np.median(shifts[chosen], axis=0))
    return divide(*_add(frames, chosen, shifts, crew=crew))


def _match(small: Array, max_shift: Floats, *, crew: Crew) -> tuple[Floats, NDArray[np.intp]]:
    """Return the shifts of frames, and which of them to use.

    Frames are matched with the mean of the others, one part after another: a frame that is in the
    mean finds its own noise there, and stays where it is.
    """
    sound = (np.isfinite(small).mean(axis=(1, 2)) > LEAST_KNOWN) & (small > 0).any(axis=(1, 2))
    if not sound.any():
        raise NoContrastError("every frame is constant or without values")
    shifts, alike = np.zeros((len(small), 2)), np.full(len(small), np.nan)
    chosen = np.flatnonzero(sound)
    parts = [part for part in (chosen[start::_PARTS] for start in range(_PARTS)) if len(part)]
    sums = [_add(small, part, shifts, crew=crew) for part in parts]
    for number in range(_ROUNDS * len(parts)):
        at = number % len(parts)
        part, others = parts[at], [one for k, one in enumerate(sums) if k != at or len(sums) == 1]
        image = divide(*(np.sum(arrays, axis=0) for arrays in zip(*others, strict=True)))
        template = TranslationTemplate(image, max_shift=list(max_shift))
        shifts[part], alike[part] = template.estimate(small[part], crew=crew)
        chosen = _choose(shifts, alike, sound, max_shift)
        sums[at] = _add(small, np.intersect1d(part, chosen), shifts, crew=crew)
    return shifts, chosen


def _add(
    frames: Array, chosen: NDArray[np.intp], shifts: Floats, *, crew: Crew
) -> tuple[Array, Array]:
    still = np.tile(np.eye(2), (len(chosen), 1, 1))
    return add_up(frames, chosen, still, shifts[chosen], crew=crew)


def require_contrast(frames: Array, what: str) -> None:
    """Refuse planes (n, y, x) of which none differs from a constant."""
    if not any((_standardise(frame) > 0).any() for frame in frames):
        raise NoContrastError(f"{what} is constant or without values")


def _choose(
    shifts: Floats, alike: Floats, sound: NDArray[np.bool_], max_shift: Floats
) -> NDArray[np.intp]:
    """Return the frames that resemble the template as most do; of those that were not held."""
    known = sound & np.isfinite(alike)
    if not known.any():
        return np.flatnonzero(sound)
    free = known & (np.abs(shifts) < max_shift).all(axis=1)
    known = free if free.any() else known
    return np.flatnonzero(known & (alike >= threshold(alike[known])))


def _bin(frame: Array, factor: int) -> Array:
    """Average squares of pixels, those that have values."""
    rows, columns = (size // factor for size in frame.shape)
    squares = frame[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return _mean(squares.swapaxes(1, 2).reshape(rows, columns, -1), axis=2)


def _standardise(image: Array) -> Array:
    """Return an image of mean 0 and spread 1, or 0 where it has no contrast; NaN stays."""
    known = np.isfinite(image)
    values = image[known].astype(np.float64)
    centred = np.where(known, image - (values.mean() if values.size else 0.0), np.nan)
    least = ROUNDINGS * np.finfo(np.float32).eps * np.abs(values).max(initial=0)
    spread = values.std() if values.size else 0.0
    return (centred / spread if spread > least else 0 * centred).astype(np.float32)


def _mean(values: Array, axis: int = 0) -> Array:
    """Average what is finite; NaN where nothing is."""
    known = np.isfinite(values)
    if known.all():
        return np.asarray(values.mean(axis=axis, dtype=np.float32))
    total = np.where(known, values, 0).sum(axis=axis)
    count = known.sum(axis=axis)
    mean: Array = np.where(count, total / np.maximum(count, 1), np.nan)
    return mean
