"""X too large for memory: parts of a dask array, read in turn, by whichever scheduler there is.

A part is what a solver needs at once: all samples of some features, or all features of some
samples, whichever the chunks make smaller. What is small travels to the parts; sums over the
parts travel along lanes, as many as there are threads, so that no more than one of them a lane
exists at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from time import sleep
from typing import Any
from uuid import uuid4

import dask
import dask.base
import numpy as np
from dask.delayed import delayed

from ..compute.threads import Crew
from ..compute.types import Array
from . import dask_cluster, partition
from .in_memory import Dense
from .lanes import StepFailed, as_recipe, has_erred, lanes_on, shared_out, take_step
from .matrix import Matrix, Sums, Work, add

SUMS_BYTES = 256 << 20
"""Of all sums that threads hold at a time, beyond which fewer of them work."""

# Tries of a pass, and s after the second, twice as long after the third: a scheduler needs a second
# or so to know that a worker is gone. In ten fits of which a worker was killed none took more than
# 2.5 s longer (benchmarks/scale/killed_workers.py).
_ATTEMPTS, _PAUSE = 5, 0.5


class Stream:
    """A lazy matrix (n, p), streamed along p.

    Attributes
    ----------
    shape : tuple of int
        n and p.
    by_samples : bool
        Whether p runs over the samples; else over the features, in the order of `order`.
    order : ndarray of int, (n_features,)
        The columns of the recording's matrix, in the order in which the features come here.
    slices : list of slice
        Where each part lies along p.
    passes : int
        How often all parts have been read.
    sample : ndarray, (n_samples, some features) or (some samples, n_features)
        A sample along the longer side, once a survey has taken it.
    norm2, centred2 : float
        Squared norm, and that of what is left without each feature's mean over the samples, once a
        survey has been made.
    """

    at_hand = False
    compact = False
    read_anew = True
    left_out2 = 0.0

    def __init__(
        self,
        parts: list[Any],
        slices: list[slice],
        n: int,
        dtype: Any,
        by_samples: bool,
        order: Array,
    ) -> None:
        self.shape = (n, slices[-1].stop)
        self.sample: Any = None
        self.norm2 = self.centred2 = math.nan
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.height = n
        self.slices = slices
        self.by_samples = by_samples
        self.order = order
        self.passes = 0
        self._parts = [as_recipe(part) for part in parts]

    @property
    def n_samples(self) -> int:
        """Samples of the recording."""
        return self.shape[1] if self.by_samples else self.shape[0]

    def take_over(self, before: Stream) -> None:
        """Keep what the survey of the same data, empty features included, has found."""
        self.sample, self.passes = before.sample, before.passes
        self.norm2, self.centred2 = before.norm2, before.centred2

    def over_parts(
        self,
        work: Work,
        common: Any,
        *,
        reads: Sequence[Array | None] = (),
        writes: Sequence[Array] = (),
        rows: int = 0,
        crew: Crew,
    ) -> Any:
        """Apply `work` to every part that is read, and put what it fills where it belongs."""
        filled = [(array.shape[:-1], array.dtype) for array in writes]
        sums, parts = self.run(_on_part, (work, common, filled), *reads, rows=rows)
        for where, arrays in zip(self.slices, parts, strict=True):
            for array, values in zip(writes, arrays, strict=True):
                array[..., where] = values
        return sums

    def take(self, columns: Array) -> Matrix:
        """Refuse: the sample of a stream is drawn when it is surveyed."""
        raise NotImplementedError

    def encode(self, S: Array) -> Array:
        """Return S."""
        return S

    def decode(self, A: Array) -> Array:
        """Return A."""
        return A

    def run(
        self,
        work: Callable[..., tuple[Any, Any]],
        common: Any,
        *sliced: Array | None,
        rows: int = 0,
    ) -> tuple[Any, list[Any]]:
        """Apply `work` to every part: one pass.

        Parameters
        ----------
        work : callable
            Given the part (n, width), the sums so far (None at first), `common` and the columns
            of each of `sliced` that belong to the part, returns the sums with its own added (a
            tuple of arrays, which may be those given, or None), and what is to be returned part
            by part.
        common : object
            The same for all.
        *sliced : ndarray, (..., p), or None
            Cut along p.
        rows : int
            How many rows along n the sums have: where n is long, few threads hold such sums.

        Returns
        -------
        tuple
            The sums, and the list of what the parts returned.
        """
        self.passes += 1
        cuts = [
            [None if a is None else np.ascontiguousarray(a[..., where]) for a in sliced]
            for where in self.slices
        ]
        cluster = dask_cluster.client()
        if cluster is None:
            most = SUMS_BYTES // max(1, rows * self.shape[0] * self.dtype.itemsize)
            lanes = shared_out(len(cuts), max(1, most))
            return self._gathered(work, cuts, lanes, _named(common), local=True)
        return self._on_cluster(cluster, work, cuts, common)

    def _on_cluster(
        self, cluster: Any, work: Callable[..., tuple[Any, Any]], cuts: list[Any], common: Any
    ) -> tuple[Any, list[Any]]:
        """Apply `work` on a cluster; again where what was sent there was lost with a worker."""
        if self.passes == 1:
            dask_cluster.refuse_other_versions(cluster)
        for attempt in range(_ATTEMPTS):
            try:
                lanes = lanes_on(cluster, self._parts)
                (sent,) = cluster.scatter([common], broadcast=True, hash=False)
                with dask.config.set({"distributed.admin.large-graph-warning-threshold": "2GB"}):
                    return self._gathered(work, cuts, lanes, delayed(sent), local=False)
            except StepFailed as failed:
                error = failed.error
                raise error from error.__cause__
            except (KeyError, RuntimeError, OSError, CancelledError):
                if attempt == _ATTEMPTS - 1 or has_erred(self._parts):
                    raise
                sleep(attempt * _PAUSE)  # until it is known that the worker is gone
        raise AssertionError

    def _gathered(
        self,
        work: Callable[..., tuple[Any, Any]],
        cuts: list[Any],
        lanes: list[list[int]],
        common: Any,
        *,
        local: bool,
    ) -> tuple[Any, list[Any]]:
        """Compute the lanes: a part is read where and when its step is done, unless it is held."""
        step = delayed(take_step, pure=False, traverse=False)
        ends = []
        for lane in lanes:
            so_far: Any = (None, [])
            for i in lane:
                so_far = step(so_far, work, self._parts[i], common, cuts[i], local)
            ends.append(so_far)
        done = dask.base.compute(*ends, traverse=False)
        outcome: list[Any] = [None] * len(cuts)
        total = None
        for lane, (sums, returned) in zip(lanes, done, strict=True):
            total = add(total, sums)
            for i, value in zip(lane, returned, strict=True):
                outcome[i] = value
        return total, outcome


def _on_part(
    X: Array, so_far: Sums | None, given: tuple[Work, Any, list[Any]], *reads: Array | None
) -> tuple[Sums | None, list[Array]]:
    """Work on a part as on a small matrix in memory, with arrays of its own to fill."""
    work, common, filled = given
    columns = Dense(X)
    group = [block for some in columns.groups for block in some]
    writes = [np.empty((*rows, X.shape[1]), dtype) for rows, dtype in filled]
    return work(columns, group, so_far, common, *reads, *writes), writes


def _named(common: Any) -> Any:
    """Wrap what all parts share; nothing is copied or looked into."""
    return delayed(common, name=f"shared-{uuid4().hex}", traverse=False)


def times(W: Array, H: Array) -> Any:
    """Return ``W @ H`` as a dask array in blocks of rows, nothing computed yet.

    Parameters
    ----------
    W : ndarray, (n, k)
        Cut into blocks.
    H : ndarray, (k, p)
        Shared by all blocks.
    """
    import dask.array

    rows = max(1, partition.PART_BYTES // max(1, H.shape[1] * H.itemsize))
    blocks = dask.array.from_array(W, chunks=(rows, -1), name=f"signals-{uuid4().hex}")
    shared = _named(H)
    return blocks.map_blocks(
        np.matmul, shared, dtype=H.dtype, chunks=(blocks.chunks[0], (H.shape[1],))
    )


def open_stream(array: Any, *, inside: Array | None, dtype: Any) -> Stream:
    """Return the parts of a dask array (samples, ...features).

    Parameters
    ----------
    array : dask.array.Array, (n_samples, ...)
        The recording, samples first.
    inside : ndarray of bool, (n_features,), optional
        Which features are columns of the matrix.
    dtype : dtype
        What it is worked on in.

    Returns
    -------
    Stream
        Along the samples or the features, whichever makes the smaller parts.
    """
    n_samples, n_features = array.shape[0], math.prod(array.shape[1:])
    kept = np.ones(n_features, bool) if inside is None else inside
    if partition.part_of(array.chunks, array.itemsize)[0]:
        parts, slices = partition.by_samples(array, inside, dtype)
        columns: Array = np.arange(int(kept.sum()))
        return Stream(parts, slices, columns.size, dtype, True, columns)
    parts, slices, order = partition.by_features(array, kept, dtype)
    return Stream(parts, slices, n_samples, dtype, False, order)
