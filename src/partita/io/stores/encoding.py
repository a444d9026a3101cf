"""What NetCDF and Zarr would change of a Dataset: brought into a form that they keep, and back."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.attrs import plain, storable

# Attributes under this name are JSON text: those whose own name or form would not come back.
_AS_JSON = "partita_json:"
_TAKEN_BY_XARRAY = {
    "_FillValue", "missing_value", "scale_factor", "add_offset", "dtype", "coordinates",
    "grid_mapping", "_Unsigned",
}  # fmt: skip
_TAKEN_BY_TIMES = {"units", "calendar"}


def encoded(dataset: xr.Dataset) -> xr.Dataset:
    """Return a Dataset without encodings of files it came from, its attributes storable."""
    variables = {}
    for name, variable in dataset.variables.items():
        copied = variable.copy(deep=False)
        copied.encoding = {}
        is_time = variable.dtype.kind in "mM" or is_of_cftime(variable)
        taken = _TAKEN_BY_XARRAY | (_TAKEN_BY_TIMES if is_time else set())
        copied.attrs = _written_attrs(variable.attrs, taken=taken)
        if copied.dtype.kind in "UT":  # fixed lengths of text are not in the Zarr 3 format
            copied = copied.to_base_variable().compute().astype(object)
        variables[name] = copied
    written = _with_variables(dataset.drop_encoding(), variables)
    written.attrs = _written_attrs(dataset.attrs, taken=_TAKEN_BY_XARRAY)
    return written


def is_of_cftime(labels: xr.Variable) -> bool:
    """Tell whether labels are dates of a calendar other than numpy's."""
    if labels.dtype != object or not labels.size:
        return False
    first = labels[(0,) * labels.ndim].values.item()
    return type(first).__module__.partition(".")[0] == "cftime"


def _with_variables(dataset: xr.Dataset, variables: Mapping[Hashable, xr.Variable]) -> xr.Dataset:
    """Return a Dataset with other variables in place of all of its own."""
    coords = {name: variable for name, variable in variables.items() if name in dataset.coords}
    rest = {name: variable for name, variable in variables.items() if name not in coords}
    return dataset.assign_coords(coords).assign(rest)


def _written_attrs(attrs: Mapping[Any, Any], *, taken: set[str]) -> dict[str, Any]:
    written = {}
    for key, value in storable(attrs).items():
        alone = isinstance(value, list | np.ndarray) and len(value) == 1  # would come back bare
        if key in taken or alone:
            written[f"{_AS_JSON}{key}"] = json.dumps(plain(value))
        else:
            written[key] = value
    return written


def _read_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    read = {}
    for key, value in attrs.items():
        if str(key).startswith(_AS_JSON):
            key, value = str(key).removeprefix(_AS_JSON), json.loads(value)
        if isinstance(value, np.ndarray) and value.dtype.kind in "OUT":
            value = [str(item) for item in value]
        is_numbers = isinstance(value, list) and not any(isinstance(item, str) for item in value)
        read[str(key)] = np.asarray(value) if is_numbers else value
    return read


def decoded(dataset: xr.Dataset) -> xr.Dataset:
    """Return a Dataset that was opened, with attributes and text as they were written."""
    variables = {}
    for name, variable in dataset.variables.items():
        copied = variable.copy(deep=False)
        copied.attrs = _read_attrs(variable.attrs)
        if variable.dtype.kind in "OT":
            copied = _as_text(copied)
        variables[name] = copied
    read = _with_variables(dataset, variables)
    read.attrs = _read_attrs(dataset.attrs)
    read.set_close(dataset.close)
    return read


def _as_text(variable: xr.Variable) -> xr.Variable:
    values = variable.values
    if not all(isinstance(item, str) for item in values.ravel()):
        return variable
    return xr.Variable(variable.dims, np.asarray(values.tolist(), np.str_), variable.attrs)


def evenly_chunked(dataset: xr.Dataset) -> xr.Dataset:
    """Return a Dataset whose chunks are equal but for the last ones, as Zarr needs them."""
    even = {
        name: array.chunk({d: max(c) for d, c in zip(array.dims, array.chunks, strict=True)})
        for name, array in dataset.variables.items()
        if array.chunks is not None
    }
    return _with_variables(dataset, even)
