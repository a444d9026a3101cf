"""The way of the tissue over time: gaps bridged, smoothed, and measured over the field."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from partita._solvers.registration import rotations
from partita._solvers.registration.displacement_field import field_basis
from partita.preprocess.motion.voxel_grid import VoxelGrid

# Standard deviations in a full width at half maximum of a Gaussian, inverted.
_SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
_REACH = 4  # standard deviations; a Gaussian is below 4e-4 of its peak beyond


class Trajectory(NamedTuple):
    """Where the tissue is in every frame of every plane, about the centre of the field.

    Attributes
    ----------
    shift, angles : numpy.ndarray, (n, planes, d) and (n, planes, 1 or 3)
        In the units of space, and in radians.
    bend : numpy.ndarray, (n, planes, 2, patches_y, patches_x)
        Displacement at the centres of patches, the shift included; of no patches where the tissue
        does not bend.
    centres : tuple of numpy.ndarray, (patches_y,) and (patches_x,)
        Where the patches are, in voxels.
    """

    shift: np.ndarray
    angles: np.ndarray
    bend: np.ndarray
    centres: tuple[np.ndarray, np.ndarray]

    @property
    def bends(self) -> bool:
        """Whether places of the field move differently."""
        return self.bend.size > 0

    def bridge(self, good: np.ndarray) -> Trajectory:
        """Give frames that are not `good` (n, planes) the motion between their neighbours."""
        rows = self._rows()
        kept = [_bridge(rows[:, k], good[:, k]) for k in range(good.shape[1])]
        return self._of(np.stack(kept, axis=1))

    def smooth(self, seconds: np.ndarray, good: np.ndarray, *, fwhm: float) -> Trajectory:
        """Average the motion of `good` frames (n, planes) under a Gaussian of `fwhm`, s."""
        rows = self._rows()
        calm = [_smooth(rows[:, k], seconds, good[:, k], fwhm=fwhm) for k in range(good.shape[1])]
        return self._of(np.stack(calm, axis=1))

    def framewise_displacement(self, grid: VoxelGrid) -> np.ndarray:
        """Return how far a voxel moves between frames (n, planes), rms over the field; first 0."""
        way = self.distance(grid, 1)
        return np.concatenate([np.zeros((1, way.shape[1])), way])

    def distance(self, grid: VoxelGrid, lag: int) -> np.ndarray:
        """Return how far a voxel moves from frames to those `lag` later (n - lag, planes), rms."""
        squared = self._squared_bends(grid, lag) if self.bends else self._squared_moves(grid, lag)
        return np.sqrt(squared)

    def affine(self, grid: VoxelGrid) -> np.ndarray:
        """Return what takes reference to frame coordinates (n, planes, d + 1, d + 1).

        Where the tissue bends, the mean over the field of its displacement.
        """
        turn, d = rotations.to_matrices(self.angles), self.shift.shape[-1]
        shift = self.shift
        if self.bends:
            down, right = (basis.mean(axis=0) for basis in self._bases(grid))
            shift = np.einsum("...yx,y,x->...", self.bend, down, right)
        affine = np.zeros((*turn.shape[:-2], d + 1, d + 1))
        affine[..., :d, :d] = turn
        affine[..., :d, d] = shift + grid.centre - turn @ grid.centre
        affine[..., d, d] = 1
        return affine

    def _squared_moves(self, grid: VoxelGrid, lag: int) -> np.ndarray:
        spread = grid.spacing**2 * (np.array(grid.shape) ** 2 - 1) / 12
        turn = _change(rotations.to_matrices(self.angles), lag)
        squared: np.ndarray = (_change(self.shift, lag) ** 2).sum(axis=-1)
        squared += np.einsum("tpij,j->tp", turn**2, spread)
        return squared

    def _squared_bends(self, grid: VoxelGrid, lag: int) -> np.ndarray:
        """Sum the squares of the field over voxels by the triangular factors of its bases."""
        down, right = (np.linalg.qr(basis)[1] for basis in self._bases(grid))
        field = down @ _change(self.bend, lag) @ right.T
        squared: np.ndarray = (field**2).sum(axis=(2, 3, 4)) / np.prod(grid.shape)
        return squared

    def _bases(self, grid: VoxelGrid) -> list[np.ndarray]:
        return [field_basis(*pair) for pair in zip(self.centres, grid.shape, strict=True)]

    def _rows(self) -> np.ndarray:
        flat = self.bend.reshape(*self.shift.shape[:2], -1)
        return np.concatenate([self.shift, self.angles, flat], axis=2)

    def _of(self, rows: np.ndarray) -> Trajectory:
        d = self.shift.shape[2]
        shift, angles, bend = np.split(rows, [d, d + self.angles.shape[2]], axis=2)
        return self._replace(shift=shift, angles=angles, bend=bend.reshape(self.bend.shape))


def _change(values: np.ndarray, lag: int) -> np.ndarray:
    """Return what values (n, ...) change by from row to row `lag` later, (n - lag, ...)."""
    change: np.ndarray = values[lag:] - values[: max(0, len(values) - lag)]
    return change


def _bridge(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Replace the rows of `values` (n, k) that are not good by linear interpolation over rows."""
    if good.all():
        return values
    rows = np.arange(len(values))
    columns = [np.interp(rows, rows[good], column[good]) for column in values.T]
    return np.stack(columns, axis=1)


def _smooth(
    values: np.ndarray, seconds: np.ndarray, good: np.ndarray, *, fwhm: float
) -> np.ndarray:
    """Average the good rows of `values` (n, k) under a Gaussian of full width `fwhm`, s.

    A row far from every good one keeps its own value.
    """
    sigma = fwhm * _SIGMA_PER_FWHM
    first = np.searchsorted(seconds, seconds - _REACH * sigma, side="left")
    last = np.searchsorted(seconds, seconds + _REACH * sigma, side="right")
    smoothed = values.copy()
    for row, (begin, end) in enumerate(zip(first, last, strict=True)):
        gap = (seconds[begin:end] - seconds[row]) / sigma
        weight = np.exp(-0.5 * gap**2) * good[begin:end]
        if weight.sum() > 0:
            smoothed[row] = weight @ values[begin:end] / weight.sum()
    return smoothed
