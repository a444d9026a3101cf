"""Values in a file that are read where they are asked for."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from partita.io.nifti.gzip_index import Stamp

Array = np.ndarray[Any, Any]
Slices = tuple[slice, ...]


class FileValues(ABC):
    """An array in a file; slicing reads, from any thread or process.

    No file is held open: each reading opens its own. Subclasses implement `read`.

    Parameters
    ----------
    path : pathlib.Path
        The file; it must not change while it is in use.
    shape : tuple of int
        Sizes of the axes.
    dtype : numpy.dtype
        What `read` answers with.
    blocks : tuple of int, optional
        Sizes of the blocks that the file stores, where it is chunked.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        blocks: tuple[int, ...] | None = None,
    ) -> None:
        self.stamp = Stamp.of(str(path.resolve()))
        self.shape = tuple(int(size) for size in shape)
        self.dtype = np.dtype(dtype)
        self.blocks = blocks

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.stamp.path)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> Array:
        """Return values by slices and integers."""
        if Stamp.of(self.stamp.path) != self.stamp:
            raise OSError(
                f"{self.path} has been changed since it was opened. Load it again: "
                "partita.load(path)."
            )
        slices, after = ascending(key, self.shape)
        with naming(self.path):
            values = self.read(slices)
        return np.asarray(values[after])

    @abstractmethod
    def read(self, slices: Slices) -> Array:
        """Return the values at ascending slices, one for each axis."""


def ascending(key: Any, shape: tuple[int, ...]) -> tuple[Slices, tuple[Any, ...]]:
    """Return slices with positive steps, and what to take of their values to get those of `key`.

    Parameters
    ----------
    key : int, slice or tuple of them
        What was asked for; axes that are not named are taken whole.
    shape : tuple of int
        Sizes of the axes.
    """
    given = key if isinstance(key, tuple) else (key,)
    given = (*given, *(slice(None),) * (len(shape) - len(given)))
    slices: list[slice] = []
    after: list[Any] = []
    for one, size in zip(given, shape, strict=True):
        places = range(size)[one] if isinstance(one, slice) else range(size)[one : one + 1 or None]
        falling = places.step < 0
        places = places[::-1] if falling else places
        slices.append(slice(places.start, places.stop, places.step) if places else slice(0, 0))
        after.append(slice(None, None, -1 if falling else None) if isinstance(one, slice) else 0)
    return tuple(slices), tuple(after)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let what goes wrong while reading a file name it, and say what to do."""
    try:
        yield
    except (FileNotFoundError, MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # libraries raise kinds of their own for damage
        own = type(error).__module__.partition(".")[0] in ("builtins", "partita")
        if own and str(path) in str(error):
            raise
        raise OSError(
            f"{path} cannot be read: it is damaged or truncated ({error}). Copy or download it "
            "again."
        ) from error
