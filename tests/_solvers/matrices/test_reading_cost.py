"""What a lazy block costs is the least of a few tries, and nothing where all is in memory."""

from __future__ import annotations

import dask.array
import numpy as np

from partita._solvers.matrices import reading_cost


def lazy(reading, computing, clock):
    def read(block_info):
        clock.append(reading)
        return np.ones((2, 3))

    def compute(block):
        clock.append(computing)
        return block

    stored = dask.array.map_blocks(read, chunks=((2, 2), (3,)), dtype=float)
    return stored.map_blocks(compute, dtype=float)


def test_the_cost_of_a_block_is_that_of_reading_and_computing_it(monkeypatch):
    clock = []
    monkeypatch.setattr(reading_cost, "perf_counter", lambda: sum(clock))
    cost = reading_cost.cost_of_a_block(lazy(2.0, 5.0, clock))
    assert cost == (7.0, 2.0)


def test_one_slow_try_is_not_counted(monkeypatch):
    clock, waits = [], iter([500.0])
    monkeypatch.setattr(reading_cost, "perf_counter", lambda: sum(clock))
    block = lazy(2.0, 5.0, clock).map_blocks(
        lambda values: clock.append(next(waits, 0.0)) or values, dtype=float
    )
    assert reading_cost.cost_of_a_block(block) == (7.0, 2.0)


def test_reading_is_never_faster_than_a_fast_store(monkeypatch):
    monkeypatch.setattr(reading_cost, "perf_counter", lambda: 0.0)
    cost = reading_cost.cost_of_a_block(lazy(0.0, 0.0, []))
    assert cost.reading == 2 * 3 * 8 / 2e9


def test_what_is_in_memory_is_not_timed():
    array = dask.array.from_array(np.ones((4, 3)), chunks=(2, 3))
    assert reading_cost.cost_of_a_block(array + 1) is None
