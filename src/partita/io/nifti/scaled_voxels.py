"""The voxels of a NIfTI file as an array that reads only what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from partita._labels.checks import promote
from partita.io.nifti.gzip_index import Stamp, index_of, stated_size

Array = np.ndarray[Any, Any]

_BLOCK_BYTES = 32 << 20  # stored values are read and scaled in blocks of about this size


@dataclass(frozen=True)
class StoredArray:
    """Values in a file, raw or gzip-compressed; slicing reads and scales them.

    Parameters
    ----------
    stamp : Stamp
        The file, as it was when it was opened.
    offset : int
        Bytes before the first value, decompressed.
    shape : tuple of int, (volume, time, z, y, x)
        As the values lie in the file, the slowest axis first.
    stored : numpy.dtype
        Of the values in the file, byte order included.
    slope, inter : float
        ``slope * value + inter`` is what a value means.
    compressed : bool
        Whether the file is a gzip file.
    """

    stamp: Stamp
    offset: int
    shape: tuple[int, int, int, int, int]
    stored: np.dtype[Any]
    slope: float
    inter: float
    compressed: bool

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the values are read as: float32 or float64."""
        return promote(self.stored.newbyteorder("="))

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

    def __getitem__(self, key: Any) -> Array:
        """Return values by slices and integers."""
        self._refuse_changed()
        given = key if isinstance(key, tuple) else (key,)
        given = (*given, *(slice(None),) * (self.ndim - len(given)))
        slices = tuple(one if isinstance(one, slice) else slice(one, one + 1) for one in given)
        shape = [len(range(n)[s]) for n, s in zip(self.shape, slices, strict=True)]
        values = np.empty(shape, self.dtype)
        for row, volume in enumerate(range(self.shape[0])[slices[0]]):
            for place, times in self._runs(range(self.shape[1])[slices[1]]):
                stored = self._frames(volume, times)[:, *slices[2:]]
                values[row, place : place + len(times)] = self._scaled(stored)
        return values[tuple(slice(None) if isinstance(one, slice) else 0 for one in given)]

    def _refuse_changed(self) -> None:
        if Stamp.of(self.stamp.path) != self.stamp:
            raise OSError(
                f"{self.stamp.path} has been changed since it was opened. Load it again: "
                "partita.load(path)."
            )

    def _runs(self, times: range) -> Iterator[tuple[int, range]]:
        """Yield (place in the answer, times) of each run that is read in one piece."""
        longest = max(1, _BLOCK_BYTES // self._frame_bytes // abs(times.step))
        for place in range(0, len(times), longest):
            yield place, times[place : place + longest]

    @property
    def _frame_bytes(self) -> int:
        return prod(self.shape[2:]) * self.stored.itemsize

    def _frames(self, volume: int, times: range) -> Array:
        """Return the frames at some times (time, z, y, x) as they are stored."""
        first, last = min(times), max(times)
        start = self.offset + (volume * self.shape[1] + first) * self._frame_bytes
        shape = (last - first + 1, *self.shape[2:])
        if not self.compressed:
            return np.memmap(self.stamp.path, self.stored, "r", start, shape)[:: times.step]
        index = index_of(self.stamp, expected=self.end)
        raw = index.read(start, shape[0] * self._frame_bytes)
        return np.frombuffer(raw, self.stored).reshape(shape)[:: times.step]

    def _scaled(self, stored: Array) -> Array:
        if self.slope == 1 and self.inter == 0:
            return stored
        return stored.astype(np.float64) * self.slope + self.inter
