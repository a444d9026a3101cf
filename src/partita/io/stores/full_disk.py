"""A file for the HDF5 library that takes everything, and says afterwards what the disk refused."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Self

# Metadata are read back while a file is written; values of recordings are not.
_KEPT_BYTES = 1 << 16
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change the ends of lines


def write_at(file: int, values: memoryview, place: int) -> int:
    """Write to an open file at a place; return how many bytes it took."""
    os.lseek(file, place, os.SEEK_SET)
    return os.write(file, values)


def _read_at(file: int, size: int, place: int) -> bytes:
    os.lseek(file, place, os.SEEK_SET)
    pieces = []
    while size > 0 and (piece := os.read(file, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class PatientFile(io.RawIOBase):
    """A new file whose writes never fail.

    The HDF5 library ends the process where a file cannot be written: it tries again when the file
    is collected. So what the disk does not take is dropped, and raised by `refuse_lost`.

    Parameters
    ----------
    path : pathlib.Path
        It is made, or emptied.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _BINARY, 0o666)
        self._place = 0
        self._size = 0
        self._kept: dict[int, bytes] = {}
        self._error: OSError | None = None

    def refuse_lost(self) -> None:
        """Raise what the disk said (OSError), if it has not taken all."""
        if self._error is not None:
            raise self._error

    def __exit__(self, *about: Any) -> None:
        """Close the file; what was dropped is the cause of whatever else went wrong."""
        self.close()
        if about[0] is None or issubclass(about[0], Exception):
            self.refuse_lost()

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._trying(os.close, self._file)
        super().close()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def seekable(self) -> bool:
        """Tell that its place can be set."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the place, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def write(self, values: Any) -> int:
        """Write what is given, or drop it."""
        view = memoryview(values).cast("B")
        start, done = self._place, 0
        while done < view.nbytes and self._error is None:
            done += self._trying(write_at, self._file, view[done:], start + done) or 0
        if self._error is not None and view.nbytes <= _KEPT_BYTES:
            self._kept[start] = bytes(view)
        self._place = start + view.nbytes
        self._size = max(self._size, self._place)
        return view.nbytes

    def readinto(self, buffer: Any) -> int:
        """Read what was written; zeros where it was dropped."""
        view = memoryview(buffer).cast("B")
        start = self._place
        found = _read_at(self._file, view.nbytes, start)
        view[:] = found + bytes(view.nbytes - len(found))
        for place, kept in self._kept.items():
            first, last = max(place, start), min(place + len(kept), start + view.nbytes)
            if first < last:
                view[first - start : last - start] = kept[first - place : last - place]
        self._place = start + view.nbytes
        return view.nbytes

    def truncate(self, size: int | None = None) -> int:
        """Cut or lengthen the file."""
        size = self._place if size is None else size
        self._trying(os.ftruncate, self._file, size)
        self._size = size
        return size

    def _trying(self, what: Any, *arguments: Any) -> Any:
        try:
            return what(*arguments)
        except OSError as error:
            self._error = self._error or OSError(error.errno, error.strerror, str(self._path))
            return None
