"""The normal equations of frames under motions, several frames side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compute.compilation import compiled
from ..compute.types import Array


def to_voxels(
    turn: Array, shift: Array, spacing: Array, shape: tuple[int, ...]
) -> tuple[Array, Array]:
    r"""Return motions as places of the frame in voxels for voxels of the template.

    .. math:: A_{ij} = R_{ij}\, s_j / s_i, \quad b_i = c_i + t_i / s_i - \sum_j A_{ij} c_j

    with turns R (n, d, d), shifts t (n, d) in the units of the spacing s, and the centre c in
    voxels.
    """
    linear = turn * spacing / spacing[:, None]
    middle = 0.5 * (np.array(shape) - 1)
    return linear, middle + shift / spacing - linear @ middle


def sum_seen(warped: Array, left: Array, right: Array, full: Array) -> tuple[Array, Array]:
    r"""Sum what the normal equations need over the voxels that are seen, those that are not 0.

    .. math:: M = \sum_{r\ \text{seen}} z_r x_r^\top, \quad p = \sum_{r\ \text{seen}} z_r F_r

    Parameters
    ----------
    warped : ndarray, (n, *shape)
        Frames F under their motions.
    left, right : ndarray, (m, *shape)
        Instruments z and regressors x.
    full : ndarray, (m, m)
        The matrix over the whole field, from which what is unseen is taken out.

    Returns
    -------
    matrices, products : ndarray, (n, m, m) and (n, m)
    """
    flat, sides = warped.reshape(len(warped), -1), left.reshape(len(left), -1)
    matrices = np.repeat(full[None], len(flat), axis=0)
    _leave_out(flat, sides, right.reshape(len(right), -1), matrices)
    return matrices, (flat @ sides.T).astype(np.float64)


@compiled
def _leave_out(frames: Array, left: Array, right: Array, matrices: Array) -> None:
    r"""Take the products :math:`z x^\top` of the places that a frame does not see out."""
    for n in range(frames.shape[0]):
        frame, matrix = frames[n], matrices[n]
        for r in range(frame.size):
            if frame[r] == 0 and left[1, r] != 0:
                for a in range(left.shape[0]):
                    for b in range(right.shape[0]):
                        matrix[a, b] -= left[a, r] * right[b, r]


def solve(matrices: Array, answers: Array, least: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Solve small systems (n, m, m) for answers (n, m), with pivots.

    Returns the solutions, and which systems have all their pivots above `least` (m,); those of the
    others mean nothing.
    """
    systems = np.concatenate([matrices, answers[..., None]], axis=2)
    every, known = np.arange(len(systems)), np.ones(len(systems), dtype=bool)
    size = len(least)
    for k in range(size):
        pivot = k + np.abs(systems[:, k:, k]).argmax(axis=1)
        systems[every, pivot], systems[:, k] = systems[:, k].copy(), systems[every, pivot]
        known &= np.abs(systems[:, k, k]) > least[k]
        systems[:, k] /= np.where(known, systems[:, k, k], 1)[:, None]
        others = np.arange(size) != k
        systems[:, others] -= systems[:, others, k, None] * systems[:, None, k]
    return systems[..., -1], known
