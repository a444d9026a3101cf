"""A recursive filter run forwards and backwards over a lazy recording, chunk by chunk.

Forwards and backwards a recursive filter carries a few numbers a voxel from one chunk to the next,
its state. States are linear in the samples and in the states before: with A the step of a free
filter, a chunk of n samples takes the forward state f to Aⁿf + g, and the backward state b, coming
from behind, to Aⁿb + h + Mf, where g and h are what the chunk alone leaves in a filter at rest, and
M what the echo of f leaves. So one pass over the chunks, in any order, finds g and h; the states at
every border follow from them; and then each chunk is filtered on its own, exactly.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.signal
import xarray as xr

from partita._labels import checks
from partita._labels.stack import Stacker
from partita.preprocess.voxels.cutting import spans_of
from partita.preprocess.voxels.gaps import Gaps, find_gaps, refuse_isolated


class Filter(NamedTuple):
    """A zero-phase filter.

    Attributes
    ----------
    sections : numpy.ndarray, (n_sections, 6)
        Second-order sections, run forwards and backwards.
    edge : int
        By how many samples the recording is continued at both ends, turned about its end points.
    keep_level : bool
        Whether a constant passes (low-pass).
    keep_mean : bool
        Whether the mean over time is put back after it was filtered out.
    """

    sections: np.ndarray
    edge: int
    keep_level: bool
    keep_mean: bool

    @property
    def n_states(self) -> int:
        """Numbers a voxel that the filter carries."""
        return 2 * len(self.sections)


def filter_columns(columns: np.ndarray, *, chosen: Filter) -> np.ndarray:
    """Filter whole courses, (time, voxels)."""
    # About the first sample, so that an offset costs no precision and a constant leaves 0.
    first = columns[0].copy()
    columns -= first
    found: np.ndarray = scipy.signal.sosfiltfilt(
        chosen.sections, columns, axis=0, padlen=chosen.edge
    )
    if chosen.keep_level:
        found += first
    elif chosen.keep_mean:
        found += columns.mean(axis=0) + first
    return found


def filter_chunks(recording: xr.DataArray, chosen: Filter, *, sample_dim: str, caller: str) -> Any:
    """Filter a lazy recording in its own chunks; return a lazy array.

    Raises
    ------
    ValueError
        If voxels lack some of their values.
    """
    values, axis = recording.data, recording.get_axis_num(sample_dim)
    sizes = values.chunks[axis]
    head, tail = _ends(values, chosen.edge, axis)
    first = head[0].copy()
    passed = _pass(values, first, chosen, axis)
    refuse_isolated(passed.gaps, Stacker.of(recording, sample_dim=sample_dim), caller=caller)
    forwards, backwards = _states(passed, head - first, tail - first, chosen, sizes)
    level = first if chosen.keep_level else np.zeros_like(first)
    if chosen.keep_mean:
        level = first + passed.total / sum(sizes)
    return _assemble(values, first, level, forwards, backwards, chosen, axis)


class _Pass(NamedTuple):
    """What one reading of all chunks found; the states of chunk i in `forwards[i]`."""

    forwards: np.ndarray
    backwards: np.ndarray
    total: np.ndarray
    gaps: Gaps | None


def _ends(values: Any, edge: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last `edge` + 1 samples, time first, in float64."""
    from dask import compute  # type: ignore[attr-defined]

    moved = np.moveaxis(values, axis, 0)
    head, tail = compute(moved[: edge + 1], moved[-edge - 1 :])
    return head.astype(np.float64), tail.astype(np.float64)


def _pass(values: Any, first: np.ndarray, chosen: Filter, axis: int) -> _Pass:
    from dask import compute, delayed  # type: ignore[attr-defined]

    spatial = values.chunks[:axis] + values.chunks[axis + 1 :]
    blocks = np.moveaxis(values.to_delayed(), axis, 0)
    rest = delayed(_from_rest, pure=True)
    tasks, places = [], []
    for index in np.ndindex(blocks.shape):
        where = spans_of(spatial, index[1:])
        places.append((index[0], where))
        tasks.append(rest(blocks[index], first[where], chosen, axis))
    shape = (blocks.shape[0], chosen.n_states, *first.shape)
    forwards, backwards = np.empty(shape), np.empty(shape)
    total, found = np.zeros(first.shape), _Lack(values.chunks[axis], first.shape)
    for (i, where), (g, h, added, gaps) in zip(places, compute(*tasks), strict=True):
        forwards[(i, slice(None), *where)] = g
        backwards[(i, slice(None), *where)] = h
        total[where] += added
        found.add(i, where, gaps)
    return _Pass(forwards, backwards, total, found.gaps)


class _Lack:
    """The gaps of the chunks put together."""

    def __init__(self, sizes: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self._starts = np.cumsum([0, *sizes])
        self._counts = [np.zeros(shape, np.int64) for _ in range(3)]
        self._counts[2] += self._starts[-1]
        self._any = False

    def add(self, i: int, where: tuple[slice, ...], gaps: Gaps | None) -> None:
        """Add what chunk `i` of time lacks in one place."""
        if gaps is None:
            return
        self._any = True
        n_nan, n_bad, first = (count[where] for count in self._counts)
        n_nan += gaps.n_nan
        n_bad += gaps.n_bad
        there = self._starts[i] + gaps.first_bad
        np.minimum(first, np.where(gaps.n_bad > 0, there, first), out=first)

    @property
    def gaps(self) -> Gaps | None:
        """All of them; None where nothing lacks."""
        return Gaps(int(self._starts[-1]), *self._counts) if self._any else None


def _from_rest(
    block: np.ndarray, first: np.ndarray, chosen: Filter, axis: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Gaps | None]:
    moved = np.moveaxis(block, axis, 0)
    gaps = find_gaps(moved)
    with np.errstate(invalid="ignore"):
        centred = np.subtract(moved, first, dtype=np.float64)
        zeros = np.zeros((chosen.n_states, *first.shape))
        made, g = _run(centred, zeros, chosen)
        _, h = _run(made[::-1], zeros, chosen)
        return g, h, centred.sum(axis=0), gaps


def _run(values: np.ndarray, state: np.ndarray, chosen: Filter) -> tuple[np.ndarray, np.ndarray]:
    """Filter (time, *features) once, from a state (n_states, *features) to the next."""
    columns = values.reshape(len(values), -1)
    start = state.reshape(len(chosen.sections), 2, -1)
    made, end = scipy.signal.sosfilt(chosen.sections, columns, axis=0, zi=start)
    return made.reshape(values.shape), end.reshape(state.shape)


def _states(
    passed: _Pass,
    head: np.ndarray,
    tail: np.ndarray,
    chosen: Filter,
    sizes: tuple[int, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the states at which each chunk begins, forwards and backwards."""
    settled = scipy.signal.sosfilt_zi(chosen.sections).ravel()
    free = {n: _free(chosen, n) for n in set(sizes)}
    before = 2 * head[0] - head[:0:-1]
    _, state = _run(before, np.multiply.outer(settled, before[0]), chosen)
    forwards = np.empty_like(passed.forwards)
    for i, n in enumerate(sizes):
        forwards[i] = state
        state = np.tensordot(free[n][0], state, axes=1) + passed.forwards[i]
    after = 2 * tail[-1] - tail[-2::-1]
    made, _ = _run(after, state, chosen)
    _, state = _run(made[::-1], np.multiply.outer(settled, made[-1]), chosen)
    backwards = np.empty_like(passed.backwards)
    for i, n in reversed(list(enumerate(sizes))):
        backwards[i] = state
        step, echo = free[n]
        state = np.tensordot(step, state, axes=1) + passed.backwards[i]
        state += np.tensordot(echo, forwards[i], axes=1)
    return forwards, backwards


def _free(chosen: Filter, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what n samples of silence make of a state, and what its echo leaves backwards."""
    units = np.eye(chosen.n_states)
    made, step = _run(np.zeros((n, chosen.n_states)), units, chosen)
    _, echo = _run(made[::-1], np.zeros_like(units), chosen)
    return step, echo


def _assemble(
    values: Any,
    first: np.ndarray,
    level: np.ndarray,
    forwards: np.ndarray,
    backwards: np.ndarray,
    chosen: Filter,
    axis: int,
) -> Any:
    import dask.array as da

    features = tuple(i for i in range(values.ndim) if i != axis)
    spatial = tuple(values.chunks[i] for i in features)
    every = tuple(range(values.ndim))
    states = values.ndim  # the index of the dimension of states
    dtype = checks.promote(values.dtype)
    cut = (1, -1, *spatial)
    return da.blockwise(
        partial(_of_block, chosen=chosen, axis=axis, dtype=dtype), every,
        values, every,
        da.from_array(first, chunks=spatial), features,
        da.from_array(level, chunks=spatial), features,
        da.from_array(forwards, chunks=cut), (axis, states, *features),
        da.from_array(backwards, chunks=cut), (axis, states, *features),
        align_arrays=False, concatenate=True,
        dtype=dtype, meta=np.empty((0,) * values.ndim, dtype),
    )  # fmt: skip


def _of_block(
    block: np.ndarray,
    first: np.ndarray,
    level: np.ndarray,
    forward: np.ndarray,
    backward: np.ndarray,
    *,
    chosen: Filter,
    axis: int,
    dtype: np.dtype[Any],
) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        centred = np.subtract(np.moveaxis(block, axis, 0), first, dtype=np.float64)
        made, _ = _run(centred, forward[0], chosen)
        made, _ = _run(made[::-1], backward[0], chosen)
        made = made[::-1] + level
    return np.moveaxis(made.astype(dtype), 0, axis)
