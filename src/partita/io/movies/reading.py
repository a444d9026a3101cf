"""Any file that holds a movie, or several that make one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from partita.io.movies.description import Movie, Wanted
from partita.io.movies.joining import join
from partita.io.movies.labelling import recording_of
from partita.io.nifti.image import Loaded

# Readers are imported when a file of their kind is met.
_READERS = {
    "tiff": ("tiff", "read_tiff"),
    "hdf5": ("hdf5", "read_hdf5"),
    "nwb": ("nwb", "read_nwb"),
    "scan": ("iconeus", "read_scan"),
    "npy": ("npy", "read_npy"),
    "npz": ("npy", "read_npz"),
    "mat": ("matlab", "read_mat"),
    "mat73": ("matlab", "read_mat73"),
    "video": ("video", "read_video"),
}

KINDS = tuple(_READERS)


def read_movies(
    paths: Sequence[Path], kinds: Sequence[str], wanted: Wanted, *, chunks: Any
) -> Loaded:
    """Return the recording in one or several files, joined along time.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        In the order of time.
    kinds : sequence of str
        What each is, one of `KINDS`.
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
        wanted.over(_reader(kind, wanted)(path, wanted))
        for path, kind in zip(paths, kinds, strict=True)
    ]
    for movie, path in zip(movies, paths, strict=True):
        _refuse_times(movie, path)
    return recording_of(join(movies, paths), wanted, path=paths[0], chunks=chunks)


def _refuse_times(movie: Movie, path: Path) -> None:
    n_frames = movie.sizes.get("time")
    if movie.times is not None and n_frames is not None and movie.times.size != n_frames:
        raise ValueError(
            f"{path} has {n_frames} frames and the times of {movie.times.size}, so which is whose "
            "is not known. Give the rate of the frames instead: frame_rate=."
        )


def _reader(kind: str, wanted: Wanted) -> Callable[[Path, Wanted], Movie]:
    if kind == "scan" and (wanted.dataset or wanted.dims):
        kind = "hdf5"  # the array as it is
    module, name = _READERS[kind]
    reader: Callable[[Path, Wanted], Movie] = getattr(
        import_module(f"partita.io.movies.{module}"), name
    )
    return reader
