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
from .band_correlation import Floats
from .patches import Layout, Measured, PatchTemplate
from .translation import centre_frames
from .warping import field_basis

PATCH = 64
"""Size of a patch where nothing else is asked, voxels."""


DEVIATION = 5.0
"""How far it may be displaced beyond the frame, likewise."""


ROUGHNESS = 0.3
"""Standard deviation that is expected of the field's second differences between patches, voxels."""


SURE = (4.0, 7.0)
"""Confidence from which a patch has a say, and from which it has all of it."""


_ITERATIONS = 100
_TOLERANCE = 1e-4


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


def estimate_piecewise(
    frames: NDArray[Any],
    template: NDArray[Any],
    *,
    shifts: Floats,
    patch: Sequence[int] = (PATCH, PATCH),
    overlap: Sequence[int] | None = None,
    max_deviation: float | Sequence[float] = DEVIATION,
    crew: Crew,
) -> Piecewise:
    """Find the smooth displacement field of each frame against a template.

    Parameters
    ----------
    frames : ndarray, (n, y, x)
        Any real dtype; taken to float32 one frame at a time.
    template : ndarray, (y, x)
        What to compare with; voxels that are not finite have no say.
    shifts : ndarray, (n, 2)
        Displacement of each frame as a whole, voxels; not finite counts as 0.
    patch : sequence of int
        Size of the patches along y and x, voxels; at most the field.
    overlap : sequence of int, optional
        Voxels that neighbouring patches share at least; half a patch by default.
    max_deviation : float or sequence of float
        How far a patch may be displaced beyond the frame, voxels along both axes or each.
    crew : Crew
        Threads that share out the frames.

    Returns
    -------
    Piecewise
        Gain, offset and slowly varying added brightness of a frame do not matter. A frame
        without contrast is displaced by its shift everywhere.
    """
    prepared = PiecewiseTemplate(
        template, patch=patch, overlap=overlap, max_deviation=max_deviation
    )
    return prepared.estimate(frames, shifts=shifts, crew=crew)


class PiecewiseTemplate:
    """A template cut into patches once, for any number of blocks of frames."""

    def __init__(
        self,
        template: NDArray[Any],
        *,
        patch: Sequence[int] = (PATCH, PATCH),
        overlap: Sequence[int] | None = None,
        max_deviation: float | Sequence[float] = DEVIATION,
    ) -> None:
        shared = [size // 2 for size in patch] if overlap is None else overlap
        self._layout = Layout.over(template.shape, patch, shared)
        self._patches = PatchTemplate(template, self._layout, max_deviation=max_deviation)
        self._field = _Field.of(self._patches, template.shape)

    @property
    def centres(self) -> tuple[Floats, Floats]:
        """Middle of the patches along y and x, voxels."""
        return self._layout.centres()

    def estimate(self, frames: NDArray[Any], *, shifts: Floats, crew: Crew) -> Piecewise:
        """Find the displacement fields of a block of frames."""
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

    def _blank(self) -> Measured:
        """Return what is measured of a frame without contrast."""
        count = len(self._patches.origin)
        return Measured(np.zeros((2, count)), np.zeros((count, 2, 2)), np.zeros(count), np.nan)


class _Field(NamedTuple):
    """The field as the patches see it.

    `means` (patches, patches) takes the displacement at the centres to the means that the
    patches measure, `stiffness` is the quadratic form of its roughness, `tether` (2, 1) draws it
    to the shift of the frame, and `share` is the part of a patch that is not its neighbours' too.
    """

    means: Floats
    stiffness: Floats
    tether: Floats
    share: float

    @classmethod
    def of(cls, patches: PatchTemplate, shape: Sequence[int]) -> _Field:
        """Lay out the field for a template's patches."""
        layout = patches.layout
        bases = [
            field_basis(centres, count)
            for centres, count in zip(layout.centres(), shape, strict=True)
        ]
        means = []
        places = [(y, x) for y in layout.starts[0] for x in layout.starts[1]]
        for weights, (top, left) in zip(patches.weights, places, strict=True):
            rows = bases[0][top : top + layout.size[0]]
            columns = bases[1][left : left + layout.size[1]]
            means.append((rows.T @ weights @ columns).ravel())
        area = np.prod(layout.size) * len(places)
        stiffness = _roughness(layout.grid) / ROUGHNESS**2
        tether = 1 / patches.max_deviation[:, None] ** 2
        share = min(1.0, 1.5 * float(np.prod(shape)) / float(area))
        return cls(np.array(means), stiffness, tether, share)

    def fit(self, moved: Floats, information: Floats) -> Floats:
        """Displacements (n, 2, patches) at the centres from those measured, weighed.

        A second fit doubts what lies many standard deviations off the first: chance peaks.
        """
        weight = self.share * information
        field = self._solve(moved, weight, np.zeros_like(moved))
        off = moved - field @ self.means.T
        distance2 = np.einsum("nip,npij,njp->np", off, weight, off)
        doubt = 1 / (1 + distance2 / 9)
        return self._solve(moved, weight * doubt[:, :, None, None], field)

    def _solve(self, moved: Floats, weight: Floats, start: Floats) -> Floats:
        """Least squares by conjugate gradients, all frames at once."""

        def pull(measure: Floats) -> Floats:
            weighed: Floats = np.einsum("npij,njp->nip", weight, measure) @ self.means
            return weighed

        def normal(field: Floats) -> Floats:
            stiff: Floats = field @ self.stiffness + self.tether * field
            return pull(field @ self.means.T) + stiff

        size = np.einsum("npii->nip", weight) @ self.means**2
        size += np.diag(self.stiffness) + self.tether
        target = pull(moved)
        field, rest = start, target - normal(start)
        step = rest / size
        worth = (rest * step).sum(axis=(1, 2))
        goal = _TOLERANCE**2 * np.maximum((target**2 / size).sum(axis=(1, 2)), 1e-300)
        for _ in range(_ITERATIONS):
            if np.all(worth <= goal):
                break
            bent = normal(step)
            length = worth / np.maximum((step * bent).sum(axis=(1, 2)), 1e-300)
            field = field + length[:, None, None] * step
            rest = rest - length[:, None, None] * bent
            eased = rest / size
            before, worth = worth, (rest * eased).sum(axis=(1, 2))
            step = eased + (worth / np.maximum(before, 1e-300))[:, None, None] * step
        return field


def _roughness(grid: tuple[int, int]) -> Floats:
    """Quadratic form of all second differences of a field over the grid."""
    (first_y, second_y), (first_x, second_x) = (_differences(count) for count in grid)
    eye_y, eye_x = np.eye(grid[0]), np.eye(grid[1])
    roughness: Floats = (
        np.kron(second_y.T @ second_y, eye_x)
        + np.kron(eye_y, second_x.T @ second_x)
        + 2 * np.kron(first_y.T @ first_y, first_x.T @ first_x)
    )
    return roughness


def _differences(count: int) -> tuple[Floats, Floats]:
    """First and second differences as matrices; without rows where there are none."""
    eye = np.eye(count)
    return np.diff(eye, axis=0), np.diff(eye, n=2, axis=0) if count > 2 else np.zeros((0, count))
