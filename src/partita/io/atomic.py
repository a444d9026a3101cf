"""Files that are whole or not there: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from partita.io.unfinished import UNFINISHED, remove, shortened, temporary, uninterrupted

_SET_ASIDE = ".previous"
_WRITTEN = ".new"
# What the system says where there is no more room for a file.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replacing(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Give a temporary name for each path; rename them into place, in order, at the end.

    Folders are made. Where the block fails, the temporary files are removed and what stood at the
    paths is left as it was.

    Raises
    ------
    IsADirectoryError
        If a path is a folder.
    OSError
        If there is no more room on the disk; the message names the file.
    """
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; give the name of a file to save to.")
        path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(*paths), temporary(*paths) as written:
        yield written
        with uninterrupted():
            for one, path in zip(written, paths, strict=True):
                os.replace(one, path)


@contextlib.contextmanager
def replacing_store(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write a Zarr store to; swap it into place by two renames.

    A crash between the two leaves both stores whole: ``<name>.previous`` and ``<name>.new``.

    Raises
    ------
    FileExistsError
        If something that is no Zarr store stands at the path.
    OSError
        If there is no more room on the disk; the message names the store.
    """
    if path.exists() and not is_zarr_store(path):
        raise FileExistsError(
            f"{path} exists and is not a Zarr store, so it is not replaced. Give another name, or "
            "move it away."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path), temporary(path, path) as (unfinished, old):
        yield unfinished
        with uninterrupted():
            _swap(unfinished, path, old)


def _swap(written: Path, path: Path, old: Path) -> None:
    """Rename a store into place; what stood there becomes `old`, which is removed afterwards."""
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
        remove(new)
        raise
    previous.rename(old)


@contextlib.contextmanager
def _naming(*paths: Path) -> Iterator[None]:
    """Let a disk that is full name what was to be written there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        names = " and ".join(map(str, paths))
        raise OSError(
            error.errno,
            f"{names} could not be written, because there is no more room "
            f"({os.strerror(error.errno)}); what stood there is as it was. Make room, or save "
            "elsewhere",
        ) from error


def _free_name(path: Path, suffix: str) -> Path:
    """Return ``<name><suffix>``, with a number where an interrupted save has left one."""
    free, number = path.with_name(shortened(path.name, suffix)), 2
    while free.exists():
        free, number = path.with_name(shortened(path.name, f"{suffix}{number}")), number + 1
    return free


def path_of(path: Any, *, caller: str) -> Path:
    """Return what was given as a path, ``~`` written out, or refuse it (TypeError)."""
    if not isinstance(path, str | PathLike):
        raise TypeError(
            f"{caller} needs a path, text or pathlib.Path, and was given {type(path).__name__}."
        )
    return Path(path).expanduser()


def refuse_missing(path: Path) -> None:
    """Refuse a path where nothing is, naming what an interrupted save has set aside there."""
    if path.is_file() or path.is_dir():
        return
    if path.exists():
        raise ValueError(
            f"{path} is no file but a pipe or a device, which cannot be read twice nor from its "
            "middle. Write what it gives into a file first."
        )
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
        for other in sorted(path.parent.glob(f"{_escaped(shortened(path.name, suffix))}*"))
    ]
    return [other for other in found if is_zarr_store(other)]


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def is_zarr_store(path: Path) -> bool:
    """Tell whether a folder is a Zarr store, of format 2 or 3."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))
