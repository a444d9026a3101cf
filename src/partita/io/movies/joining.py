"""Several files as one movie: natural order, and times that go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from partita.io.formats import Format, Loaded
from partita.io.lazy_array import Array, LazyArray, Slices, lengths
from partita.io.movies.description import Movie
from partita.io.movies.labelling import recording_of
from partita.io.request import Wanted

# Files are of one acquisition when their frame intervals differ by less than this share.
_SAME_PERIOD = 1e-2


class Joined(LazyArray):
    """Arrays one after the other along one axis; slicing reads from those concerned.

    Parameters
    ----------
    parts : sequence of array
        Of one shape but for `axis`, and of one dtype.
    axis : int, optional
        The axis of time; None where each part is one frame, which get a new first axis.
    """

    def __init__(self, parts: Sequence[Any], axis: int | None) -> None:
        self.parts = list(parts)
        self.axis = axis
        sizes = [1 if axis is None else part.shape[axis] for part in parts]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        inner = list(parts[0].shape)
        whole = [sum(sizes), *inner]
        if axis is not None:
            whole = [*inner[:axis], sum(sizes), *inner[axis + 1 :]]
        super().__init__(whole, parts[0].dtype)

    def read(self, slices: Slices) -> Array:
        """Return values of the parts that the slices touch."""
        axis = self.axis or 0
        wanted = np.arange(self.shape[axis])[slices[axis]]
        pieces = []
        for number, start in enumerate(self.starts[:-1]):
            here = wanted[(wanted >= start) & (wanted < self.starts[number + 1])] - start
            if here.size:
                pieces.append(self._piece(number, here, slices, axis))
        if not pieces:
            return np.empty(lengths(slices, self.shape), self.dtype)
        return np.concatenate(pieces, axis=axis)

    def _piece(self, number: int, here: Array, slices: Slices, axis: int) -> Array:
        if self.axis is None:
            return np.asarray(self.parts[number][slices[1:]])[None]
        step = slices[axis].step or 1
        along = slice(int(here[0]), int(here[-1]) + 1, step)
        return np.asarray(self.parts[number][(*slices[:axis], along, *slices[axis + 1 :])])


def read_movies(
    paths: Sequence[Path], formats: Sequence[Format], wanted: Wanted, *, chunks: Any
) -> Loaded:
    """Return the recording in one or several files, joined along time.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        In the order of time.
    formats : sequence of Format
        What each is.
    wanted : Wanted
        What the user says of them.
    chunks : "auto", int, Mapping or None
        As `partita.load` takes them.

    Raises
    ------
    OSError, TypeError, ValueError, ModuleNotFoundError
        If a file cannot be read as a recording, or several do not fit together.
    """
    movies = [
        row.reader(path)(path, wanted).without(wanted)
        for path, row in zip(paths, formats, strict=True)
    ]
    for movie, path in zip(movies, paths, strict=True):
        _refuse_times(movie, path)
    return recording_of(join(movies, paths), wanted, path=paths[0], chunks=chunks)


def join(movies: Sequence[Movie], paths: Sequence[Path]) -> Movie:
    """Return movies as one along time.

    Parameters
    ----------
    movies : sequence of Movie
        In the order of time.
    paths : sequence of pathlib.Path
        Their files, for messages.

    Raises
    ------
    ValueError
        If they differ in dimensions, sizes, type of values, frame rate or pixel size.
    """
    first = movies[0]
    if len(movies) == 1:
        return first
    for movie, path in zip(movies, paths, strict=True):
        _refuse_another(movie, path, first, paths[0])
    _refuse_parted_volumes(movies, paths)
    values = [movie.values for movie in movies]
    notes = tuple(dict.fromkeys(note for movie in movies for note in movie.notes))
    if "time" not in first.dims:
        joined = Joined(values, None)
        return replace(first, values=joined, dims=("time", *first.dims), notes=notes)
    joined = Joined(values, first.dims.index("time"))
    return replace(first, values=joined, times=_times(movies, paths), notes=notes)


def _refuse_times(movie: Movie, path: Path) -> None:
    n_frames = movie.sizes.get("time")
    if movie.times is not None and n_frames is not None and movie.times.size != n_frames:
        raise ValueError(
            f"{path} has {n_frames} frames and the times of {movie.times.size}, so which is whose "
            "is not known. Give the rate of the frames instead: frame_rate=."
        )


def _refuse_another(movie: Movie, path: Path, first: Movie, first_path: Path) -> None:
    theirs, ours = _frame_sizes(first), _frame_sizes(movie)
    differs = ""
    if ours != theirs or movie.values.dtype != first.values.dtype:
        differs = (
            f"{path} has frames {ours} of {movie.values.dtype}, and {first_path} {theirs} of "
            f"{first.values.dtype}"
        )
    elif not _close(movie.period, first.period):
        differs = f"{path} has a frame every {movie.period} s, and {first_path} {first.period} s"
    elif movie.spacing.keys() != first.spacing.keys() or not all(
        _close(step, first.spacing[dim]) for dim, step in movie.spacing.items()
    ):
        differs = (
            f"{path} has pixels of {dict(movie.spacing)} mm, and {first_path} "
            f"{dict(first.spacing)} mm"
        )
    if differs:
        raise ValueError(
            f"Files that are joined along time must be alike: {differs}. Load them one by one, or "
            "leave out those of another recording."
        )


def _refuse_parted_volumes(movies: Sequence[Movie], paths: Sequence[Path]) -> None:
    for movie, path in zip(movies[:-1], paths[:-1], strict=True):
        if movie.left_out:
            raise ValueError(
                f"{path} ends in the middle of a volume, which goes on in the next file; joining "
                "them would lose it. Load the pages in order and take them apart yourself: "
                "partita.load(paths, dims=('time', 'y', 'x'))."
            )


def _frame_sizes(movie: Movie) -> dict[str, int]:
    return {dim: size for dim, size in movie.sizes.items() if dim != "time"}


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.isclose(one, other, rtol=_SAME_PERIOD))


def _times(movies: Sequence[Movie], paths: Sequence[Path]) -> Array | None:
    """Return the times of all frames; those of a file go on where those before it ended.

    A file whose own times begin later keeps them.
    """
    if all(movie.times is None for movie in movies):
        return None
    for movie, path in zip(movies, paths, strict=True):
        if movie.times is None:
            raise ValueError(
                f"{path} does not say when its frames were taken, and other files that it is "
                "joined with do. Give the rate of all: frame_rate=."
            )
    times = np.asarray(movies[0].times, dtype=float)
    for movie in movies[1:]:
        own = np.asarray(movie.times, dtype=float)
        step = _step(times, own)
        shift = 0.0 if own[0] > times[-1] else times[-1] + step - own[0]
        times = np.concatenate([times, own + shift])
    return times


def _step(before: Array, after: Array) -> float:
    """Return the usual time between frames."""
    steps = [np.diff(times) for times in (before, after) if times.size > 1]
    return float(np.median(np.concatenate(steps))) if steps else 1.0
