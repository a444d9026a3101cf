"""Zarr stores whose reading would run code: they are refused before they are opened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zmetadata")
# The user's own words, which name no codec.
_WORDS = ("attributes", ".zattrs", "dimension_names", "fill_value")

# What is said of every array, also in the consolidated metadata, by its name.
_MARKS = {"node_type", "zarr_format"}


def refuse_pickles(store: Path) -> None:
    """Refuse a store of which any array is pickled (TypeError), in whatever place that is said."""
    for folder in (store, *sorted(one for one in store.iterdir() if one.is_dir())):
        for name in _METADATA:
            if (folder / name).is_file() and _names_pickle(_parsed(folder / name)):
                raise TypeError(
                    f"{folder / name} says that values are pickled Python objects, which are never "
                    "unpickled: doing so may run code. Write them as numbers, or as text without "
                    "the codec 'pickle'."
                )


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise OSError(
            f"{path} cannot be read as Zarr: it is damaged or truncated ({error}). Copy it again."
        ) from error


def _names_pickle(about: Any) -> bool:
    return any(re.split(r"\W", text.casefold())[-1] == "pickle" for text in _texts(about))


def _texts(about: Any) -> Iterator[str]:
    """Yield every text in metadata, at any depth, but for the user's own."""
    waiting = [about]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [value for key, value in one.items() if not _is_users(key, value)]
        elif isinstance(one, list):
            waiting += one


def _is_users(key: str, value: Any) -> bool:
    """Tell whether a key is of the user's words, and not an array that is so called."""
    return key.endswith(_WORDS) and not (isinstance(value, dict) and {*value} & _MARKS)
