"""Frames pulled back through a smooth field of displacements, known at the centres of patches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ..compute.compilation import compiled
from ..compute.threads import Crew
from .frame_resampling import HALF, pull_all
from .splines import PAD, blend, narrow, tap_weights

Floats = NDArray[np.float64]


Frames = NDArray[Any]


def unbend(
    frames: Frames,
    displacement: Floats,
    centres_y: Floats,
    centres_x: Floats,
    *,
    order: int,
    nan_outside: bool,
    crew: Crew,
) -> Frames:
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
        As for :func:`.resample.resample`.

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

    def pull(number: int, padded: Frames, gaps: Frames, out: Frames) -> None:
        down, right = rows @ bend[number] @ columns.T
        _pull_bent(padded, down, right, order, nan_outside, gaps, out)

    return pull_all(frames, pull, order=order, crew=crew)


def leaves_by_bending(
    shape: tuple[int, int], displacement: Floats, centres_y: Floats, centres_x: Floats
) -> NDArray[np.bool_]:
    """Tell which voxels of the reference lie outside the field in any frame, as `unbend` does."""
    rows, columns = field_basis(centres_y, shape[0]), field_basis(centres_x, shape[1])
    still, left = np.indices(shape), np.zeros(shape, bool)
    for one in displacement:
        for place, count in zip(still + rows @ one @ columns.T, shape, strict=True):
            left |= (place < -HALF) | (place > count - 1 + HALF)
    return left


def field_basis(centres: Floats, count: int) -> Floats:
    """Return the weights (count, centres) of a natural cubic spline at ``0 ... count - 1``."""
    places = np.arange(count, dtype=np.float64)
    if len(centres) == 1:
        return np.ones((count, 1))
    spline = CubicSpline(centres, np.eye(len(centres)), bc_type="natural")
    within = np.clip(places, centres[0], centres[-1])
    basis: Floats = spline(within) + (places - within)[:, None] * spline(within, 1)
    return basis


@compiled
def _pull_bent(
    padded: Frames,
    down: Frames,
    right: Frames,
    order: int,
    nan_outside: bool,
    gaps: Frames,
    out: Frames,
) -> None:
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
