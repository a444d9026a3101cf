"""Several files as one movie: natural order, and times that go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from partita.io.formats import Format, Loaded
from partita.io.lazy_array import Array, Expanded, Joined
from partita.io.movies.description import Movie
from partita.io.movies.labelling import recording_of
from partita.io.request import Wanted

# Files are of one acquisition when their frame intervals differ by less than this share.
_SAME_PERIOD = 1e-2


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
    movies, paths = _each_once(paths, formats, wanted)
    for movie, path in zip(movies, paths, strict=True):
        _refuse_times(movie, path)
    return recording_of(join(movies, paths), wanted, path=paths[0], chunks=chunks)


def _each_once(
    paths: Sequence[Path], formats: Sequence[Format], wanted: Wanted
) -> tuple[list[Movie], list[Path]]:
    """Return the movies in files, without those files whose frames another one names."""
    movies: dict[Path, Movie] = {}
    failures: dict[Path, Exception] = {}
    for path, row in zip(paths, formats, strict=True):
        try:
            movies[path] = row.reader(path)(path, wanted).without(wanted)
        except (OSError, TypeError, ValueError) as error:
            if len(paths) == 1:
                raise
            failures[path] = error
    kept: list[Path] = []
    for path in sorted(movies, key=lambda one: -len(movies[one].files)):
        files = movies[path].files
        if not any(path.resolve() in movies[other].files for other in kept) and not (
            len(files) > 1 and any(files == movies[other].files for other in kept)
        ):
            kept.append(path)
    for path, failure in failures.items():  # a part of a set need not be readable by itself
        if not any(path.resolve() in movies[other].files for other in kept):
            raise failure
    ordered = [path for path in movies if path in kept]
    return [movies[path] for path in ordered], ordered


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
    if len(movies) == 1:
        return movies[0]
    # One frame says nothing of the time to the next.
    longest = max(range(len(movies)), key=lambda number: movies[number].sizes.get("time", 0))
    model = _with_time(movies[longest], 0)
    movies = [_as_part_of(movie, model) for movie in movies]
    for movie, path in zip(movies, paths, strict=True):
        _refuse_another(movie, path, model, paths[longest])
    _refuse_parted_volumes(movies, paths)
    notes = tuple(dict.fromkeys(note for movie in movies for note in movie.notes))
    return replace(
        model,
        name=movies[0].name,
        values=Joined([movie.values for movie in movies], model.dims.index("time")),
        times=_times(movies, paths),
        notes=notes,
    )


def _with_time(movie: Movie, axis: int) -> Movie:
    """Return a single frame as a movie of one."""
    if "time" in movie.dims:
        return movie
    dims = (*movie.dims[:axis], "time", *movie.dims[axis:])
    return replace(movie, values=Expanded(movie.values, axis), dims=dims)


def _as_part_of(movie: Movie, model: Movie) -> Movie:
    """Return a movie of one frame with time where the others have it, and at their pace."""
    movie = _with_time(movie, model.dims.index("time"))
    if movie.sizes["time"] > 1:
        return movie
    lacks_times = movie.times is None and model.times is not None
    times = np.zeros(1) if lacks_times else movie.times
    return replace(movie, period=model.period, times=times)


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
            f"{path} has frames {dict(ours)} of {movie.values.dtype}, and {first_path} "
            f"{dict(theirs)} of {first.values.dtype}"
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


def _frame_sizes(movie: Movie) -> list[tuple[str, int]]:
    return [(dim, size) for dim, size in movie.sizes.items() if dim != "time"]


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
