"""Threads share out work without waiting for themselves."""

from __future__ import annotations

import pytest

from partita._solvers.compute.threads import Crew, count_threads


def test_answers_come_in_the_order_of_the_items() -> None:
    with Crew(2) as crew:
        assert crew.map(lambda item: item * 2, range(20)) == [2 * item for item in range(20)]


@pytest.mark.timeout(20)
def test_work_that_shares_out_work_ends() -> None:
    with Crew(2) as crew:
        nested = crew.map(lambda item: sum(crew.map(lambda part: part, [item, item])), range(8))
    assert nested == [2 * item for item in range(8)]


def test_an_error_in_one_item_reaches_the_caller() -> None:
    with Crew(2) as crew, pytest.raises(ZeroDivisionError):
        crew.map(lambda item: 1 / item, [1, 0, 2])


def test_the_environment_bounds_the_threads(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert count_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "nonsense")
    assert count_threads() >= 1
