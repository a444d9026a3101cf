"""Arrays of numpy and pandas as variables that NetCDF and Zarr hold, whatever their type."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]
import xarray as xr

Array = np.ndarray[Any, Any]
ExtensionArray = pd.api.extensions.ExtensionArray
_NULLABLE = (pd.arrays.BooleanArray, pd.arrays.FloatingArray, pd.arrays.IntegerArray)

# A Zarr store makes a folder of each name, and those have 255 bytes at most: half of it leaves room
# for what stands before and after.
_LONGEST = 128
_PLAIN = "iuf"
# The integers that truth values, times and durations are stored as.
AS_INTEGERS = {"b": "i1", "M": "i8", "m": "i8"}


class Unstorable(TypeError):
    """Says where in a value there is what, in words."""

    def __init__(self, kind: str, where: str) -> None:
        self.kind, self.where = kind, where.strip()
        super().__init__(f"{self.where or 'This'} is {kind}, which no file can hold.")


class ArrayPacker:
    """Collects variables under names that are not taken yet; `dry` looks at types alone."""

    def __init__(self, prefix: str, *, dry: bool = False) -> None:
        self.prefix, self.dry = prefix, dry
        self.variables: dict[str, xr.Variable] = {}
        self._taken: set[str] = set()

    def recipe(self, value: Any, where: str) -> Any:
        """Return how to make a value again; an array of objects asks for each of them."""
        raise NotImplementedError

    def name(self, base: str, *parts: Hashable) -> str:
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

    def bare(self, value: Any, where: str) -> Any:
        """Pack an array that stands alone, along dimensions of its own."""
        name = self.name(self.prefix)
        dims = tuple(f"{name}:{axis}" for axis in range(np.ndim(value)))
        return self.array(value, name, dims, where)

    def array(
        self, value: Any, name: str, dims: tuple[str, ...], where: str, attrs: Any = None
    ) -> Any:
        """Pack the values of an array into the variable `name`, or into several that follow it."""
        array = value.array if isinstance(value, pd.Index) else value
        if isinstance(array, ExtensionArray):
            return self._extension(array, name, dims, where)
        alone = isinstance(array, np.generic)
        array = np.asarray(array)
        if array.dtype.kind == "T" and _has_zeros(array):
            items = self.array(array.astype(object), name, dims, where)
            return {"is": "variable text", "items": items}
        if array.dtype.kind == "O" and (not _is_text(array) or _has_zeros(array)):
            items = [self.recipe(item, where) for item in array.ravel()]
            return {"is": "objects", "shape": list(array.shape), "items": items}
        about = {"is": "number" if alone else "array", "at": name, "dtype": _dtype_name(array)}
        return {**about, **self._values(array, name, dims, where, attrs)}

    def _values(
        self, array: Array, name: str, dims: tuple[str, ...], where: str, attrs: Any
    ) -> dict[str, Any]:
        """Keep values as a type that files hold; return what else the way back needs."""
        kind, wide = array.dtype.kind, array.dtype.itemsize
        # NetCDF ends a text at its first zero; numpy's own of a fixed width is kept as bytes then.
        if kind in "OUT" and not _has_zeros(array):
            self._keep(name, dims, lambda: array.astype(object), attrs)
            return {}
        native = array.dtype.newbyteorder("=")
        if kind in AS_INTEGERS:
            integers = AS_INTEGERS[kind]
            self._keep(name, dims, lambda: array.astype(native, copy=False).view(integers))
            return {}
        if kind in _PLAIN and wide in (1, 2, 4, 8) and array.dtype != np.float16:
            self._keep(name, dims, lambda: array.astype(native), attrs)
            return {}
        if kind not in "cfSU":
            raise Unstorable(f"an array of {array.dtype}", where)
        self._keep(
            name,
            (*dims, f"{name}:bytes"),
            lambda: np.frombuffer(array.tobytes(), np.uint8).reshape(*array.shape, wide),
        )
        return {"shape": list(array.shape)}

    def _extension(self, array: Any, name: str, dims: tuple[str, ...], where: str) -> Any:
        """Pack an array of pandas' by the plain arrays that it is made of."""
        if isinstance(array, pd.Categorical):
            codes = self.array(np.asarray(array.codes), name, dims, where)
            categories = self.bare(array.categories, where)
            ordered = bool(array.ordered)
            return {"is": "categories", "codes": codes, "names": categories, "ordered": ordered}
        if isinstance(array, pd.arrays.IntervalArray):
            left = self.array(np.asarray(array.left), name, dims, where)
            right = self.array(np.asarray(array.right), self.name(name, "right"), dims, where)
            return {"is": "intervals", "ends": [left, right], "closed": array.closed}
        if isinstance(array, _NULLABLE):
            filled = array.to_numpy(array.dtype.numpy_dtype, na_value=0)
            values = self.array(filled, name, dims, where)
            missing = self.array(array.isna(), self.name(name, "missing"), dims, where)
            return {"is": "nullable", "values": values, "missing": missing}
        plain = np.asarray(array)
        if isinstance(array.dtype, np.dtype | pd.StringDtype):
            return self.array(plain, name, dims, where)
        raise Unstorable(f"an array of {array.dtype}", where)


def _is_plain(part: Hashable) -> bool:
    """Tell whether a name can stand in a file: not too many letters, digits, `_`, `.` and `:`."""
    word = isinstance(part, str) and part.replace(".", "_").replace(":", "_").isidentifier()
    return word and len(str(part).encode()) <= _LONGEST


def _is_text(array: Array) -> bool:
    return bool(array.size) and all(type(item) is str for item in array.ravel())


def _has_zeros(text: Array) -> bool:
    return any(isinstance(item, str) and "\0" in item for item in text.ravel().tolist())


def _dtype_name(array: Array) -> str:
    return str(array.dtype.kind if array.dtype.kind in "OT" else array.dtype.str)


def _shown(attrs: Any) -> dict[str, str]:
    """Return what other programs may show of the attributes: all of them stand in the recipe."""
    shown = {key: attrs.get(key) for key in ("long_name", "units")} if attrs else {}
    return {k: v for k, v in shown.items() if isinstance(v, str) and " since " not in v}
