"""Rigid motion of frames against a reference, by inverse-compositional Gauss-Newton steps.

A frame F, made comparable, is a (gain) times the reference T plus b (offset), displaced:
``F(W(r; p)) = a T(r) + b``. Linearised at the reference (Baker & Matthews 2004),

    F(W(r; p)) = a T(r) + b + a J(r) d,        p <- p o d^-1,

where J, the derivative of T by shifts and angles, is computed once. The system is not solved by
plain least squares but with instruments Z: ``Z' F = Z' [T, 1, J] (a, b, a d)``, with T and 1 for
gain and offset, and J for the motion, from which a broad Gaussian has been subtracted: slow
changes of brightness across the field, such as brain activity, then do not pass for motion. With
smoothed J instead, the steps find their way from further off.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from ..compute.threads import Crew
from . import gauss_newton
from .coarse_shift import Correlator, find_shifts, prepare
from .frame_normalisation import Conditioned, condition, shading
from .frame_resampling import fill_nearest

Array = np.ndarray[Any, Any]


_BROAD = 3.0  # voxels: fine steps leave out what is broader, coarse ones what is finer
_TOLERANCE, _COARSE_TOLERANCE = 0.004, 0.1  # voxels
_MAX_ITER, _COARSE_ITER = 25, 12
_THIN = 8  # voxels
_LEAST_SEEN = 0.3  # share of the field
_FAINTEST = 1e-10  # of the power of the strongest shading: what is left of one outside the used
_BLOCK_BYTES = 1 << 21


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


class Reference(NamedTuple):
    """A reference ready to be aligned to.

    Attributes
    ----------
    image : numpy.ndarray, (*shape)
        In the terms of conditioned frames; NaN where unknown.
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


class Motion(NamedTuple):
    """Where the tissue is in each frame: ``turn @ reference + shift`` from the centre.

    Attributes
    ----------
    turn, shift : numpy.ndarray, (n, d, d) and (n, d)
        In the units of the spacing. NaN where a frame could not be followed at all.
    similarity : numpy.ndarray, (n,)
        Correlation with the reference; 0 for blank frames.
    converged : numpy.ndarray of bool, (n,)
    """

    turn: Array
    shift: Array
    similarity: Array
    converged: Array


def make_reference(image: Array, field: Field) -> Reference:
    """Compute once what all frames need of a reference (*shape), NaN where it is unknown."""
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
    return Reference(
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
    """Prepare a reference (*shape), NaN where it is unknown, for the search of coarse shifts."""
    reach = [int(np.ceil(most)) for most in np.abs(field.limit / field.spacing)]
    return prepare(_fill(image, np.isfinite(image)), reach=reach)


def follow(
    frames: Array,
    reference: Reference,
    field: Field,
    *,
    roots: bool,
    wide: bool,
    trusted: float,
    starts: Array | None = None,
    crew: Crew,
) -> Motion:
    """Find the motion of frames, each on its own.

    Parameters
    ----------
    frames : numpy.ndarray, (n, *shape)
        Any real values; those that are not finite are left out.
    reference, field : Reference, Field
        What to align to.
    roots : bool
        Whether to take square roots (see `condition`).
    wide : bool
        Whether to start every frame with coarse steps.
    trusted : float
        A similarity below this one is not believed before coarse steps have been tried too.
    starts : numpy.ndarray, (n, d), optional
        Shifts to start from, in the units of the spacing; else those of the highest correlation.
    crew : Crew
        Threads to share the frames out over.
    """

    def work(block: slice) -> Motion:
        ready = condition(frames[block], roots=roots)
        if starts is None:
            begin = find_shifts(ready.values, reference.correlator) * field.spacing
        else:
            begin = starts[block]
        return follow_from(ready, shifted(begin), reference, field, wide=wide, trusted=trusted)

    return join(crew.map(work, blocks(frames.shape)))


def follow_from(
    ready: Conditioned,
    starts: Motion,
    reference: Reference,
    field: Field,
    *,
    wide: bool,
    trusted: float,
) -> Motion:
    """Find the motion of conditioned frames, each from a start of its own."""
    n, d = starts.shift.shape
    found = Motion(np.empty((n, d, d)), np.empty((n, d)), np.zeros(n), np.zeros(n, bool))
    for index in range(n):
        if ready.blank[index]:
            found.turn[index], found.shift[index] = np.nan, np.nan
            continue
        answer = _follow_one(ready, index, starts, reference, field, wide)
        if not wide and not (answer[3] and answer[2] >= trusted):
            again = _follow_one(ready, index, starts, reference, field, True)
            answer = max(answer, again, key=lambda one: (one[2], one[3]))
        for target, value in zip(found, answer, strict=True):
            target[index] = value
    return found


def shifted(shift: Array) -> Motion:
    """Return motions without turns, (n, d) shifts."""
    n, d = shift.shape
    return Motion(np.tile(np.eye(d), (n, 1, 1)), shift, np.ones(n), np.ones(n, dtype=bool))


def add_up(ready: Conditioned, motion: Motion, field: Field) -> tuple[Array, Array]:
    """Return the sum of conditioned frames seen at the reference, and how many see each voxel."""
    total, count = np.zeros(field.shape), np.zeros(field.shape, dtype=np.int32)
    warped = np.empty(field.shape, np.float32)
    for index in np.flatnonzero(np.isfinite(motion.similarity) & ~ready.blank):
        gauss_newton.see(
            ready.coefficients[index],
            ready.missing[index],
            motion.turn[index],
            motion.shift[index],
            field.spacing,
            field.margin,
            warped,
        )
        total += warped
        count += warped != 0
    return total, count


def blocks(shape: tuple[int, ...]) -> list[slice]:
    """Cut frames into blocks that stay in cache; the same whatever the number of threads."""
    step = max(1, _BLOCK_BYTES // (4 * int(np.prod(shape[1:]))))
    return [slice(i, min(i + step, shape[0])) for i in range(0, shape[0], step)]


def _follow_one(
    ready: Conditioned,
    index: int,
    starts: Motion,
    reference: Reference,
    field: Field,
    wide: bool,
) -> tuple[Array, Array, float, bool]:
    turn, shift = starts.turn[index].copy(), starts.shift[index].copy()
    if not np.isfinite(shift).all():
        turn, shift = np.eye(len(shift)), np.zeros(len(shift))
    warped = np.empty(field.shape, np.float32)
    stages = [(reference.fine, _MAX_ITER, _TOLERANCE)]
    if wide:
        stages.insert(0, (reference.coarse, _COARSE_ITER, _COARSE_TOLERANCE))
    seen, converged = 0.0, False
    for (left, full), max_iter, tolerance in stages:
        seen, converged = gauss_newton.align(
            ready.coefficients[index],
            ready.missing[index],
            left,
            reference.regressors,
            full,
            field.spacing,
            field.planes,
            reference.reach,
            field.margin,
            max_iter,
            tolerance,
            turn,
            shift,
            warped,
        )
    beyond = np.abs(shift) > field.limit * 1.0001
    if seen < _LEAST_SEEN or not np.isfinite(shift).all():
        return np.full_like(turn, np.nan), np.full_like(shift, np.nan), 0.0, False
    shift = np.clip(shift, -field.limit, field.limit)
    similarity = _correlate(warped.ravel(), reference)
    return turn, shift, similarity, bool(converged and not beyond.any())


def _correlate(frame: Array, reference: Reference) -> float:
    """Correlate what is seen of a frame with the reference, shading apart."""
    seen = frame != 0
    frame = frame - frame.sum() / max(int(seen.sum()), 1) * seen
    frame -= reference.smooth @ (frame @ reference.smooth)
    frame *= seen
    detail = reference.detail * seen
    power = float(frame @ frame) * float(detail @ detail)
    return float(frame @ detail) / np.sqrt(power) if power > 0 else 0.0


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


def join(parts: list[Motion]) -> Motion:
    """Put the motions of consecutive frames together."""
    return Motion(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
