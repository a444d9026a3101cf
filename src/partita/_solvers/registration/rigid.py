"""Rigid motion of frames against a template, by inverse-compositional Gauss-Newton steps.

A frame F, made comparable, is a (gain) times the template T plus b (offset), displaced:
``F(W(r; p)) = a T(r) + b``. Linearised at the template (Baker & Matthews 2004),

    F(W(r; p)) = a T(r) + b + a J(r) d,        p <- p o d^-1,

where J, the derivative of T by shifts and angles, is computed once. The system is not solved by
plain least squares but with instruments Z: ``Z' F = Z' [T, 1, J] (a, b, a d)``, with T and 1 for
gain and offset, and J for the motion, from which a broad Gaussian has been subtracted: slow
changes of brightness across the field, such as brain activity, then do not pass for motion. With
smoothed J instead, the steps find their way from further off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compute.threads import Crew
from ..compute.types import Array
from . import gauss_newton
from .coarse_shift import find_shifts
from .frame_normalisation import NormalisedFrames, normalise_frames
from .frame_resampling import cut_frames
from .normal_equations import see
from .rigid_template import Field, RigidTemplate

# Of what noise leaves, 0.01 to 0.03 voxels, a fraction: four times and a quarter of either
# tolerance, half of the iterations and a third of the coarse ones have the same errors to 1e-4
# voxels on scenes that shift by 8 voxels, turn by 5 degrees and have an SNR of 1.7, and on smaller
# motion at SNR 1.
_TOLERANCE, _COARSE_TOLERANCE = 0.004, 0.1  # voxels
_MAX_ITER, _COARSE_ITER = 25, 12
_LEAST_SEEN = 0.3  # share of the field; a shift of a quarter along two axes leaves 0.56


class Motion(NamedTuple):
    """Where the tissue is in each frame: ``turn @ template + shift`` from the centre.

    Attributes
    ----------
    turn, shift : numpy.ndarray, (n, d, d) and (n, d)
        In the units of the spacing. NaN where a frame could not be followed at all.
    similarity : numpy.ndarray, (n,)
        Correlation with the template; 0 for blank frames.
    converged : numpy.ndarray of bool, (n,)
    """

    turn: Array
    shift: Array
    similarity: Array
    converged: Array


def follow(
    frames: Array,
    template: RigidTemplate,
    field: Field,
    *,
    roots: bool,
    wide: bool,
    trusted: float,
    starts: Array | None = None,
    crew: Crew,
) -> Motion:
    """Find the motion of frames, each on its own.

    Parameters
    ----------
    frames : numpy.ndarray, (n, *shape)
        Any real values; those that are not finite are left out.
    template, field : RigidTemplate, Field
        What to align to.
    roots : bool
        Whether to take square roots (see `condition`).
    wide : bool
        Whether to start every frame with coarse steps.
    trusted : float
        A similarity below this one is not believed before coarse steps have been tried too.
    starts : numpy.ndarray, (n, d), optional
        Shifts to start from, in the units of the spacing; else those of the highest correlation.
    crew : Crew
        Threads to share the frames out over.
    """

    def work(block: slice) -> Motion:
        ready = normalise_frames(frames[block], roots=roots)
        if starts is None:
            begin = find_shifts(ready.values, template.correlator) * field.spacing
        else:
            begin = starts[block]
        return follow_from(ready, shifted(begin), template, field, wide=wide, trusted=trusted)

    return join_motions(crew.map(work, cut_frames(len(frames), 4 * int(np.prod(field.shape)))))


def follow_from(
    ready: NormalisedFrames,
    starts: Motion,
    template: RigidTemplate,
    field: Field,
    *,
    wide: bool,
    trusted: float,
) -> Motion:
    """Find the motion of normalised frames, each from a start of its own."""
    n, d = starts.shift.shape
    found = Motion(np.empty((n, d, d)), np.empty((n, d)), np.zeros(n), np.zeros(n, bool))
    for index in range(n):
        if ready.blank[index]:
            found.turn[index], found.shift[index] = np.nan, np.nan
            continue
        answer = _follow_one(ready, index, starts, template, field, wide)
        if not wide and not (answer[3] and answer[2] >= trusted):
            again = _follow_one(ready, index, starts, template, field, True)
            answer = max(answer, again, key=lambda one: (one[2], one[3]))
        for target, value in zip(found, answer, strict=True):
            target[index] = value
    return found


def shifted(shift: Array) -> Motion:
    """Return motions without turns, (n, d) shifts."""
    n, d = shift.shape
    return Motion(np.tile(np.eye(d), (n, 1, 1)), shift, np.ones(n), np.ones(n, dtype=bool))


def add_up(ready: NormalisedFrames, motion: Motion, field: Field) -> tuple[Array, Array]:
    """Return the sum of normalised frames seen at the template, and how many see each voxel."""
    total, count = np.zeros(field.shape), np.zeros(field.shape, dtype=np.int32)
    warped = np.empty(field.shape, np.float32)
    for index in np.flatnonzero(np.isfinite(motion.similarity) & ~ready.blank):
        see(
            ready.coefficients[index],
            ready.missing[index],
            motion.turn[index],
            motion.shift[index],
            field.spacing,
            field.margin,
            warped,
        )
        total += warped
        count += warped != 0
    return total, count


def _follow_one(
    ready: NormalisedFrames,
    index: int,
    starts: Motion,
    template: RigidTemplate,
    field: Field,
    wide: bool,
) -> tuple[Array, Array, float, bool]:
    turn, shift = starts.turn[index].copy(), starts.shift[index].copy()
    if not np.isfinite(shift).all():
        turn, shift = np.eye(len(shift)), np.zeros(len(shift))
    warped = np.empty(field.shape, np.float32)
    stages = [(template.fine, _MAX_ITER, _TOLERANCE)]
    if wide:
        stages.insert(0, (template.coarse, _COARSE_ITER, _COARSE_TOLERANCE))
    seen, converged = 0.0, False
    for (left, full), max_iter, tolerance in stages:
        seen, converged = gauss_newton.align(
            ready.coefficients[index],
            ready.missing[index],
            left,
            template.regressors,
            full,
            field.spacing,
            field.planes,
            template.reach,
            field.margin,
            max_iter,
            tolerance,
            turn,
            shift,
            warped,
        )
    beyond = np.abs(shift) > field.limit * 1.0001
    if seen < _LEAST_SEEN or not np.isfinite(shift).all():
        return np.full_like(turn, np.nan), np.full_like(shift, np.nan), 0.0, False
    shift = np.clip(shift, -field.limit, field.limit)
    similarity = _correlate(warped.ravel(), template)
    return turn, shift, similarity, bool(converged and not beyond.any())


def _correlate(frame: Array, template: RigidTemplate) -> float:
    """Correlate what is seen of a frame with the template, shading apart."""
    seen = frame != 0
    frame = frame - frame.sum() / max(int(seen.sum()), 1) * seen
    frame -= template.smooth @ (frame @ template.smooth)
    frame *= seen
    detail = template.detail * seen
    power = float(frame @ frame) * float(detail @ detail)
    return float(frame @ detail) / np.sqrt(power) if power > 0 else 0.0


def join_motions(parts: list[Motion]) -> Motion:
    """Put the motions of consecutive frames together."""
    return Motion(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
