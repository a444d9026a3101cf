"""The voxels of a NIfTI file as an array that reads and scales only what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from partita._labels.checks import promote
from partita.io.lazy_array import Array, FileArray, Slices, lengths
from partita.io.nifti.gzip_index import index_of, stated_size

_BLOCK_BYTES = 32 << 20  # stored values are read and scaled in blocks of about this size


class ScaledVoxels(FileArray):
    """Values in a file, raw or gzip-compressed; slicing reads and scales them.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    shape : tuple of int, (volume, time, z, y, x)
        As the values lie in the file, the slowest axis first.
    stored : numpy.dtype
        Of the values in the file, byte order included; they are read as float32 or float64.
    offset : int
        Bytes before the first value, decompressed.
    scaling : tuple of float
        Slope and inter: ``slope * value + inter`` is what a value means.
    compressed : bool
        Whether the file is a gzip file.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int, int, int],
        stored: np.dtype[Any],
        *,
        offset: int,
        scaling: tuple[float, float],
        compressed: bool,
    ) -> None:
        super().__init__(path, shape, promote(stored.newbyteorder("=")))
        self.stored, self.offset, self.compressed = stored, offset, compressed
        self.slope, self.inter = scaling

    @property
    def end(self) -> int:
        """Bytes from the start of the (decompressed) file to the end of the values."""
        return self.offset + prod(self.shape) * self.stored.itemsize

    def refuse_truncated(self) -> None:
        """Refuse a file that is shorter than its header says (OSError).

        A gzip file is read through only where its last bytes do not state the expected size: it is
        then truncated, or unusual (several members, or more data than its header needs).
        """
        path, size, _ = self.stamp
        if self.compressed and stated_size(path) != self.end % 2**32:
            index_of(self.stamp, expected=self.end).read(self.end - 1, 1)
        if not self.compressed and size < self.end:
            raise OSError(
                f"{path} is truncated: it has {size} bytes, and its header promises {self.end}. "
                "Copy or download it again."
            )

    def read(self, slices: Slices) -> Array:
        """Return values, scaled."""
        values = np.empty(lengths(slices, self.shape), self.dtype)
        for row, volume in enumerate(range(self.shape[0])[slices[0]]):
            for place, times in self._runs(range(self.shape[1])[slices[1]]):
                stored = self._frames(volume, times)[:, *slices[2:]]
                values[row, place : place + len(times)] = self._scaled(stored)
        return values

    def _runs(self, times: range) -> Iterator[tuple[int, range]]:
        """Yield (place in the answer, times) of each run that is read in one piece."""
        longest = max(1, _BLOCK_BYTES // self._frame_bytes // times.step)
        for place in range(0, len(times), longest):
            yield place, times[place : place + longest]

    @property
    def _frame_bytes(self) -> int:
        return prod(self.shape[2:]) * self.stored.itemsize

    def _frames(self, volume: int, times: range) -> Array:
        """Return the frames at some times (time, z, y, x) as they are stored."""
        first, last = times[0], times[-1]
        start = self.offset + (volume * self.shape[1] + first) * self._frame_bytes
        shape = (last - first + 1, *self.shape[2:])
        if not self.compressed:
            return np.memmap(self.path, self.stored, "r", start, shape)[:: times.step]
        index = index_of(self.stamp, expected=self.end)
        raw = index.read(start, shape[0] * self._frame_bytes)
        return np.frombuffer(raw, self.stored).reshape(shape)[:: times.step]

    def _scaled(self, stored: Array) -> Array:
        if self.slope == 1 and self.inter == 0:
            return stored
        return stored.astype(np.float64) * self.slope + self.inter
