"""A TSV or CSV file as columns with the names that its first line gives them."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped,unused-ignore]

from partita._labels.numbers import is_whole

# How tables write what is not known: BIDS, and the programs beside it.
_MISSING = ("", "n/a", "N/A", "nan", "NaN")

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_numbers(path: Path) -> pd.DataFrame:
    """Return a table whose cells are numbers wherever they can be; those that miss are NaN."""
    return _read(path, na_values=list(_MISSING), keep_default_na=False)


def read_words(path: Path) -> pd.DataFrame:
    """Return a table of text, cell by cell as it stands there."""
    return _read(path, dtype=str, keep_default_na=False)


def numbers_of(column: pd.Series) -> pd.Series | None:
    """Return a column of text as numbers, NaN where they miss; None where it holds words."""
    try:
        return pd.to_numeric(column.where(~column.isin(_MISSING)).astype(object))
    except (TypeError, ValueError):
        return None


def line_of(row: int) -> int:
    """Return the line of the file that a row stands in, as editors count them."""
    return row + 2


def _read(path: Path, **options: Any) -> pd.DataFrame:
    text = _decoded(path)
    first, _, rest = text.partition("\n")
    separator = _separator(path, first)
    names = [name.strip() for name in next(csv.reader([first], delimiter=separator))]
    _refuse_names(names, path)
    if not rest.strip():
        raise ValueError(f"{path} has no rows below its first line. Check what wrote it.")
    if separator == ";" and re.search(r"\d,\d", rest):
        options["decimal"] = ","
    try:
        table = pd.read_csv(
            io.StringIO(rest), sep=separator, header=None, skip_blank_lines=False, **options
        )
    except pd.errors.ParserError as error:
        raise ValueError(
            f"{path} has rows of different lengths below its {len(names)} names: {error}. Correct "
            "those rows."
        ) from error
    _refuse_lengths(table, names, rest, separator, path)
    table.columns = names
    return table


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    encoding = "utf-16" if raw.startswith(_UTF16) else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path} is not in UTF-8 (line {line} has the byte {raw[error.start]:#04x}). Save it "
            'as UTF-8; in Python: path.write_text(path.read_text("latin-1"), "utf-8").'
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _separator(path: Path, first: str) -> str:
    """Return what stands between cells: tabs in TSV; commas in CSV, or semicolons."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    return ";" if first.count(";") > first.count(",") else ","


def _refuse_names(names: list[str], path: Path) -> None:
    unnamed = [number for number, name in enumerate(names, 1) if not name]
    if unnamed:
        raise ValueError(
            f"{path} has no name for column {unnamed[0]}. Name it, 'time' where it holds seconds, "
            "or leave it out: pandas writes such a column unless it is told "
            "table.to_csv(path, index=False)."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if _are_numbers(names) and not _count_up(names):
        raise ValueError(
            f"The first line of {path} holds numbers ({', '.join(names[:3])}, ...), and a table "
            "begins with the names of its columns. Write them above it."
        )
    if twice:
        raise ValueError(
            f"{path} has several columns of one name: {', '.join(map(repr, twice))}. Give each a "
            "name of its own."
        )


def _are_numbers(names: list[str]) -> bool:
    return all(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", name) for name in names)


def _count_up(names: list[str]) -> bool:
    """Tell whether columns are merely numbered, 0, 1, 2 or 1, 2, 3, as pandas does."""
    numbers = [int(name) if name.isdigit() else None for name in names]
    first = numbers[0]
    return first in (0, 1) and numbers == list(range(first, first + len(names)))


def _refuse_lengths(
    table: pd.DataFrame, names: list[str], rest: str, separator: str, path: Path
) -> None:
    if table.shape[1] != len(names):
        raise ValueError(
            f"{path} has {len(names)} names in its first line and {table.shape[1]} cells in the "
            f"second ({', '.join(names[:5])}). Is a name missing, or a separator another one than "
            f"{separator!r}?"
        )
    last = table.iloc[:, -1]
    if not (last.isna() | (last == "")).any():
        return
    for row, cells in enumerate(csv.reader(rest.split("\n"), delimiter=separator)):
        if len(cells) < len(names) and cells:
            raise ValueError(
                f"Line {line_of(row)} of {path} has {len(cells)} of {len(names)} cells: the file "
                "may be cut short. Copy it again, or write n/a where a value is not known."
            )


def name_of(label: Any, dim: str) -> str:
    """Return how a label is written above a column: text as it is, numbers behind a word."""
    return f"{dim}_{label}" if is_whole(label) else str(label)
