"""Which thread works on which parts of a stream, and how one step of a lane is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.local
import numpy as np
from dask.delayed import Delayed
from dask.optimization import cull

from ..compute.threads import count_threads
from ..compute.types import Array
from . import dask_cluster


def threads_here() -> int:
    """Return how many parts this process works on at a time; 0 where a cluster does."""
    if dask_cluster.client() is not None:
        return 0
    return max(1, dask.config.get("num_workers", None) or count_threads())


def shared_out(n_parts: int, most: int) -> list[list[int]]:
    """Share the parts out over the threads of this process, or over the `most` of them."""
    lanes = min(n_parts, most, threads_here())
    return [list(range(lane, n_parts, lanes)) for lane in range(lanes)]


def lanes_on(cluster: Any, parts: list[Any]) -> list[list[int]]:
    """Share the parts out over the threads of a cluster, each where its blocks are held."""
    threads: dict[str, int] = cluster.nthreads()
    workers = list(threads)
    blocks = [[] if isinstance(part, Recipe) else dask_cluster.futures_of(part) for part in parts]
    places = cluster.who_has([block for some in blocks for block in some])
    homes = [
        next((w for block in some for w in places.get(block.key, ()) if w in threads), None)
        for some in blocks
    ]
    lanes: dict[str, list[list[int]]] = {
        worker: [[] for _ in range(n)] for worker, n in threads.items()
    }
    for i, home in enumerate(homes):
        of_worker = lanes[home or workers[i % len(workers)]]
        min(of_worker, key=len).append(i)
    return [lane for of_worker in lanes.values() for lane in of_worker if lane]


def take_step(
    so_far: tuple[Any, list[Any]],
    work: Callable[..., tuple[Any, Any]],
    part: Any,
    common: Any,
    cut: list[Any],
    local: bool,
) -> tuple[Any, list[Any]]:
    sums, returned = so_far
    if sums is not None and not local:  # on a cluster a step may be done again
        sums = tuple(array.copy() for array in sums)
    try:
        X = part() if isinstance(part, Recipe) else part
        sums, answer = work(X, sums, common, *cut)
    except Exception as error:
        if local:
            raise
        raise StepFailed(error) from error
    return sums, [*returned, answer]


class StepFailed(Exception):
    """An error of a step itself, such as a chunk that cannot be read; no worker has been lost."""

    @property
    def error(self) -> BaseException:
        """The error; itself where a cluster has cut a very long one short."""
        return self.args[0] if isinstance(self.args[0], BaseException) else self


class Recipe:
    """How one part is read and computed, as one task: none is read before its turn."""

    def __init__(self, part: Any) -> None:
        self.key = part.key
        self.graph = cull(dict(part.__dask_graph__()), [part.key])[0]

    def __call__(self) -> Array:
        return np.asarray(dask.local.get_sync(self.graph, self.key))


def as_recipe(part: Any) -> Any:
    """Return the recipe of a part, or the part itself where a cluster holds blocks of it."""
    recipe = Recipe(part)
    held = Delayed(recipe.key, recipe.graph)
    return held if dask_cluster.futures_of(held) else recipe


def has_erred(parts: list[Any]) -> bool:
    """Tell whether a block that a cluster was to hold could not be computed."""
    held = [part for part in parts if not isinstance(part, Recipe)]
    return any(block.status == "error" for part in held for block in dask_cluster.futures_of(part))
