"""Textured scenes that shift and turn by known amounts, under noise, for the benchmarks."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import scipy.ndimage

Array = np.ndarray


class Moving(NamedTuple):
    """Frames, and the motion behind them.

    `shift` (n, d) in voxels and `angles` (n, 1 or 3) in radians about the centre of the field:
    (z, y, x) of the reference is seen at ``turn @ (place - centre) + centre + shift``. The single
    angle turns y towards x; three are about z (y towards x), y (z towards x) and x (z towards y),
    that about x applied first.
    """

    frames: Array
    shift: Array
    angles: Array


def make_moving(
    seed: int, *, n: int, shape: tuple[int, ...], reach: float, turn: float, snr: float
) -> Moving:
    """Move a scene by up to `reach` voxels an axis and `turn` degrees an angle, uniformly.

    The scene is painted three times finer than the voxels (twice in volumes), moved by a cubic
    spline and sampled once. `snr` is the standard deviation of the scene over that of the white
    noise.
    """
    rng = np.random.default_rng(seed)
    d = len(shape)
    fine = 3 if d == 2 else 2
    margin = int(np.ceil(reach + 0.5 * max(shape) * np.sqrt(d) * np.deg2rad(turn))) + 4
    scene = paint_scene(rng, shape, margin, fine)
    shift = rng.uniform(-reach, reach, (n, d))
    angles = np.deg2rad(rng.uniform(-turn, turn, (n, 1 if d == 2 else 3)))
    centre = (np.array(shape) - 1) / 2
    frames = np.empty((n, *shape), np.float32)
    for frame, move, matrix in zip(frames, shift, turns(angles), strict=True):
        # A place of the frame shows the scene at turn.T @ (place - centre - move) + centre.
        start = matrix.T @ (-centre - move) + centre + margin
        scipy.ndimage.affine_transform(
            scene, matrix.T * fine, start * fine, shape, frame, order=3, prefilter=False
        )
    noise = rng.standard_normal(frames.shape, dtype=np.float32)
    frames += noise * np.float32(frames[0].std() / snr)
    return Moving(frames, shift, angles)


def paint_scene(rng: np.random.Generator, shape: tuple[int, ...], margin: int, fine: int) -> Array:
    """Spline coefficients of a scene of blobs and texture, seen through a point spread."""
    size = [(n + 2 * margin - 1) * fine + 1 for n in shape]
    coarse = _texture(rng, size, 6.0 * fine)
    texture = _texture(rng, size, 1.0 * fine)
    blobs = np.maximum(_texture(rng, size, 1.6 * fine) - 1.2, 0)
    scene = 100 + 12 * coarse + 8 * texture + 30 * blobs
    return scipy.ndimage.spline_filter(scene, output=np.float32)


def turns(angles: Array) -> Array:
    """Rotation matrices (n, d, d) of the angles of `Moving`."""
    if angles.shape[1] == 1:
        return _plane_turn(angles[:, 0], 2, 0, 1)
    about_z, about_y, about_x = angles.T
    turned = _plane_turn(about_z, 3, 1, 2) @ _plane_turn(about_y, 3, 0, 2)
    return turned @ _plane_turn(about_x, 3, 0, 1)


def compare(
    found: tuple[Array, Array],
    truth: tuple[Array, Array],
    shape: tuple[int, ...],
    spacing: Array | float = 1.0,
) -> dict:
    """Errors of (turn matrices, shifts about the centre), less the offset that all frames share.

    The origin of a reference is arbitrary: the one rigid motion that lies between the truth and
    the answer in the median frame is taken out.
    """
    found, truth = (_homogeneous(*motion) for motion in (found, truth))
    common = np.median(np.linalg.inv(truth) @ found, axis=0)
    left, _, right = np.linalg.svd(common[:-1, :-1])
    common[:-1, :-1] = left @ right
    error = found - truth @ common
    half = (np.array(shape) - 1) / 2 * np.broadcast_to(spacing, len(shape))
    corners = [(-size, size) for size in half]
    grid = [np.linspace(low, high, 9) for low, high in corners]
    places = np.array([(*place, 1.0) for place in itertools.product(*grid)])
    field = np.einsum("nij,pj->npi", error, places)[..., :-1]
    angle = found[:, :-1, :-1] @ np.swapaxes((truth @ common)[:, :-1, :-1], 1, 2)
    skew = angle - np.swapaxes(angle, 1, 2)
    pairs = list(itertools.combinations(range(len(shape)), 2))
    degrees = np.rad2deg([skew[:, i, j] / 2 for i, j in pairs]).T
    return {
        "rms": float(np.sqrt((error[:, :-1, -1] ** 2).mean())),
        "degrees": float(np.sqrt((degrees**2).mean())),
        "field": np.sqrt((field**2).sum(-1)).mean(1),
    }


def _texture(rng: np.random.Generator, size: list[int], width: float) -> Array:
    field = rng.standard_normal(size, dtype=np.float32)
    field = scipy.ndimage.gaussian_filter(field, width, truncate=3)
    return field / field.std()


def _plane_turn(angle: Array, d: int, first: int, second: int) -> Array:
    turn = np.tile(np.eye(d), (len(angle), 1, 1))
    turn[:, first, first] = turn[:, second, second] = np.cos(angle)
    turn[:, first, second] = -np.sin(angle)
    turn[:, second, first] = np.sin(angle)
    return turn


def _homogeneous(turn: Array, shift: Array) -> Array:
    d = shift.shape[1]
    matrix = np.tile(np.eye(d + 1), (len(shift), 1, 1))
    matrix[:, :d, :d], matrix[:, :d, d] = turn, shift
    return matrix
