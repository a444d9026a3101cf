"""Which files a name stands for: itself, those of a folder, of a pattern, or of a list."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from partita.io.atomic import is_zarr_store, refuse_missing, refuse_unfinished
from partita.io.formats import FORMATS, named


class Files(NamedTuple):
    """Paths in natural order, and what the user should be told of it."""

    paths: list[Path]
    notes: list[str]


def is_path_or_paths(source: Any) -> bool:
    """Tell whether the user gave a path, or a sequence of them."""
    if isinstance(source, str | PathLike):
        return True
    if isinstance(source, bytes) or not isinstance(source, Sequence):
        return False
    return all(isinstance(one, str | PathLike) for one in source)


def files_of(source: str | PathLike[str] | Sequence[str | PathLike[str]]) -> Files:
    """Return the files that a path, a pattern, a folder of TIFFs or a list stands for.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or nothing fits the pattern.
    IsADirectoryError
        If it is a folder with neither a Zarr store nor TIFF files in it, or a folder is in the list
        or fits the pattern.
    ValueError
        If the list is empty, or a path is what an interrupted save has left.
    """
    if not isinstance(source, str | PathLike):
        return _listed(source)
    path = Path(source).expanduser()
    if not path.exists() and glob.has_magic(str(path)):
        return Files(_matching(str(path)), [])
    refuse_missing(path)
    refuse_unfinished(path)
    if path.is_dir() and not is_zarr_store(path):
        return Files(_tiffs_in(path), [])
    return Files([path], [])


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return what sorts paths as people count: frame2 before frame10."""
    pieces = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(one), one) if one.isdigit() else (1, 0, one) for one in pieces if one]


def _listed(source: Sequence[str | PathLike[str]]) -> Files:
    given = [Path(one).expanduser() for one in source]
    if not given:
        raise ValueError("load was given an empty list of paths. Check the pattern that made it.")
    for path in given:
        refuse_missing(path)
        refuse_unfinished(path)
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; a list names files. Load it by itself.")
    ordered = sorted(given, key=natural_key)
    if ordered == given:
        return Files(given, [])
    note = (
        f"the {len(given)} files are joined in natural order ({ordered[0].name}, "
        f"{ordered[1].name}, ...), which is not the order of the list. For that, load each and "
        "join them with xarray.concat."
    )
    return Files(ordered, [note])


def _matching(pattern: str) -> list[Path]:
    found = [Path(one) for one in glob.glob(pattern, recursive=True)]
    if not found:
        raise FileNotFoundError(f"There is no file that fits {pattern}. Check the pattern.")
    for path in found:
        refuse_missing(path)
        if path.is_dir() and not is_zarr_store(path):
            raise IsADirectoryError(
                f"{path} is a folder, and the pattern {pattern} stands for files. Narrow the "
                "pattern, or load the folder by itself."
            )
    return sorted(found, key=natural_key)


def _tiffs_in(folder: Path) -> list[Path]:
    inside = [other for other in folder.iterdir() if not other.name.startswith(".")]
    endings = named("tiff").suffixes
    tiffs = [other for other in inside if other.suffix.lower() in endings and other.is_file()]
    if tiffs:
        return sorted(tiffs, key=natural_key)
    others = tuple(suffix for row in FORMATS if not row.is_movie for suffix in row.suffixes)
    names = sorted(other.name for other in inside if other.name.endswith(others))
    holds = f"It holds {', '.join(names[:5])}" if names else "It holds no recording"
    raise IsADirectoryError(
        f"{folder} is a folder without TIFF files and not a Zarr store; load takes one recording. "
        f"{holds}."
    )
