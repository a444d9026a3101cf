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
from numpy.typing import NDArray

from ..compute.threads import Crew
from ..compute.types import Array
from .coarse_shift import find_shifts
from .frame_normalisation import NormalisedFrames, normalise_frames
from .frame_resampling import cut_frames
from .gauss_newton import align, see
from .rigid_template import Field, RigidTemplate

# Of what noise leaves, 0.01 to 0.03 voxels, a fraction: four times and a quarter of either
# tolerance, half of the iterations and a third of the coarse ones have the same errors to 1e-4
# voxels on scenes that shift by 8 voxels, turn by 5 degrees and have an SNR of 1.7, and on smaller
# motion at SNR 1.
_TOLERANCE, _COARSE_TOLERANCE = 0.004, 0.1  # voxels
_MAX_ITER, _COARSE_ITER = 25, 12
# Share of the field: a shift of a quarter along two axes leaves 0.56. Half has the same errors.
_LEAST_SEEN = 0.3


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
    found = _lost(*starts.shift.shape)
    chosen = np.flatnonzero(~ready.blank)
    if not len(chosen):
        return found
    answer = _follow(ready, chosen, starts, template, field, wide=wide)
    _put(answer, found, chosen)
    doubtful = ~(answer.converged & (answer.similarity >= trusted))
    if wide or not doubtful.any():
        return found
    again = _follow(ready, chosen[doubtful], starts, template, field, wide=True)
    first = Motion(*(array[doubtful] for array in answer))
    surer = (again.similarity == first.similarity) & again.converged & ~first.converged
    better = (again.similarity > first.similarity) | surer
    _put(Motion(*(array[better] for array in again)), found, chosen[doubtful][better])
    return found


def shifted(shift: Array) -> Motion:
    """Return motions without turns, (n, d) shifts."""
    n, d = shift.shape
    return Motion(np.tile(np.eye(d), (n, 1, 1)), shift, np.ones(n), np.ones(n, dtype=bool))


def add_up(ready: NormalisedFrames, motion: Motion, field: Field) -> tuple[Array, Array]:
    """Return the sum of normalised frames seen at the template, and how many see each voxel."""
    chosen = np.flatnonzero(np.isfinite(motion.similarity) & ~ready.blank)
    warped = np.empty((len(chosen), *field.shape), np.float32)
    see(ready, chosen, motion.turn[chosen], motion.shift[chosen], field, None, warped)
    return warped.sum(axis=0, dtype=np.float64), (warped != 0).sum(axis=0)


def _follow(
    ready: NormalisedFrames,
    chosen: NDArray[np.intp],
    starts: Motion,
    template: RigidTemplate,
    field: Field,
    *,
    wide: bool,
) -> Motion:
    """Follow the chosen frames by fine steps, by coarse ones first if `wide`."""
    lost = np.isnan(starts.shift[chosen].sum(axis=1))
    turn = np.where(lost[:, None, None], np.eye(len(field.shape)), starts.turn[chosen])
    shift = np.where(lost[:, None], 0.0, starts.shift[chosen])
    if wide:
        turn, shift, *_ = align(
            ready, chosen, turn, shift, template, field, coarse=True,
            max_iter=_COARSE_ITER, tolerance=_COARSE_TOLERANCE,
        )  # fmt: skip
    found = align(
        ready, chosen, turn, shift, template, field, coarse=False,
        max_iter=_MAX_ITER, tolerance=_TOLERANCE,
    )  # fmt: skip
    good = (found.seen >= _LEAST_SEEN) & np.isfinite(found.shift).all(axis=1)
    beyond = (np.abs(found.shift) > field.limit * 1.0001).any(axis=1)
    return Motion(
        np.where(good[:, None, None], found.turn, np.nan),
        np.where(good[:, None], np.clip(found.shift, -field.limit, field.limit), np.nan),
        np.where(good, _correlate(found.warped.reshape(len(chosen), -1), template), 0.0),
        good & found.converged & ~beyond,
    )


def _correlate(frames: Array, template: RigidTemplate) -> Array:
    """Correlate what is seen of frames (n, voxels) with the template, shading apart."""
    seen = frames != 0
    mean = frames.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    frames = frames - mean.astype(np.float32)[:, None] * seen
    frames -= (frames @ template.smooth) @ template.smooth.T
    frames *= seen
    power = np.einsum("nv,nv->n", frames, frames) * (seen @ template.detail**2)
    alike: Array = (frames @ template.detail) / np.sqrt(np.where(power > 0, power, np.inf))
    return alike


def _lost(n: int, d: int) -> Motion:
    """Return the motions of frames that cannot be followed."""
    nowhere = np.full((n, d), np.nan)
    return Motion(np.full((n, d, d), np.nan), nowhere, np.zeros(n), np.zeros(n, dtype=bool))


def _put(answer: Motion, found: Motion, chosen: NDArray[np.intp]) -> None:
    for target, values in zip(found, answer, strict=True):
        target[chosen] = values


def join_motions(parts: list[Motion]) -> Motion:
    """Put the motions of consecutive frames together."""
    return Motion(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
