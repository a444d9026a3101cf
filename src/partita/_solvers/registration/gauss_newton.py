"""Gauss-Newton steps of frames towards a template, several frames side by side.

A motion takes places of the template to places of the frame, both from the centre of the field:
``frame = turn @ template + shift``. The template is given by regressors on its grid (itself, a
constant, its derivative by each parameter) and as many instruments; see `rigid`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compute.types import Array
from .frame_normalisation import NormalisedFrames
from .normal_equations import solve, sum_seen, to_voxels
from .pullback import pull
from .rigid_template import Field, RigidTemplate
from .rotations import to_matrices

# The least gain and the longest step are guards against lost frames: half and twice of both change
# no error on scenes that shift by 2 to 8 voxels at an SNR of 1 and 1.7, planes and thin volumes.
_LEAST_GAIN = 0.2  # of a frame's contrast: below it a step would be guesswork
# Of the strongest parameter's part in the normal equations: less is rounding of float32 sums.
_FAINTEST = 1e-5
_LONGEST = 3.0  # voxels a step may take: as far as the derivatives of coarse steps are smoothed
_NEAR = 5.0  # tolerances: steps of a frame that wavers at its goal are 1.6 of them
_EDGE = 1e-4  # voxels: a place this far outside is inside; ten times of it has errors within 2 %


class Aligned(NamedTuple):
    """Where frames have been followed to.

    Attributes
    ----------
    turn, shift : ndarray, (k, d, d) and (k, d)
        In the units of the spacing.
    warped : ndarray, (k, *shape)
        The frames at the places of the template, 0 where they are not seen.
    seen : ndarray, (k,)
        Share of the template that is seen.
    converged : ndarray of bool, (k,)
        Whether the last step was below the tolerance.
    """

    turn: Array
    shift: Array
    warped: Array
    seen: Array
    converged: NDArray[np.bool_]


def align(
    ready: NormalisedFrames,
    chosen: NDArray[np.intp],
    turn: Array,
    shift: Array,
    template: RigidTemplate,
    field: Field,
    *,
    coarse: bool,
    max_iter: int,
    tolerance: float,
) -> Aligned:
    """Follow the chosen frames (k,) from turns (k, d, d) and shifts (k, d).

    `max_iter` is how many steps are taken at most, `tolerance` the length in voxels below which
    they end.
    """
    left, full = template.coarse if coarse else template.fine
    least, d = _least_pivots(full, template.reach), len(field.shape)
    turn, shift = turn.copy(), shift.copy()
    warped = np.zeros((len(chosen), *field.shape), np.float32)
    work, seen = np.empty_like(warped), np.zeros(len(chosen))
    converged, going = np.zeros(len(chosen), dtype=bool), np.arange(len(chosen))
    pace, before = np.ones(len(chosen)), np.full(len(chosen), np.inf)
    for _ in range(max_iter):
        some = work[: len(going)]
        see(ready, chosen[going], turn[going], shift[going], field, left[1] != 0, some)
        matrices, products = sum_seen(some, left, template.regressors, full)
        warped[going], seen[going] = some, matrices[:, 1, 1] / full[1, 1]
        answers, known = solve(matrices, products, least)
        step = answers[:, 2:] / np.maximum(answers[:, :1], _LEAST_GAIN)
        length = (np.abs(step) * template.reach).sum(axis=1)
        # Voxels that come into sight and go again would keep a frame walking there and back, at its
        # goal; one that is lost walks on, and is not taken for converged.
        pace[going[(length >= before[going]) & (length < _NEAR * tolerance)]] *= 0.5
        before[going] = length
        step *= np.minimum(pace[going], _LONGEST / np.maximum(length, 1e-300))[:, None]
        length *= pace[going]
        going, step, length = going[known], step[known], length[known]
        if field.turning:
            turn[going] = turn[going] @ np.swapaxes(to_matrices(step[:, d:]), 1, 2)
        shift[going] -= (turn[going] @ step[:, :d, None])[..., 0]
        converged[going] = length < tolerance
        going = going[length >= tolerance]
        if not going.size:
            break
    return Aligned(turn, shift, warped, seen, converged)


def see(
    ready: NormalisedFrames,
    chosen: NDArray[np.intp],
    turn: Array,
    shift: Array,
    field: Field,
    used: NDArray[np.bool_] | None,
    out: Array,
) -> None:
    """Fill `out` (k, *shape) with frames under motions, ``F(turn @ r + shift)``; 0 if unseen.

    Voxels along the border of a frame are not used: smoothing mirrored them.
    """
    linear, offset = to_voxels(turn, shift, field.spacing, field.shape)
    low, high = field.margin - _EDGE, np.array(field.shape) - 1 - field.margin + _EDGE
    pull(
        ready.coefficients,
        linear,
        offset,
        order=3,
        bounds=(low, high),
        gaps=ready.missing,
        fill=0.0,
        out=out,
        chosen=chosen,
        used=used,
    )


def _least_pivots(full: Array, reach: Array) -> Array:
    """Return the pivots below which a parameter is unknown, as along stripes.

    The share `_FAINTEST` of the diagonal; for motions, of the strongest one in voxels.
    """
    least: Array = _FAINTEST * np.abs(np.diag(full))
    strongest = (np.abs(np.diag(full))[2:] / reach**2).max()
    least[2:] = _FAINTEST * strongest * reach**2
    return least
