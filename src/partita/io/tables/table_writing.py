"""Columns over time to TSV and CSV, each value as the shortest text that reads back the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.time import merely_numbered, seconds_of
from partita._labels.warn import warn
from partita.io.atomic import replacing
from partita.io.overwriting import another
from partita.io.tables.table_reading import name_of

MISSING = "n/a"  # as BIDS tables write it


def write_over_time(
    recording: xr.DataArray, path: Path, *, chunks: Any = None, overwrite: bool = False
) -> Path:
    """Write a recording of (time, something) as a table; `read_over_time` gives it back.

    Raises
    ------
    ValueError
        If it has other dimensions, or columns would have one name.
    FileExistsError
        If a file is there that is no such table, and `overwrite` is not given.
    """
    if chunks is not None:
        raise ValueError(
            f"A table has no chunks, and chunks={chunks!r} was given for {path.name}. Leave it "
            "out, or save as .zarr."
        )
    column_dim = _column_dim(recording, path)
    names = _column_names(recording, column_dim, path)
    times = _times(recording, path)
    _warn_of_the_rest(recording, column_dim, path)
    ordered = recording if column_dim is None else recording.transpose("time", column_dim)
    rows = np.asarray(ordered.values).reshape(recording.sizes["time"], -1)
    header = [*(["time"] if times is not None else []), *names]
    cells = rows if times is None else ([t, *row] for t, row in zip(times, rows, strict=True))
    content = as_table(header, cells, delimiter="," if path.suffix == ".csv" else "\t")
    if path.is_file() and not overwrite and not _is_alike(path, content):
        raise FileExistsError(another(path, None, "a table"))
    with replacing(path) as (temporary,):
        temporary.write_bytes(content)
    return path


def as_table(header: list[str], rows: Iterable[Iterable[Any]], *, delimiter: str = "\t") -> bytes:
    """Return a table as text in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating) and np.isnan(value):
        return MISSING
    return str(value)


def _is_alike(path: Path, content: bytes) -> bool:
    """Tell whether a file is a table of the same columns, which a new one may replace."""
    with path.open("rb") as file:
        return file.readline().rstrip(b"\r\n") == content.partition(b"\n")[0]


def _column_dim(recording: xr.DataArray, path: Path) -> str | None:
    others = [str(dim) for dim in recording.dims if dim != "time"]
    if "time" not in recording.dims or len(others) > 1 or recording.size == 0:
        raise ValueError(
            f"A table holds rows over 'time' and columns over one dimension more; this has the "
            f"sizes {dict(recording.sizes)}. Save it as {path.with_suffix('.nc').name} instead; "
            "tables of other kinds are pandas's work: recording.to_series().to_csv(path)."
        )
    return others[0] if others else None


def _column_names(recording: xr.DataArray, dim: str | None, path: Path) -> list[str]:
    if dim is None:
        unnamed = recording.attrs.get("long_name", "value")
        return [str(unnamed if recording.name is None else recording.name)]
    known = dim in recording.coords
    labels = recording[dim].values.tolist() if known else range(recording.sizes[dim])
    names = [f"component_{one}" if dim == "component" else name_of(one, dim) for one in labels]
    if len({*names, "time"}) <= len(names):
        raise ValueError(
            f"The columns of {path.name} need names that differ, and none may be 'time'; those "
            f"along {dim!r} are {names[:6]}. Name them: recording.assign_coords({dim}=[...])."
        )
    return names


def _times(recording: xr.DataArray, path: Path) -> np.ndarray[Any, Any] | None:
    """Return the times in s; None where samples are merely numbered, as `load` numbers them."""
    if "time" not in recording.coords or merely_numbered(recording["time"]):
        return None
    seconds = seconds_of(recording["time"])
    if seconds is None or not np.isfinite(seconds).all():
        raise ValueError(
            f"{path.name} needs times in seconds, and these are {recording['time'].values[:3]} "
            f"({recording['time'].attrs.get('units', 'no units')}). Assign them: "
            "recording.assign_coords(time=...)."
        )
    return seconds


def _warn_of_the_rest(recording: xr.DataArray, dim: str | None, path: Path) -> None:
    lost = [str(name) for name in recording.coords if name not in ("time", dim)]
    if lost:
        warn(
            f"save leaves the coordinates {', '.join(map(repr, lost))} out of {path.name}: a table "
            "has the names of its columns only. .nc keeps all."
        )
