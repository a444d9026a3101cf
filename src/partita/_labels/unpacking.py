"""What was packed for a file, put together again."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]
import xarray as xr

from partita._labels.array_packing import AS_INTEGERS
from partita._labels.boxes import Boxes

Array = np.ndarray[Any, Any]


def unpack(variables: Mapping[Any, Any], recipe: Any) -> Any:
    """Return the value that `pack` made variables and a recipe of."""
    if not isinstance(recipe, dict):
        return recipe
    return _MADE[recipe["is"]](_Made(variables), recipe)


class _Made:
    """Makes values of recipes again."""

    def __init__(self, variables: Mapping[Any, Any]) -> None:
        self.variables = variables

    def value(self, recipe: Any) -> Any:
        return unpack(self.variables, recipe)

    def values(self, recipes: list[Any]) -> list[Any]:
        return [self.value(recipe) for recipe in recipes]

    def mapping(self, recipe: dict[str, Any]) -> dict[Any, Any]:
        return {self.value(key): self.value(item) for key, item in recipe["pairs"]}

    def array(self, recipe: dict[str, Any]) -> Array:
        """Return an array in the type that it had."""
        stored, dtype = np.asarray(self.variables[recipe["at"]].values), recipe["dtype"]
        if "shape" not in recipe and (dtype in ("O", "T") or dtype[1] == "U"):
            kinds: dict[str, Any] = {"O": object, "T": np.dtypes.StringDType()}
            text = np.array(stored.tolist(), object).reshape(stored.shape)
            return np.asarray(text.astype(kinds.get(dtype, dtype)))
        if "shape" in recipe:
            return np.frombuffer(stored.tobytes(), dtype).reshape(recipe["shape"]).copy()
        if np.dtype(dtype).kind in AS_INTEGERS:
            native = np.dtype(dtype).newbyteorder("=")
            stored = stored.astype(AS_INTEGERS[native.kind]).view(native)
        return stored.astype(dtype, copy=False)

    def objects(self, recipe: dict[str, Any]) -> Array:
        array = np.empty(len(recipe["items"]), object)
        array[:] = self.values(recipe["items"])
        return array.reshape(recipe["shape"])

    def categories(self, recipe: dict[str, Any]) -> Any:
        codes, names = self.value(recipe["codes"]), self.value(recipe["names"])
        return pd.Categorical.from_codes(codes, pd.Index(names), ordered=recipe["ordered"])

    def intervals(self, recipe: dict[str, Any]) -> Any:
        return pd.arrays.IntervalArray.from_arrays(
            *self.values(recipe["ends"]), closed=recipe["closed"]
        )

    def nullable(self, recipe: dict[str, Any]) -> Any:
        values, missing = self.value(recipe["values"]), self.value(recipe["missing"])
        kinds = {"b": pd.arrays.BooleanArray, "f": pd.arrays.FloatingArray}
        return kinds.get(values.dtype.kind, pd.arrays.IntegerArray)(values, missing)

    def rows(self, recipe: dict[str, Any]) -> Array:
        dense: Array = self.value(recipe["boxes"]).dense()
        dense[:, self.value(recipe["outside"])] = np.nan
        return dense

    def variable(self, recipe: dict[str, Any]) -> xr.Variable:
        dims, attrs = self.values(recipe["dims"]), self.value(recipe["attrs"])
        return xr.Variable(dims, self.value(recipe["data"]), attrs)

    def coords(self, recipe: dict[str, Any]) -> xr.Coordinates:
        """Return the coordinates, those of several levels put together."""
        whole = xr.Dataset(
            coords={self.value(name): self.variable(how) for name, how in recipe["coords"]}
        )
        for dim, names, attrs in recipe["levels"]:
            dim, names = self.value(dim), self.value(names)
            about = {name: whole[name].attrs for name in names} | {dim: self.value(attrs)}
            levels = pd.MultiIndex.from_arrays([whole[n].to_index() for n in names], names=names)
            whole = whole.drop_vars(names)
            whole = whole.assign_coords(xr.Coordinates.from_pandas_multiindex(levels, dim))
            for name, own in about.items():
                whole[name].attrs.update(own)
        return whole.coords

    def data_array(self, recipe: dict[str, Any]) -> xr.DataArray:
        values, name = self.variable(recipe["values"]), self.value(recipe["name"])
        return xr.DataArray(
            values.data, self.coords(recipe), values.dims, name=name, attrs=values.attrs
        )

    def dataset(self, recipe: dict[str, Any]) -> xr.Dataset:
        variables = {self.value(name): self.variable(how) for name, how in recipe["variables"]}
        return xr.Dataset(variables, self.coords(recipe), self.value(recipe["attrs"]))


_MADE: dict[str, Callable[[_Made, dict[str, Any]], Any]] = {
    "DataArray": _Made.data_array,
    "Dataset": _Made.dataset,
    "NaT": lambda *_: pd.NaT,
    "<NA>": lambda *_: pd.NA,
    "Timestamp": lambda _, recipe: pd.Timestamp(recipe["text"]),
    "Timedelta": lambda _, recipe: pd.Timedelta(recipe["text"]),
    "array": _Made.array,
    "bytes": lambda _, recipe: recipe["text"].encode("latin-1"),
    "boxes": lambda made, recipe: Boxes(*made.values(recipe["parts"])),
    "categories": _Made.categories,
    "date": lambda _, recipe: datetime.date.fromisoformat(recipe["text"]),
    "datetime": lambda _, recipe: datetime.datetime.fromisoformat(recipe["text"]),
    "dtype": lambda _, recipe: np.dtype(recipe["text"]),
    "intervals": _Made.intervals,
    "list": lambda made, recipe: made.values(recipe["items"]),
    "mapping": _Made.mapping,
    "nullable": _Made.nullable,
    "number": lambda made, recipe: made.array(recipe)[()],
    "objects": _Made.objects,
    "one interval": lambda made, recipe: pd.Interval(
        *made.value(recipe["ends"]), closed=recipe["closed"]
    ),
    "rows": _Made.rows,
    "time": lambda _, recipe: datetime.time.fromisoformat(recipe["text"]),
    "timedelta": lambda _, recipe: datetime.timedelta(*recipe["parts"]),
    "tuple": lambda made, recipe: tuple(made.values(recipe["items"])),
    "variable text": lambda made, recipe: made.value(recipe["items"]).astype(
        np.dtypes.StringDType()
    ),
}
