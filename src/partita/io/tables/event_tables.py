"""Tables of events: what happened, when, and for how long."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]
import xarray as xr

from partita._labels.attrs import storable
from partita._labels.time import in_seconds
from partita.io.atomic import refuse_missing
from partita.io.inheritance import gather, inherited
from partita.io.tables.table_reading import line_of, numbers_of, read_words

_SPANS = ("onset", "duration")


def load_events(path: str | PathLike[str]) -> xr.Dataset:
    r"""Load a table of events, as BIDS names and writes it.

    Parameters
    ----------
    path : str or path-like
        TSV, or CSV, with the columns ``onset`` and ``duration``, in s; ``trial_type`` and any
        others are kept. A JSON file beside it, or up the tree of a BIDS data set, may tell the
        ``Units`` of columns, and what they mean.

    Returns
    -------
    xarray.Dataset, (event,)
        ``onset`` and ``duration`` in s, a duration that the table does not know (``n/a``) as NaN;
        the other columns as numbers where all their cells are, else as text. Every ``events=``
        takes it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no table in UTF-8, has no column ``onset`` or ``duration``, words in them, an onset
        that is missing or a duration below 0, or units that are none of time.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "sub-01_task-look_events.tsv"
    >>> _ = path.write_text("onset\tduration\ttrial_type\n2\t10\thouse\n14\t10\tface\n")
    >>> events = partita.load_events(path)
    >>> events.trial_type.values.tolist(), events.onset.values.tolist()
    (['house', 'face'], [2.0, 14.0])
    """
    path = Path(path).expanduser()
    refuse_missing(path)
    table = read_words(path)
    _refuse_columns(list(table.columns), path)
    beside = path.with_suffix(".json")
    fields = gather([*inherited(path, path.stem), beside]).values
    columns = {}
    for name in table.columns:
        said = fields.get(name)
        about: dict[str, Any] = said if isinstance(said, dict) else {}
        if name in _SPANS:
            columns[name] = _seconds(table[name], about.get("Units", "s"), path)
        else:
            columns[name] = _column(table[name], about)
    return xr.Dataset(columns, attrs={"history": f"load_events({path.name!r})"})


def _refuse_columns(names: list[str], path: Path) -> None:
    missing = [name for name in _SPANS if name not in names]
    if missing:
        raise ValueError(
            f"{path} has no column {' and no '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, names[:10]))}. Events need both, in seconds: rename it, or add "
            "it (a duration of 0 is an instant)."
        )


def _seconds(column: pd.Series, unit: Any, path: Path) -> xr.Variable:
    name = str(column.name)
    numbers = numbers_of(column)
    if numbers is None:
        bad = pd.to_numeric(column, errors="coerce").isna() & (column != "n/a")
        row = int(np.argmax(bad.to_numpy()))
        raise ValueError(
            f"{path} has {column.iloc[row]!r} as {name} in line {line_of(row)}, and it is in "
            "seconds. Write numbers."
        )
    values = in_seconds(numbers.to_numpy(float), str(unit))
    if values is None:
        raise ValueError(
            f"{name} of {path} is in {unit!r} by its sidecar, which is no unit of time. Correct "
            "'Units' there: 's'."
        )
    bad = ~np.isfinite(values) if name == "onset" else values < 0
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{path} has the {name} {values[row]:g} in line {line_of(row)}. An event needs an "
            "onset, and a duration of 0 s or more."
        )
    return xr.Variable("event", values, {"units": "s", "long_name": name})


def _column(column: pd.Series, about: dict[str, Any]) -> xr.Variable:
    numbers = numbers_of(column)
    words = {"long_name": about.get("LongName"), "description": about.get("Description")}
    said = {**words, "units": about.get("Units"), "levels": about.get("Levels")}
    values = np.asarray(column.to_list(), np.str_) if numbers is None else numbers.to_numpy()
    return xr.Variable("event", values, storable(said))
