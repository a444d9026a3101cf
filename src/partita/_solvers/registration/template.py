"""A template that no single frame decides, and what to expect of frames aligned to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compute.threads import Crew
from ..compute.types import Array
from .coarse_shift import Correlator, find_shifts
from .frame_normalisation import NormalisedFrames, normalise_frames
from .frame_resampling import cut_frames
from .rigid import Motion, add_up, follow_from, join_motions, shifted
from .rigid_template import Field, RigidTemplate, make_correlator, make_template

# On scenes that shift by up to 8 voxels one round of each has the errors of more, within 3 %.
_COARSE_ROUNDS = 3
_FINE_ROUNDS = 2
_OUTLYING = 5 * 1.4826  # times the median absolute deviation: five standard deviations
# Of similarities: what differs by less is alike. A quarter of it has the same errors, four times is
# within 4 %.
_LEAST_SPREAD = 0.004
# Voxels at a corner: a larger one calls for coarse steps. With half of it scenes take 1.2 times as
# long, and twice has the same errors.
_SMALL_TURN = 1.0
# Share of frames that must see a voxel for it to be known: 0.05 and 0.5 are within 7 % of its
# error.
_LEAST_COUNT = 0.25


class Expectation(NamedTuple):
    """A template, and how frames fare with it.

    Attributes
    ----------
    template : RigidTemplate
    wide : bool
        Whether frames turn so far that each should start with coarse steps.
    trusted : float
        Similarity below which a frame is out of the ordinary.
    motion : Motion
        Of the frames that were looked at.
    """

    template: RigidTemplate
    wide: bool
    trusted: float
    motion: Motion


def build_template(frames: Array, field: Field, *, roots: bool, crew: Crew) -> Expectation:
    """Build a template from a spread of frames (n, *shape), refined round by round.

    The mean of all frames is sharpened by whole-field shifts, then by full alignment; frames that
    resemble it least are left out, and its place is the median place of the tissue.
    """
    ready = _normalise(frames, roots=roots, crew=crew)
    _require_contrast(ready, "every frame")
    image = _average(ready, _still(ready, field), field, crew=crew)
    for _ in range(_COARSE_ROUNDS):
        motion = centre(_place(ready, make_correlator(image, field), field, crew=crew), ready)
        image = _average(ready, motion, field, crew=crew)
    for number in range(_FINE_ROUNDS):
        template = make_template(image, field)
        motion = centre(_follow(ready, motion, template, field, wide=not number, crew=crew), ready)
        image = _average(ready, _trim(motion, ready), field, crew=crew)
    template = make_template(image, field)
    motion = _follow(ready, motion, template, field, wide=False, crew=crew)
    return _expect(template, motion, ready, field)


def adopt_template(
    image: Array, frames: Array, field: Field, *, roots: bool, crew: Crew
) -> Expectation:
    """Take an image (*shape) as the template, and see how a spread of frames fares with it."""
    template = take_template(image, field, roots=roots)
    ready = _normalise(frames, roots=roots, crew=crew)
    _require_contrast(ready, "every frame")
    motion = _place(ready, template.correlator, field, crew=crew)
    motion = _follow(ready, motion, template, field, wide=True, crew=crew)
    return _expect(template, motion, ready, field)


def take_template(image: Array, field: Field, *, roots: bool) -> RigidTemplate:
    """Make an image (*shape) ready to be aligned to, in the terms of normalised frames."""
    given = normalise_frames(image[None], roots=roots)
    _require_contrast([given], "the reference")
    seen = _average([given], _still([given], field), field, crew=Crew(1))
    return make_template(seen, field)


def threshold(similarity: Array) -> float:
    """Return the similarity below which one falls far below the others."""
    middle = float(np.median(similarity))
    spread = float(np.median(np.abs(similarity - middle)))
    return middle - max(_OUTLYING * spread, 5 * _LEAST_SPREAD)


class NoContrastError(ValueError):
    """There is nothing to align: no frame, or not the reference, differs from a constant."""


def centre(motion: list[Motion], ready: list[NormalisedFrames]) -> list[Motion]:
    """Refer motions to the median place of the tissue."""
    whole = join_motions(motion)
    usable = ~np.concatenate([block.blank for block in ready]) & np.isfinite(whole.shift[:, 0])
    left, _, right = np.linalg.svd(np.median(whole.turn[usable], axis=0))
    turn, shift = left @ right, np.median(whole.shift[usable], axis=0)
    return [_compose_inverse(part, turn, shift) for part in motion]


def _compose_inverse(motion: Motion, turn: Array, shift: Array) -> Motion:
    turned = motion.turn @ turn.T
    return motion._replace(turn=turned, shift=motion.shift - turned @ shift)


def _normalise(frames: Array, *, roots: bool, crew: Crew) -> list[NormalisedFrames]:
    def work(block: slice) -> NormalisedFrames:
        return normalise_frames(frames[block], roots=roots)

    return crew.map(work, cut_frames(len(frames), frames[:1].size * 4))


def _place(
    ready: list[NormalisedFrames], correlator: Correlator, field: Field, *, crew: Crew
) -> list[Motion]:
    """Find the shifts of whole frames."""

    def work(block: NormalisedFrames) -> Motion:
        return shifted(find_shifts(block.values, correlator) * field.spacing)

    return crew.map(work, ready)


def _follow(
    ready: list[NormalisedFrames],
    starts: list[Motion],
    template: RigidTemplate,
    field: Field,
    *,
    wide: bool,
    crew: Crew,
) -> list[Motion]:
    def work(pair: tuple[NormalisedFrames, Motion]) -> Motion:
        block, start = pair
        return follow_from(block, start, template, field, wide=wide, trusted=-1.0)

    return crew.map(work, list(zip(ready, starts, strict=True)))


def _trim(motion: list[Motion], ready: list[NormalisedFrames]) -> list[Motion]:
    """Mark as not to be used (NaN) the frames that resemble the template least."""
    blank = np.concatenate([block.blank for block in ready])
    least = threshold(join_motions(motion).similarity[~blank])
    return [
        part._replace(similarity=np.where(part.similarity < least, np.nan, part.similarity))
        for part in motion
    ]


def _average(
    ready: list[NormalisedFrames], motion: list[Motion], field: Field, *, crew: Crew
) -> Array:
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
    template: RigidTemplate, motion: list[Motion], ready: list[NormalisedFrames], field: Field
) -> Expectation:
    whole = join_motions(motion)
    usable = ~np.concatenate([block.blank for block in ready]) & np.isfinite(whole.shift[:, 0])
    if not usable.any():
        raise NoContrastError("no frame resembles the reference")
    least = threshold(whole.similarity[usable])
    usable &= whole.similarity >= least
    half = np.abs(field.spacing) * (np.array(field.shape) - 1) / 2
    turned = np.abs(whole.turn[usable] - np.eye(len(half))) * half / np.abs(field.spacing)[:, None]
    return Expectation(template, bool(turned.max() > _SMALL_TURN), least, whole)


def _still(ready: list[NormalisedFrames], field: Field) -> list[Motion]:
    return [shifted(np.zeros((len(block.blank), len(field.shape)))) for block in ready]


def _require_contrast(ready: list[NormalisedFrames], what: str) -> None:
    if all(block.blank.all() for block in ready):
        raise NoContrastError(f"{what} is constant or without values")
