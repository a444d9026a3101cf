"""A movie in a file, before it becomes a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.numbers import is_number
from partita.io.lazy_array import Array, LazyArray

# What an array of so many axes is, where neither the file nor the user says it.
DEFAULT_DIMS: dict[int, tuple[str, ...]] = {
    1: ("time",),
    2: ("time", "neuron"),
    3: ("time", "y", "x"),
    4: ("time", "z", "y", "x"),
}

# How axes are named in files, by a letter or a word.
_NAMES = {
    "t": "time", "q": "time", "i": "time", "time": "time", "frame": "time", "frames": "time",
    "c": "channel", "s": "channel", "channel": "channel", "channels": "channel",
    "z": "z", "plane": "z", "y": "y", "x": "x",
}  # fmt: skip


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

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each dimension."""
        return dict(zip(self.dims, self.values.shape, strict=True))


class Wanted(NamedTuple):
    """What the user says of a movie; see `partita.load`."""

    dataset: str | None = None
    dims: tuple[str, ...] | None = None
    frame_rate: float | None = None
    pixel_size: tuple[float, float] | None = None  # (y, x), mm

    @classmethod
    def checked(cls, *, dataset: Any, dims: Any, frame_rate: Any, pixel_size: Any) -> Wanted:
        """Return the options in plain forms, or refuse them.

        Raises
        ------
        TypeError
            If `dataset` is no text.
        ValueError
            If `dims` is not a sequence of different names; if `frame_rate` or `pixel_size` is not
            a positive number, or a pair of them.
        """
        if dataset is not None and not isinstance(dataset, str):
            raise TypeError(
                f"dataset names what to read, as text; given: {dataset!r}. For instance: "
                "dataset='imaging'."
            )
        return cls(
            dataset, _checked_dims(dims), _checked_rate(frame_rate), _checked_pair(pixel_size)
        )

    def over(self, movie: Movie) -> Movie:
        """Return the movie without what the user says in place of its file."""
        if self.frame_rate is not None:
            movie = replace(movie, period=None, times=None)
        if self.pixel_size is not None:
            kept = {dim: step for dim, step in movie.spacing.items() if dim not in ("y", "x")}
            movie = replace(movie, spacing=kept)
        return movie

    def refuse_dataset(self, path: Path) -> None:
        """Refuse a choice where there is nothing to choose (ValueError)."""
        if self.dataset is not None:
            raise ValueError(
                f"{path} holds one movie, and dataset={self.dataset!r} chooses among several. "
                "Leave it out."
            )

    @property
    def given(self) -> list[str]:
        """The options that are set."""
        return [name for name in self._fields if getattr(self, name) is not None]


def _checked_dims(dims: Any) -> tuple[str, ...] | None:
    if dims is None:
        return None
    is_names = isinstance(dims, Sequence) and not isinstance(dims, str)
    if not is_names or not all(isinstance(dim, str) and dim for dim in dims):
        raise ValueError(
            f"dims is a name for each axis in the order of the file; given: {dims!r}. For "
            "instance: dims=('y', 'x', 'time')."
        )
    names = tuple(_NAMES.get(dim, dim) if len(dim) == 1 else dim for dim in dims)
    if len(set(names)) < len(names):
        raise ValueError(
            f"dims names an axis twice: {names}. Each axis needs a name of its own, for instance "
            "dims=('time', 'y', 'x')."
        )
    return names


def _checked_rate(rate: Any) -> float | None:
    if rate is None:
        return None
    if not _is_positive(rate):
        raise ValueError(
            f"frame_rate is in Hz, a number above 0; given: {rate!r}. For instance: frame_rate=30."
        )
    return float(rate)


def _checked_pair(size: Any) -> tuple[float, float] | None:
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, Sequence | np.ndarray) else (size, size)
    if isinstance(size, str) or len(pair) != 2 or not all(_is_positive(one) for one in pair):
        raise ValueError(
            "pixel_size is in mm, one number above 0 or a pair (y, x) of them; given: "
            f"{size!r}. For instance, for pixels of 2 µm: pixel_size=0.002."
        )
    return float(pair[0]), float(pair[1])


def _is_positive(value: Any) -> bool:
    return is_number(value) and 0 < value < np.inf


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
    names = tuple(_NAMES.get(axis.lower(), axis.lower()) for axis in said or ())
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
