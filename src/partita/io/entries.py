"""Files that hold several arrays: which one is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_LISTED = 20


class Entry(NamedTuple):
    """An array in a file: its name there, its sizes, and the type of its values."""

    name: str
    shape: tuple[int, ...]
    type: str

    def __str__(self) -> str:
        """Return it in words: ``/imaging (128 x 256 x 20, uint16)``."""
        return f"{self.name} ({' x '.join(map(str, self.shape))}, {self.type})"


class SeveralArrays(ValueError):
    """A file holds several arrays, and nothing says which one is the recording.

    Parameters
    ----------
    message : str
        What to say.
    kind : str
        The format of the file in words.
    entries : sequence of Entry
        What it holds.
    """

    def __init__(self, message: str, *, kind: str, entries: Sequence[Entry]) -> None:
        super().__init__(message)
        self.kind = kind
        self.entries = list(entries)


def listed(entries: Sequence[Entry]) -> str:
    """Return arrays in words, the first twenty of them."""
    more = f"; and {len(entries) - _LISTED} more" if len(entries) > _LISTED else ""
    return "; ".join(map(str, entries[:_LISTED])) + more


def others_than(entry: Entry, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the arrays of a file beside the one that was chosen."""
    return tuple(one for one in entries if one.name != entry.name)


def choose(
    entries: Sequence[Entry], dataset: str | None, *, path: Path, kind: str, what: str = "array"
) -> Entry:
    """Return the array that is asked for, or the only one that can be a recording.

    Without a name it is the only one with three axes or more, else the only one with two; truth
    values are not taken for one.

    Parameters
    ----------
    entries : sequence of Entry
        The numeric arrays of the file.
    dataset : str, optional
        A name; a leading slash may be left out, and so may the folders of a name that is unique.
    path : pathlib.Path
        The file, for messages.
    kind : str
        Its format in words.
    what : str
        What is looked for, for messages.

    Raises
    ------
    SeveralArrays
        If there are several, and none is named.
    ValueError
        If there is none, or none of that name.
    """
    if dataset is not None:
        return _named(entries, dataset, path)
    numbers = [one for one in entries if one.type != "bool"]  # masks are chosen by name only
    for fewest, most in ((3, 99), (2, 2)):
        fitting = [one for one in numbers if fewest <= len(one.shape) <= most]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise _several(path, kind, [one for one in entries if len(one.shape) >= 2])
    held = f"It holds {listed(entries)}" if entries else "It holds no numbers in arrays"
    raise ValueError(
        f"{path} ({kind}) has no {what} with two axes or more, as a recording has. {held}."
    )


def _several(path: Path, kind: str, entries: Sequence[Entry]) -> SeveralArrays:
    message = (
        f"{path} holds {len(entries)} arrays: {listed(entries)}. Choose one by its name: "
        f"partita.load(path, dataset={entries[0].name!r})."
    )
    return SeveralArrays(message, kind=kind, entries=entries)


def _named(entries: Sequence[Entry], dataset: str, path: Path) -> Entry:
    name = dataset.strip("/")
    for one in entries:
        if one.name.strip("/") == name:
            return one
    ends = [one for one in entries if one.name.rpartition("/")[2] == name]
    if len(ends) == 1:
        return ends[0]
    held = f"It holds: {listed(entries)}" if entries else "It holds no numbers in arrays"
    raise ValueError(f"{path} has no array {dataset!r}. {held}.")
