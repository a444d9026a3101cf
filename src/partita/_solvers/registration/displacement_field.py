"""A smooth field of displacements over the frame, and its fit to what patches have measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

from ..compute.types import Floats
from .patches import PatchTemplate

ROUGHNESS = 0.3
"""Standard deviation that is expected of the field's second differences between patches, voxels.

On movies simulated with 2 and 20 photons a pixel and bends of 2 pixels a third of it has 1.7 to 2.1
times the error, three times 1.2.
"""


# Twenty iterations gave the same on the same movies; a tolerance of 0.01 has up to 10 % more error,
# one of 1e-6 the same.
_ITERATIONS = 100
_TOLERANCE = 1e-4


def field_basis(centres: Floats, count: int) -> Floats:
    """Return the weights (count, centres) of a natural cubic spline at ``0 ... count - 1``."""
    places = np.arange(count, dtype=np.float64)
    if len(centres) == 1:
        return np.ones((count, 1))
    # Imported when it is looked up: it takes longer than registering a small recording.
    spline = scipy.interpolate.CubicSpline(centres, np.eye(len(centres)), bc_type="natural")
    within = np.clip(places, centres[0], centres[-1])
    basis: Floats = spline(within) + (places - within)[:, None] * spline(within, 1)
    return basis


class DisplacementField(NamedTuple):
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
    def of(cls, patches: PatchTemplate, shape: Sequence[int]) -> DisplacementField:
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
        doubt = 1 / (1 + distance2 / 9)  # half at three standard deviations
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
