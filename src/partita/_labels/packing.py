"""Labelled things as plain variables and a recipe in JSON, and back: no name can collide.

A file holds the variables, each under a name that begins with the prefix it was packed under. What
they are called, how they belong together and of what type they were stands in the recipe. So
coordinates may be called what their user likes, and arrays that share a name need not share a
length.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]
import xarray as xr

from partita._labels.array_packing import ArrayPacker, ExtensionArray, Unstorable
from partita._labels.boxes import Boxes

# Rows are stored by their boxes where they are large, and the boxes at most this share of them: a
# smaller gain is not worth that other programs cannot read them.
_LARGE, _WORTH_BOXES = 1 << 20, 0.25


class Packed(NamedTuple):
    """Variables under names that begin with the prefix, and the recipe that puts them together."""

    variables: dict[str, xr.Variable]
    recipe: Any


def pack(value: Any, prefix: str) -> Packed:
    """Return a value as variables that NetCDF and Zarr hold, and a recipe that JSON holds.

    Parameters
    ----------
    value : object
        None, numbers, text, times; arrays of them, of numpy or pandas; DataArrays, Datasets and
        `Boxes`; tuples, lists and mappings of all these.
    prefix : str
        What the names of the variables and of their dimensions begin with.

    Returns
    -------
    Packed
        What `unpacking.unpack` takes.

    Raises
    ------
    TypeError
        If there is something of another type in it.

    Examples
    --------
    >>> signals = xr.DataArray([1.0, 2.0], {"time": [0.0, 0.5]}, "time", name="signals")
    >>> from partita._labels.unpacking import unpack
    >>> variables, recipe = pack(signals, "signals_")
    >>> sorted(variables)
    ['signals_', 'signals_.time']
    >>> unpack(variables, recipe).identical(signals)
    True
    """
    packer = _Packer(prefix)
    recipe = packer.recipe(value, "")
    return Packed(packer.variables, recipe)


def refuse_unstorable(value: Any, *, caller: str, what: str) -> None:
    """Refuse what `pack` cannot take; types are looked at, no value is copied.

    Raises
    ------
    TypeError
        Naming the place, what is there, and the remedy.
    """
    try:
        _Packer("", dry=True).recipe(value, "")
    except Unstorable as error:
        raise TypeError(
            f"{caller} was given {what} that no file could hold: {error.where or 'it'} is "
            f"{error.kind}. Make it numbers, text or times, or drop it."
        ) from None


class _Packer(ArrayPacker):
    """Packs what holds arrays: mappings, sequences, labelled arrays, Datasets."""

    def recipe(self, value: Any, where: str) -> Any:
        """Return how to make a value again, with its arrays put among the variables."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        for kinds, how in _HOW:
            if isinstance(value, kinds):
                return how(self, value, where)
        raise Unstorable(f"of type {type(value).__name__}", where)

    # Plain values

    def _number(self, value: Any, where: str) -> Any:
        return next(kind(value) for kind in (bool, int, float, str) if isinstance(value, kind))

    def _mapping(self, value: Mapping[Any, Any], where: str) -> Any:
        pairs = [
            [self.recipe(key, where), self.recipe(item, f"{where}[{key!r}]")]
            for key, item in value.items()
        ]
        return {"is": "mapping", "pairs": pairs}

    def _sequence(self, value: tuple[Any, ...] | list[Any], where: str) -> Any:
        items = [self.recipe(item, f"{where}[{i}]") for i, item in enumerate(value)]
        return {"is": "tuple" if isinstance(value, tuple) else "list", "items": items}

    def _one_interval(self, value: Any, where: str) -> Any:
        ends = self.recipe([value.left, value.right], where)
        return {"is": "one interval", "ends": ends, "closed": value.closed}

    def _duration(self, value: datetime.timedelta, where: str) -> Any:
        if isinstance(value, pd.Timedelta):
            return {"is": "Timedelta", "text": value.isoformat()}
        return {"is": "timedelta", "parts": [value.days, value.seconds, value.microseconds]}

    def _time(self, value: datetime.date, where: str) -> Any:
        if getattr(value, "tzinfo", None) is not None:
            raise Unstorable("a time with a time zone", where)
        return {"is": type(value).__name__, "text": value.isoformat()}

    def _boxes(self, value: Boxes, where: str) -> Any:
        return {"is": "boxes", "parts": [self.bare(part, where) for part in value]}

    # Labelled arrays

    def _data_array(self, value: xr.DataArray, where: str) -> Any:
        base = self.name(self.prefix)
        dims = self._dims(value, base)
        about = {"is": "DataArray", "name": self.recipe(value.name, where)}
        about |= self._coords(value, base, dims, where)
        if not self.dry and value.dtype.kind == "f" and value.nbytes > _LARGE and value.ndim > 1:
            outside = np.isnan(value.values).all(axis=0)
            boxes = Boxes.of(value.values, outside=outside)
            if boxes.values.size <= _WORTH_BOXES * value.size:
                parts = self._boxes(boxes, where), self.bare(outside, where)
                packed = {"is": "rows", "boxes": parts[0], "outside": parts[1]}
                dims_of = [self.recipe(dim, where) for dim in value.dims]
                attrs = self.recipe(dict(value.attrs), f"{where}.attrs")
                return about | {"values": {"dims": dims_of, "data": packed, "attrs": attrs}}
        return about | {"values": self._variable(value.variable, base, dims, where)}

    def _dataset(self, value: xr.Dataset, where: str) -> Any:
        base = self.name(self.prefix)
        dims = self._dims(value, base)
        coords = self._coords(value, base, dims, where)
        variables = [
            [
                self.recipe(name, where),
                self._variable(array.variable, self.name(base, name), dims, f"{where}[{name!r}]"),
            ]
            for name, array in value.data_vars.items()
        ]
        attrs = self.recipe(dict(value.attrs), f"{where}.attrs")
        return {"is": "Dataset", "variables": variables, "attrs": attrs, **coords}

    def _dims(self, value: xr.DataArray | xr.Dataset, base: str) -> dict[Hashable, str]:
        return {dim: self.name(base, dim) for dim in value.dims}

    def _coords(
        self,
        value: xr.DataArray | xr.Dataset,
        base: str,
        dims: dict[Hashable, str],
        where: str,
    ) -> dict[str, Any]:
        """Pack coordinates: one of several levels by its levels, which are coordinates as well."""
        levels = dict(_levels(value))
        coords = [
            [
                self.recipe(name, where),
                self._variable(
                    coord.variable,
                    dims[name] if name in dims else self.name(base, name),
                    dims,
                    f"{where} coordinate {name!r}",
                ),
            ]
            for name, coord in value.coords.items()
            if name not in levels
        ]
        groups = [
            [self.recipe(dim, where), self.recipe(names, where), self.recipe(about, where)]
            for dim, (names, about) in levels.items()
        ]
        return {"coords": coords, "levels": groups}

    def _variable(
        self, variable: xr.Variable, name: str, dims: dict[Hashable, str], where: str
    ) -> Any:
        data: Any = variable.data
        if not isinstance(data, np.ndarray | ExtensionArray):
            data = variable.values if variable.chunks is not None and not self.dry else data
        if hasattr(data, "todense"):
            raise Unstorable("a sparse array", where)
        if self.dry and variable.chunks is not None:
            data = np.empty(0, variable.dtype)
        own = tuple(dims[dim] for dim in variable.dims)
        attrs = self.recipe(dict(variable.attrs), f"{where}.attrs")
        packed = self.array(data, name, own, where, variable.attrs)
        named = [self.recipe(dim, where) for dim in variable.dims]
        return {"dims": named, "data": packed, "attrs": attrs}


# Which method packs what; the first that fits does.
_HOW: tuple[tuple[Any, Callable[[_Packer, Any, str], Any]], ...] = (
    (xr.DataArray, _Packer._data_array),
    (xr.Dataset, _Packer._dataset),
    (Boxes, _Packer._boxes),
    (Mapping, _Packer._mapping),
    ((tuple, list), _Packer._sequence),
    ((type(pd.NaT), type(pd.NA)), lambda *given: {"is": str(given[1])}),
    (np.dtype, lambda *given: {"is": "dtype", "text": given[1].str}),
    (np.bytes_, _Packer.bare),
    (bytes, lambda *given: {"is": "bytes", "text": given[1].decode("latin-1")}),
    ((np.ndarray, np.generic, ExtensionArray, pd.Index), _Packer.bare),
    (pd.Interval, _Packer._one_interval),
    (datetime.timedelta, _Packer._duration),
    ((datetime.date, datetime.time), _Packer._time),
    ((bool, int, float, str), _Packer._number),
)


def _levels(
    value: xr.DataArray | xr.Dataset,
) -> Iterator[tuple[Hashable, tuple[list[Hashable], dict[Any, Any]]]]:
    """Give each coordinate of several levels: its dimension, its levels and its attributes."""
    for index, variables in value.xindexes.group_by_index():
        if isinstance(index, xr.indexes.PandasMultiIndex):
            levels = [name for name in variables if name != index.dim]
            yield index.dim, (levels, dict(value[index.dim].attrs))
