"""OME-TIFF sets: several files that hold the frames of one movie, and name each other."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any


def main_file(tiff: Any, path: Path) -> Path | None:
    """Return the file that describes a set, where a file says only which that is.

    Raises
    ------
    OSError
        If it is missing.
    """
    only = _ome(tiff).get("BinaryOnly")
    named = only.get("MetadataFile") if isinstance(only, dict) else None
    if not named or not str(named).lower().endswith((".tif", ".tiff")):
        return None
    main = path.parent / str(named)
    if not main.is_file():
        raise OSError(
            f"{path} is one of a set of OME-TIFF files, which {named} describes, and that is "
            "missing beside it. Put it into its folder."
        )
    return None if main.resolve() == path.resolve() else main


def missing_files(tiff: Any, path: Path) -> list[str]:
    """Return the names of files of a set that are not beside one of them."""
    named = dict.fromkeys(_file_names(_ome(tiff)))
    return [name for name in named if not (path.parent / name).is_file() and name != path.name]


def _ome(tiff: Any) -> dict[str, Any]:
    if not tiff.is_ome:
        return {}
    about = import_module("tifffile").xml2dict(tiff.ome_metadata).get("OME")
    return about if isinstance(about, dict) else {}


def _file_names(about: Any) -> Iterator[str]:
    """Yield what is called FileName anywhere in OME-XML."""
    waiting = [about]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            waiting += [value for key, value in one.items() if key != "FileName"]
            if "FileName" in one:
                yield str(one["FileName"])
        elif isinstance(one, list | tuple):
            waiting += one
