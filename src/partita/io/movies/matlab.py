"""MATLAB ``.mat`` files: version 7 and older by scipy, 7.3 (HDF5) by h5py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import io as sio

from partita.io.entries import Entry, choose, others_than
from partita.io.lazy_array import Array, WholeArray, naming
from partita.io.movies.description import Movie, name_axes
from partita.io.movies.hdf5 import Hdf5Values, arrays_in, opened
from partita.io.request import Wanted

# What arrays usually are in MATLAB, in the order of size(array): images stacked along the last
# axis, and one row a neuron.
_DIMS = {2: ("neuron", "time"), 3: ("y", "x", "time"), 4: ("y", "x", "z", "time")}

_TYPES = {"double": "float64", "single": "float32", "logical": "uint8"}
_NUMERIC = (*_TYPES, *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))


class MatVariable(WholeArray):
    """A variable in a MATLAB file of version 7 or older, which compresses each as one piece."""

    def __init__(self, path: Path, entry: Entry) -> None:
        super().__init__(path, entry.shape, np.dtype(_TYPES.get(entry.type, entry.type)))
        self.name = entry.name

    def whole(self) -> Array:
        """Return the variable as MATLAB has it.

        Raises
        ------
        TypeError
            If its values are complex.
        """
        # MATLAB stores whole numbers in the smallest type that holds them.
        found = np.asarray(sio.loadmat(self.path, variable_names=[self.name])[self.name])
        if found.dtype.kind == "c":  # which only its values tell, not its class
            raise TypeError(
                f"{self.name} in {self.path} holds {found.dtype} values, and a recording holds "
                f"real numbers. Save their magnitude in MATLAB: movie = abs({self.name}); "
                "save('movie.mat', 'movie')."
            )
        return found.astype(self.dtype, copy=False)


def read_mat(path: Path, wanted: Wanted) -> Movie:
    """Return the movie in a MATLAB file of version 5 to 7.

    Raises
    ------
    OSError
        If the file is damaged or cut short.
    TypeError
        If the variable that is asked for is no full array of real numbers.
    ValueError
        If no variable, or several, may be meant.
    """
    with naming(path):
        # Under such names MATLAB keeps what it needs itself: __function_workspace__.
        found = [Entry(*one) for one in sio.whosmat(path) if not one[0].startswith("__")]
    numeric = [one for one in found if one.type in _NUMERIC and np.prod(one.shape) > 1]
    _refuse_other_classes(found, numeric, wanted.dataset, path)
    entry = choose(numeric, wanted.dataset, path=path, kind="MATLAB")
    movie = _movie(MatVariable(path, entry), entry, wanted, path, kind="MATLAB")
    return replace(movie, others=others_than(entry, numeric))


def read_mat73(path: Path, wanted: Wanted) -> Movie:
    """Return the movie in a MATLAB file of version 7.3, its axes as MATLAB has them.

    Raises
    ------
    OSError, ValueError
        As for `partita.io.movies.hdf5.read_hdf5`.
    """
    with opened(path) as file:
        found = [
            one._replace(name=one.name.strip("/"), shape=one.shape[::-1])
            for one in arrays_in(file, path, wanted)
        ]
        numeric = [one for one in found if np.prod(one.shape) > 1 and not _is_text(file[one.name])]
    entry = choose(numeric, wanted.dataset, path=path, kind="MATLAB 7.3")
    values = Hdf5Values(path, entry.name, reversed_axes=True, external=wanted.allow_external)
    movie = _movie(values, entry, wanted, path, kind="MATLAB 7.3")
    return replace(movie, others=others_than(entry, numeric))


def _movie(values: Any, entry: Entry, wanted: Wanted, path: Path, *, kind: str) -> Movie:
    dims = name_axes(len(entry.shape), wanted, path, defaults=_DIMS)
    name = entry.name.rpartition("/")[2]
    is_said = wanted.dims is not None
    return Movie(values, dims, name=name, kind=f"{kind}, {entry.name}", is_said=is_said)


def _is_text(array: Any) -> bool:
    return array.attrs.get("MATLAB_class", b"") in (b"char", b"cell", b"function_handle")


def _refuse_other_classes(
    found: list[Entry], numeric: list[Entry], dataset: str | None, path: Path
) -> None:
    for one in found:
        if one.name == dataset and one not in numeric:
            raise TypeError(
                f"{dataset} in {path} is a {one.type} of {' x '.join(map(str, one.shape))}, and a "
                "recording is a full array of numbers. Save that alone in MATLAB, for instance: "
                f"movie = full({dataset}); save('movie.mat', 'movie')."
            )
