"""Arrays in files whose values are read where they are asked for."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from partita._labels.numbers import is_whole
from partita._solvers.compute.forks import FreshLock

Array = np.ndarray[Any, Any]
Slices = tuple[slice, ...]

# What `chunks` is where labels are wanted and no values: zeros then stand for them, without memory.
HEADERS = object()


class Stamp(NamedTuple):
    """What a file was when it was opened: path, bytes, and time of the last change in ns."""

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, path: str) -> Stamp:
        """Return the stamp of a file as it is now."""
        about = Path(path).stat()
        return cls(path, about.st_size, about.st_mtime_ns)


class LazyArray(ABC):
    """An array that reads what is asked of it, as numpy's basic indexing asks. Give it `read`.

    Parameters
    ----------
    shape : tuple of int
        Sizes of the axes.
    dtype : numpy.dtype
        What `read` answers with.
    blocks : tuple of int, optional
        Sizes of the blocks that are read as one, where there are such.
    """

    def __init__(
        self, shape: Sequence[int], dtype: np.dtype[Any], blocks: tuple[int, ...] | None = None
    ) -> None:
        self.shape = tuple(int(size) for size in shape)
        self.dtype = np.dtype(dtype)
        self.blocks = blocks

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> Array:
        """Return values by whole numbers, slices, ``...`` and ``None``."""
        slices, after = ascending(key, self.shape)
        return np.asarray(self._read_safely(slices)[after])

    @abstractmethod
    def read(self, slices: Slices) -> Array:
        """Return the values at slices with positive steps, one for each axis."""

    def lazily(self, chunks: Any) -> Any:
        """Return the array as one of dask's, in such chunks; zeros without memory for `HEADERS`."""
        if chunks is HEADERS:
            return without_values(self.shape, self.dtype)
        import dask.array as da  # half a second, which headers do without

        return da.from_array(
            self, chunks=chunks, fancy=False, inline_array=True, asarray=True,
            meta=np.empty((0,) * self.ndim, self.dtype),
        )  # fmt: skip

    def _read_safely(self, slices: Slices) -> Array:
        return self.read(slices)


def without_values(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """Return zeros that take no memory, where only sizes and labels are asked for."""
    return np.broadcast_to(np.zeros((), dtype), tuple(shape))


class FileArray(LazyArray):
    """An array in a file; slicing reads, from any thread or process.

    No file is held open: each reading opens its own.

    Parameters
    ----------
    path : pathlib.Path
        The file, or a folder of files; it must not change while it is in use.
    shape, dtype, blocks
        As for `LazyArray`.
    description : pathlib.Path, optional
        Of a folder, the file in it whose change tells that of all.
    """

    def __init__(
        self,
        path: Path,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        blocks: tuple[int, ...] | None = None,
        *,
        description: Path | None = None,
    ) -> None:
        super().__init__(shape, dtype, blocks)
        self.path = path.resolve()
        self.stamp = Stamp.of(str((description or path).resolve()))

    def _read_safely(self, slices: Slices) -> Array:
        if self.stamp_now() != self.stamp:
            raise OSError(
                f"{self.path} has been changed since it was opened. Load it again: "
                "partita.load(path)."
            )
        with naming(self.path):
            return self.read(slices)

    def stamp_now(self) -> Stamp:
        """Return the stamp of the file as it is now."""
        return Stamp.of(self.stamp.path)


def files_behind(array: Any) -> list[Path]:
    """Return the files and stores that an array of dask's reads when it is computed."""
    layers = getattr(getattr(array, "dask", None), "layers", {})
    inline = (pair[0] for layer in layers.values() for pair in getattr(layer, "indices", ()))
    return [one.path for one in inline if isinstance(one, FileArray)]


class WholeArray(FileArray):
    """An array that is compressed as one piece: read when first asked, and then kept in memory.

    Give it `whole`.
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        super().__init__(path, shape, dtype)
        self._lock = FreshLock()
        self._values: Array | None = None

    def read(self, slices: Slices) -> Array:
        """Return values as they are stored."""
        with self._lock:
            if self._values is None:
                self._values = self.whole()
        return self._values[slices]

    @abstractmethod
    def whole(self) -> Array:
        """Return the array."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave the values and the lock behind: another process reads for itself."""
        return self.__dict__ | {"_lock": None, "_values": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = FreshLock()


class Expanded(LazyArray):
    """An array with one more axis, of length one.

    Parameters
    ----------
    array : LazyArray
        What it is made of.
    axis : int
        Where the new axis stands.
    """

    def __init__(self, array: LazyArray, axis: int) -> None:
        self.array, self.axis = array, axis
        shape = (*array.shape[:axis], 1, *array.shape[axis:])
        super().__init__(shape, array.dtype)

    def read(self, slices: Slices) -> Array:
        """Return values of the array."""
        rest = (*slices[: self.axis], *slices[self.axis + 1 :])
        values = np.expand_dims(self.array[rest], self.axis)
        return values[(slice(None),) * self.axis + (slices[self.axis],)]


class Joined(LazyArray):
    """Arrays one after the other along one axis; slicing reads from those concerned.

    Parameters
    ----------
    parts : sequence of array
        Of one shape but for `axis`, and of one dtype.
    axis : int, optional
        The axis of time; None where each part is one frame, which get a new first axis.
    """

    def __init__(self, parts: Sequence[Any], axis: int | None) -> None:
        self.parts = list(parts)
        self.axis = axis
        sizes = [1 if axis is None else part.shape[axis] for part in parts]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        inner = list(parts[0].shape)
        whole = [sum(sizes), *inner]
        if axis is not None:
            whole = [*inner[:axis], sum(sizes), *inner[axis + 1 :]]
        super().__init__(whole, parts[0].dtype)

    def read(self, slices: Slices) -> Array:
        """Return values of the parts that the slices touch."""
        axis = self.axis or 0
        wanted = np.arange(self.shape[axis])[slices[axis]]
        pieces = []
        for number, start in enumerate(self.starts[:-1]):
            here = wanted[(wanted >= start) & (wanted < self.starts[number + 1])] - start
            if here.size:
                pieces.append(self._piece(number, here, slices, axis))
        if not pieces:
            return np.empty(lengths(slices, self.shape), self.dtype)
        return np.concatenate(pieces, axis=axis)

    def _piece(self, number: int, here: Array, slices: Slices, axis: int) -> Array:
        if self.axis is None:
            return np.asarray(self.parts[number][slices[1:]])[None]
        step = slices[axis].step or 1
        along = slice(int(here[0]), int(here[-1]) + 1, step)
        return np.asarray(self.parts[number][(*slices[:axis], along, *slices[axis + 1 :])])


def ascending(key: Any, shape: tuple[int, ...]) -> tuple[Slices, tuple[Any, ...]]:
    """Return slices with positive steps, and what to take of their values to get those of `key`.

    Parameters
    ----------
    key : int, slice, Ellipsis, None or tuple of them
        What was asked for, as in numpy's basic indexing.
    shape : tuple of int
        Sizes of the axes.

    Raises
    ------
    IndexError
        If a number is out of bounds, there are more of them than axes, or they are arrays.
    """
    slices: list[slice] = []
    after: list[Any] = []
    for one in _for_each_axis(key, len(shape)):
        if one is None:
            after.append(None)
            continue
        axis = len(slices)
        places = _places(one, axis, shape[axis])
        falling = places.step < 0
        places = places[::-1] if falling else places
        slices.append(slice(places.start, places.stop, places.step) if places else slice(0, 0))
        after.append(slice(None, None, -1 if falling else None) if isinstance(one, slice) else 0)
    return tuple(slices), tuple(after)


def _for_each_axis(key: Any, ndim: int) -> tuple[Any, ...]:
    """Return the key with a number or slice for each axis, and a None for each new one."""
    given = key if isinstance(key, tuple) else (key,)
    ellipses = [place for place, one in enumerate(given) if one is Ellipsis]
    n_named = sum(one is not None and one is not Ellipsis for one in given)
    if len(ellipses) > 1:
        raise IndexError(f"An index can only have a single ellipsis ('...'), and {key} has more.")
    if n_named > ndim:
        raise IndexError(f"The array has {ndim} axes, and {n_named} were indexed: {key}.")
    at = ellipses[0] if ellipses else len(given)
    return (*given[:at], *(slice(None),) * (ndim - n_named), *given[at + 1 :])


def _places(one: Any, axis: int, size: int) -> range:
    if isinstance(one, slice):
        return range(size)[one]
    if not is_whole(one):
        raise IndexError(
            "Values in a file are read by whole numbers and slices, and were asked for by "
            f"{type(one).__name__}. Read them first: array[...]."
        )
    if not -size <= one < size:
        raise IndexError(f"index {one} is out of bounds for axis {axis} with size {size}")
    place = int(one) % size
    return range(place, place + 1)


def lengths(slices: Slices, shape: Sequence[int]) -> tuple[int, ...]:
    """Return how many values slices take along each axis."""
    return tuple(len(range(size)[one]) for one, size in zip(slices, shape, strict=True))


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
