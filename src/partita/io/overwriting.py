"""What a save may replace: what it wrote there before, and nothing else unless it is told to."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py

from partita.io.atomic import is_zarr_store
from partita.io.lazy_array import files_behind

# Attributes by which Partita knows what it wrote to a file or store.
MODEL, RECORDING, CHECKPOINT, DATASET = (
    f"partita_{kind}" for kind in ("model", "recording", "checkpoint", "dataset")
)
KINDS = {MODEL: "model", RECORDING: "recording", CHECKPOINT: "checkpoint", DATASET: "dataset"}
# What pictures say of the program that drew them.
PICTURE = {"Software": "Partita"}
# What pages of HTML say of it, among their first lines.
PAGE = '<meta name="generator" content="Partita">'

_FIRST_BYTES = 1024


def refuse_other(path: Path, kind: str, *, overwrite: bool) -> None:
    """Refuse to replace what is not of the kind that is written.

    Parameters
    ----------
    path : pathlib.Path
        Where something is to be saved.
    kind : str
        What: ``"recording"``, ``"model"``, ``"checkpoint"``, ``"dataset"``, ``"picture"``
        or ``"page"``.
    overwrite : bool
        Whether the user has said that something else may be replaced.

    Raises
    ------
    FileExistsError
        If something else is there.
    """
    is_plain_folder = path.is_dir() and not is_zarr_store(path)  # which is never replaced
    if overwrite or not path.exists() or is_plain_folder:
        return
    found = kind_at(path)
    if found != kind:
        raise FileExistsError(another(path, found, f"a {kind}"))


def another(path: Path, found: str | None, written: str) -> str:
    """Return what to say of a file that holds something else than what would replace it."""
    holds = f"holds a {found}" if found else "was not written by Partita"
    return (
        f"{path} {holds}, and {written} would replace it. Give another name, or replace it: "
        "overwrite=True."
    )


def kind_at(path: Path) -> str | None:
    """Return what Partita wrote to a file or store; None where it did not."""
    with contextlib.suppress(OSError, ValueError):
        if path.is_dir():
            return _kind_of(_attrs_of_store(path))
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return _kind_of(file.attrs)
        with path.open("rb") as file:
            start = file.read(_FIRST_BYTES)
        if start.startswith(b"\x89PNG") and PICTURE["Software"].encode() in start:
            return "picture"
        return "page" if PAGE.encode() in start else None
    return None


def _kind_of(attrs: Mapping[str, Any]) -> str | None:
    return next((kind for mark, kind in KINDS.items() if mark in attrs), None)


def _attrs_of_store(path: Path) -> Mapping[str, Any]:
    if (path / "zarr.json").is_file():
        about = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        attrs: Mapping[str, Any] = about.get("attributes", {})
        return attrs
    older: Mapping[str, Any] = json.loads((path / ".zattrs").read_text(encoding="utf-8"))
    return older


def refuse_own_source(path: Path, arrays: Iterable[Any]) -> None:
    """Refuse to replace the file that what is written is still read from (FileExistsError)."""
    if any(_is_same(path, file) for array in arrays for file in files_behind(array)):
        raise FileExistsError(
            f"{path} is what the values are still read from, and would be replaced by what was "
            "made of it. Give another name, or replace it: overwrite=True."
        )


def refuse_inputs(paths: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to write where the same command reads (FileExistsError)."""
    read = [one.expanduser().resolve() for one in inputs]
    for path in paths:
        place = path.expanduser().resolve()
        if any(is_within(place, one) or is_within(one, place) for one in read):
            raise FileExistsError(
                f"{path} is what the command reads, or a part of it, and is never replaced. Give "
                "another name for what is written."
            )


def is_within(place: Path, folder: Path) -> bool:
    """Tell whether a path leads to another one, or into it where that is a folder."""
    place = place.expanduser().absolute()
    return any(_is_same(one, folder) for one in (place, *place.parents))


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether two paths lead to one file: links have names of their own, and so may case."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return one.resolve() == other.resolve()
