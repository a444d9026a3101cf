"""What a block of a lazy array costs to compute, beside what reading it would."""

from __future__ import annotations

from time import perf_counter
from typing import Any, NamedTuple

import dask.core
import dask.local
import numpy as np

from . import dask_cluster

_FAST_STORE = 2e9  # bytes a second, of a local disk: below it the clock measures overheads
_TIMED = 3  # tries: other load makes the first, or one of them, slow, seldom all


class Cost(NamedTuple):
    """Seconds to compute one block of a lazy array, and to read what it is made of."""

    whole: float
    reading: float


def cost_of_a_block(array: Any) -> Cost | None:
    """Time one block from the middle of a dask array: the least of three, for others load too.

    None where a cluster would compute it, and where nothing is read: what it is made of is in
    memory.
    """
    if dask_cluster.client() is not None:
        return None
    block = array.blocks[tuple(count // 2 for count in array.numblocks)]
    keys = list(dask.core.flatten(block.__dask_keys__()))
    graph = block.__dask_graph__().cull(set(keys))
    needs = graph.get_all_dependencies()
    tasks = dict(graph)
    sources = [key for key, of in needs.items() if not of]
    if all(_is_in_memory(tasks[key]) for key in sources):
        return None
    values = dask.local.get_sync(tasks, sources)
    if not all(isinstance(value, np.ndarray) for value in values):
        sources = [key for key, of in needs.items() if of and of <= set(sources)]
    reading = max(_least_time(tasks, sources), block.nbytes / _FAST_STORE)
    return Cost(_least_time(tasks, keys), reading)


def _is_in_memory(task: Any) -> bool:
    """Tell whether a task of a graph is no task but an array, itself or wrapped by dask."""
    return isinstance(getattr(task, "value", task), np.ndarray)


def _least_time(tasks: dict[Any, Any], keys: list[Any]) -> float:
    seconds = []
    for _ in range(_TIMED):
        clock = perf_counter()
        dask.local.get_sync(tasks, keys)
        seconds.append(perf_counter() - clock)
    return min(seconds)
