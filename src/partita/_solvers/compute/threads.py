"""How many threads there are, and work shared out over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from sys import modules
from threading import get_ident, local
from typing import TypeVar

import joblib
from threadpoolctl import LibController, ThreadpoolController

from .forks import FreshLock, in_child

Item = TypeVar("Item")
Result = TypeVar("Result")

_BLOCK_BYTES = 8 << 20  # of items a block: milliseconds of work, handed over in microseconds


def count_threads() -> int:
    """Return how many threads a solver may use.

    As many as the process may use by its affinity and control group, at most ``OMP_NUM_THREADS``
    where that is set, and one inside a dask worker, which has its own.
    """
    if _inside_dask_worker():
        return 1
    available: int = joblib.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(available, int(limit))) if limit.isdigit() else available


@contextmanager
def single_blas() -> Iterator[None]:
    """Keep BLAS to one thread inside the block, and put its limits back afterwards.

    Blocks in several threads may overlap in any order: BLAS has one thread as long as any of them
    lasts, and after the last as many as before the first.
    """
    limits = _enter_libraries()
    try:
        yield
    finally:
        _leave_libraries(limits)


class _Limit:
    """One thread set for a library: by whom, how many it had before, how many blocks rely on it."""

    def __init__(self, before: int) -> None:
        self.thread, self.before, self.blocks = get_ident(), before, 0


class _Library:
    """A BLAS library and the limits that are set for it.

    The limit of most is the process's: a block in a second thread finds one thread set, and relies
    on the limit of the first. Where the limit is the thread's, each finds and puts back its own.
    """

    def __init__(self, controller: LibController) -> None:
        self._controller, self._limits = controller, list[_Limit]()

    def enter(self) -> _Limit:
        found = self._controller.num_threads
        if found != 1 or not self._limits:
            self._limits.append(_Limit(found))
            self._set(1)
        own = [limit for limit in self._limits if limit.thread == get_ident()]
        limit = (own or self._limits)[-1]
        limit.blocks += 1
        return limit

    def leave(self, limit: _Limit) -> None:
        limit.blocks -= 1
        if limit.blocks == 0:
            self._limits.remove(limit)
            self._set(limit.before)

    def _set(self, number: int) -> None:
        # From 3.8 on threadpoolctl lets one thread set the limit, and ignores others in silence.
        release = getattr(self._controller, "clear_controlling_thread", lambda force: None)
        release(force=True)
        self._controller.set_num_threads(number)
        release(force=True)


_blas_lock = FreshLock()


@lru_cache(maxsize=1)
def _libraries() -> list[_Library]:
    blas = ThreadpoolController().select(user_api="blas")
    return [_Library(controller) for controller in blas.lib_controllers]


in_child(_libraries.cache_clear)


def _enter_libraries() -> list[_Limit]:
    with _blas_lock:
        return [library.enter() for library in _libraries()]


def _leave_libraries(limits: list[_Limit]) -> None:
    with _blas_lock:
        for library, limit in zip(_libraries(), limits, strict=True):
            library.leave(limit)


_here = local()


def _mark_worker() -> None:
    _here.is_worker = True


class Crew:
    """Threads that share out blocks of work; results come back in the order of the blocks.

    What a thread of a crew shares out itself it does alone: waiting for the others would be
    waiting for itself.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = count_threads() if threads is None else threads
        self._pool = (
            ThreadPoolExecutor(self.threads, initializer=_mark_worker) if self.threads > 1 else None
        )

    def cut(self, count: int, item_bytes: int) -> list[slice]:
        """Cut `count` items into blocks: two or more a thread, at most 16 items and 8 MiB each."""
        most = min(16, _BLOCK_BYTES // max(1, item_bytes), -(-count // (2 * self.threads)))
        step = max(1, most)
        return [slice(start, start + step) for start in range(0, count, step)]

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Apply `work` to every item, several at a time; the answers in the order of `items`."""
        inside = getattr(_here, "is_worker", False)
        if self._pool is None or inside or len(items) < 2:
            return [work(item) for item in items]
        tasks = [self._pool.submit(work, item) for item in items]
        try:
            return [task.result() for task in tasks]
        except BaseException:
            for task in tasks:
                task.cancel()
            wait(tasks)
            raise

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _inside_dask_worker() -> bool:
    # Another thread may be importing it just now: half of it is there, and no worker yet.
    get_worker = getattr(modules.get("distributed"), "get_worker", None)
    if get_worker is None:
        return False
    try:
        get_worker()
    except ValueError:
        return False
    return True
