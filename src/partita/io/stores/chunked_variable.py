"""A variable of a NetCDF file or Zarr store that says which of its chunks cannot be read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from partita.io.lazy_array import Array, FileArray, Slices, Stamp


class ChunkedVariable(FileArray):
    """Values in a file or store; slicing reads them.

    Parameters
    ----------
    path : pathlib.Path
        The file or store.
    name : str
        Of the variable in it.
    variable : xarray.Variable
        Not yet read.
    stored : Mapping
        Sizes of the chunks by dimension, where it is stored in chunks.
    whole : bool
        Whether every chunk of a store was written, so that one which is not there has been lost;
        else chunks of nothing but the fill value may have been left out.
    """

    blocks: tuple[int, ...]

    def __init__(
        self,
        path: Path,
        name: str,
        variable: xr.Variable,
        stored: Mapping[Any, int],
        *,
        whole: bool,
    ) -> None:
        blocks = tuple(stored.get(dim, size) for dim, size in variable.sizes.items())
        about = _description(path, name)
        super().__init__(path, variable.shape, variable.dtype, blocks, description=about)
        self.name, self.variable, self.whole = name, variable, whole

    def __dask_tokenize__(self) -> object:
        """Return what tells it from others, without reading its values."""
        return type(self).__name__, self.stamp, self.name

    def read(self, slices: Slices) -> Array:
        """Return values, or name the chunk that cannot be read."""
        if self.whole:
            self._refuse_lost(slices)
        try:
            return self._read(slices)
        except (MemoryError, ModuleNotFoundError):
            raise
        except Exception as error:  # the HDF5 library, zarr and its codecs raise kinds of their own
            raise OSError(
                f"{self._culprit(slices)} cannot be read: it is damaged, truncated or gone "
                f"({type(error).__name__}: {error}). Copy it again, or write it again from what "
                "it was made of."
            ) from error

    def stamp_now(self) -> Stamp:
        """Return the stamp of the file, or of what describes the variable, as it is now."""
        try:
            return super().stamp_now()
        except OSError as error:
            raise OSError(
                f"{self.path} is no longer there, or only parts of it. Bring it back, or load it "
                "from where it is now."
            ) from error

    def _read(self, slices: Slices) -> Array:
        return np.asarray(self.variable[slices].values)

    def _refuse_lost(self, slices: Slices) -> None:
        for index in self._chunks_of(slices):
            if not self._file_of(index).is_file():
                raise OSError(
                    f"{self._words(index)} is no longer there. Copy the store again, or write it "
                    "again from what it was made of."
                )

    def _culprit(self, slices: Slices) -> str:
        """Return the first chunk that cannot be read by itself, in words."""
        for index in self._chunks_of(slices):
            try:
                self._read(self._place(index))
            except Exception:
                return self._words(index)
        return f"{self.name} in {self.path}"

    def _chunks_of(self, slices: Slices) -> Any:
        ranges = [
            range(one.start // size, -(-one.stop // size)) if one.stop > one.start else range(0)
            for one, size in zip(slices, self.blocks, strict=True)
        ]
        return itertools.product(*ranges)

    def _place(self, index: tuple[int, ...]) -> Slices:
        return tuple(
            slice(i * size, min((i + 1) * size, length))
            for i, size, length in zip(index, self.blocks, self.shape, strict=True)
        )

    def _words(self, index: tuple[int, ...]) -> str:
        place = zip(self.variable.dims, self._place(index), strict=True)
        where = ", ".join(f"{dim} {one.start} to {one.stop - 1}" for dim, one in place)
        return f"Chunk {index} of {self.name} ({where}) in {self._file_of(index)}"

    def _file_of(self, index: tuple[int, ...]) -> Path:
        """Return the file that holds a chunk: its own in a Zarr store."""
        description = Path(self.stamp.path)
        own = self.path
        if description.name == "zarr.json":
            own = description.parent.joinpath("c", *map(str, index))
        elif description.name == ".zarray":
            own = description.parent / ".".join(map(str, index))
        return own if self.whole or own.is_file() else self.path


def _description(path: Path, name: str) -> Path:
    """Return the file that tells what a variable is; of NetCDF, all of it."""
    places = (path / name / description for description in ("zarr.json", ".zarray"))
    return next((place for place in places if place.is_file()), path)
