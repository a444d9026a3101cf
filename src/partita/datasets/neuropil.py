"""The tissue of a simulated two-photon recording: cell bodies, neurites, neuropil and vessels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from partita.datasets.canvas import Canvas

Floats = NDArray[np.float64]

CELL_RADIUS = 0.006
"""Typical radius of a cell body, mm."""
CELL_DENSITY = 900.0
"""Cell bodies in a square millimetre of the plane."""
NEURITE_DENSITY = 2500.0
"""Neurites that begin in a square millimetre of the plane."""
NEURITE_LENGTH = 0.15
"""Length of a neurite, mm."""
POINT_SPREAD = 0.001
"""Standard deviation of the imaging blur, mm; never less than 0.9 pixels, lest sampling alias."""


def paint_neuropil(canvas: Canvas, *, rng: np.random.Generator) -> Floats:
    """Paint fluorescence on the canvas, never negative, with a mean of 1 over the field."""
    texture = _roughness(canvas, 0.003, rng) + _roughness(canvas, 0.012, rng)
    image = 0.7 * np.exp(0.2 * texture)
    image += 0.15 * _draw_neurites(canvas, rng)
    image += _draw_bodies(canvas, rng)
    image *= _draw_vessels(canvas, rng)
    blur = max(POINT_SPREAD, 0.9 * canvas.fineness * float(canvas.spacing.max()))
    image = canvas.smooth(image, blur)
    painted: Floats = image / canvas.at_voxels(image).mean()
    return painted


def _roughness(canvas: Canvas, width: float, rng: np.random.Generator) -> Floats:
    """Smooth noise of unit standard deviation."""
    coarse = float(canvas.spacing.max())
    noise = canvas.smooth(rng.standard_normal(canvas.shape), max(width, coarse))
    rough: Floats = noise / noise.std()
    return rough


def _draw_bodies(canvas: Canvas, rng: np.random.Generator) -> Floats:
    """Draw elliptical cell bodies whose nuclei are darker than their rims."""
    extent = canvas.spacing * canvas.shape
    count = max(3, round(CELL_DENSITY * float(np.prod(extent))))
    image = np.zeros(canvas.shape)
    radius = np.maximum(CELL_RADIUS * rng.uniform(0.7, 1.2, count), 3 * canvas.spacing.max())
    centres = canvas.origin + rng.uniform(0, 1, (count, 2)) * extent
    for centre, size in zip(centres, radius, strict=True):
        window, y, x = _around(canvas, centre, 1.6 * size)
        angle, squeeze = rng.uniform(0, np.pi), rng.uniform(0.8, 1.25)
        along = (y * np.cos(angle) + x * np.sin(angle)) / squeeze
        across = (x * np.cos(angle) - y * np.sin(angle)) * squeeze
        distance2 = (along**2 + across**2) / size**2
        body = np.exp(-(distance2**3)) * (1 - 0.6 * np.exp(-4 * distance2))
        image[window] += rng.lognormal(0.3, 0.5) * body
    return image


def _around(
    canvas: Canvas, centre: Floats, reach: float
) -> tuple[tuple[slice, ...], Floats, Floats]:
    """Window of the canvas about a place, and coordinates in it from the place, mm."""
    middle = (centre - canvas.origin) / canvas.spacing
    half = reach / canvas.spacing
    first = np.clip(np.floor(middle - half), 0, canvas.shape).astype(int)
    last = np.clip(np.ceil(middle + half) + 1, 0, canvas.shape).astype(int)
    y, x = np.ogrid[first[0] : last[0], first[1] : last[1]]
    window = (slice(first[0], last[0]), slice(first[1], last[1]))
    return window, (y - middle[0]) * canvas.spacing[0], (x - middle[1]) * canvas.spacing[1]


def _draw_neurites(canvas: Canvas, rng: np.random.Generator) -> Floats:
    """Grow thin processes by random walks; mean 1."""
    extent = canvas.spacing * canvas.shape
    count = max(8, round(NEURITE_DENSITY * float(np.prod(extent))))
    step = float(canvas.spacing.min())
    n_steps = max(2, min(round(NEURITE_LENGTH / step), sum(canvas.shape)))
    start = rng.uniform(0, 1, (count, 2)) * canvas.shape
    bends = rng.normal(0, np.sqrt(step / 0.02), (n_steps, count)).cumsum(axis=0)
    heading = rng.uniform(0, 2 * np.pi, count) + 0.3 * bends
    # One brightness a neurite, along all of it.
    brightness = np.broadcast_to(rng.lognormal(0, 0.6, count), (n_steps, count))
    path = step * np.stack([np.cos(heading), np.sin(heading)], axis=-1).cumsum(axis=0)
    places = np.round(start + path / canvas.spacing).astype(int)
    inside = ((places >= 0) & (places < canvas.shape)).all(axis=-1)
    flat = np.ravel_multi_index(tuple(places[inside].T), canvas.shape)
    image = np.bincount(flat, brightness[inside], minlength=int(np.prod(canvas.shape)))
    drawn: Floats = image.reshape(canvas.shape) / max(image.mean(), 1e-12)
    return drawn


def _draw_vessels(canvas: Canvas, rng: np.random.Generator) -> Floats:
    """Shade the few dark bands that vessels above the plane cast."""
    ridge = _roughness(canvas, 0.04, rng)
    shade: Floats = ndimage.gaussian_filter(1 - 0.7 * np.exp(-((ridge / 0.12) ** 2)), 1.0)
    return shade
