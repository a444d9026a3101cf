"""Attributes: units, names, history, and what a NetCDF file can hold of them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from partita._labels.warn import warn

Labelled = TypeVar("Labelled", xr.DataArray, xr.Dataset)

_FLUCTUATION = " (fluctuation)"


def append_history(array: Labelled, line: str, *, after: xr.DataArray | None = None) -> Labelled:
    """Return `array` with one more line in ``attrs["history"]``; its values are shared.

    Parameters
    ----------
    array : xarray.DataArray or xarray.Dataset
        Anything with attributes; it is left untouched.
    line : str
        A name and parameters, such as ``"zscore(ddof=0)"``: no clock, so that identical runs are
        identical.
    after : xarray.DataArray, optional
        What the array was made from, whose history goes before the line; by default its own.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        A shallow copy with the line appended.
    """
    before = (array if after is None else after).attrs.get("history")
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
    what is nested becomes JSON text, arrays and times in it lists and text. None is left out, and
    so is what JSON cannot hold whole (see `without_unstorable`, which says so).

    Parameters
    ----------
    attrs : Mapping
        Attributes of an array or coordinate.

    Returns
    -------
    dict
        The same keys as strings, less those whose value is left out.
    """
    forms = {str(key): _form_of(value) for key, value in attrs.items() if value is not None}
    return {key: form for key, form in forms.items() if form is not None}


def without_unstorable(array: Labelled, *, caller: str) -> Labelled:
    """Return an array, or a Dataset, without the attributes that no file holds whole.

    Warns
    -----
    UserWarning
        Once, naming them all.
    """
    lost: list[str] = []
    clean = array.assign_attrs()
    clean.attrs = _whole_of(array.attrs, "attrs", lost)
    for name in [*array.coords, *getattr(array, "data_vars", ())]:
        kept = _whole_of(array[name].attrs, f"{name}.attrs", lost)
        if len(kept) < len(array[name].attrs):
            clean[name].attrs = kept
    if lost:
        warn(
            f"{caller} leaves out {len(lost)} attributes, which no file holds whole: "
            f"{', '.join(lost)}. Make them text, numbers, or lists and mappings of these."
        )
    return clean


def plain(value: Any) -> Any:
    """Return numbers and arrays of numpy as what JSON knows."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _whole_of(attrs: Mapping[Any, Any], where: str, lost: list[str]) -> dict[Any, Any]:
    odd = [key for key, value in attrs.items() if value is not None and _form_of(value) is None]
    lost += [f"{where}[{str(key)!r}] ({type(attrs[key]).__name__})" for key in odd]
    return {key: value for key, value in attrs.items() if key not in odd}


def _form_of(value: Any) -> Any:
    """Return a value in a form that NetCDF can hold; None where no form holds it whole."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, int | np.integer):
        return value if int(value).bit_length() < 64 else str(value)
    if isinstance(value, float | np.floating):
        return float(value) if isinstance(value, np.longdouble | np.float16) else value
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        return [str(item) for item in value]
    if isinstance(value, np.ndarray | list | tuple):
        array = _as_array(value)
        if array is not None and array.ndim == 1 and array.size and array.dtype.kind in "iuf":
            odd = array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8)
            return array.astype(float) if odd else array
    try:
        nested = _nested(value)
        return nested if isinstance(nested, str | int | float) else json.dumps(nested)
    except (TypeError, ValueError, RecursionError):
        return None


def _nested(value: Any) -> Any:
    """Return what JSON holds of a value, all of it, or raise TypeError or ValueError."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, Mapping):
        pairs = {_key(key): _nested(item) for key, item in value.items()}
        if len(pairs) < len(value):
            raise ValueError("keys that are one as text")
        return dict(sorted(pairs.items()))
    if isinstance(value, list | tuple):
        return [_nested(item) for item in value]
    if isinstance(value, np.datetime64 | np.timedelta64):
        return str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, np.ndarray) and value.dtype.kind in "mM":
        return value.astype(str).tolist()
    if isinstance(value, np.longdouble):
        return float(value)
    if isinstance(value, np.ndarray | np.generic):
        return _nested(value.tolist())
    raise TypeError(type(value).__name__)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, bool | int | float | np.bool_ | np.integer | np.floating):
        return str(key)
    raise TypeError(type(key).__name__)


def _as_array(value: Any) -> np.ndarray | None:
    try:
        return np.asarray(value)
    except (ValueError, TypeError):  # ragged
        return None
