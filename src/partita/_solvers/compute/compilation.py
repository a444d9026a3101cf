"""Compiling inner loops: on first use, without the interpreter's lock, remembered on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

Function = TypeVar("Function", bound=Callable[..., Any])

_ROOMS = Path(__file__).parents[1]


def compiled(function: Function) -> Function:
    """Compile a function on its first call for each type, and keep the code on disk.

    Sums may be re-associated, so that they run several lanes wide. What is kept holds as long as
    no kernel of the solvers has been edited: the code of those that a kernel calls and the
    constants that it imports from them are part of its own. Where no place is writable (an install
    that is read-only, without a home) the code is compiled in memory instead.
    """
    kernel: Any = njit(nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})(function)
    with contextlib.suppress(RuntimeError):
        kernel._cache = _cache(function)
    return cast(Function, kernel)


def _cache(function: Callable[..., Any]) -> FunctionCache:
    """Return numba's cache of a function, stamped with all kernels instead of its own file."""
    cache = FunctionCache(function)
    files: Any = _Files  # of a library without types
    cache._cache_file = files(cache.cache_path, cache._impl.filename_base, _STAMP)
    return cache


class _Files(IndexDataCacheFile):
    """The files of one function: each type's code under its own name, written before the index.

    numba counts instead, and writes the index first: two processes that compile for two types at
    once would take the same number, and one be given the other's code.
    """

    def save(self, key: Any, data: Any) -> None:
        """Keep the code of one type; on a disk without room it stays in memory alone."""
        digest = sha256(f"{self._source_stamp} {key}".encode()).hexdigest()[:16]
        name = f"{self._index_name.removesuffix('.nbi')}.{digest}.nbc"
        files: Any = self
        with contextlib.suppress(OSError):
            files._save_data(name, data)
            files._save_index(files._load_index() | {key: name})


def _digest(rooms: Path) -> str:
    """Return a digest of all files that hold kernels."""
    digest = sha256()
    for path in sorted(rooms.rglob("*.py")):
        source = path.read_bytes()
        if b"@compiled" in source:
            digest.update(source)
    return digest.hexdigest()


# Taken before any kernel is imported: what is edited later is compiled under a stamp of its own.
_STAMP = _digest(_ROOMS)
