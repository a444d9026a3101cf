"""Movies become recordings: dimensions in order, seconds, millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.placement import with_direction
from partita.io.chunking import aligned_chunks
from partita.io.entries import Entry
from partita.io.formats import Loaded
from partita.io.lazy_array import HEADERS, without_values
from partita.io.millimetres import axis_coordinate
from partita.io.movies.description import Movie
from partita.io.request import Wanted

Array = np.ndarray[Any, Any]

_SPACE = ("z", "y", "x")


def recording_of(movie: Movie, wanted: Wanted, *, path: Path, chunks: Any) -> Loaded:
    """Return the recording in a movie: ``time`` first, ``z, y, x`` last.

    Parameters
    ----------
    movie : Movie
        What the file says.
    wanted : Wanted
        What the user says, which goes before.
    path : pathlib.Path
        The file, the first of several, for messages.
    chunks : "auto", int, Mapping or None
        As `partita.load` takes them.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If there are no values, or an option is about a dimension that is not there.
    """
    _refuse_values(movie, path)
    _refuse_options(movie, wanted, path)
    coords, notes = _time(movie, wanted)
    coords |= _space(movie, wanted)
    coords |= {
        name: coordinate
        for name, coordinate in movie.coords.items()
        if set(coordinate.dims) <= set(movie.dims) and name not in coords
    }
    coords = with_direction(coords)
    recording = xr.DataArray(
        _read_lazily(movie, chunks), dims=movie.dims, coords=coords, attrs=dict(movie.attrs)
    ).transpose(*ordered(movie.dims))
    recording.name = movie.name  # given no name, xarray takes that of the dask array
    recording.encoding = {"source": str(path), "format": movie.kind}
    if not movie.is_said:
        recording.encoding["axes"] = f"taken as {', '.join(movie.dims)}"
        notes = [f"{note} {_guess(movie)}" for note in notes]
    if movie.others:
        recording.encoding["others"] = [_beside(one, movie) for one in movie.others]
    if movie.values.blocks:
        blocks = dict(zip(movie.dims, movie.values.blocks, strict=True))
        recording.encoding["preferred_chunks"] = blocks
    return Loaded(recording, [*movie.notes, *notes])


def _guess(movie: Movie) -> str:
    named = ", ".join(map(repr, movie.dims))
    return f"Its axes were taken as {', '.join(movie.dims)}; say dims=({named}) if they are others."


def _beside(entry: Entry, movie: Movie) -> str:
    """Return another array of the file in words, and the axes that it is as long as."""
    fitting = [dim for dim, size in movie.sizes.items() if size > 1 and size in entry.shape]
    return f"{entry}, as long as {' and '.join(fitting)}" if fitting else str(entry)


def ordered(dims: Sequence[str]) -> tuple[str, ...]:
    """Return dimensions as recordings have them: time, whatever else, z, y, x."""
    first = [dim for dim in dims if dim == "time"]
    last = [dim for dim in _SPACE if dim in dims]
    return (*first, *(dim for dim in dims if dim not in (*first, *last)), *last)


def _refuse_values(movie: Movie, path: Path) -> None:
    dtype = movie.values.dtype
    if dtype.kind not in "iufb":
        raise TypeError(
            f"{path} holds {dtype} values, and a recording holds real numbers. Convert it first, "
            "complex values for instance to their magnitude, and save it again."
        )
    if 0 in movie.values.shape:
        raise ValueError(
            f"{path} holds no values: sizes {movie.sizes}. Check the program that wrote it."
        )


def _refuse_options(movie: Movie, wanted: Wanted, path: Path) -> None:
    about = {"frame_rate": ("time",), "pixel_size": ("y", "x")}
    for option, dims in about.items():
        missing = [dim for dim in dims if dim not in movie.dims]
        if getattr(wanted, option) is not None and missing:
            raise ValueError(
                f"{option} was given, and {path} has no dimension {' or '.join(missing)}: sizes "
                f"{movie.sizes}. Leave it out, or name the axes: dims=(...)."
            )


def _read_lazily(movie: Movie, chunks: Any) -> Any:
    """Return the values as a dask array of a dtype that is worked with, or read."""
    values, dtype = movie.values, _worked_with(movie.values.dtype)
    if chunks is None:
        return values[...].astype(dtype, copy=False)
    if chunks is HEADERS:
        return without_values(values.shape, dtype)
    chunked = aligned_chunks(
        chunks, movie.dims, shape=values.shape, dtype=dtype, stored=values.blocks
    )
    return values.lazily(chunked).astype(dtype)


def _worked_with(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the native dtype: truth values as bytes, half precision as single."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


# Time and space


def _time(movie: Movie, wanted: Wanted) -> tuple[dict[str, xr.DataArray], list[str]]:
    if "time" not in movie.dims:
        return {}, []
    numbers = np.arange(movie.sizes["time"])
    if wanted.frame_rate is not None:
        return _seconds(numbers / wanted.frame_rate), []
    if movie.times is not None:
        return _seconds(np.asarray(movie.times, dtype=float)), []
    if movie.period is not None:
        return _seconds(numbers * movie.period), []
    if numbers.size == 1:
        return _seconds(numbers.astype(float)), []
    attrs = {"units": "1", "long_name": "frame number"}
    note = (
        "nothing says the frame rate; the frames are numbered from 0 (units '1'). Give it in Hz: "
        "partita.load(..., frame_rate=30), or assign the times in seconds: "
        "recording.assign_coords(time=...)."
    )
    return {"time": xr.DataArray(numbers, dims="time", attrs=attrs)}, [note]


def _seconds(values: Array) -> dict[str, xr.DataArray]:
    attrs = {"units": "s", "long_name": "time"}
    return {"time": xr.DataArray(values, dims="time", attrs=attrs)}


def _space(movie: Movie, wanted: Wanted) -> dict[str, xr.DataArray]:
    """Return the positions of pixels in mm along the dimensions whose spacing is known."""
    spacing = dict(movie.spacing)
    own = {dim for dim in _SPACE if dim in movie.coords}
    if wanted.pixel_size is not None:
        spacing |= dict(zip(("y", "x"), wanted.pixel_size, strict=True))
        own -= {"y", "x"}
    return {
        dim: axis_coordinate(dim, step * np.arange(movie.sizes[dim]), step)
        for dim, step in spacing.items()
        if dim in movie.dims and dim not in own
    }
