"""A file for the HDF5 library that takes everything, and says afterwards what the disk refused."""

from __future__ import annotations

import io
import os
import signal
import threading
import weakref
from pathlib import Path
from types import FrameType
from typing import Any, Self

# Metadata are read back while a file is written; values of recordings are not.
_KEPT_BYTES = 1 << 16
# The methods that the library does not call.
_OURS = ("refuse_lost", "__enter__")
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
    is collected. So what the disk does not take is dropped, and raised by `refuse_lost`. Ctrl-C
    that comes while the library is at work here would be such a failure, or be lost: it is held
    back until the library has answered.

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
        self._error: BaseException | None = None
        self._interrupted: Any = None
        self._held: list[tuple[Any, ...]] = []

    def refuse_lost(self) -> None:
        """Raise what the disk said (OSError), if it has not taken all, and what was held back."""
        if self._error is not None:
            raise self._error
        if self._held and threading.current_thread() is threading.main_thread():
            self._interrupted(*self._held.pop())

    def __exit__(self, *about: Any) -> None:
        """Close the file; what was dropped is the cause of whatever else went wrong."""
        self.close()
        if self._interrupted is not None:
            signal.signal(signal.SIGINT, self._interrupted)
        if about[0] is None or issubclass(about[0], Exception):
            self.refuse_lost()

    def __enter__(self) -> Self:
        """Return the file."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(before):
            self._interrupted = before
            signal.signal(signal.SIGINT, self._hold_back)
        return self

    def _hold_back(self, number: int, frame: FrameType | None) -> None:
        """Answer Ctrl-C: at once, or where the library is at work here, afterwards."""
        if not self._is_at_work(frame):
            self._interrupted(number, frame)
        elif self._interrupted is signal.default_int_handler:
            self._error = self._error or KeyboardInterrupt()
        else:
            self._held.append((number, frame))

    def _is_at_work(self, frame: FrameType | None) -> bool:
        """Tell whether the library has called what is interrupted."""
        while frame is not None:
            # What is raised where an object of the library is collected would be lost.
            is_collected = frame.f_code.co_filename == weakref.__file__
            is_called = frame.f_locals.get("self") is self and frame.f_code.co_name not in _OURS
            if is_collected or is_called:
                return True
            frame = frame.f_back
        return False

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, -1  # a number that no other file is given
        if not self.closed:
            self._trying(os.close, file)
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
