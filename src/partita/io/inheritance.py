"""JSON files that tell of data files, beside them and up the tree, as BIDS lets them inherit.

A file of fields applies to every data file below it with the same suffix and all of its entities:
``task-rest_bold.json`` to ``sub-01/func/sub-01_task-rest_bold.nii.gz``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_ENTITY = re.compile(r"[A-Za-z]+-[0-9A-Za-z+]+")
# What a data set has in its uppermost folder.
_ROOT = "dataset_description.json"


class Fields(NamedTuple):
    """What JSON files say, the nearer before the farther, and of which they come."""

    values: dict[str, Any]
    sources: dict[str, Path]


def inherited(path: Path, stem: str) -> list[Path]:
    """Return the JSON files that apply to a data file, the farthest first, its own left out.

    Parameters
    ----------
    path : pathlib.Path
        The data file.
    stem : str
        Its name without what tells the format.
    """
    entities, suffix = _named(stem)
    if not entities:
        return []
    found = []
    for folder in _above(path):
        fitting = [
            other
            for other in sorted(folder.glob(f"*{suffix}.json"))
            if other.stem != stem and _applies(other.stem, entities, suffix)
        ]
        found += sorted(fitting, key=lambda other: len(_named(other.stem)[0]))
    return found


def gather(paths: list[Path]) -> Fields:
    """Return the fields of JSON files, those of later ones before those of earlier ones."""
    values: dict[str, Any] = {}
    sources: dict[str, Path] = {}
    for path in paths:
        own = read_fields(path)
        values |= own
        sources |= dict.fromkeys(own, path)
    return Fields(values, sources)


def read_fields(path: Path) -> dict[str, Any]:
    """Return the fields of a sidecar; none where there is no such file.

    Raises
    ------
    ValueError
        If the file is not JSON, or JSON but not an object.
    """
    if not path.is_file():
        return {}
    try:
        fields = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"The sidecar {path} is not JSON: {error}. Correct it, or move it away to load the "
            "recording without it."
        ) from error
    if not isinstance(fields, dict):
        raise ValueError(
            f"The sidecar {path} holds a JSON {type(fields).__name__}, and a sidecar is an object "
            "of fields. Correct it, or move it away to load the recording without it."
        )
    return fields


def _named(stem: str) -> tuple[set[str], str]:
    """Return the entities of a BIDS name and its suffix; no entities where it is none."""
    *entities, suffix = stem.split("_")
    is_bids = all(_ENTITY.fullmatch(entity) for entity in entities)
    return (set(entities), suffix) if is_bids else (set(), suffix)


def _applies(stem: str, entities: set[str], suffix: str) -> bool:
    *own, last = stem.split("_")
    return last == suffix and set(own) <= entities


def _above(path: Path) -> Iterator[Path]:
    """Yield the folders from the root of a data set to that of a file; that alone if in none."""
    folder = path.absolute().parent
    folders = [folder, *folder.parents]
    roots = [number for number, one in enumerate(folders) if (one / _ROOT).is_file()]
    subjects = [number + 1 for number, one in enumerate(folders) if one.name.startswith("sub-")]
    root = (roots or subjects or [0])[0]
    yield from reversed(folders[: root + 1])
