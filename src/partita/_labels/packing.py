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

from partita._labels.boxes import Boxes

Array = np.ndarray[Any, Any]
ExtensionArray = pd.api.extensions.ExtensionArray
_NULLABLE = (pd.arrays.BooleanArray, pd.arrays.FloatingArray, pd.arrays.IntegerArray)

# Rows are stored by their boxes where they are large, and the boxes at most this share of them: a
# smaller gain is not worth that other programs cannot read them.
_LARGE, _WORTH_BOXES = 1 << 20, 0.25
# A Zarr store makes a folder of each name, and those have 255 bytes at most: half of it leaves room
# for what stands before and after.
_LONGEST = 128
_PLAIN = "iuf"
# The integers that truth values, times and durations are stored as.
AS_INTEGERS = {"b": "i1", "M": "i8", "m": "i8"}


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
    except _Unstorable as error:
        raise TypeError(
            f"{caller} was given {what} that no file could hold: {error.where or 'it'} is "
            f"{error.kind}. Make it numbers, text or times before the fit, or drop it."
        ) from None


class _Unstorable(TypeError):
    """Says where in a value there is what, in words."""

    def __init__(self, kind: str, where: str) -> None:
        self.kind, self.where = kind, where.strip()
        super().__init__(f"{self.where or 'This'} is {kind}, which no file can hold.")


class _Packer:
    """Collects variables under names that are not taken yet; `dry` looks at types alone."""

    def __init__(self, prefix: str, *, dry: bool = False) -> None:
        self.prefix, self.dry = prefix, dry
        self.variables: dict[str, xr.Variable] = {}
        self._taken: set[str] = set()

    def recipe(self, value: Any, where: str) -> Any:
        """Return how to make a value again, with its arrays put among the variables."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        for kinds, how in _HOW:
            if isinstance(value, kinds):
                return how(self, value, where)
        raise _Unstorable(f"of type {type(value).__name__}", where)

    def _name(self, base: str, *parts: Hashable) -> str:
        """Return a name that is not taken, made of the parts where they are plain words."""
        plain = ".".join([base, *(str(part) for part in parts if _is_plain(part))])
        name, count = plain, 0
        while name in self._taken or not name or (count == 0 and not all(map(_is_plain, parts))):
            count += 1
            name = f"{plain}.{count}"
        self._taken.add(name)
        return name

    def _keep(
        self, name: str, dims: tuple[str, ...], values: Callable[[], Array], attrs: Any = None
    ) -> None:
        if not self.dry:
            self.variables[name] = xr.Variable(dims, values(), _shown(attrs))

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
            raise _Unstorable("a time with a time zone", where)
        return {"is": type(value).__name__, "text": value.isoformat()}

    # Arrays without labels

    def _bare(self, value: Any, where: str) -> Any:
        """Pack an array that stands alone, along dimensions of its own."""
        name = self._name(self.prefix)
        dims = tuple(f"{name}:{axis}" for axis in range(np.ndim(value)))
        return self._array(value, name, dims, where)

    def _array(
        self, value: Any, name: str, dims: tuple[str, ...], where: str, attrs: Any = None
    ) -> Any:
        """Pack the values of an array into the variable `name`, or into several that follow it."""
        array = value.array if isinstance(value, pd.Index) else value
        if isinstance(array, ExtensionArray):
            return self._extension(array, name, dims, where)
        alone = isinstance(array, np.generic)
        array = np.asarray(array)
        if array.dtype.kind == "O" and not _is_text(array):
            items = [self.recipe(item, where) for item in array.ravel()]
            return {"is": "objects", "shape": list(array.shape), "items": items}
        about = {"is": "number" if alone else "array", "at": name, "dtype": _dtype_name(array)}
        if array.dtype.kind in "OUT":
            self._keep(name, dims, lambda: array.astype(object), attrs)
            return about
        if array.dtype.kind in AS_INTEGERS:
            integers = array.astype(array.dtype.newbyteorder("="), copy=False)
            self._keep(name, dims, lambda: integers.view(AS_INTEGERS[array.dtype.kind]))
            return about
        if (
            array.dtype.kind in _PLAIN
            and array.dtype.itemsize in (1, 2, 4, 8)
            and (array.dtype != np.float16)
        ):
            self._keep(name, dims, lambda: array.astype(array.dtype.newbyteorder("=")), attrs)
            return about
        if array.dtype.kind not in "cfS":
            raise _Unstorable(f"an array of {array.dtype}", where)
        wide = array.dtype.itemsize
        self._keep(
            name,
            (*dims, f"{name}:bytes"),
            lambda: np.frombuffer(array.tobytes(), np.uint8).reshape(*array.shape, wide),
        )
        return {**about, "shape": list(array.shape)}

    def _extension(self, array: Any, name: str, dims: tuple[str, ...], where: str) -> Any:
        """Pack an array of pandas' by the plain arrays that it is made of."""
        if isinstance(array, pd.Categorical):
            codes = self._array(np.asarray(array.codes), name, dims, where)
            categories = self._bare(array.categories, where)
            ordered = bool(array.ordered)
            return {"is": "categories", "codes": codes, "names": categories, "ordered": ordered}
        if isinstance(array, pd.arrays.IntervalArray):
            left = self._array(np.asarray(array.left), name, dims, where)
            right = self._array(np.asarray(array.right), self._name(name, "right"), dims, where)
            return {"is": "intervals", "ends": [left, right], "closed": array.closed}
        if isinstance(array, _NULLABLE):
            filled = array.to_numpy(array.dtype.numpy_dtype, na_value=0)
            values = self._array(filled, name, dims, where)
            missing = self._array(array.isna(), self._name(name, "missing"), dims, where)
            return {"is": "nullable", "values": values, "missing": missing}
        plain = np.asarray(array)
        if isinstance(array.dtype, np.dtype | pd.StringDtype):
            return self._array(plain, name, dims, where)
        raise _Unstorable(f"an array of {array.dtype}", where)

    def _boxes(self, value: Boxes, where: str) -> Any:
        return {"is": "boxes", "parts": [self._bare(part, where) for part in value]}

    # Labelled arrays

    def _data_array(self, value: xr.DataArray, where: str) -> Any:
        base = self._name(self.prefix)
        dims = self._dims(value, base)
        about = {"is": "DataArray", "name": self.recipe(value.name, where)}
        about |= self._coords(value, base, dims, where)
        if not self.dry and value.dtype.kind == "f" and value.nbytes > _LARGE and value.ndim > 1:
            outside = np.isnan(value.values).all(axis=0)
            boxes = Boxes.of(value.values, outside=outside)
            if boxes.values.size <= _WORTH_BOXES * value.size:
                parts = self._boxes(boxes, where), self._bare(outside, where)
                packed = {"is": "rows", "boxes": parts[0], "outside": parts[1]}
                dims_of = [self.recipe(dim, where) for dim in value.dims]
                attrs = self.recipe(dict(value.attrs), f"{where}.attrs")
                return about | {"values": {"dims": dims_of, "data": packed, "attrs": attrs}}
        return about | {"values": self._variable(value.variable, base, dims, where)}

    def _dataset(self, value: xr.Dataset, where: str) -> Any:
        base = self._name(self.prefix)
        dims = self._dims(value, base)
        coords = self._coords(value, base, dims, where)
        variables = [
            [
                self.recipe(name, where),
                self._variable(array.variable, self._name(base, name), dims, f"{where}[{name!r}]"),
            ]
            for name, array in value.data_vars.items()
        ]
        attrs = self.recipe(dict(value.attrs), f"{where}.attrs")
        return {"is": "Dataset", "variables": variables, "attrs": attrs, **coords}

    def _dims(self, value: xr.DataArray | xr.Dataset, base: str) -> dict[Hashable, str]:
        return {dim: self._name(base, dim) for dim in value.dims}

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
                    dims[name] if name in dims else self._name(base, name),
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
            raise _Unstorable("a sparse array", where)
        if self.dry and variable.chunks is not None:
            data = np.empty(0, variable.dtype)
        own = tuple(dims[dim] for dim in variable.dims)
        attrs = self.recipe(dict(variable.attrs), f"{where}.attrs")
        packed = self._array(data, name, own, where, variable.attrs)
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
    (np.bytes_, _Packer._bare),
    (bytes, lambda *given: {"is": "bytes", "text": given[1].decode("latin-1")}),
    ((np.ndarray, np.generic, ExtensionArray, pd.Index), _Packer._bare),
    (pd.Interval, _Packer._one_interval),
    (datetime.timedelta, _Packer._duration),
    ((datetime.date, datetime.time), _Packer._time),
    ((bool, int, float, str), _Packer._number),
)


def _is_plain(part: Hashable) -> bool:
    """Tell whether a name can stand in a file: not too many letters, digits, `_`, `.` and `:`."""
    word = isinstance(part, str) and part.replace(".", "_").replace(":", "_").isidentifier()
    return word and len(str(part).encode()) <= _LONGEST


def _is_text(array: Array) -> bool:
    return bool(array.size) and all(type(item) is str for item in array.ravel())


def _dtype_name(array: Array) -> str:
    return str(array.dtype.kind if array.dtype.kind in "OT" else array.dtype.str)


def _shown(attrs: Any) -> dict[str, str]:
    """Return what other programs may show of the attributes: all of them stand in the recipe."""
    shown = {key: attrs.get(key) for key in ("long_name", "units")} if attrs else {}
    return {k: v for k, v in shown.items() if isinstance(v, str) and " since " not in v}


def _levels(
    value: xr.DataArray | xr.Dataset,
) -> Iterator[tuple[Hashable, tuple[list[Hashable], dict[Any, Any]]]]:
    """Give each coordinate of several levels: its dimension, its levels and its attributes."""
    for index, variables in value.xindexes.group_by_index():
        if isinstance(index, xr.indexes.PandasMultiIndex):
            levels = [name for name in variables if name != index.dim]
            yield index.dim, (levels, dict(value[index.dim].attrs))
