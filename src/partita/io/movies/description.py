"""A movie in a file, before it becomes a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import xarray as xr

from partita.io.entries import Entry
from partita.io.lazy_array import Array, LazyArray
from partita.io.request import AXIS_NAMES, Wanted

# What an array of so many axes is, where neither the file nor the user says it.
DEFAULT_DIMS: dict[int, tuple[str, ...]] = {
    1: ("time",),
    2: ("time", "neuron"),
    3: ("time", "y", "x"),
    4: ("time", "z", "y", "x"),
}


@dataclass(frozen=True)
class Movie:
    """Where the values of a movie are, and what its file says of them.

    Parameters
    ----------
    values : LazyArray
        Of its file, or files.
    dims : tuple of str
        The name of each axis, in the order of the file.
    name : str
        Of the file, or of the variable in it.
    kind : str
        The format in words: ``"ImageJ TIFF"``.
    period : float, optional
        Seconds from one frame to the next.
    times : numpy.ndarray, (time,), optional
        Seconds of each frame, where the file has them.
    spacing : Mapping
        Millimetres from one pixel to the next, by dimension.
    coords : Mapping
        Other coordinates: those given for a dimension of space go before `spacing`.
    attrs : Mapping
        Attributes of the recording.
    notes : tuple of str
        What the user should be told.
    left_out : int
        Pages at the end of the file that do not make a whole volume.
    is_said : bool
        Whether the file, or the user, says what the axes are.
    files : frozenset of pathlib.Path
        All files that hold frames of it, where one file names others.
    others : tuple of Entry
        What else the file holds: arrays of numbers.
    """

    values: LazyArray
    dims: tuple[str, ...]
    name: str
    kind: str
    period: float | None = None
    times: Array | None = None
    spacing: Mapping[str, float] = field(default_factory=dict)
    coords: Mapping[str, xr.DataArray] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: int = 0
    is_said: bool = True
    files: frozenset[Path] = frozenset()
    others: tuple[Entry, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each dimension."""
        return dict(zip(self.dims, self.values.shape, strict=True))

    def without(self, wanted: Wanted) -> Movie:
        """Return the movie without what the user says in place of its file."""
        movie = self
        if wanted.frame_rate is not None:
            movie = replace(movie, period=None, times=None)
        if wanted.pixel_size is not None:
            kept = {dim: step for dim, step in movie.spacing.items() if dim not in ("y", "x")}
            movie = replace(movie, spacing=kept)
        return movie


def name_axes(
    n_axes: int,
    wanted: Wanted,
    path: Path,
    *,
    said: Sequence[str] | None = None,
    defaults: Mapping[int, tuple[str, ...]] = DEFAULT_DIMS,
) -> tuple[str, ...]:
    """Return a name for each axis: the user's, else the file's, else those usual for the format.

    Parameters
    ----------
    n_axes : int
        Number of axes in the file.
    wanted : Wanted
        The user's ``dims`` are taken as they are.
    path : pathlib.Path
        For messages.
    said : sequence of str, optional
        What the file calls its axes: letters or words.
    defaults : Mapping
        Names by the number of axes.

    Raises
    ------
    ValueError
        If the user names another number of axes, or nothing says what the axes are.
    """
    if wanted.dims is not None:
        if len(wanted.dims) != n_axes:
            raise ValueError(
                f"dims names {len(wanted.dims)} axes {wanted.dims}, and the array in {path} has "
                f"{n_axes}. Give a name for each, in the order of the file."
            )
        return wanted.dims
    names = tuple(AXIS_NAMES.get(axis.lower(), axis.lower()) for axis in said or ())
    if names:
        return _different(names, path)
    if n_axes not in defaults:
        raise ValueError(
            f"The array in {path} has {n_axes} axes, and nothing says what they are. Name them in "
            f"the order of the file: dims=('time', 'z', 'y', 'x', ...)."
        )
    return defaults[n_axes]


def _different(names: tuple[str, ...], path: Path) -> tuple[str, ...]:
    if len(set(names)) == len(names):
        return names
    raise ValueError(
        f"{path} calls its axes {names}, some of them alike. Name them in the order of the file: "
        "dims=('time', 'z', 'y', 'x')."
    )
