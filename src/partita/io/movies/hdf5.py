"""HDF5: any array in a file, chosen by its path; read by h5py."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from partita._labels.checks import promote
from partita.io.entries import Entry, choose, others_than
from partita.io.hdf5_sources import opened_array, refuse, refuse_sources, tree_of
from partita.io.lazy_array import Array, FileArray, Slices, naming
from partita.io.millimetres import in_millimetres
from partita.io.movies.description import DEFAULT_DIMS, Movie, name_axes
from partita.io.request import Wanted

# What programs call the frame rate in Hz among the attributes of an array: CaImAn, and others.
_RATES = ("fr", "frame_rate", "fps")


class Hdf5Values(FileArray):
    """An array in an HDF5 file, scaled where the file says so.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    name : str
        The path of the array in it.
    reversed_axes : bool
        Whether the axes are wanted in the other order, as for arrays that MATLAB wrote.
    slope, inter : float
        ``slope * value + inter`` is what a value means.
    external : bool
        Whether values may lie in files outside the folder of the file.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        reversed_axes: bool = False,
        slope: float = 1.0,
        inter: float = 0.0,
        external: bool = False,
    ) -> None:
        with opened(path) as file:
            array = file[name]
            refuse_sources(array, path, external=external)
            refuse_filters(array, path)
            shape, dtype, blocks = array.shape, array.dtype, array.chunks
        self.scaling = None if (slope, inter) == (1.0, 0.0) else (slope, inter)
        self.name, self.external = name, external
        self.turned = -1 if reversed_axes else 1
        super().__init__(
            path,
            shape[:: self.turned],
            promote(dtype) if self.scaling else dtype,
            blocks[:: self.turned] if blocks else None,
        )

    def read(self, slices: Slices) -> Array:
        """Return values, scaled."""
        with opened(self.path) as file:
            array = opened_array(file, self.name)
            refuse_sources(array, self.path, external=self.external)
            values = array[slices[:: self.turned]]
        if self.turned == -1:
            values = values.T
        if self.scaling is None:
            return np.asarray(values)
        slope, inter = self.scaling
        return np.asarray(values.astype(float) * slope + inter, self.dtype)


def read_hdf5(path: Path, wanted: Wanted) -> Movie:
    """Return the movie in an HDF5 file of no known layout.

    Raises
    ------
    OSError
        If the file is damaged, cut short, or open for writing.
    ValueError
        If no array, or several, may be meant.
    """
    with opened(path) as file:
        found = arrays_in(file, path, wanted)
        entry = choose(found, wanted.dataset, path=path, kind="HDF5")
        array = file[entry.name]
        attrs = dict(array.attrs)
        said = axis_labels(array)
    rate = next((_number(attrs[key]) for key in _RATES if key in attrs), 0.0)
    dims = name_axes(len(entry.shape), wanted, path, said=said, defaults=DEFAULT_DIMS)
    return Movie(
        values=Hdf5Values(path, entry.name, external=wanted.allow_external),
        dims=dims,
        name=path.name.partition(".")[0] or path.name,
        kind=f"HDF5, {entry.name}",
        period=1 / rate if rate > 0 else None,
        spacing=_element_size(attrs),
        is_said=bool(said or wanted.dims),
        others=others_than(entry, found),
    )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open an HDF5 file to read it.

    Raises
    ------
    OSError
        If it is open for writing, cut short or damaged; the message names it and the remedy.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise OSError(_unopened(path, str(error))) from error
    with file, naming(path):
        yield file


def _unopened(path: Path, why: str) -> str:
    if "unable to lock" in why or "already open" in why:
        return (
            f"{path} is still open for writing, or its writer ended without closing it ({why}). "
            "Close it there and load it again; after a crash, mend it: h5clear -s file."
        )
    return (
        f"{path} cannot be read as HDF5 or NetCDF; it is damaged, truncated or of another format "
        f"({why}). Copy or download it again."
    )


def arrays_in(file: Any, path: Path, wanted: Wanted) -> list[Entry]:
    """Return the numeric arrays in an HDF5 file, by their paths, links followed.

    An array of several names is there once, and under the one that is asked for.

    Raises
    ------
    OSError
        If what is asked for, or all that there is, is a link that leads nowhere, or outside.
    """
    tree = tree_of(file, path, external=wanted.allow_external)
    found = _numeric(tree.arrays)
    if wanted.dataset is None:
        for why in () if found else tree.unreachable.values():
            refuse(why)
        return found
    asked = f"/{wanted.dataset.strip('/')}"
    refuse(tree.unreachable.get(asked))
    named = tree.aliases.get(asked) or file.get(asked)
    if isinstance(named, h5py.Dataset) and asked not in tree.arrays:
        return [*found, *_numeric({asked: named})]
    ends = {one.name.rpartition("/")[2] for one in found}
    others = {} if asked[1:] in ends else tree.aliases
    return [*found, *_numeric(others)]


def _numeric(arrays: Mapping[str, Any]) -> list[Entry]:
    return [
        Entry(name, array.shape, str(array.dtype))
        for name, array in arrays.items()
        # Under #refs# MATLAB keeps what cells refer to.
        if not name.startswith("/#") and array.shape and _is_number(array)
    ]


def _is_number(array: Any) -> bool:
    as_matlab_has_complex = array.dtype.names == ("real", "imag")
    return array.dtype.kind in "iufbc" or as_matlab_has_complex


def axis_labels(array: Any) -> list[str] | None:
    """Return the labels of an array's axes, as HDF5 keeps them; None where there are none."""
    labels = [dimension.label for dimension in array.dims]
    return labels if all(labels) else None


def _element_size(attrs: dict[str, Any]) -> dict[str, float]:
    """Return mm per pixel from ``element_size_um`` (z, y, x), as ImageJ's HDF5 plugins write it."""
    sizes = np.atleast_1d(attrs.get("element_size_um", []))
    if sizes.shape != (3,) or sizes.dtype.kind not in "iuf" or not (sizes > 0).all():
        return {}
    return {
        dim: in_millimetres(float(size), "um") or 0.0
        for dim, size in zip(("z", "y", "x"), sizes, strict=True)
    }


def _number(value: Any) -> float:
    values = np.ravel(value)
    return float(values[0]) if values.size == 1 and values.dtype.kind in "iuf" else 0.0


def refuse_filters(array: Any, path: Path) -> None:
    """Refuse an array whose compression the HDF5 library cannot undo (ModuleNotFoundError)."""
    created = array.id.get_create_plist()
    for number in range(created.get_nfilters()):
        code, _, _, name = created.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            raise ModuleNotFoundError(
                f"{path} is compressed with {name.decode() or f'the HDF5 filter {code}'}, which "
                "h5py does not undo by itself. Install the filters (pip install hdf5plugin), and "
                "import hdf5plugin before loading.",
                name="hdf5plugin",
            )
