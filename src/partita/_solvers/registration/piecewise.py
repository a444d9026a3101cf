"""How tissue bends from frame to frame: displacements of overlapping patches, and their field.

Each patch is matched with the template near the displacement of the whole frame, as NoRMCorre
does (Pnevmatikakis & Giovannucci 2017). What a patch sees is the mean displacement of its
structure, so the field is not drawn through the patches: it is the smooth spline whose means over
the structure of the patches are the displacements measured, each weighed by what its correlation
knows of it. Where a patch knows nothing, its neighbours fill in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compute.threads import Crew, single_blas
from ..compute.types import Floats
from .displacement_field import DisplacementField
from .patches import PatchLayout, PatchShifts, PatchTemplate
from .translation import centre_frames

PATCH = 64
"""Size of a patch where nothing else is asked, voxels.

On a small field that bends much, patches of 32 leave a third of the error of those of 64.
"""


DEVIATION = 5.0
"""How far it may be displaced beyond the frame, likewise."""


SURE = (4.0, 7.0)
"""Confidence from which a patch has a say, and from which it has all of it.

On simulated movies a patch of noise stays below 6, the highest of many chance peaks, and half of
all patches at 20 photons a pixel lie above 20: half and twice of both limits change no error there.
"""


class Piecewise(NamedTuple):
    """Displacement fields of frames against a template.

    `displacement` (n, 2, patches_y, patches_x): of the content relative to the template at the
    centres of the patches, voxels, the rigid part included. `centres_y`, `centres_x`: where they
    are, voxels. `similarity` (n,): correlation of all patches with the template, 1 for the
    template itself, a little above for higher contrast, NaN for a frame without any. `confidence`
    (n, patches_y, patches_x): height of each patch's correlation in standard deviations of its
    noise; below 4 the patch has no say and its displacement is what its neighbours' tell.
    """

    displacement: Floats
    centres_y: Floats
    centres_x: Floats
    similarity: Floats
    confidence: Floats


class PiecewiseTemplate:
    """A template cut into patches once, for any number of blocks of frames.

    Parameters
    ----------
    template : ndarray, (y, x)
        What to compare with; voxels that are not finite have no say.
    patch : sequence of int
        Size of the patches along y and x, voxels; at most the field.
    overlap : sequence of int, optional
        Voxels that neighbouring patches share at least; half a patch by default.
    max_deviation : float or sequence of float
        How far a patch may be displaced beyond the frame, voxels along both axes or each.
    """

    def __init__(
        self,
        template: NDArray[Any],
        *,
        patch: Sequence[int] = (PATCH, PATCH),
        overlap: Sequence[int] | None = None,
        max_deviation: float | Sequence[float] = DEVIATION,
    ) -> None:
        shared = [size // 2 for size in patch] if overlap is None else overlap
        self._layout = PatchLayout.over(template.shape, patch, shared)
        self._patches = PatchTemplate(template, self._layout, max_deviation=max_deviation)
        self._field = DisplacementField.of(self._patches, template.shape)

    @property
    def centres(self) -> tuple[Floats, Floats]:
        """Middle of the patches along y and x, voxels."""
        return self._layout.centres()

    def estimate(self, frames: NDArray[Any], *, shifts: Floats, crew: Crew) -> Piecewise:
        """Find the smooth displacement field of each frame.

        Parameters
        ----------
        frames : ndarray, (n, y, x)
            Any real dtype; taken to float32 one frame at a time.
        shifts : ndarray, (n, 2)
            Displacement of each frame as a whole, voxels; not finite counts as 0.
        crew : Crew
            Threads that share out the frames.

        Returns
        -------
        Piecewise
            Gain, offset and slowly varying added brightness of a frame do not matter. A frame
            without contrast is displaced by its shift everywhere.
        """
        n_frames = len(frames)
        blocks = crew.cut(n_frames, 4 * frames[:1].size)
        known = np.nan_to_num(np.asarray(shifts, dtype=np.float64), posinf=0.0, neginf=0.0)
        count, grid = len(self._patches.origin), self._layout.grid
        moved, confidence = np.empty((n_frames, 2, count)), np.empty((n_frames, count))
        similarity = np.empty(n_frames)

        def bend(block: slice) -> None:
            moved[block], similarity[block], confidence[block] = self._bend(
                frames[block], known[block]
            )

        with single_blas():
            crew.map(bend, blocks)
        displacement = known[:, :, None, None] + moved.reshape(n_frames, 2, *grid)
        centres_y, centres_x = self._layout.centres()
        sure = confidence.reshape(n_frames, *grid)
        return Piecewise(displacement, centres_y, centres_x, similarity, sure)

    def _bend(self, frames: NDArray[Any], shifts: Floats) -> tuple[Floats, Floats, Floats]:
        """Bending, similarity and confidence of some frames."""
        images, contrasts = centre_frames(frames)
        nowhere = self._blank()
        measured = [
            self._patches.measure(image, shift) if contrast else nowhere
            for image, shift, contrast in zip(images, shifts, contrasts, strict=True)
        ]
        moved, information, confidence, similarity = (
            np.stack([np.asarray(one[part]) for one in measured]) for part in range(4)
        )
        low, high = SURE
        say = np.clip((confidence - low) / (high - low), 0, 1)
        bent = self._field.fit(moved, information * say[:, :, None, None])
        limit = self._patches.max_deviation[:, None]
        return np.clip(bent, -limit, limit), similarity, confidence

    def _blank(self) -> PatchShifts:
        """Return what is measured of a frame without contrast."""
        count = len(self._patches.origin)
        return PatchShifts(np.zeros((2, count)), np.zeros((count, 2, 2)), np.zeros(count), np.nan)
