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
    named = _describing(tiff)
    if not named:
        return None
    main = path.parent / named
    if not main.is_file():
        raise OSError(
            f"{path} is one of a set of OME-TIFF files, which {named} describes, and that is "
            "missing beside it. Put it into its folder."
        )
    return None if main.resolve() == path.resolve() else main


def first_file(companion: Path) -> Path:
    """Return the first of the files that a companion file describes.

    Raises
    ------
    OSError
        If it is damaged, or describes none, or that is missing.
    """
    named = next(_file_names(_described_by(companion)), None)
    if named is None:
        raise OSError(f"{companion} names no file of frames. Copy it again.")
    first = companion.parent / named
    if not first.is_file():
        raise OSError(
            f"{companion} describes a set of OME-TIFF files, and {named} is missing beside it. Put "
            "all of them into its folder."
        )
    return first


def reader_of(companion: Path) -> Any:
    """Return tifffile's reader for files that a companion file describes.

    Raises
    ------
    OSError
        If it is damaged.
    """
    _described_by(companion)
    text = companion.read_bytes().decode()
    return type("DescribedFile", (import_module("tifffile").TiffFile,), {"ome_metadata": text})


def _described_by(companion: Path) -> dict[str, Any]:
    try:
        about = import_module("tifffile").xml2dict(companion.read_bytes().decode()).get("OME")
    except (ValueError, SyntaxError) as error:
        raise OSError(f"{companion} is no OME-XML, or damaged ({error}). Copy it again.") from error
    if not isinstance(about, dict):
        raise OSError(f"{companion} is no OME-XML. Copy it again.")
    return about


def _describing(tiff: Any) -> str:
    """Return the name of the file that describes a set, where a file says only that."""
    only = _ome(tiff).get("BinaryOnly")
    return str(only.get("MetadataFile", "")) if isinstance(only, dict) else ""


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
