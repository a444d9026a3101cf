"""What a forked process makes anew: locks that a thread held, and pools whose threads are gone.

A fork takes along the memory of a process, and of its threads only the one that forks. A lock that
another held stays shut, and what a pool is asked waits for ever. `multiprocessing` forks by default
on Linux before Python 3.14.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn
from weakref import WeakSet


def in_child(make_anew: Callable[[], None]) -> None:
    """Have something made anew in every process that is forked from this one."""
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=make_anew)


class FreshLock:
    """A lock that a forked process finds open, whoever held it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _locks.add(self)

    def make_anew(self) -> None:
        """Open the lock, held by a thread that is no more."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_locks: WeakSet[FreshLock] = WeakSet()


def _open_locks() -> None:
    for lock in list(_locks):
        lock.make_anew()


def _renew_dask() -> None:
    """Give dask new threads; where it worked on a cluster, refuse in words what would wait."""
    threaded: Any = sys.modules.get("dask.threaded")
    if threaded is None:
        return
    threaded.main_thread, threaded.pools_lock = threading.main_thread(), threading.Lock()
    threaded.default_pool = None
    threaded.pools.clear()
    dask = sys.modules["dask"]
    owner = getattr(dask.base.get_scheduler(), "__self__", None)
    if hasattr(owner, "nthreads"):
        dask.config.set(scheduler=_refuse)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(
        "This process was forked from one that works on a dask cluster, and cannot reach it: the "
        "threads that speak to it were left behind. Start processes anew, with "
        "multiprocessing.get_context('spawn'), or connect in each: distributed.Client(address)."
    )


in_child(_open_locks)
in_child(_renew_dask)
