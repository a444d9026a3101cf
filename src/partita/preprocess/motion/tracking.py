"""From a recording laid out on its grid to the motion of every frame, in blocks of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._progress import ProgressLine, progress
from partita._solvers.compute.threads import Crew, single_blas
from partita._solvers.registration import rigid, shift_template, template
from partita._solvers.registration.frame_resampling import add_up, divide
from partita._solvers.registration.normal_equations import to_voxels
from partita._solvers.registration.rigid_template import Field
from partita.preprocess.motion.matching import Bending, Found, Patches, Shifting, sharpen
from partita.preprocess.motion.voxel_grid import VoxelGrid

Transform = Literal["rigid", "translation", "piecewise"]

_SPAN_BYTES = 1 << 26  # of a recording held at a time
_SAMPLE_BYTES = 1 << 27  # of the frames that a reference is built from, at most
# How many frames a reference is built from, in planes and in volumes. With two photons a pixel, 8
# leave shifts an error of 0.17 voxels, 24 of 0.15, 48 of 0.140, 96 of 0.136 and 192 of 0.133;
# power Doppler gains nothing, in planes or volumes, and a volume is as good as many planes.
_MOST_SAMPLES = {2: 96, 3: 24}
_LEAST_SAMPLES = 8  # however large the frames are
# How far tissue may shift, as shares of the field: by default, and at most. The voxels beyond the
# quarter let small fields shift too.
_QUARTER, _HALF = 0.25, 0.5
_BEYOND = 2.0

Follow = Callable[[np.ndarray, Crew], Found]


class Tracks(NamedTuple):
    """The motion of every frame and plane, about the centre of the field.

    Attributes
    ----------
    turn, shift : numpy.ndarray, (n, planes, d, d) and (n, planes, d)
        In the units of space; NaN where a frame could not be followed.
    similarity, converged : numpy.ndarray, (n, planes)
        A similarity may exceed 1 a little: held there, frames that fare well would look alike.
    reference : numpy.ndarray, (planes, *shape)
        What was aligned to, in the units of the recording.
    bend : numpy.ndarray, (n, planes, d, patches_y, patches_x)
        Displacement at the centres of patches, in the units of space; of no patches where the
        tissue does not bend.
    centres : tuple of numpy.ndarray, (patches_y,) and (patches_x,)
        Where the patches are, in voxels.
    """

    turn: np.ndarray
    shift: np.ndarray
    similarity: np.ndarray
    converged: np.ndarray
    reference: np.ndarray
    bend: np.ndarray
    centres: tuple[np.ndarray, np.ndarray]


def track(
    laid: xr.DataArray,
    grid: VoxelGrid,
    *,
    transform: str,
    reference: xr.DataArray | None,
    max_shift: float | None,
    patches: Patches,
    verbose: int,
) -> Tracks:
    """Follow every frame of a recording (time, plane, *axes).

    Without a `reference` (plane, *axes) one is built from a spread of frames. The recording is
    read once for these, and once in blocks of time.
    """
    field = Field(grid.shape, grid.spacing, transform == "rigid", _limit(grid, max_shift))
    sample = _spread(laid)
    roots = not np.nanmin(sample, initial=0) < 0
    line_of_frames = progress("motion", len(laid), unit="frames", shown=bool(verbose))
    with Crew() as crew, single_blas(), line_of_frames as line:
        follows: list[Follow] = []
        images = []
        centres = (np.zeros(0), np.zeros(0))
        for number in range(laid.shape[1]):
            given = None if reference is None else reference.values[number]
            seen = sample[:, number]
            if transform == "piecewise":
                image = _match_with(seen, given, field, crew=crew)
                if given is None:
                    image = sharpen(image, seen, field, patches, roots=roots, crew=crew)
                bending = Bending(image, field, patches, roots=roots)
                follows.append(bending.follow)
                centres = bending.centres
            elif transform == "translation" and len(grid.axes) == 2:
                image = _match_with(seen, given, field, crew=crew)
                follows.append(Shifting(image, field, roots=roots).follow)
            else:
                follow, image = _prepare(seen, given, field, roots=roots, crew=crew)
                follows.append(follow)
            images.append(image)
        del sample
        found = _follow_all(laid, follows, crew=crew, line=line)
    return Tracks(**found._asdict(), reference=np.stack(images), centres=centres)


def mean_over_time(laid: xr.DataArray) -> xr.DataArray:
    """Return the mean over time of a recording laid out, in one pass; NaN left out."""
    total, count = np.zeros(laid.shape[1:]), np.zeros(laid.shape[1:], dtype=np.int64)
    for span in spans(laid):
        values = _values(laid[span])
        known = np.isfinite(values)
        total += np.where(known, values, 0).sum(axis=0, dtype=np.float64)
        count += known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return laid.isel({laid.dims[0]: 0}, drop=True).copy(
            data=total / np.where(count, count, np.nan)
        )


def spans(laid: xr.DataArray) -> Iterator[slice]:
    """Cut time into stretches of some 64 MB, along the chunks of a lazy recording."""
    frame = max(1, laid[:1].size * checks.promote(laid.dtype).itemsize)
    most = max(1, _SPAN_BYTES // frame)
    if laid.chunks is None:
        yield from (slice(i, i + most) for i in range(0, len(laid), most))
        return
    begin = end = 0
    for size in laid.chunks[0]:
        if end > begin and end + size - begin > most:
            yield slice(begin, end)
            begin = end
        end += size
    yield slice(begin, end)


def _follow_all(
    laid: xr.DataArray, follows: list[Follow], *, crew: Crew, line: ProgressLine
) -> Found:
    parts = []
    for span in spans(laid):
        values = _values(laid[span])
        planes = [follow(values[:, k], crew) for k, follow in enumerate(follows)]
        together = (np.stack(arrays, axis=1) for arrays in zip(*planes, strict=True))
        parts.append(Found(*together))
        line.update(len(values))
    return Found(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _prepare(
    sample: np.ndarray,
    image: np.ndarray | None,
    field: Field,
    *,
    roots: bool,
    crew: Crew,
) -> tuple[Follow, np.ndarray]:
    """Return what follows the frames of one plane, and the picture of its reference."""
    if image is None:
        expected = template.build_template(sample, field, roots=roots, crew=crew)
        image = _picture(sample, expected, field, crew=crew)
    else:
        expected = template.adopt_template(image, sample, field, roots=roots, crew=crew)

    def follow(frames: np.ndarray, crew: Crew) -> Found:
        motion = rigid.follow(
            frames,
            expected.template,
            field,
            roots=roots,
            wide=expected.wide,
            trusted=expected.trusted,
            crew=crew,
        )
        return Found(*motion, bend=np.zeros((*motion.shift.shape, 0, 0)))

    return follow, image


def _match_with(
    sample: np.ndarray, image: np.ndarray | None, field: Field, *, crew: Crew
) -> np.ndarray:
    """Return the picture of a plane that does not turn, which frames are matched with."""
    if image is None:
        reach = field.limit / np.abs(field.spacing)
        picture = shift_template.build_picture(sample, max_shift=reach, crew=crew)
        return picture.astype(checks.promote(sample.dtype))
    shift_template.require_contrast(image[None], "the reference")
    shift_template.require_contrast(sample, "every frame")
    return image


def _picture(
    sample: np.ndarray, expected: template.Expectation, field: Field, *, crew: Crew
) -> np.ndarray:
    """Average the frames that the reference was built from, in the units of the recording."""
    motion = expected.motion
    good = motion.converged & (motion.similarity >= expected.trusted)
    chosen = np.flatnonzero(good if good.any() else np.isfinite(motion.shift[:, 0]))
    places = to_voxels(motion.turn[chosen], motion.shift[chosen], field.spacing, field.shape)
    return divide(*add_up(sample, chosen, *places, crew=crew)).astype(checks.promote(sample.dtype))


def _limit(grid: VoxelGrid, max_shift: float | None) -> np.ndarray:
    sizes, step = np.array(grid.shape), np.abs(grid.spacing)
    if max_shift is None:
        return step * (sizes * _QUARTER + _BEYOND)
    return np.minimum(max_shift, step * sizes * _HALF)


def _spread(laid: xr.DataArray) -> np.ndarray:
    """Return a spread of frames, as many as a reference needs, never held twice."""
    frame = laid[:1].size * checks.promote(laid.dtype).itemsize
    most = min(_MOST_SAMPLES[laid.ndim - 2], max(_LEAST_SAMPLES, _SAMPLE_BYTES // frame))
    chosen = np.linspace(0, len(laid) - 1, min(most, len(laid))).round().astype(int)
    chosen = np.unique(chosen)
    sample = np.empty((len(chosen), *laid.shape[1:]), laid.dtype)
    for span in spans(laid):
        first, last = np.searchsorted(chosen, (span.start, span.stop))
        if first < last:
            sample[first:last] = _values(laid[chosen[first:last]])
    return sample


def _values(laid: xr.DataArray) -> np.ndarray:
    return np.asarray(laid.values)
