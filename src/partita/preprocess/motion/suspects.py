"""Frames of a series that are not to be trusted."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# Measured on simulated recordings, 30 frames of which were torn: all are found with any of the
# values named; sound frames that are suspected, of 1170, decide.
_NEIGHBOURS = 61  # frames that a similarity is compared with; the same are found with 15 to 121
# A median absolute deviation of a Gaussian, times this, is its standard deviation.
_SCALED = 1.4826
# Similarity below which noise may pass for the tissue. Of 900 dim two-photon frames 7 lay 6 to 30
# voxels off, 6 to 45 scaled deviations from their neighbours, and no sound one over 4.7; of fUSI
# frames that moved in truth 1 in 50 exceeds 5, of a similarity of 0.9.
_DIM = 0.5
NEAREST = 4
"""Frames before and after, together, that a frame's place is compared with."""


_OUTLYING = 5 * _SCALED  # 10 too many at 2, where photons are few, 2 at 3, none from 4 on
_LEAST_DROP = 0.02  # of similarity, below which alike series have outliers: 3 more at 0.01
_LEAPING = 10 * _SCALED  # 8 more at 3, 4 more at 5, one fewer without any


def find_suspects(
    similarity: np.ndarray, converged: np.ndarray, ways: list[np.ndarray], *, voxel: float
) -> np.ndarray:
    """Tell which frames of one series to distrust.

    Parameters
    ----------
    similarity : numpy.ndarray, (n,)
        Correlation with the reference.
    converged : numpy.ndarray of bool, (n,)
        Whether a frame was followed to the end.
    ways : list of numpy.ndarray, (n - 1,), (n - 2,) ...
        How far the tissue is from where it is one, two ... `NEAREST` frames later.
    voxel : float
        The smallest size of a voxel: a shorter way is no jump.

    Returns
    -------
    numpy.ndarray of bool, (n,)
        Not converged; or a similarity below the running median by five scaled median absolute
        deviations and by 0.02; or further than the median from all but one of the four nearest
        frames by ten and a voxel (by five and two voxels where the similarity is usually below
        0.5); or a jump beyond the median by ten, and by a voxel, that is no way back from a frame
        that is suspect.
    """
    usual = ndimage.median_filter(similarity, min(_NEIGHBOURS, similarity.size), mode="mirror")
    drop = usual - similarity
    unlike = drop > max(_OUTLYING * float(np.median(np.abs(drop))), _LEAST_DROP)
    leapt = np.concatenate([[False], _stands_out(ways[0], _LEAPING, voxel)])
    apart = _apart(ways)
    dim = _stands_out(apart, _OUTLYING, 2 * voxel) & (usual < _DIM)
    away = dim | _stands_out(apart, _LEAPING, voxel)
    suspect: np.ndarray = ~converged | unlike | away
    # The way back from a frame that is suspect itself is no jump.
    leapt[1:] &= ~suspect[:-1]
    return suspect | leapt


def _apart(ways: list[np.ndarray]) -> np.ndarray:
    """Return the distance (n,) that all but one of the four nearest frames exceed; 0 if fewer."""
    n = len(ways[0]) + 1
    if n <= NEAREST:
        return np.zeros(n)
    away = np.full((n, 2 * NEAREST), np.nan)
    for lag, way in enumerate(ways, 1):
        away[: n - lag, 2 * lag - 2] = away[lag:, 2 * lag - 1] = way
    nearest = np.argsort(np.isnan(away), axis=1, kind="stable")[:, :NEAREST]
    apart: np.ndarray = np.sort(np.take_along_axis(away, nearest, axis=1), axis=1)[:, 1]
    return apart


def _stands_out(values: np.ndarray, deviations: float, least: float) -> np.ndarray:
    """Tell which values exceed the median by so many absolute deviations, and by `least`."""
    out: np.ndarray = values > np.median(values) + max(deviations * _spread(values), least)
    return out


def _spread(values: np.ndarray) -> float:
    return float(np.median(np.abs(values - np.median(values))))
