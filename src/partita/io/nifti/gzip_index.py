"""Random access into gzip files: read from the middle without decompressing from the start.

The first pass keeps a copy of the decompressor's state every few megabytes of output (a state is
about 40 kB: its window of 32 kB and what it knows of the current block). A later read resumes at
the nearest state before its place.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from partita._solvers.compute.forks import FreshLock
from partita.io.lazy_array import Stamp
from partita.io.recognition import GZIP_MAGIC

_INPUT_BLOCK = 1 << 14  # also bounds the compressed bytes that a kept state holds on to
_OUTPUT_BLOCK = 1 << 20
_SPACING = 2 << 20
_MAX_POINTS = 256
_MAX_FILES = 16
_GZIP_FRAMED = 16 + zlib.MAX_WBITS


@dataclass
class _Cursor:
    """A place in the decompressed stream, and the state to go on from there."""

    output: int  # decompressed bytes before this place
    input: int  # compressed bytes used up
    state: Any  # None between two members of the file

    def copy(self) -> _Cursor:
        return _Cursor(self.output, self.input, None if self.state is None else self.state.copy())


class GzipIndex:
    """The seek points of one gzip file, added as it is read; safe to share between threads.

    Parameters
    ----------
    stamp : Stamp
        The file.
    expected : int
        Decompressed bytes that are wanted of it; sets how far apart the points lie, so that at
        most 256 are kept (about 12 MB).
    """

    def __init__(self, stamp: Stamp, expected: int) -> None:
        self._path = stamp.path
        self._expected = expected
        self._spacing = max(_SPACING, -(-expected // _MAX_POINTS))
        self._points = [_Cursor(0, 0, None)]
        self._growing = FreshLock()

    def read(self, start: int, length: int) -> bytearray:
        """Return `length` decompressed bytes from `start`.

        Raises
        ------
        OSError
            If the file ends before, or its compressed data are damaged.
        """
        if start + length <= self._points[-1].output + self._spacing:
            return self._run(start, length)
        with self._growing:
            return self._run(start, length)

    def _run(self, start: int, length: int) -> bytearray:
        cursor = self._nearest(start)
        wanted = bytearray(length)
        with Path(self._path).open("rb") as file:
            file.seek(cursor.input)
            pending = b""
            while cursor.output < start + length:
                self._remember(cursor)
                before = cursor.output
                piece, pending = self._step(file, cursor, pending)
                _copy_overlap(piece, before, wanted, start)
            if cursor.output >= self._expected:
                self._check_sum(file, cursor, pending)
        return wanted

    def _nearest(self, start: int) -> _Cursor:
        points = self._points
        place = bisect_right([point.output for point in points], start) - 1
        return points[place].copy()

    def _remember(self, cursor: _Cursor) -> None:
        # A read within reach of the last point never gets here: only one thread appends.
        if cursor.output >= self._points[-1].output + self._spacing:
            self._points.append(cursor.copy())

    def _check_sum(self, file: BinaryIO, cursor: _Cursor, pending: bytes) -> None:
        """Feed the trailer too, so that the decompressor compares the check sum of all it saw."""
        while cursor.state is not None and cursor.output <= self._expected + _OUTPUT_BLOCK:
            _, pending = self._step(file, cursor, pending)

    def _step(self, file: BinaryIO, cursor: _Cursor, pending: bytes) -> tuple[bytes, bytes]:
        """Decompress one piece; move the cursor past it; return it and the input left over."""
        compressed = pending or file.read(_INPUT_BLOCK)
        if cursor.state is None:
            compressed = self._open_member(file, cursor, compressed)
        if not compressed:
            raise self._ends_early(cursor.output)
        try:
            piece = cursor.state.decompress(compressed, _OUTPUT_BLOCK)
        except zlib.error as error:
            raise OSError(
                f"{self._path} is damaged: its compressed data cannot be read after "
                f"{cursor.output} decompressed bytes ({error}). Copy or download it again."
            ) from error
        state = cursor.state
        left = state.unused_data if state.eof else state.unconsumed_tail
        cursor.output += len(piece)
        cursor.input += len(compressed) - len(left)
        if state.eof:
            cursor.state = None
        return piece, left

    def _open_member(self, file: BinaryIO, cursor: _Cursor, compressed: bytes) -> bytes:
        """Start the next member of the file; a gzip file may be several, one after another."""
        if len(compressed) < len(GZIP_MAGIC):
            compressed += file.read(_INPUT_BLOCK)
        if not compressed.startswith(GZIP_MAGIC):
            raise self._ends_early(cursor.output)
        cursor.state = zlib.decompressobj(_GZIP_FRAMED)
        return compressed

    def _ends_early(self, available: int) -> OSError:
        return OSError(
            f"{self._path} is truncated: it ends after {available} of {self._expected} "
            "decompressed bytes, or before its check sum. Copy or download it again."
        )


def _copy_overlap(piece: bytes, before: int, wanted: bytearray, start: int) -> None:
    first, last = max(before, start), min(before + len(piece), start + len(wanted))
    if first < last:
        wanted[first - start : last - start] = memoryview(piece)[first - before : last - before]


_indexes: OrderedDict[Stamp, GzipIndex] = OrderedDict()
_opening = FreshLock()


def index_of(stamp: Stamp, *, expected: int) -> GzipIndex:
    """Return the index of a file, shared in this process; the 16 last used are kept.

    Parameters
    ----------
    stamp : Stamp
        The file as it was when it was opened.
    expected : int
        Decompressed bytes that are wanted of it.
    """
    with _opening:
        index = _indexes.pop(stamp, None) or GzipIndex(stamp, expected)
        _indexes[stamp] = index
        while len(_indexes) > _MAX_FILES:
            _indexes.popitem(last=False)
    return index


def stated_size(path: str) -> int:
    """Return what the last four bytes of a gzip file say of its size, modulo 2**32."""
    with Path(path).open("rb") as file:
        file.seek(-4, 2)
        return int.from_bytes(file.read(4), "little")
