"""Compiling inner loops: on first use, without the interpreter's lock, remembered on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.runtime.nrt import rtsys

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
    cache: FunctionCache = cast(Any, _Cache)(function)
    files: Any = _Files  # of a library without types
    cache._cache_file = files(cache.cache_path, cache._impl.filename_base, _STAMP)
    return cache


class _Cache(FunctionCache):
    """A cache that loads code without what only compiling needs.

    numba first imports all that it can compile, and every extension that is installed: 0.15 s of a
    session in which everything is loaded. Where something is compiled, its compiler sees to that.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code for the types of a call, or None where there is none."""
        runtime, cache = cast(Any, rtsys), cast(Any, self)  # of a library without types
        runtime.initialize(target_context)  # of the memory of arrays, which code refers to
        with cache._guard_against_spurious_io_errors():
            return cache._load_overload(sig, target_context)


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
