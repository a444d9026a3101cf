"""NumPy's ``.npy`` and ``.npz``."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from partita.io.entries import Entry, choose, others_than
from partita.io.lazy_array import Array, FileArray, Slices, WholeArray, naming
from partita.io.movies.description import DEFAULT_DIMS, Movie, name_axes
from partita.io.request import Wanted


class MappedArray(FileArray):
    """An array in a ``.npy`` file, mapped into memory."""

    def read(self, slices: Slices) -> Array:
        """Return values as they are stored."""
        mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return np.array(mapped[slices])


class ArchivedArray(WholeArray):
    """An array in a ``.npz`` archive."""

    def __init__(self, path: Path, entry: Entry) -> None:
        super().__init__(path, entry.shape, np.dtype(entry.type))
        self.name = entry.name

    def whole(self) -> Array:
        """Return the array."""
        with np.load(self.path, allow_pickle=False) as archive:
            return np.asarray(archive[self.name]).astype(self.dtype, copy=False)


def read_npy(path: Path, wanted: Wanted) -> Movie:
    """Return the movie in a ``.npy`` file.

    Raises
    ------
    OSError
        If the file is damaged or cut short.
    TypeError
        If it holds pickled objects, which are never unpickled.
    ValueError
        If `wanted` names a data set.
    """
    wanted.refuse_dataset(path)
    with naming(path), path.open("rb") as file:
        shape, dtype = _header(file)
        _refuse_pickled(dtype, path)
        missing = file.tell() + int(np.prod(shape)) * dtype.itemsize - path.stat().st_size
    if missing > 0:
        raise OSError(f"{path} is cut short by {missing} bytes. Copy or download it again.")
    dims = name_axes(len(shape), wanted, path, defaults=DEFAULT_DIMS)
    return Movie(
        MappedArray(path, shape, dtype),
        dims,
        name=path.stem,
        kind="NumPy .npy",
        is_said=wanted.dims is not None,
    )


def read_npz(path: Path, wanted: Wanted) -> Movie:
    """Return the movie in a ``.npz`` archive.

    Raises
    ------
    OSError
        If the file is damaged or cut short.
    TypeError
        If the array that is asked for holds pickled objects.
    ValueError
        If no array, or several, may be meant.
    """
    entries = []
    with naming(path), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue
            with archive.open(member) as file:
                shape, dtype = _header(file)
            name = member.removesuffix(".npy")
            if name == wanted.dataset:
                _refuse_pickled(dtype, path)
            if dtype.kind in "iufbc" and shape:
                entries.append(Entry(name, shape, dtype.name))
    entry = choose(entries, wanted.dataset, path=path, kind="NumPy .npz")
    dims = name_axes(len(entry.shape), wanted, path, defaults=DEFAULT_DIMS)
    return Movie(
        ArchivedArray(path, entry),
        dims,
        name=entry.name,
        kind=f"NumPy .npz, {entry.name}",
        is_said=wanted.dims is not None,
        others=others_than(entry, entries),
    )


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return tuple(shape), dtype


def _refuse_pickled(dtype: np.dtype[Any], path: Path) -> None:
    if dtype.hasobject:
        raise TypeError(
            f"{path} holds pickled Python objects, which are never unpickled: doing so may run "
            "code. Save the numbers themselves: numpy.save(path, array.astype(float))."
        )
