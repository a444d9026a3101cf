"""A template made ready for rigid alignment: its derivatives, and instruments blind to shading.

The regressors of a frame are the template T, a constant, and J, the derivative of T by shifts and
angles. The instruments are T and 1 for gain and offset, and J for the motion, from which a broad
Gaussian (for fine steps) or all but that (for coarse ones) has been taken away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ..compute.types import Array
from .coarse_shift import Correlator, prepare_correlator
from .frame_normalisation import shading
from .frame_resampling import fill_nearest

# Voxels: fine steps leave out what is broader, coarse ones what is finer. On scenes at SNR 1 and
# 1.7 half of it is within 9 % of its error, twice loses frames of a volume of 14 planes.
_BROAD = 3.0
# Voxels along an axis that cannot spare a border. On volumes of 10 and 14 planes half of it has 15
# to 22 % more error; twice has 17 % more with 10 planes, and 14 % less with 20.
_THIN = 8
_FAINTEST = 1e-10  # of the power of the strongest shading: what is left of one outside the used


class Field(NamedTuple):
    """The grid, and which motions are looked for on it.

    Attributes
    ----------
    shape : tuple of int
        Voxels along each axis.
    spacing : numpy.ndarray, (d,)
        Signed size of a voxel, in any unit of length.
    turning : bool
        Whether angles are free.
    limit : numpy.ndarray, (d,)
        Largest shift along each axis, in the same unit.
    """

    shape: tuple[int, ...]
    spacing: Array
    turning: bool
    limit: Array

    @property
    def margin(self) -> Array:
        """Voxels along the border whose smoothed values are not to be used."""
        return np.array([_margin(n) for n in self.shape])

    @property
    def planes(self) -> Array:
        """The two axes that each angle turns into each other."""
        if not self.turning:
            return np.empty((0, 2), dtype=np.int64)
        return np.array([[0, 1]] if len(self.shape) == 2 else [[1, 2], [0, 2], [0, 1]])


class RigidTemplate(NamedTuple):
    """A template ready to be aligned to.

    Attributes
    ----------
    image : numpy.ndarray, (*shape)
        In the terms of normalised frames; NaN where unknown.
    regressors : numpy.ndarray, (2 + p, *shape)
        The image, a constant, and the derivatives.
    fine, coarse : tuple of (numpy.ndarray, numpy.ndarray)
        Instruments (2 + p, *shape), and their products with the regressors.
    detail : numpy.ndarray, (voxels,)
        The image less its shading, 0 where it is not used.
    smooth : numpy.ndarray, (voxels, k)
        Orthonormal shadings where the image is used.
    reach : numpy.ndarray, (p,)
        Voxels that a corner of the field moves for a unit of each parameter.
    correlator : Correlator
    """

    image: Array
    regressors: Array
    fine: tuple[Array, Array]
    coarse: tuple[Array, Array]
    detail: Array
    smooth: Array
    reach: Array
    correlator: Correlator


def make_template(image: Array, field: Field) -> RigidTemplate:
    """Compute once what all frames need of a template (*shape), NaN where it is unknown."""
    known = np.isfinite(image)
    filled = _continue(image, known)
    used = _inner(known, field)
    weight = used.ravel().astype(np.float64)
    smooth = _orthonormal(shading(image.shape).astype(np.float64) * weight).T
    detail = filled.ravel() * weight
    detail -= smooth @ (smooth.T @ detail)
    derivatives = _differentiate(filled, field) * used
    regressors = np.stack([filled, np.ones_like(filled), *derivatives]).astype(np.float32)
    broad = [ndimage.gaussian_filter(wave, _BROAD) for wave in derivatives]
    sharp = [wave - slow for wave, slow in zip(derivatives, broad, strict=True)]
    return RigidTemplate(
        image=np.where(known, filled, np.nan),
        regressors=regressors,
        fine=_instruments(detail, sharp, weight, smooth, regressors),
        coarse=_instruments(detail, broad, weight, smooth, regressors),
        detail=detail.astype(np.float32),
        smooth=smooth.astype(np.float32),
        reach=_corner_reach(field),
        correlator=make_correlator(image, field),
    )


def make_correlator(image: Array, field: Field) -> Correlator:
    """Prepare a template (*shape), NaN where it is unknown, for the search of coarse shifts."""
    reach = [int(np.ceil(most)) for most in np.abs(field.limit / field.spacing)]
    return prepare_correlator(_fill(image, np.isfinite(image)), reach=reach)


def _fill(image: Array, known: Array) -> Array:
    """Return an image of mean 0, which is also its value where it is unknown."""
    filled: Array = np.where(known, image, 0).astype(np.float64)
    filled -= filled.sum() / max(known.sum(), 1) * known
    return filled


def _continue(image: Array, known: Array) -> Array:
    """Return an image of mean 0 that goes on, without a step, beyond what is known."""
    filled = np.where(known, image, 0).astype(np.float64)
    fill_nearest(filled, ~known)
    return filled - filled[known].mean() if known.any() else filled


def _differentiate(image: Array, field: Field) -> Array:
    """Return the derivative of an image by every parameter, (p, *shape)."""
    slopes = [_slope(image, axis) / step for axis, step in enumerate(field.spacing)]
    places = np.ix_(
        *[(np.arange(n) - (n - 1) / 2) * s for n, s in zip(field.shape, field.spacing, strict=True)]
    )
    turning = [slopes[b] * places[a] - slopes[a] * places[b] for a, b in field.planes]
    return np.stack([*slopes, *turning])


def _slope(image: Array, axis: int) -> Array:
    """Differentiate the cubic spline through an image along one axis."""
    spline = ndimage.spline_filter1d(image, 3, axis, mode="mirror")
    slope: Array = ndimage.correlate1d(spline, [-0.5, 0.0, 0.5], axis, mode="mirror")
    return slope


def _instruments(
    detail: Array, waves: list[Array], weight: Array, smooth: Array, regressors: Array
) -> tuple[Array, Array]:
    """Return instruments blind to shading, and their products with the regressors."""
    flat = np.stack(waves).reshape(len(waves), -1) * weight
    flat -= (flat @ smooth) @ smooth.T
    left = np.vstack([detail, weight, flat]).astype(np.float32)
    products = left.astype(np.float64) @ regressors.reshape(len(left), -1).T.astype(np.float64)
    return left.reshape(regressors.shape), products


def _orthonormal(waves: Array) -> Array:
    """Return orthonormal rows that span those of `waves` (k, voxels); far quicker than by QR."""
    powers, turn = np.linalg.eigh(waves @ waves.T)
    known = powers > _FAINTEST * powers[-1]
    rows: Array = (turn[:, known] / np.sqrt(powers[known])).T @ waves
    return rows


def _inner(known: Array, field: Field) -> Array:
    """Leave out what lies next to the unknown, where the image is not smooth as it should be."""
    inner = known
    for axis, n in enumerate(field.shape):
        line = np.ones(
            [1 + 2 * int(_margin(n) + 0.5) if k == axis else 1 for k in range(known.ndim)]
        )
        inner = ndimage.binary_erosion(inner, line, border_value=1)
    return inner


def _margin(size: int) -> float:
    """Return how much of a border to leave out: thin stacks cannot spare any."""
    if size < _THIN:
        return 0.0
    return 1.5 if size >= 2 * _THIN else 0.5


def _corner_reach(field: Field) -> Array:
    size = np.abs(field.spacing)
    half = size * (np.array(field.shape) - 1) / 2
    angles = [max(half[a] / size[b], half[b] / size[a]) for a, b in field.planes]
    return np.array([*(1 / size), *angles])
