"""Smooth non-rigid motion with known truth: drawing it, and frames seen under it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from partita.datasets.canvas import Canvas
from partita.datasets.rigid_motion import unit_jitter

Floats = NDArray[np.float64]

N_WAVES = 4
"""Half waves across the field along an axis: 0 to 3."""
STEEPEST = 0.5
"""Steepest displacement that is simulated: at 1 the tissue would fold over itself."""


class Bending(NamedTuple):
    """Where tissue lies in each frame, relative to the reference.

    `translation` (n_times, 2) in mm, of all tissue alike, and `weights` (n_times, 2, waves_y,
    waves_x) in mm of the displacement's half waves over the field.
    """

    translation: Floats
    weights: Floats

    @property
    def is_rigid(self) -> bool:
        """Whether all tissue moves alike."""
        return not self.weights.any()


def draw_bending(
    translation: Floats, shape: tuple[int, ...], *, warp: float, rng: np.random.Generator
) -> Bending:
    """Draw smooth displacements that reach `warp` mm along an axis in every frame."""
    n_times = len(translation)
    weights = unit_jitter(rng, n_times, 2 * N_WAVES**2).reshape(n_times, 2, N_WAVES, N_WAVES)
    number = np.arange(N_WAVES)
    weights = weights / (1 + number[:, None] ** 2 + number**2)
    weights[..., 0, 0] = 0
    path = Bending(translation, weights)
    largest = np.array([np.abs(field).max() for field in displacements(path, shape)])
    scale = warp / np.maximum(largest, 1e-12)
    return path._replace(weights=weights * scale[:, None, None, None])


def displacements(path: Bending, shape: tuple[int, ...]) -> Floats:
    """Return the bending (n_times, 2, *shape) at the voxels of the reference, mm."""
    along_y, along_x = (_waves((np.arange(count) + 0.5) / count) for count in shape)
    bent: Floats = along_y.T @ path.weights @ along_x
    return bent


def render_bent(
    canvas: Canvas, image: Floats, path: Bending, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Frames (n_times, *shape) of `image`, moved and sampled once by a cubic spline."""
    _require_gentle(canvas, path, shape)
    coefficients = ndimage.spline_filter(image, order=3, output=np.float32)
    frames = np.empty((len(path.translation), *shape), dtype=np.float32)
    for frame, shift, weights in zip(frames, path.translation, path.weights, strict=True):
        places = _pull_back(canvas, shift, weights, shape)
        indices = [
            (place - start) / step
            for place, start, step in zip(places, canvas.origin, canvas.spacing, strict=True)
        ]
        _require_inside(canvas, indices)
        _sample(coefficients, indices, frame)
    return frames


def _sample(
    coefficients: NDArray[np.float32], indices: list[Floats], frame: NDArray[np.float32]
) -> None:
    """Evaluate the spline, along straight lines where the indices are open."""
    if indices[0].shape == frame.shape:
        ndimage.map_coordinates(coefficients, indices, frame, order=3, prefilter=False)
        return
    lines = [index.ravel() for index in indices]
    steps = [(line[-1] - line[0]) / max(len(line) - 1, 1) for line in lines]
    start = [line[0] for line in lines]
    ndimage.affine_transform(
        coefficients, np.diag(steps), start, frame.shape, frame, order=3, prefilter=False
    )


def _pull_back(
    canvas: Canvas, shift: Floats, weights: Floats, shape: tuple[int, ...]
) -> list[Floats]:
    """Places of the reference, mm from the centre, that the voxels of a frame show; open if rigid.

    The displacement is known at the places of the reference, so the place that came to a voxel
    is the fixed point of ``voxel - shift - displacement(place)``.
    """
    lines = [
        size * (np.arange(count) + 0.5) / count - size / 2
        for size, count in zip(canvas.field, shape, strict=True)
    ]
    seen = [line - one for line, one in zip(np.ix_(*lines), shift, strict=True)]
    if not weights.any():
        return seen
    seen = [np.broadcast_to(line, shape) for line in seen]
    places, moved = seen, np.inf
    while moved > 1e-4 * canvas.spacing.min():
        before = places
        bent = _displace(canvas, weights, before)
        places = [place - one for place, one in zip(seen, bent, strict=True)]
        moved = max(float(np.abs(a - b).max()) for a, b in zip(places, before, strict=True))
    return places


def _displace(canvas: Canvas, weights: Floats, places: list[Floats]) -> list[Floats]:
    """Bending at any places, one array an axis."""
    along_y, along_x = (
        _waves(place / size + 0.5) for place, size in zip(places, canvas.field, strict=True)
    )
    return [(along_y * np.tensordot(one, along_x, axes=1)).sum(axis=0) for one in weights]


def _waves(places: Floats) -> Floats:
    """Half waves (N_WAVES, ...) at places that run from 0 to 1 across the field."""
    first = np.cos(np.pi * places)
    waves = [np.ones_like(first), first]
    while len(waves) < N_WAVES:
        waves.append(2 * first * waves[-1] - waves[-2])
    return np.stack(waves)


def _require_gentle(canvas: Canvas, path: Bending, shape: tuple[int, ...]) -> None:
    if path.is_rigid:
        return
    fields = displacements(path, shape)
    steps = canvas.field / shape
    slopes = [np.abs(np.diff(fields, axis=2 + axis)).max() / steps[axis] for axis in (0, 1)]
    if max(slopes) <= STEEPEST:
        return
    raise ValueError(
        f"The warp stretches the tissue by up to {max(slopes):.0%}, which would fold it; at most "
        f"{STEEPEST:.0%} is simulated. Lower warp=, or enlarge shape= or spacing=."
    )


def _require_inside(canvas: Canvas, indices: list[Floats]) -> None:
    beyond = max(
        float(max(-index.min(), index.max() - (count - 1)) * step)
        for index, count, step in zip(indices, canvas.shape, canvas.spacing, strict=True)
    )
    if beyond <= 0:
        return
    raise ValueError(
        f"The motion carries the field {beyond:.2g} mm beyond the simulated tissue, which reaches "
        "a fifth further than the field on every side. Lower motion=, transient= or warp=, or "
        "enlarge shape= or spacing=."
    )
