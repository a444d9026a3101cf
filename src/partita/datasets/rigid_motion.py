"""Rigid motion with known truth: drawing it, its matrices, and frames seen under it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from partita.datasets.canvas import Canvas

Floats = NDArray[np.float64]


class Motion(NamedTuple):
    """Where the tissue is in each frame, relative to the reference.

    `translation` (n_times, n_axes) in mm; `rotation` (n_times, 1 or 3) in radians.
    """

    translation: Floats
    rotation: Floats

    @property
    def is_still(self) -> bool:
        """Whether nothing moves at all."""
        return not (self.translation.any() or self.rotation.any())


def draw_motion(
    times: Floats,
    n_axes: int,
    *,
    motion: float,
    transient: float,
    rotation: float,
    rng: np.random.Generator,
) -> Motion:
    """Draw jitter of `motion` mm rms, brief jumps up to `transient` mm, `rotation` degrees rms."""
    n_angles = 1 if n_axes == 2 else 3
    jitter = unit_jitter(rng, len(times), n_axes)
    turning = unit_jitter(rng, len(times), n_angles)
    jumps = _unit_transients(rng, times, n_axes)
    return Motion(motion * jitter + transient * jumps, np.deg2rad(rotation) * turning)


def matrices(rotation: Floats) -> Floats:
    """Rotation matrices (n_times, n_axes, n_axes), in the recording's order of axes.

    One angle turns the first axis towards the second. Three are angles about z (y towards x),
    about y (z towards x) and about x (z towards y), the one about x applied first.
    """
    if rotation.shape[1] == 1:
        return _turn(rotation[:, 0], 2, 0, 1)
    about_z, about_y, about_x = rotation.T
    return _turn(about_z, 3, 1, 2) @ _turn(about_y, 3, 0, 2) @ _turn(about_x, 3, 0, 1)


def affines(motion: Motion, centre: Floats) -> Floats:
    """Homogeneous matrices that take reference to frame coordinates, in mm."""
    turns = matrices(motion.rotation)
    n_axes = len(centre)
    affine = np.tile(np.eye(n_axes + 1), (len(turns), 1, 1))
    affine[:, :n_axes, :n_axes] = turns
    affine[:, :n_axes, n_axes] = motion.translation + centre - turns @ centre
    return affine


def render_moving(
    canvas: Canvas,
    power: Floats,
    regions: NDArray[np.float32],
    signals: Floats,
    motion: Motion,
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """Frames (n_times, *shape) of `power` · (1 + signals · `regions`), moved and sampled once.

    The spline coefficients are linear in the image, so they are filtered once for each source
    and mixed for each frame.
    """
    steps, offsets = _pull_back(canvas, motion, shape)
    _require_inside(canvas, steps, offsets, shape)
    base = ndimage.spline_filter(power, order=3, output=np.float32)
    mixed = np.empty(regions.shape, dtype=np.float32)
    for number, region in enumerate(regions):
        ndimage.spline_filter(power * region, order=3, output=mixed[number])
    weights = signals.astype(np.float32)
    frames = np.empty((len(signals), *shape), dtype=np.float32)
    for number, (step, offset) in enumerate(zip(steps, offsets, strict=True)):
        coefficients = base + np.tensordot(weights[number], mixed, axes=1)
        ndimage.affine_transform(
            coefficients, step, offset, shape, frames[number], order=3, prefilter=False
        )
    return frames


def _pull_back(canvas: Canvas, motion: Motion, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Affine maps from voxel numbers of a frame to positions on the canvas, in its samples."""
    spacing = canvas.field / shape
    first = -spacing * (np.asarray(shape) - 1) / 2
    backwards = np.swapaxes(matrices(motion.rotation), 1, 2)
    steps = backwards * spacing / canvas.spacing[:, None]
    seen = np.einsum("tij,tj->ti", backwards, first - motion.translation)
    return steps, (seen - canvas.origin) / canvas.spacing


def _require_inside(canvas: Canvas, steps: Floats, offsets: Floats, shape: tuple[int, ...]) -> None:
    ends = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij"), -1)
    corners = np.einsum("tij,cj->tci", steps, ends.reshape(-1, len(shape))) + offsets[:, None]
    overshoot = np.maximum(-corners, corners - (np.asarray(canvas.shape) - 1)) * canvas.spacing
    if overshoot.max() <= 0:
        return
    room = ", ".join(f"{-start - size / 2:.2g}" for start, size in zip(*canvas[2:4], strict=True))
    raise ValueError(
        f"The motion carries the field {overshoot.max():.2g} mm beyond the simulated tissue, "
        f"which reaches about {room} mm further than the field along its axes. "
        "Lower motion=, transient= or rotation=, or enlarge shape= or spacing=."
    )


def _turn(angle: Floats, n_axes: int, first: int, second: int) -> Floats:
    """Turn axis `first` towards axis `second`."""
    turn = np.tile(np.eye(n_axes), (len(angle), 1, 1))
    turn[:, first, first] = turn[:, second, second] = np.cos(angle)
    turn[:, first, second] = -np.sin(angle)
    turn[:, second, first] = np.sin(angle)
    return turn


def unit_jitter(rng: np.random.Generator, n_times: int, n_axes: int) -> Floats:
    """Frame-to-frame jitter on a slower wander, of unit rms length over the recording."""
    wander = ndimage.gaussian_filter1d(rng.standard_normal((n_times, n_axes)), 3.0, axis=0)
    jitter = rng.standard_normal((n_times, n_axes)) + wander / max(wander.std(), 1e-12)
    scaled: Floats = jitter / np.sqrt((jitter**2).sum(axis=1).mean())
    return scaled


def _unit_transients(rng: np.random.Generator, times: Floats, n_axes: int) -> Floats:
    """Jumps that decay within about a second, one in 20 s; the largest has length 1."""
    count = 1 + rng.poisson((times[-1] - times[0]) / 20)
    onset = rng.choice(times, count)
    size = rng.uniform(0.3, 1.0, (count, 1)) * _unit_vectors(rng, count, n_axes)
    since = times[:, None] - onset
    course = np.where(since >= 0, np.exp(-np.maximum(since, 0) / 0.6), 0)
    jumps = course @ size
    scaled: Floats = jumps / np.linalg.norm(jumps, axis=1).max()
    return scaled


def _unit_vectors(rng: np.random.Generator, count: int, n_axes: int) -> Floats:
    vectors = rng.standard_normal((count, n_axes))
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
