"""Tables of confounds: motion, tissues and what else programs of preprocessing write."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]
import xarray as xr

from partita._labels.attrs import describe_call
from partita.io.atomic import refuse_missing
from partita.io.tables.over_time import seconds_in, time_column, time_coordinate
from partita.io.tables.table_reading import line_of, numbers_of, read_words


def load_confounds(
    path: str | PathLike[str], names: str | Sequence[str] | None = None
) -> xr.DataArray:
    r"""Load a table of confounds, such as fMRIPrep writes, for `regress_out`.

    Derivatives have no value in the first rows of a table (``n/a``): there the first value that is
    known stands.

    Parameters
    ----------
    path : str or path-like
        TSV, or CSV: a row for each sample.
    names : str or sequence of str, optional
        Which columns, by name or by pattern: ``["trans_?", "rot_?", "a_comp_cor_0[0-4]"]``. None:
        all that hold numbers.

    Returns
    -------
    xarray.DataArray, (time, confound)
        In the order of `names`, each column once. ``time`` in s where the table has such a column;
        else without times, to be matched with a recording by position.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no table in UTF-8, a name or pattern fits no column, or a column that was chosen
        holds words, nothing, or gaps further down.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "sub-01_desc-confounds_timeseries.tsv"
    >>> _ = path.write_text("trans_x\trot_x\tdvars\n0.1\t0.0\tn/a\n0.2\t0.1\t1.5\n")
    >>> confounds = partita.load_confounds(path, ["trans_?", "dvars"])
    >>> confounds.confound.values.tolist(), confounds.sel(confound="dvars").values.tolist()
    (['trans_x', 'dvars'], [1.5, 1.5])
    """
    path = Path(path).expanduser()
    refuse_missing(path)
    table = read_words(path)
    numbers = {str(name): numbers_of(table[name]) for name in table.columns}
    times = time_column(table, path)
    coords: dict[str, Any] = {}
    if times is not None:
        column = numbers.pop(times[0])
        as_read = table[[times[0]]] if column is None else column.to_frame(times[0])
        coords["time"] = time_coordinate(seconds_in(as_read, *times, path))
    chosen = _chosen(names, numbers, path)
    values = [_whole(name, numbers[name], path) for name in chosen]
    parameters = {} if names is None else {"names": list(chosen)}
    return xr.DataArray(
        np.stack(values, axis=1),
        dims=("time", "confound"),
        coords={**coords, "confound": chosen},
        attrs={"history": describe_call("load_confounds", **parameters)},
        name="confounds",
    )


def _chosen(names: Any, numbers: dict[str, pd.Series | None], path: Path) -> list[str]:
    if names is None:
        known = [name for name, column in numbers.items() if column is not None]
        if not known:
            raise ValueError(f"{path} has no column of numbers: {', '.join(numbers)}.")
        return known
    wanted = [names] if isinstance(names, str) else list(names)
    if not wanted or not all(isinstance(one, str) for one in wanted):
        raise ValueError(
            f"load_confounds takes names or patterns as text, and was given {names!r}. For "
            "instance: ['trans_?', 'rot_?']."
        )
    found = {pattern: _fitting(pattern, numbers) for pattern in wanted}
    for pattern, columns in found.items():
        if not columns:
            near = difflib.get_close_matches(pattern, numbers, n=5, cutoff=0.4)
            raise ValueError(
                f"{path} has no column {pattern!r}. Near it are: "
                f"{', '.join(map(repr, near or list(numbers)[:10]))}."
            )
    return list(dict.fromkeys(name for columns in found.values() for name in columns))


def _fitting(pattern: str, names: dict[str, Any]) -> list[str]:
    return [pattern] if pattern in names else [one for one in names if fnmatchcase(one, pattern)]


def _whole(name: str, column: pd.Series | None, path: Path) -> np.ndarray[Any, Any]:
    """Return a column with its first known value in the rows before it; refuse other gaps."""
    if column is None:
        raise ValueError(
            f"The column {name!r} of {path} holds words, and confounds are numbers. Leave it out."
        )
    values = column.to_numpy(float)
    known = np.isfinite(values)
    if not known.any():
        raise ValueError(f"The column {name!r} of {path} holds no value. Leave it out.")
    first = int(np.argmax(known))
    if not known[first:].all():
        gap = first + int(np.argmin(known[first:]))
        raise ValueError(
            f"The column {name!r} of {path} has a gap in line {line_of(gap)}. Write a value there, "
            "or leave the column out."
        )
    return np.where(np.arange(values.size) < first, values[first], values)
