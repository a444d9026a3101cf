"""How many threads there are, and work shared out over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from sys import modules
from threading import local
from typing import TypeVar

import joblib
from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")


Result = TypeVar("Result")


_BLOCK_BYTES = 8 << 20


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
    """Keep BLAS to one thread inside the block, and put its limits back afterwards."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


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


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _inside_dask_worker() -> bool:
    distributed = modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True
