"""Tables of signals: rows are samples, columns what was measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]
import xarray as xr

from partita._labels.time import in_seconds
from partita.io.chunking import chunks_by_dim
from partita.io.formats import Loaded
from partita.io.lazy_array import HEADERS
from partita.io.request import Wanted
from partita.io.tables.table_reading import line_of, read_numbers

Array = np.ndarray[Any, Any]

_FEATURE = "feature"
# The names of times, with their unit where it is said: "time", "Time (s)", "time [ms]".
_TIME = re.compile(r"time(?:\s*[(\[]\s*(?P<unit>[^)\]]+?)\s*[)\]])?", re.IGNORECASE)
# How Partita names the columns of components.
_COMPONENT = re.compile(r"component_(?P<label>.+)")


def read_over_time(path: Path, wanted: Wanted, *, chunks: Any) -> Loaded:
    """Return the recording in a ``.tsv`` or ``.csv`` file, (time, feature).

    Raises
    ------
    ValueError
        If it is no table, a column holds words, or a time is missing.
    """
    rows, columns = _dims(wanted, path)
    table = read_numbers(path)
    along, labels = _places(table, rows, wanted, path)
    notes: list[str] = []
    if along is None:
        along, notes = _numbered(len(table), rows)
    else:
        table = table.drop(columns=labels)
    if columns is None:
        columns, names = _named(list(table.columns))
    else:
        names = _labels(list(table.columns))
    values = _values(table, path)
    recording = xr.DataArray(
        values, dims=(rows, columns), coords={**along, columns: (columns, names)}
    )
    recording.encoding["source"] = str(path)
    if chunks not in (None, "auto", HEADERS):
        recording = recording.chunk(chunks_by_dim(chunks, recording.dims))
    return Loaded(recording, notes)


def time_column(table: pd.DataFrame, path: Path) -> tuple[str, str] | None:
    """Return the column that holds times and its unit; None where there is none.

    Raises
    ------
    ValueError
        If there are several, or the unit is none of time.
    """
    found = [(name, match) for name in table.columns if (match := _TIME.fullmatch(name))]
    if not found:
        return None
    if len(found) > 1:
        raise ValueError(
            f"{path} has several columns of times: {', '.join(repr(name) for name, _ in found)}. "
            "Leave one of them in it."
        )
    name, match = found[0]
    unit = match["unit"] or "s"
    if in_seconds(1.0, unit) is None:
        raise ValueError(
            f"The column {name!r} of {path} is in {unit!r}, which is no unit of time. Name it "
            "'time' and write seconds."
        )
    return name, unit


def seconds_in(table: pd.DataFrame, name: str, unit: str, path: Path) -> Array:
    """Return a column of times in seconds, or refuse what is none (ValueError)."""
    _refuse_words(table[[name]], path)
    values = table[name].to_numpy(float)
    missing = ~np.isfinite(values)
    if missing.any():
        raise ValueError(
            f"{path} has no time in {int(missing.sum())} of {missing.size} rows, the first in line "
            f"{line_of(int(np.argmax(missing)))}. Write it there, or leave such rows out."
        )
    return np.asarray(in_seconds(values, unit))


def time_coordinate(seconds: Array) -> xr.DataArray:
    """Return times as the coordinate that recordings have."""
    return xr.DataArray(seconds, dims="time", attrs={"units": "s", "long_name": "time"})


def _dims(wanted: Wanted, path: Path) -> tuple[str, str | None]:
    dims = wanted.dims or ("time",)
    if len(dims) > 2:
        raise ValueError(
            f"{path} is a table, and dims names {len(dims)} axes: {dims}. Name its rows and its "
            "columns: dims=('time', 'muscle')."
        )
    rows, columns = dims[0], dims[1] if len(dims) == 2 else None
    if wanted.frame_rate is not None and rows != "time":
        raise ValueError(
            f"frame_rate was given, and the rows of {path} are {rows!r}. Leave it out, or name "
            f"the rows 'time': dims=('time', {columns!r})."
        )
    return rows, columns


def _places(
    table: pd.DataFrame, rows: str, wanted: Wanted, path: Path
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the coordinate of the rows, and the columns that it was made of."""
    if rows != "time":
        return ({rows: (rows, table[rows].to_list())}, [rows]) if rows in table else (None, [])
    found = time_column(table, path)
    used = [] if found is None else [found[0]]
    if wanted.frame_rate is not None:
        return {"time": time_coordinate(np.arange(len(table)) / wanted.frame_rate)}, used
    if found is None:
        return None, []
    return {"time": time_coordinate(seconds_in(table, *found, path))}, used


def _numbered(n_rows: int, rows: str) -> tuple[dict[str, Any], list[str]]:
    if rows != "time":
        return {}, []
    attrs = {"units": "1", "long_name": "sample number"}
    note = (
        "no column is named 'time', so the samples are numbered from 0 (units '1'). Give the rate "
        "in Hz: partita.load(..., frame_rate=30)."
    )
    return {"time": xr.DataArray(np.arange(n_rows), dims="time", attrs=attrs)}, [note]


def _named(names: list[str]) -> tuple[str, list[Any]]:
    """Return what columns are, and their labels: components where Partita wrote them so."""
    found = [_COMPONENT.fullmatch(name) for name in names]
    labels = [match["label"] for match in found if match]
    if not labels or len(labels) < len(names):
        return _FEATURE, _labels(names)
    return "component", _labels(labels)


def _labels(names: list[str]) -> list[Any]:
    """Return names of columns; numbers where they are all numbers."""
    return [int(name) for name in names] if all(map(str.isdigit, names)) else names


def _values(table: pd.DataFrame, path: Path) -> Array:
    if not table.shape[1]:
        raise ValueError(f"{path} holds times and nothing beside them. Check what wrote it.")
    _refuse_words(table, path)
    values = table.to_numpy()
    return values if values.dtype.kind in "iu" else values.astype(float)


def _refuse_words(table: pd.DataFrame, path: Path) -> None:
    words = [name for name, dtype in table.dtypes.items() if dtype.kind not in "iufb"]
    if not words:
        return
    numbers = pd.to_numeric(table[words[0]], errors="coerce")
    row = int(np.argmax((numbers.isna() & table[words[0]].notna()).to_numpy()))
    events = {"onset", "duration"} <= set(table.columns)
    remedy = (
        f"Leave that column out; or, where it names the rows: dims=({words[0]!r}, 'feature')."
        if not events
        else "This looks like a table of events: partita.load_events(path)."
    )
    raise ValueError(
        f"{path} has words in {', '.join(map(repr, words[:5]))}, the first in line {line_of(row)} "
        f"({str(table[words[0]].iloc[row])[:40]!r}), and a recording holds numbers. {remedy}"
    )
