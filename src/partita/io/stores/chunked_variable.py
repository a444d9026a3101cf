"""A variable of a NetCDF file or Zarr store that says which of its chunks cannot be read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from partita.io.lazy_array import ascending
from partita.io.nifti.gzip_index import Stamp

Array = np.ndarray[Any, Any]


class StoredVariable:
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

    def __init__(
        self,
        path: Path,
        name: str,
        variable: xr.Variable,
        stored: Mapping[Any, int],
        *,
        whole: bool,
    ) -> None:
        self.path, self.name, self.whole = path, name, whole
        self.variable = variable
        self.shape, self.dtype, self.ndim = variable.shape, variable.dtype, variable.ndim
        self.stored = tuple(stored.get(dim, size) for dim, size in variable.sizes.items())
        self.stamp = Stamp.of(str(self._description()))

    def lazily(self, chunks: Any) -> Any:
        """Return the values as a dask array in such chunks."""
        token = tokenize(self.stamp, self.name, chunks)
        return da.from_array(
            self, chunks=chunks, fancy=False, name=f"{self.name}-{token}", inline_array=True,
            meta=np.empty((0,) * self.ndim, self.dtype), asarray=True,
        )  # fmt: skip

    def __getitem__(self, key: Any) -> Array:
        """Return values by slices and integers."""
        slices, after = ascending(key, self.shape)
        self._refuse_changed()
        if self.whole:
            self._refuse_lost(slices)
        try:
            values = self._read(slices)
        except (MemoryError, ModuleNotFoundError):
            raise
        except Exception as error:  # the HDF5 library, zarr and its codecs raise kinds of their own
            raise OSError(
                f"{self._culprit(slices)} cannot be read: it is damaged, truncated or gone "
                f"({type(error).__name__}: {error}). Copy it again, or write it again from what "
                "it was made of."
            ) from error
        return np.asarray(values[after])

    def _read(self, slices: tuple[slice, ...]) -> Array:
        return np.asarray(self.variable[slices].values)

    def _description(self) -> Path:
        """Return the file that tells what the variable is; of NetCDF, all of it."""
        if not self.path.is_dir():
            return self.path
        places = (self.path / self.name / name for name in ("zarr.json", ".zarray"))
        return next((place for place in places if place.is_file()), self.path)

    def _refuse_changed(self) -> None:
        try:
            now = Stamp.of(self.stamp.path)
        except OSError as error:
            raise OSError(
                f"{self.path} is no longer there, or only parts of it. Bring it back, or load it "
                "from where it is now."
            ) from error
        if now != self.stamp:
            raise OSError(
                f"{self.path} has been changed since it was opened. Load it again: "
                "partita.load(path)."
            )

    def _refuse_lost(self, slices: tuple[slice, ...]) -> None:
        for index in self._chunks_of(slices):
            if not self._file_of(index).is_file():
                raise OSError(
                    f"{self._words(index)} is no longer there. Copy the store again, or write it "
                    "again from what it was made of."
                )

    def _culprit(self, slices: tuple[slice, ...]) -> str:
        """Return the first chunk that cannot be read by itself, in words."""
        for index in self._chunks_of(slices):
            try:
                self._read(self._place(index))
            except Exception:
                return self._words(index)
        return f"{self.name} in {self.path}"

    def _chunks_of(self, slices: tuple[slice, ...]) -> Any:
        ranges = [
            range(one.start // size, -(-one.stop // size)) if one.stop > one.start else range(0)
            for one, size in zip(slices, self.stored, strict=True)
        ]
        return itertools.product(*ranges)

    def _place(self, index: tuple[int, ...]) -> tuple[slice, ...]:
        return tuple(
            slice(i * size, min((i + 1) * size, length))
            for i, size, length in zip(index, self.stored, self.shape, strict=True)
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
