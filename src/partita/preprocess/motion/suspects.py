"""Frames of a series that are not to be trusted."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# Measured on simulated recordings, 30 frames of which were torn: all are found with any of the
# values named; sound frames that are suspected, of 1170, decide.
_NEIGHBOURS = 61  # frames that a similarity is compared with; the same are found with 15 to 121
# A median absolute deviation of a Gaussian, times this, is its standard deviation.
_SCALED = 1.4826
_OUTLYING = 5 * _SCALED  # 10 too many at 2, where photons are few, 2 at 3, none from 4 on
_LEAST_DROP = 0.02  # of similarity, below which alike series have outliers: 3 more at 0.01
_LEAPING = 10 * _SCALED  # 8 more at 3, 4 more at 5, one fewer without any


def find_suspects(
    similarity: np.ndarray, converged: np.ndarray, displacement: np.ndarray, *, voxel: float
) -> np.ndarray:
    """Tell which frames of one series to distrust.

    Parameters
    ----------
    similarity : numpy.ndarray, (n,)
        Correlation with the reference.
    converged : numpy.ndarray of bool, (n,)
        Whether a frame was followed to the end.
    displacement : numpy.ndarray, (n,)
        How far the tissue came since the frame before.
    voxel : float
        The smallest size of a voxel: a shorter way is no jump.

    Returns
    -------
    numpy.ndarray of bool, (n,)
        Not converged; or a similarity below the running median by five scaled median absolute
        deviations and by 0.02; or a jump beyond the median by ten, and by a voxel.
    """
    usual = ndimage.median_filter(similarity, min(_NEIGHBOURS, similarity.size), mode="mirror")
    drop = usual - similarity
    unlike = drop > max(_OUTLYING * float(np.median(np.abs(drop))), _LEAST_DROP)
    middle = float(np.median(displacement))
    spread = float(np.median(np.abs(displacement - middle)))
    leapt = displacement > middle + max(_LEAPING * spread, voxel)
    # The way back from a frame that is suspect itself is no jump.
    leapt[1:] &= ~(~converged | unlike)[:-1]
    suspect: np.ndarray = ~converged | unlike | leapt
    return suspect
