"""What a fit will take of memory, told before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import xarray as xr

from partita._labels import checks, weighting
from partita._labels.warn import warn
from partita._solvers.compute.memory import available_memory
from partita._solvers.peak_memory import Budget, Size
from partita.decomposition import out_of_core, registry

_UNITS = ((1e9, "GB", ".1f"), (1e6, "MB", ".0f"), (1, "bytes", ".0f"))


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a fit has at its peak, beside the interpreter and what else is loaded.

    Attributes
    ----------
    input : int
        The recording: as it is held, and as it is copied where it has to be. 0 where it streams.
    factors : int
        Maps and signals: as results, and as copies while they are solved.
    sketch : int
        The sample that starts are tried on, or the sketch that most of the way is made on.
    parts : int
        Blocks in work.
    held : int
        How much of the input is in memory already.
    streams : bool
        Whether the fit reads the recording from where it lies, part by part.
    available : int
        What this process may still take, by the machine, its control group and its limits.
    """

    input: int
    factors: int
    sketch: int
    parts: int
    held: int
    streams: bool
    available: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.input + self.factors + self.sketch + self.parts

    @property
    def fits(self) -> bool:
        """Whether what is not held yet is available."""
        return self.total - self.held <= self.available

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{name} {_words(getattr(self, name))}"
            for name in ("input", "factors", "sketch", "parts")
        )
        how = "streams" if self.streams else "in memory"
        return (
            f"<MemoryEstimate {_words(self.total)} ({how}): {parts}; "
            f"{_words(self.available)} are available>"
        )


def estimate_memory(
    recording: xr.DataArray, estimator: Any, *, weights: xr.DataArray | None = None
) -> MemoryEstimate:
    """Tell what a fit will take of memory at its peak, without reading the recording.

    Parameters
    ----------
    recording : xarray.DataArray, (time, ...), any order
        What would be fitted, in memory or dask-backed.
    estimator : a decomposition
        With the parameters of the fit.
    weights : xarray.DataArray, optional
        Those of the fit.

    Returns
    -------
    MemoryEstimate
        Bytes by part, whether the fit streams, and whether it fits. For recordings of 100 MB and
        more it lies between the peak that is measured and 1.3 times that in memory, twice that
        where the fit streams: how many blocks are at their largest at one moment is chance. What a
        lazy recording computes before its blocks reach the fit comes on top, about as much as its
        parts.

    Raises
    ------
    TypeError
        If `recording` is no DataArray, or `estimator` none of Partita's.
    ValueError
        If the recording has no sample dimension.

    Examples
    --------
    >>> recording = partita.datasets.load_sample()
    >>> estimate = partita.estimate_memory(recording, partita.NMF(n_components=3))
    >>> estimate.streams, estimate.fits, estimate.input >= recording.nbytes
    (False, True, True)
    """
    if not registry.is_estimator(estimator):
        raise TypeError(
            "estimate_memory takes a recording and an estimator of Partita, and was given "
            f"{type(estimator).__name__}."
        )
    sample_dim = estimator.sample_dim
    checks.require_recording(recording, sample_dim=sample_dim, caller="estimate_memory")
    size = _size(recording, estimator, sample_dim)
    taken: Budget
    entrywise = weights is not None and weighting.is_entrywise(weights, sample_dim=sample_dim)
    if estimator._in_parts(recording, weights):
        ordered: Any = recording.transpose(sample_dim, ...)
        taken = estimator._peak_memory(size, chunks=ordered.chunks, entrywise=entrywise)
        return MemoryEstimate(0, *taken, 0, True, available_memory())
    held = 0 if recording.chunks is not None else recording.nbytes
    taken = estimator._peak_memory(size, chunks=None, entrywise=entrywise)
    copied = _is_copied(recording, estimator, sample_dim, size)
    return MemoryEstimate(recording.nbytes + copied, *taken, held, False, available_memory())


def warn_if_too_large(
    recording: Any, estimator: Any, *, weights: xr.DataArray | None = None
) -> None:
    """Say before a fit that it will not fit in memory, and what would.

    Warns
    -----
    UserWarning
        If more is needed than is available.
    """
    if not isinstance(recording, xr.DataArray) or recording.nbytes <= out_of_core.KEPT_BYTES:
        return  # what is no recording is refused where fits look it over
    estimate = estimate_memory(recording, estimator, weights=weights)
    if estimate.fits:
        return
    warn(
        f"{type(estimator).__name__} needs about {_words(estimate.total - estimate.held)} "
        f"more memory at its peak, and {_words(estimate.available)} are available. "
        f"{_remedy(recording, estimate)}"
    )


def _remedy(recording: xr.DataArray, estimate: MemoryEstimate) -> str:
    if not estimate.streams and recording.chunks is None:
        return (
            "Fit it from disk, part by part: partita.save(recording, 'session.zarr', "
            "chunks='auto'), then partita.load('session.zarr')."
        )
    if not estimate.streams:
        return (
            "Fits with weights or another loss than 'frobenius' read the whole recording into "
            "memory: leave these at their defaults, or crop or decimate the recording first."
        )
    if estimate.parts >= max(estimate.sketch, estimate.factors):
        return (
            f"Its blocks are large, {_words(estimate.parts)} of them in work at a time: convert "
            "the file once (partita convert FILE session.zarr), or give smaller blocks to load: "
            "partita.load(path, chunks={'time': 50})."
        )
    return "Ask for fewer components, crop or decimate the recording, or use a larger machine."


def _size(recording: xr.DataArray, estimator: Any, sample_dim: str) -> Size:
    n = recording.sizes[sample_dim]
    p = math.prod(size for dim, size in recording.sizes.items() if dim != sample_dim)
    mask = estimator.mask
    if isinstance(mask, xr.DataArray):  # else refused later, in words
        p = p * int(mask.sum()) // max(1, mask.size)
    k = int(estimator.n_components)
    return Size(n, p, k, checks.promote(recording.dtype).itemsize)


def _is_copied(recording: xr.DataArray, estimator: Any, sample_dim: str, size: Size) -> int:
    """Return the bytes of the copy that is worked on, where the recording cannot be as it is."""
    if recording.nbytes < recording.size * recording.dtype.itemsize:  # sparse
        return recording.nbytes if estimator.keeps_sparse else size.data
    masked = estimator.mask is not None
    promoted = checks.promote(recording.dtype) != recording.dtype
    inner = sample_dim not in (recording.dims[0], recording.dims[-1])
    return size.data if any((masked, promoted, inner)) else 0


def _words(n_bytes: float) -> str:
    scale, unit, form = next(one for one in _UNITS if n_bytes >= one[0] or one[0] == 1)
    return f"{n_bytes / scale:{form}} {unit}"
