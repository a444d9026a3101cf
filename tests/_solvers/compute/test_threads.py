"""Threads share out work without waiting for themselves."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, local
from types import ModuleType

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from partita._solvers.compute import threads
from partita._solvers.compute.threads import Crew, count_threads, single_blas


def blas_threads() -> set[int]:
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


@pytest.fixture
def three_blas_threads():
    """Make BLAS run on three threads, as a user would, whatever the machine has."""
    with threadpool_limits(3, user_api="blas"):
        if blas_threads() != {3}:
            pytest.skip("this BLAS does not take three threads")
        yield


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
    assert not threads._inside_dask_worker()


def test_a_cluster_that_another_thread_is_importing_is_none_yet(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", ModuleType("distributed"))
    assert not threads._inside_dask_worker()


@pytest.mark.usefixtures("three_blas_threads")
def test_blas_has_one_thread_inside_and_its_own_number_again_after() -> None:
    with single_blas():
        assert blas_threads() == {1}
        with single_blas():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {3}


@pytest.mark.usefixtures("three_blas_threads")
@pytest.mark.parametrize("first_to_leave", [0, 1])
@pytest.mark.timeout(20)
def test_overlapping_blocks_of_two_threads_share_one_limit(first_to_leave: int) -> None:
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        pools, blocks = [one, other], [single_blas(), single_blas()]
        for thread, block in zip(pools, blocks, strict=True):
            thread.submit(block.__enter__).result()
        for turn, expected in ((first_to_leave, {1}), (1 - first_to_leave, {3})):
            pools[turn].submit(blocks[turn].__exit__, None, None, None).result()
            assert blas_threads() == expected


@pytest.mark.usefixtures("three_blas_threads")
@pytest.mark.timeout(20)
def test_blocks_of_several_threads_that_overlap_at_random_leave_blas_as_it_was() -> None:
    together = Barrier(4)

    def work(_: int) -> set[int]:
        together.wait()
        seen = set[int]()
        for _ in range(50):
            with single_blas():
                seen |= blas_threads()
        return seen

    with ThreadPoolExecutor(4) as pool:
        assert set().union(*pool.map(work, range(4))) == {1}
    assert blas_threads() == {3}


def test_limits_of_other_threads_can_be_set_after_a_block() -> None:
    """From 3.8 on threadpoolctl lets one thread set the limit, till that thread lets go."""
    with single_blas():
        pass

    def limited() -> set[int]:
        with threadpool_limits(3, "blas"):
            return blas_threads()

    with ThreadPoolExecutor(1) as other:
        assert other.submit(limited).result() == {3}


@pytest.mark.usefixtures("three_blas_threads")
def test_a_block_that_fails_puts_blas_back_too() -> None:
    with pytest.raises(ZeroDivisionError), single_blas():
        raise ZeroDivisionError
    assert blas_threads() == {3}


@pytest.mark.usefixtures("three_blas_threads")
def test_a_block_that_fails_inside_another_leaves_the_other_its_one_thread() -> None:
    with single_blas():
        with pytest.raises(ZeroDivisionError), single_blas():
            raise ZeroDivisionError
        assert blas_threads() == {1}


@pytest.mark.usefixtures("three_blas_threads")
def test_a_limit_set_between_two_fits_is_put_back_by_the_second() -> None:
    with single_blas():
        pass
    with threadpool_limits(2, user_api="blas"):
        with single_blas():
            assert blas_threads() == {1}
        assert blas_threads() == {2}


class PerThread(local):
    """A library whose limit is the thread's, as MKL's is."""

    num_threads = 8

    def set_num_threads(self, number: int) -> None:
        self.num_threads = number


@pytest.mark.timeout(20)
def test_each_thread_gets_its_own_limit_back_where_limits_are_threads(monkeypatch) -> None:
    blas = PerThread()
    libraries = [threads._Library(blas)]
    monkeypatch.setattr(threads, "_libraries", lambda: libraries)
    both = Barrier(2)

    def work(delay: int) -> list[int]:
        with single_blas():
            both.wait()
            with single_blas():
                inside = blas.num_threads
            if delay:
                both.wait()
        if not delay:
            both.wait()
        return [inside, blas.num_threads]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(2))) == [[1, 8], [1, 8]]
