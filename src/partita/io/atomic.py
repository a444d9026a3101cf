"""Files that are whole or not there: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_SET_ASIDE = ".previous"
_WRITTEN = ".new"
# How the names begin of what is not whole yet.
UNFINISHED = ".unfinished-"


@contextlib.contextmanager
def replacing(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Give a temporary name for each path; rename them into place, in order, at the end.

    Folders are made. Where the block fails, the temporary files are removed and what stood at the
    paths is left as it was.

    Raises
    ------
    IsADirectoryError
        If a path is a folder.
    """
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; give the name of a file to save to.")
        path.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex[:8]
    # The whole name stays at the end, because writers look at the suffix.
    temporary = tuple(path.with_name(f"{UNFINISHED}{mark}-{path.name}") for path in paths)
    try:
        yield temporary
        for written, path in zip(temporary, paths, strict=True):
            os.replace(written, path)
    finally:
        for written in temporary:
            written.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_store(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write a Zarr store to; swap it into place by two renames.

    A crash between the two leaves both stores whole: ``<name>.previous`` and ``<name>.new``.

    Raises
    ------
    FileExistsError
        If something that is no Zarr store stands at the path.
    """
    if path.exists() and not is_zarr_store(path):
        raise FileExistsError(
            f"{path} exists and is not a Zarr store, so it is not replaced. Give another name, or "
            "move it away."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{UNFINISHED}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield unfinished
        _swap(unfinished, path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _swap(written: Path, path: Path) -> None:
    if not path.exists():
        written.rename(path)
        return
    new, previous = _free_name(path, _WRITTEN), _free_name(path, _SET_ASIDE)
    written.rename(new)
    path.rename(previous)
    try:
        new.rename(path)
    except OSError:
        previous.rename(path)
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(previous)


def _free_name(path: Path, suffix: str) -> Path:
    """Return ``<name><suffix>``, with a number where an interrupted save has left one."""
    free, number = path.with_name(path.name + suffix), 2
    while free.exists():
        free, number = path.with_name(f"{path.name}{suffix}{number}"), number + 1
    return free


def refuse_missing(path: Path) -> None:
    """Refuse a path where nothing is, naming what an interrupted save has set aside there."""
    if path.exists():
        return
    left = _set_aside(path)
    if left:
        names = " and ".join(str(other) for other in left)
        raise FileNotFoundError(
            f"There is no {path}: saving it was interrupted. Whole stores were set aside as "
            f"{names} (.previous is the older). Rename the one that you want to {path.name}."
        )
    missing = next((parent for parent in path.parents if not parent.exists()), None)
    where = "" if missing is None else f" (there is no folder {missing} either)"
    raise FileNotFoundError(f"There is no file {path}{where}. Check the name.")


def refuse_unfinished(path: Path) -> None:
    """Refuse what an interrupted save has left: a part of it may be missing (ValueError)."""
    if path.name.startswith(UNFINISHED):
        raise ValueError(
            f"{path} is what is left of a save that was interrupted, and not whole. Delete it, and "
            "save again."
        )


def _set_aside(path: Path) -> list[Path]:
    """Return the whole stores that an interrupted swap has left beside a missing path."""
    found = [
        other
        for suffix in (_SET_ASIDE, _WRITTEN)
        for other in sorted(path.parent.glob(f"{_escaped(path.name + suffix)}*"))
    ]
    return [other for other in found if is_zarr_store(other)]


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def is_zarr_store(path: Path) -> bool:
    """Tell whether a folder is a Zarr store, of format 2 or 3."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))
