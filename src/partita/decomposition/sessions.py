"""Sessions on one grid: how they are given, and their signals joined along time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from os import PathLike
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import packing
from partita._labels.numbers import is_whole
from partita._labels.stack import Stacker
from partita.decomposition import persistence
from partita.decomposition.fit import Array

Source = xr.DataArray | str | PathLike[str]
Sources = Sequence[Source] | Mapping[Any, Source]


def listed(recordings: Any, *, caller: str) -> dict[Any, Source]:
    """Return sessions by name, or by number where none is given."""
    single = isinstance(recordings, xr.DataArray | xr.Dataset | str | PathLike)
    if single or not isinstance(recordings, Sequence | Mapping):
        raise TypeError(
            f"{caller} takes a list or a mapping of recordings or paths, which it visits more than "
            f"once, and was given {type(recordings).__name__}. For one recording: fit(recording)."
        )
    if not len(recordings):
        raise ValueError(f"{caller} was given no sessions. Give at least one recording or path.")
    if not isinstance(recordings, Mapping):
        return dict(enumerate(recordings))
    packing.refuse_unstorable(list(recordings), caller=caller, what="names of sessions")
    if any(name != name for name in recordings):  # NaN and NaT are no name: nothing finds them
        raise ValueError(f"{caller} was given a session whose name is missing. Name each.")
    return dict(recordings)


def opened(source: Any, *, caller: str) -> xr.DataArray:
    """Return a session, loaded lazily where it is a path."""
    if isinstance(source, xr.DataArray):
        return source
    if isinstance(source, str | PathLike):
        return persistence.open_session(source)
    raise TypeError(
        f"{caller} takes recordings (xarray.DataArray) or paths, and one of them is "
        f"{type(source).__name__}."
    )


def check_passes(n_passes: Any) -> None:
    """Refuse what is no number of passes, and not None either (ValueError)."""
    if n_passes is None or (is_whole(n_passes) and n_passes >= 1):
        return
    raise ValueError(
        f"n_passes is a whole number of at least 1, or None for as many as it takes to reach tol; "
        f"given: {n_passes!r}."
    )


def signals_of(stacker: Stacker, columns: Array, component: Array, name: Any) -> xr.DataArray:
    """Return columns (n_samples, n_components) as the signals of the session of that name."""
    # A name that is a pair stays one name: an array of it would have two columns.
    alike = np.fromiter(repeat(name, len(columns)), object, len(columns))
    labels = alike if isinstance(name, tuple) else np.full(len(columns), name)
    labelled = stacker.signals(columns, component=component)
    about = {"long_name": "session"}
    return labelled.assign_coords(session=(stacker.sample_dim, labels, about))


def joined(pieces: list[xr.DataArray], *, sample_dim: str) -> xr.DataArray:
    """Join signals along time, with the coordinates that all have and, of scalars, agree on."""
    first = pieces[0]
    kept = [
        name
        for name, coord in first.coords.items()
        if all(name in piece.coords for piece in pieces)
        and (
            sample_dim in coord.dims
            or all(coord.variable.equals(piece[name].variable) for piece in pieces)
        )
    ]
    trimmed = [piece.drop_vars([n for n in piece.coords if n not in kept]) for piece in pieces]
    return xr.concat(
        trimmed,
        dim=sample_dim,
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
    )


def stacker_of_all(stacker: Stacker, joined: xr.DataArray) -> Stacker:
    """Return the stacker of all sessions together: the places of one, the times of all."""
    sample_dim, scalars = stacker.sample_dim, set(joined.coords)
    dropped = [
        name
        for name, coord in stacker.coords.coords.items()
        if sample_dim in coord.dims or not (coord.dims or name in scalars) or name == "session"
    ]
    times = {n: c.variable for n, c in joined.coords.items() if c.dims == (sample_dim,)}
    coords = stacker.coords.drop_vars(dropped).assign_coords(times)
    sizes = {**stacker.sizes, sample_dim: joined.sizes[sample_dim]}
    return replace(stacker, coords=coords, sizes=sizes)
