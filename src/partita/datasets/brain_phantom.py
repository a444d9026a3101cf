"""The brain of a simulated recording: a vessel-like power image and regions that act in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from partita.datasets.canvas import Canvas

Floats = NDArray[np.float64]

POWER_RANGE = (4e3, 5e4)
"""Dimmest and brightest voxel, as in the recordings of Nunez-Elizalde et al. (2022)."""
STEP = 0.02
"""Length of one step along a vessel, mm."""
POINT_SPREAD = 0.05
"""Standard deviation of the imaging blur, mm (0.12 mm at half maximum)."""


def paint_power(canvas: Canvas, *, rng: np.random.Generator) -> Floats:
    """Paint the mean power: vessels and capillaries inside an outline, 4e3 to 5e4."""
    blur = float(np.hypot(POINT_SPREAD, 0.3 * canvas.fineness * canvas.spacing.min()))
    vessels = canvas.smooth(_trace_vessels(canvas, rng), blur)
    texture = canvas.smooth(rng.standard_normal(canvas.shape), 1.5 * POINT_SPREAD)
    capillaries = np.exp(0.45 * texture / texture.std())
    tissue = canvas.smooth(inside_outline(canvas).astype(float), POINT_SPREAD)
    bright = np.log1p(tissue * (0.35 * capillaries + 1.6 * vessels / vessels.std()))
    seen = canvas.at_voxels(bright)
    level = (bright - seen.min()) / (seen.max() - seen.min())
    low, high = POWER_RANGE
    power: Floats = np.clip(low * (high / low) ** level, low, high)
    return power


def inside_outline(canvas: Canvas) -> NDArray[np.bool_]:
    """Whether a point lies in the brain: under an arched surface and above a flatter base."""
    depth, lateral = canvas.axes()[-2:]
    top, base = _outline(canvas, lateral)
    return np.broadcast_to((depth > top) & (depth < base), canvas.shape)


def paint_regions(
    canvas: Canvas, n_regions: int, *, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Paint non-negative regions with a peak of 1, shape (n_regions, *canvas.shape).

    Every other one has a twin across the midline, as functional networks do.
    """
    half = canvas.field / 2
    radius = 0.55 * np.sqrt(np.prod(canvas.field[-2:]) / (np.pi * n_regions))
    centres = _spread_centres(canvas, n_regions, rng)
    tissue = canvas.smooth(inside_outline(canvas).astype(float), 0.1)
    regions = np.empty((n_regions, *canvas.shape), dtype=np.float32)
    for number, centre in enumerate(centres):
        widths = np.minimum(radius * rng.uniform(0.7, 1.2, len(centre)), 0.6 * half)
        widths = np.maximum(widths, canvas.fineness * canvas.spacing)
        twins = [centre] if number % 2 else [centre, centre * _mirror(len(centre))]
        bump = np.max([_bump(canvas, twin, widths) for twin in twins], axis=0)
        regions[number] = _peak_one(canvas, bump * tissue)
    return regions


def _peak_one(canvas: Canvas, bump: Floats) -> Floats:
    """Scale to a peak of 1 at the voxels; the faint skirt becomes exactly zero."""
    trimmed = np.maximum(bump - 0.02 * bump.max(), 0)
    region: Floats = trimmed / canvas.at_voxels(trimmed).max()
    return region


def _bump(canvas: Canvas, centre: Floats, widths: Floats) -> Floats:
    offsets = zip(canvas.axes(), centre, widths, strict=True)
    squared = sum((axis - middle) ** 2 / width**2 for axis, middle, width in offsets)
    return np.exp(-(np.asarray(squared, dtype=float) ** 1.5))


def _mirror(n_axes: int) -> Floats:
    return np.array([1.0] * (n_axes - 1) + [-1.0])


def _spread_centres(canvas: Canvas, count: int, rng: np.random.Generator) -> Floats:
    """Choose points of the brain far from one another and from one another's mirror images."""
    half = 0.42 * canvas.field
    candidates = rng.uniform(-half, half, (4000, len(half)))
    top, base = _outline(canvas, candidates[:, -1])
    reach = 0.06 * canvas.field[-2]
    candidates = candidates[(candidates[:, -2] > top + reach) & (candidates[:, -2] < base - reach)]
    chosen = [candidates[0]]
    distance = np.full(len(candidates), np.inf)
    for _ in range(count - 1):
        for known in (chosen[-1], chosen[-1] * _mirror(len(half))):
            distance = np.minimum(distance, np.linalg.norm(candidates - known, axis=1))
        chosen.append(candidates[np.argmax(distance)])
    return np.array(chosen)


def _outline(canvas: Canvas, lateral: Floats) -> tuple[Floats, Floats]:
    """Depth of the surface and of the base at lateral positions, mm from the centre."""
    height, width = canvas.field[-2:]
    arch = (lateral / (width / 2)) ** 2
    return height * (-0.44 + 0.16 * arch), height * (0.47 - 0.08 * arch)


class _Tips(NamedTuple):
    """Growing ends of vessels: where they are, where they head, how far to go, how crooked."""

    position: Floats
    heading: Floats
    radius: Floats
    reach: Floats
    wander: Floats

    def keep(self, chosen: NDArray[np.bool_]) -> _Tips:
        return _Tips(*(values[chosen] for values in self))

    def joined(self, other: _Tips) -> _Tips:
        return _Tips(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def _trace_vessels(canvas: Canvas, rng: np.random.Generator) -> Floats:
    """Grow all trees by random walks and deposit their blood on the canvas."""
    tips = _plant_penetrating(canvas, rng)
    tips = tips.joined(_plant_deep(canvas, rng)).joined(_plant_surface(canvas, rng))
    places, radii = [], []
    while len(tips.radius):
        places.append(tips.position)
        radii.append(tips.radius)
        tips = _grow(tips, rng)
    return _deposit(canvas, np.concatenate(places), np.concatenate(radii))


def _plant_penetrating(canvas: Canvas, rng: np.random.Generator) -> _Tips:
    """Cortical vessels that dive from the surface, about five a millimetre."""
    extent = -2 * canvas.origin
    count = int(6 * np.prod(np.delete(extent, -2)))
    start = rng.uniform(-extent / 2, extent / 2, (count, len(extent)))
    top, _ = _outline(canvas, start[:, -1])
    start[:, -2] = top
    heading = rng.normal(0, 0.08, start.shape)
    heading[:, -2] = 1
    # Normal to the arched surface: vessels lean towards the midline at the sides.
    heading[:, -1] -= 0.5 * start[:, -1] / canvas.field[-1]
    reach = rng.uniform(0.5, 1.6, count)
    return _Tips(start, heading, rng.lognormal(-3.3, 0.4, count), reach, np.full(count, 0.035))


def _plant_deep(canvas: Canvas, rng: np.random.Generator) -> _Tips:
    """Branching trees of the deep tissue, most rooted at the base and rising."""
    extent = -2 * canvas.origin
    count = max(4, int(0.45 * np.prod(extent)))
    start = rng.uniform(-extent / 2, extent / 2, (count, len(extent)))
    start[:, -2] = rng.triangular(-0.15, 0.5, 0.55, count) * canvas.field[-2]
    heading = rng.standard_normal(start.shape)
    heading[:, -2] -= 0.8
    reach = rng.uniform(1.0, 4.0, count)
    return _Tips(start, heading, rng.lognormal(-3.1, 0.4, count), reach, np.full(count, 0.12))


def _plant_surface(canvas: Canvas, rng: np.random.Generator) -> _Tips:
    """Wide vessels along the surface, starting at the sinus on the midline."""
    count = 8
    start = rng.normal(0, 0.1, (count, len(canvas.field)))
    start[:, -2] += _outline(canvas, start[:, -1])[0] + 0.05
    heading = rng.normal(0, 0.05, start.shape)
    heading[:, -1] = np.where(np.arange(count) % 2, 1.0, -1.0)
    heading[:, -2] += 0.1
    reach = rng.uniform(0.5, 3.0, count)
    return _Tips(start, heading, rng.lognormal(-2.9, 0.3, count), reach, np.full(count, 0.05))


def _grow(tips: _Tips, rng: np.random.Generator) -> _Tips:
    """Advance every tip by one step; some end, some branch into a thinner daughter."""
    heading = tips.heading + tips.wander[:, None] * rng.standard_normal(tips.heading.shape)
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    tips = tips._replace(
        position=tips.position + STEP * heading,
        heading=heading,
        radius=0.997 * tips.radius,
        reach=tips.reach - STEP,
    ).keep(tips.reach > STEP)
    daughters = tips.keep(rng.random(len(tips.radius)) < STEP / 0.7)
    turn = rng.normal(0, 0.8, daughters.heading.shape)
    return tips.joined(
        daughters._replace(
            heading=daughters.heading + turn,
            radius=0.65 * daughters.radius,
            reach=0.6 * daughters.reach,
            wander=1.2 * daughters.wander,
        )
    )


def _deposit(canvas: Canvas, places: Floats, radii: Floats) -> Floats:
    """Sum of blurred points, one blur for each class of radius."""
    classes = np.geomspace(0.008, 0.12, 6)
    nearest = np.abs(np.log(radii)[:, None] - np.log(classes)).argmin(axis=1)
    edges = [
        start + step * (np.arange(count + 1) - 0.5)
        for start, step, count in zip(canvas.origin, canvas.spacing, canvas.shape, strict=True)
    ]
    blood = np.zeros(canvas.shape)
    for number, radius in enumerate(classes):
        chosen = nearest == number
        density, _ = np.histogramdd(places[chosen], bins=edges)
        blood += canvas.smooth(radius**1.3 * density, radius)
    return blood
