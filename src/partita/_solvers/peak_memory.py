"""What fits take of memory at their peak, by what they hold and as it was measured."""

from __future__ import annotations

import math
from typing import NamedTuple

from .linear import principal_components
from .matrices import partition, streamed, survey
from .nmf import multistart, streamed_multistart

# Measured as the peaks of fits in a process of their own: benchmarks/RESULTS.md, Estimates of
# memory, where estimates are 1.01 to 1.53 times what was measured.

# Copies of both factors that are alive at once: two trials, each with what it was and will be.
_COPIES, _STREAMED_COPIES = 8, 6


# Arrays of a penalty that is majorised entry by entry, in float64.
_TERMS = 6
# Scratch of blocks and of the allocator, at most a share of the data.
_SCRATCH, _STREAMED_SCRATCH, _SCRATCH_SHARE = 64 << 20, 32 << 20, 0.45


# A part in work is there as stored, as computed, and as worked on; as its chunks where it has
# several; and centred, in double precision first. Sweeps have one more, done with but not yet given
# back.
_PART_COPIES, _OF_CHUNKS, _CENTRED = 3, 1, 3


# What the allocator keeps of blocks that are done with: a tenth.
_SLACK = 1.1

# Of the data, by which way PCA and FastICA are solved: centred twice, and what scikit-learn holds.
_FULLY, _BY_COVARIANCE, _BY_ARPACK = 4.9, 1.5, 2.3


class Size(NamedTuple):
    """A matrix (n samples, p features) with entries of so many bytes, and k components."""

    n: int
    p: int
    k: int
    itemsize: int

    @property
    def data(self) -> int:
        """Bytes of the matrix."""
        return self.n * self.p * self.itemsize

    @property
    def factors(self) -> int:
        """Bytes of both factors."""
        return self.k * (self.n + self.p) * self.itemsize

    def rows(self, count: int) -> int:
        """Return the bytes of so many rows along the long side."""
        return count * max(self.n, self.p) * self.itemsize


class Budget(NamedTuple):
    """Bytes at the peak, beside the recording: factors, sketch or sample, and parts in work."""

    factors: int
    multistart: int
    parts: int


def of_nmf(size: Size) -> Budget:
    """Return what an NMF in memory takes."""
    short, long = sorted((size.n, size.p))
    rank = multistart.ample(size.k)
    if multistart.LEAST_GAIN * rank <= short:
        drawn = size.rows(2 * rank + 2 * size.k)  # the sketch, and its copy with room beside it
    else:
        sampled = next((m for m in (multistart.LARGER, multistart.SMALLER) if long > 2 * m), 0)
        of_sample = sampled * short * size.itemsize
        drawn = max(size.rows(2 * size.k + multistart.SPARE) - size.factors, 0) + of_sample
    return Budget(_COPIES * size.factors, drawn, _scratch(size))


def of_divergence(size: Size) -> Budget:
    """Return what an NMF of another loss than Frobenius, or with entrywise weights, takes."""
    return Budget(_COPIES * size.factors, 0, size.data // 2 + _scratch(size))


def with_smoothness(budget: Budget, size: Size) -> Budget:
    """Return what a fit takes whose penalties have terms for every entry of a factor.

    Gradient and bound of the factor that moves are there in float64, with what they are made of.
    """
    return budget._replace(factors=budget.factors + _TERMS * 8 * size.k * max(size.n, size.p))


def of_linear(size: Size, *, by_covariance: bool, fully: bool) -> Budget:
    """Return what PCA and FastICA in memory take: copies for centring, twice, and for solving."""
    copies = _FULLY if fully else _BY_COVARIANCE if by_covariance else _BY_ARPACK
    return Budget(2 * size.factors, 0, int(copies * size.data) + _scratch(size))


def of_streamed(
    size: Size, chunks: tuple[tuple[int, ...], ...], *, threads: int, linear: bool
) -> Budget:
    """Return what a fit that streams takes.

    Parameters
    ----------
    size : Size
        Of the matrix.
    chunks : tuple of tuple of int
        Of the recording, samples first.
    threads : int
        How many parts are in work at a time; 0 where a cluster works on them.
    linear : bool
        Whether it is PCA or FastICA.
    """
    by_samples, part = partition.part_of(chunks, size.itemsize)
    largest = math.prod(max(sizes) for sizes in chunks) * size.itemsize
    copies = _PART_COPIES + (_OF_CHUNKS if largest < part else 0) + (_CENTRED if linear else 0)
    short, long = sorted((size.n, size.p))
    sampled = min(survey.SAMPLE, long) * short * size.itemsize
    if linear:
        width = size.k + principal_components.SPARE
        krylov = 2 * principal_components.MOST * 8 * width * short  # and its products
        drawn = max(sampled, krylov) + 3 * 8 * width * long
        sums_rows = width
    else:
        sketched = size.rows(4 * size.k + streamed_multistart.SPARE)
        drawn, sums_rows = max(int(_SLACK * sampled), sketched), size.k
    lanes = min(threads, math.ceil(size.data / max(1, part)))
    sums = (size.p if by_samples else size.n) * sums_rows * size.itemsize
    lanes_of_sums = max(1, min(lanes, streamed.SUMS_BYTES // max(1, sums)))
    done_with = 0 if linear else part
    work = copies * min(lanes * part, size.data) + done_with + (lanes_of_sums + 1) * sums
    return Budget(_STREAMED_COPIES * size.factors, drawn, int(_SLACK * work) + _STREAMED_SCRATCH)


def _scratch(size: Size) -> int:
    return min(_SCRATCH, int(_SCRATCH_SHARE * size.data))
