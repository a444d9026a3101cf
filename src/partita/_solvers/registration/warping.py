"""Array pulled back through a smooth field of displacements, known at the centres of patches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compute.compilation import compiled
from ..compute.threads import Crew
from ..compute.types import Array, Floats
from .displacement_field import field_basis
from .frame_resampling import pull_all
from .pullback import HALF
from .splines import PAD, blend, narrow, tap_weights


def unbend(
    frames: Array,
    displacement: Floats,
    centres_y: Floats,
    centres_x: Floats,
    *,
    order: int,
    nan_outside: bool,
    crew: Crew,
) -> Array:
    """Pull each frame back through its field: ``out(r) = frame(r + displacement(r))``.

    Parameters
    ----------
    frames : ndarray, (n, y, x), float32 or float64
    displacement : ndarray, (n, 2, patches_y, patches_x)
        Displacement of the content at the centres, voxels; a natural cubic spline between them,
        straight beyond the outermost.
    centres_y, centres_x : ndarray, (patches_y,), (patches_x,)
        Where the centres lie, voxels, rising.
    order, nan_outside, crew
        As for `frame_resampling.resample`.

    Returns
    -------
    ndarray, (n, y, x)
        Borders, gaps and signs are kept as `resample` keeps them.
    """
    rows, columns = (
        field_basis(centres, count).astype(frames.dtype)
        for centres, count in zip((centres_y, centres_x), frames.shape[1:], strict=True)
    )
    bend = displacement.astype(frames.dtype)

    def pull(numbers: slice, padded: Array, gaps: Array, out: Array) -> None:
        none = np.empty((0, 0), dtype=bool)
        for n, one in enumerate(bend[numbers]):
            down, right = rows @ one @ columns.T
            lost = gaps[n] if gaps.size else none
            _pull_bent(padded[n], down, right, order, nan_outside, lost, out[n])

    return pull_all(frames, pull, order=order, crew=crew)


def leaves_by_bending(
    shape: tuple[int, int], displacement: Floats, centres_y: Floats, centres_x: Floats
) -> NDArray[np.bool_]:
    """Tell which voxels of the template lie outside the field in any frame, as `unbend` does."""
    rows, columns = field_basis(centres_y, shape[0]), field_basis(centres_x, shape[1])
    still, left = np.indices(shape), np.zeros(shape, bool)
    for one in displacement:
        for place, count in zip(still + rows @ one @ columns.T, shape, strict=True):
            left |= (place < -HALF) | (place > count - 1 + HALF)
    return left


@compiled
def _pull_bent(
    padded: Array,
    down: Array,
    right: Array,
    order: int,
    nan_outside: bool,
    gaps: Array,
    out: Array,
) -> None:
    r"""Pull a plane through a field: :math:`o(r) = f(r + d(r))`, d down and right in voxels.

    The other arguments are those of `frame_resampling.resample`, of one frame.
    """
    ny, nx = out.shape
    holed = gaps.size > 0
    for i in range(ny):
        for j in range(nx):
            y, x = i + np.float64(down[i, j]), j + np.float64(right[i, j])
            b, a = min(max(y, 0.0), ny - 1.0), min(max(x, 0.0), nx - 1.0)
            top, at = int(b), int(a)
            v = narrow(tap_weights(b - top, order), padded)
            w = narrow(tap_weights(a - at, order), padded)
            out[i, j] = blend(padded, top + PAD - 1, at + PAD - 1, v, w)
            beyond = nan_outside and max(abs(y - b), abs(x - a)) > HALF
            if beyond or (holed and gaps[int(b + 0.5), int(a + 0.5)]):
                out[i, j] = np.nan
