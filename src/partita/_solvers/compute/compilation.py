"""Compiling inner loops: on first use, without the interpreter's lock, remembered on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function on its first call for each type, and keep the code on disk.

    Sums may be re-associated, so that they run several lanes wide. Where no place is writable
    (an install that is read-only, without a home) the code is compiled in memory instead.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(**options)(function)  # type: ignore[no-any-return]
