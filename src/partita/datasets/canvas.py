"""The grid that tissue is painted on before it moves and is sampled."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]


class Canvas(NamedTuple):
    """The grid that tissue is painted on: finer than the recording and wider than its field.

    Coordinates are millimetres from the centre of the field. Axes of length one are left out, so
    a single slice is a plane.
    """

    shape: tuple[int, ...]
    spacing: Floats
    origin: Floats
    field: Floats
    margin: tuple[int, ...]
    fineness: int

    def axes(self) -> list[Floats]:
        """Open (broadcastable) coordinates along each axis, mm."""
        lines = [
            start + step * np.arange(count)
            for start, step, count in zip(self.origin, self.spacing, self.shape, strict=True)
        ]
        return list(np.ix_(*lines))

    def at_voxels(self, image: NDArray[np.floating]) -> NDArray[np.floating]:
        """Values of `image` (..., *shape) at the voxels of the recording when nothing moves."""
        inside = [
            slice(edge * self.fineness, count - edge * self.fineness, self.fineness)
            for edge, count in zip(self.margin, self.shape, strict=True)
        ]
        everything: tuple[EllipsisType | slice, ...] = (..., *inside)
        return image[everything]

    def smooth(self, image: Floats, width: float) -> Floats:
        """Blur by a Gaussian of standard deviation `width` mm."""
        blurred: Floats = ndimage.gaussian_filter(image, width / self.spacing, truncate=3.0)
        return blurred


def lay_canvas(shape: Sequence[int], spacing: Sequence[float]) -> Canvas:
    """Lay a canvas finer than the voxels, with a margin of a fifth on every side.

    It is three times finer in a plane; in space, where that would take gigabytes, twice.
    """
    counts, steps = np.asarray(shape), np.asarray(spacing, dtype=float)
    margin = np.maximum(4, np.ceil(0.2 * counts).astype(int))
    fineness = 3 if len(counts) == 2 else 2
    size = (counts - 1 + 2 * margin) * fineness + 1
    origin = -steps * ((counts - 1) / 2 + margin)
    return Canvas(
        shape=tuple(int(n) for n in size),
        spacing=steps / fineness,
        origin=origin,
        field=steps * counts,
        margin=tuple(int(n) for n in margin),
        fineness=fineness,
    )
