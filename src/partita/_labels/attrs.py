"""Attributes: units, names, history, and what a NetCDF file can hold of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import xarray as xr

Labelled = TypeVar("Labelled", xr.DataArray, xr.Dataset)

_FLUCTUATION = " (fluctuation)"


def append_history(array: Labelled, line: str) -> Labelled:
    """Return `array` with one more line in ``attrs["history"]``; its values are shared.

    Parameters
    ----------
    array : xarray.DataArray or xarray.Dataset
        Anything with attributes; it is left untouched.
    line : str
        A name and parameters, such as ``"zscore(ddof=0)"``: no clock, so that identical runs are
        identical.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        A shallow copy with the line appended.
    """
    before = array.attrs.get("history")
    return array.assign_attrs(history=f"{before}\n{line}" if before else line)


def describe_call(name: str, /, **parameters: object) -> str:
    """Return ``"name(a=1, b='x')"``: the line of history of one call."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in parameters.items())})"


def long_name_with(array: xr.DataArray, what: str, *, alone: str) -> str:
    """Return a name for what was made of an array: ``"BOLD signal (z-score)"``.

    Parameters
    ----------
    array : xarray.DataArray
        What it was made of.
    what : str
        What it is.
    alone : str
        The name where the array has none.
    """
    before = array.attrs.get("long_name")
    return f"{before} ({what})" if before else alone


def as_fluctuation(array: xr.DataArray) -> xr.DataArray:
    """Say in `long_name` that the mean is gone; once, however often it is taken out."""
    before = array.attrs.get("long_name")
    if before is None or str(before).endswith(_FLUCTUATION):
        return array
    return array.assign_attrs(long_name=f"{before}{_FLUCTUATION}")


def storable(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes in the forms that NetCDF can hold.

    Strings, numbers, 1-D numeric arrays and lists of strings pass; truth values become 0 or 1;
    what is nested becomes JSON text; None is left out.

    Parameters
    ----------
    attrs : Mapping
        Attributes of an array or coordinate.

    Returns
    -------
    dict
        The same keys as strings, less those whose value is None.
    """
    return {str(key): _storable_value(value) for key, value in attrs.items() if value is not None}


def plain(value: Any) -> Any:
    """Return numbers and arrays of numpy as what JSON knows."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _storable_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, int | float | np.integer | np.floating):
        return value
    if isinstance(value, np.ndarray | list | tuple):
        return _storable_sequence(value)
    return json.dumps(value, default=str, sort_keys=True)


def _storable_sequence(value: Any) -> Any:
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        return list(value)
    array = _as_array(value)
    if array is not None and array.ndim == 1 and array.size and array.dtype.kind in "iuf":
        return array
    nested = value.tolist() if isinstance(value, np.ndarray) else value
    return json.dumps(nested, default=str)


def _as_array(value: Any) -> np.ndarray | None:
    try:
        return np.asarray(value)
    except ValueError:  # ragged
        return None
