"""Frames of planes matched with a picture: as a whole, and patch by patch."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from partita._solvers.compute.threads import Crew
from partita._solvers.registration.piecewise import PiecewiseTemplate
from partita._solvers.registration.rigid import follow
from partita._solvers.registration.rigid_template import Field, RigidTemplate
from partita._solvers.registration.shift_template import LEAST_KNOWN
from partita._solvers.registration.template import take_template, threshold
from partita._solvers.registration.translation import TranslationTemplate
from partita._solvers.registration.warping import unbend

_HELD = 1e-6  # voxels from the longest shift, at which a frame was held there
# Similarity below which noise moves a frame more than what it lacks does. Frames without a quarter
# of their voxels, at 50 photons each, are off by 0.042 voxels as correlation puts them and by 0.030
# followed on; at one photon by 0.236 and 0.241.
_CLEAR = 0.5


class Patches(NamedTuple):
    """The patches that tissue bends by, in voxels along y and x.

    `size`: of a patch. `reach`: how far it may be displaced beyond the whole frame.
    """

    size: tuple[int, int]
    reach: tuple[float, float]


class Found(NamedTuple):
    """The motion of the frames of one plane, or of several planes.

    Attributes
    ----------
    turn, shift : numpy.ndarray, (n, [planes,] d, d) and (n, [planes,] d)
        In the units of space, about the centre of the field; NaN where a frame was lost.
    similarity, converged : numpy.ndarray, (n, [planes])
    bend : numpy.ndarray, (n, [planes,] d, patches_y, patches_x)
        Displacement at the centres of patches, the shift included, in the units of space; of no
        patches where the tissue does not bend.
    """

    turn: np.ndarray
    shift: np.ndarray
    similarity: np.ndarray
    converged: np.ndarray
    bend: np.ndarray


class Shifting:
    """A picture made ready for any number of blocks of frames that are shifted as a whole.

    Correlation takes what a frame lacks (NaN) for its mean, which draws the peak a little. Such
    frames are followed on from there by what they do show, unless they are dim: in noise
    correlation is the better judge.
    """

    def __init__(self, picture: np.ndarray, field: Field, *, roots: bool) -> None:
        self._picture, self._field, self._roots = picture, field, roots
        self._whole = TranslationTemplate(
            picture, max_shift=list(field.limit / np.abs(field.spacing))
        )

    @cached_property
    def _template(self) -> RigidTemplate:
        return take_template(self._picture, self._field, roots=self._roots)

    def follow(self, frames: np.ndarray, crew: Crew) -> Found:
        """Find the shifts of frames (n, y, x)."""
        shifts, alike = self._whole.estimate(frames, crew=crew)
        known = _share_known(frames)
        lacking = (known > LEAST_KNOWN) & (known < 1) & (alike >= _CLEAR)
        if lacking.any():
            shifts[lacking] = self._follow_on(frames[lacking], shifts[lacking], crew)
        return self._found(known, shifts, alike, np.zeros((len(frames), 2, 0, 0)))

    def _follow_on(self, frames: np.ndarray, shifts: np.ndarray, crew: Crew) -> np.ndarray:
        motion = follow(
            frames,
            self._template,
            self._field,
            roots=self._roots,
            wide=False,
            trusted=-1.0,
            starts=shifts * self._field.spacing,
            crew=crew,
        )
        return np.where(motion.converged[:, None], motion.shift / self._field.spacing, shifts)

    def _found(
        self, known: np.ndarray, shifts: np.ndarray, alike: np.ndarray, bend: np.ndarray
    ) -> Found:
        """Shifts and bendings in voxels as motion in the units of space; NaN where lost."""
        good = (known > LEAST_KNOWN) & np.isfinite(alike)
        held = np.any(np.abs(shifts) >= self._whole.max_shift - _HELD, axis=1)
        step = self._field.spacing
        return Found(
            turn=np.where(good[:, None, None], np.eye(2), np.nan),
            shift=np.where(good[:, None], shifts * step, np.nan),
            similarity=np.where(good, alike, 0.0),
            converged=good & ~held,
            bend=np.where(good[:, None, None, None], bend * step[:, None, None], np.nan),
        )


class Bending(Shifting):
    """A picture made ready, whole and in patches, for frames that bend."""

    def __init__(self, picture: np.ndarray, field: Field, patches: Patches, *, roots: bool) -> None:
        super().__init__(picture, field, roots=roots)
        self._patches = PiecewiseTemplate(picture, patch=patches.size, max_deviation=patches.reach)
        self.centres = self._patches.centres

    def follow(self, frames: np.ndarray, crew: Crew) -> Found:
        """Find the shift and the bending of frames (n, y, x)."""
        shifts, _ = self._whole.estimate(frames, crew=crew)
        fields = self._patches.estimate(frames, shifts=shifts, crew=crew)
        known = _share_known(frames)
        return self._found(known, shifts, fields.similarity, fields.displacement)


def sharpen(
    picture: np.ndarray,
    frames: np.ndarray,
    field: Field,
    patches: Patches,
    *,
    roots: bool,
    crew: Crew,
) -> np.ndarray:
    """Average frames (n, y, x) straightened on a picture of their shifted mean.

    The mean of tissue that bends is blurred where it bends most; its place stays the picture's.
    """
    bending = Bending(picture, field, patches, roots=roots)
    found = bending.follow(frames, crew)
    if not found.converged.any():
        return picture
    good = found.converged & (found.similarity >= threshold(found.similarity[found.converged]))
    bend = found.bend[good] / field.spacing[:, None, None]
    kept = frames[good].astype(picture.dtype)
    straight = unbend(kept, bend, *bending.centres, order=3, nan_outside=True, crew=crew)
    known = np.isfinite(straight)
    count = known.sum(axis=0)
    total = np.where(known, straight, 0).sum(axis=0, dtype=np.float64)
    mean: np.ndarray = np.where(count, total / np.maximum(count, 1), np.nan)
    return mean.astype(picture.dtype)


def _share_known(frames: np.ndarray) -> np.ndarray:
    """Return the share (n,) of each frame that has values."""
    share: np.ndarray = np.isfinite(frames).mean(axis=(1, 2))
    return share
