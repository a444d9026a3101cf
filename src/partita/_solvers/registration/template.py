"""A reference that no single frame decides, and what to expect of frames aligned to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..compute.threads import Crew
from .coarse_shift import Correlator, find_shifts
from .frame_normalisation import Conditioned, condition
from .rigid import (
    Field,
    Motion,
    Reference,
    add_up,
    blocks,
    follow_from,
    join,
    make_correlator,
    make_reference,
    shifted,
)

Array = np.ndarray[Any, Any]


_COARSE_ROUNDS = 3
_FINE_ROUNDS = 2
_OUTLYING = 5 * 1.4826  # times the median absolute deviation
_LEAST_SPREAD = 0.004  # of similarities, below which differences are of no account
_SMALL_TURN = 1.0  # voxels at a corner: a larger one calls for coarse steps
_LEAST_COUNT = 0.25  # share of frames that must see a voxel for it to be known


class Expectation(NamedTuple):
    """A reference, and how frames fare with it.

    Attributes
    ----------
    reference : Reference
    wide : bool
        Whether frames turn so far that each should start with coarse steps.
    trusted : float
        Similarity below which a frame is out of the ordinary.
    motion : Motion
        Of the frames that were looked at.
    """

    reference: Reference
    wide: bool
    trusted: float
    motion: Motion


def build_reference(frames: Array, field: Field, *, roots: bool, crew: Crew) -> Expectation:
    """Build a reference from a spread of frames (n, *shape), refined round by round.

    The mean of all frames is sharpened by whole-field shifts, then by full alignment; frames that
    resemble it least are left out, and its place is the median place of the tissue.
    """
    ready = _condition(frames, roots=roots, crew=crew)
    _require_contrast(ready, "every frame")
    image = _average(ready, _still(ready, field), field, crew=crew)
    for _ in range(_COARSE_ROUNDS):
        motion = centre(_place(ready, make_correlator(image, field), field, crew=crew), ready)
        image = _average(ready, motion, field, crew=crew)
    for number in range(_FINE_ROUNDS):
        reference = make_reference(image, field)
        motion = centre(_follow(ready, motion, reference, field, wide=not number, crew=crew), ready)
        image = _average(ready, _trim(motion, ready), field, crew=crew)
    reference = make_reference(image, field)
    motion = _follow(ready, motion, reference, field, wide=False, crew=crew)
    return _expect(reference, motion, ready, field)


def adopt_reference(
    image: Array, frames: Array, field: Field, *, roots: bool, crew: Crew
) -> Expectation:
    """Take an image (*shape) as the reference, and see how a spread of frames fares with it."""
    reference = take_reference(image, field, roots=roots)
    ready = _condition(frames, roots=roots, crew=crew)
    _require_contrast(ready, "every frame")
    motion = _place(ready, reference.correlator, field, crew=crew)
    motion = _follow(ready, motion, reference, field, wide=True, crew=crew)
    return _expect(reference, motion, ready, field)


def take_reference(image: Array, field: Field, *, roots: bool) -> Reference:
    """Make an image (*shape) ready to be aligned to, in the terms of conditioned frames."""
    given = condition(image[None], roots=roots)
    _require_contrast([given], "the reference")
    seen = _average([given], _still([given], field), field, crew=Crew(1))
    return make_reference(seen, field)


def threshold(similarity: Array) -> float:
    """Return the similarity below which one falls far below the others."""
    middle = float(np.median(similarity))
    spread = float(np.median(np.abs(similarity - middle)))
    return middle - max(_OUTLYING * spread, 5 * _LEAST_SPREAD)


def require_contrast(frames: Array, what: str, *, roots: bool, crew: Crew) -> None:
    """Refuse frames (n, *shape) of which none differs from a constant."""
    _require_contrast(_condition(frames, roots=roots, crew=crew), what)


class NoContrastError(ValueError):
    """There is nothing to align: no frame, or not the reference, differs from a constant."""


def centre(motion: list[Motion], ready: list[Conditioned]) -> list[Motion]:
    """Refer motions to the median place of the tissue."""
    whole = join(motion)
    usable = ~np.concatenate([block.blank for block in ready]) & np.isfinite(whole.shift[:, 0])
    left, _, right = np.linalg.svd(np.median(whole.turn[usable], axis=0))
    turn, shift = left @ right, np.median(whole.shift[usable], axis=0)
    return [_compose_inverse(part, turn, shift) for part in motion]


def _compose_inverse(motion: Motion, turn: Array, shift: Array) -> Motion:
    turned = motion.turn @ turn.T
    return motion._replace(turn=turned, shift=motion.shift - turned @ shift)


def _condition(frames: Array, *, roots: bool, crew: Crew) -> list[Conditioned]:
    def work(block: slice) -> Conditioned:
        return condition(frames[block], roots=roots)

    return crew.map(work, blocks(frames.shape))


def _place(
    ready: list[Conditioned], correlator: Correlator, field: Field, *, crew: Crew
) -> list[Motion]:
    """Find the shifts of whole frames."""

    def work(block: Conditioned) -> Motion:
        return shifted(find_shifts(block.values, correlator) * field.spacing)

    return crew.map(work, ready)


def _follow(
    ready: list[Conditioned],
    starts: list[Motion],
    reference: Reference,
    field: Field,
    *,
    wide: bool,
    crew: Crew,
) -> list[Motion]:
    def work(pair: tuple[Conditioned, Motion]) -> Motion:
        block, start = pair
        return follow_from(block, start, reference, field, wide=wide, trusted=-1.0)

    return crew.map(work, list(zip(ready, starts, strict=True)))


def _trim(motion: list[Motion], ready: list[Conditioned]) -> list[Motion]:
    """Mark as not to be used (NaN) the frames that resemble the reference least."""
    blank = np.concatenate([block.blank for block in ready])
    least = threshold(join(motion).similarity[~blank])
    return [
        part._replace(similarity=np.where(part.similarity < least, np.nan, part.similarity))
        for part in motion
    ]


def _average(ready: list[Conditioned], motion: list[Motion], field: Field, *, crew: Crew) -> Array:
    total, count = np.zeros(field.shape), np.zeros(field.shape)
    pairs = list(zip(ready, motion, strict=True))
    for first in range(0, len(pairs), crew.threads):  # few at a time: sums are as long as frames
        some = pairs[first : first + crew.threads]
        for values, seen in crew.map(lambda pair: add_up(*pair, field), some):
            total += values
            count += seen
    known = count >= max(1.0, _LEAST_COUNT * np.max(count))
    return np.where(known, total / np.maximum(count, 1), np.nan)


def _expect(
    reference: Reference, motion: list[Motion], ready: list[Conditioned], field: Field
) -> Expectation:
    whole = join(motion)
    usable = ~np.concatenate([block.blank for block in ready]) & np.isfinite(whole.shift[:, 0])
    if not usable.any():
        raise NoContrastError("no frame resembles the reference")
    least = threshold(whole.similarity[usable])
    usable &= whole.similarity >= least
    half = np.abs(field.spacing) * (np.array(field.shape) - 1) / 2
    turned = np.abs(whole.turn[usable] - np.eye(len(half))) * half / np.abs(field.spacing)[:, None]
    return Expectation(reference, bool(turned.max() > _SMALL_TURN), least, whole)


def _still(ready: list[Conditioned], field: Field) -> list[Motion]:
    return [shifted(np.zeros((len(block.blank), len(field.shape)))) for block in ready]


def _require_contrast(ready: list[Conditioned], what: str) -> None:
    if all(block.blank.all() for block in ready):
        raise NoContrastError(f"{what} is constant or without values")
