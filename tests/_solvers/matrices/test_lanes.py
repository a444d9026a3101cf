"""Lanes share parts out, each once; a part is read when its step is taken."""

from __future__ import annotations

import dask
import numpy as np
import pytest
from dask.delayed import delayed

from partita._solvers.matrices import lanes
from partita._solvers.matrices.matrix import add


@pytest.mark.parametrize(("n_parts", "most", "threads"), [(10, 4, 3), (10, 2, 8), (1, 9, 9)])
def test_every_part_is_in_one_lane(n_parts, most, threads):
    with dask.config.set(num_workers=threads):
        shared = lanes.shared_out(n_parts, most)
    assert sorted(i for lane in shared for i in lane) == list(range(n_parts))
    assert len(shared) == min(n_parts, most, threads)
    assert max(map(len, shared)) - min(map(len, shared)) <= 1


class Cluster:
    """A cluster of two workers, of which one holds the blocks of some parts."""

    def nthreads(self):
        return {"a": 1, "b": 2}

    def who_has(self, blocks):
        return {}


def test_parts_that_nobody_holds_are_shared_out_over_the_threads_of_a_cluster():
    parts = [lanes.as_recipe(delayed(np.ones)(2)) for _ in range(7)]
    shared = lanes.lanes_on(Cluster(), parts)
    assert sorted(i for lane in shared for i in lane) == list(range(7))
    assert len(shared) == 3


def test_a_part_is_read_when_its_step_is_taken():
    read = []
    part = lanes.as_recipe(delayed(lambda: read.append(1) or np.arange(3.0))())
    assert not read

    def work(X, so_far, common):
        return add(so_far, (X + common,)), X.size

    sums, answers = lanes.take_step((None, []), work, part, 1.0, [], True)
    assert read == [1]
    again, answers = lanes.take_step((sums, answers), work, part, 1.0, [], True)
    assert again is sums  # added to in place
    assert sums[0].tolist() == [2, 4, 6]
    assert answers == [3, 3]


def test_on_a_cluster_a_step_may_be_done_again():
    def work(X, so_far, common):
        return add(so_far, (X,)), None

    before = (np.ones(3),)
    for _ in range(2):
        sums, _ = lanes.take_step((before, []), work, np.ones(3), None, [], False)
        assert sums[0].tolist() == [2, 2, 2]


def test_on_a_cluster_an_error_of_the_work_is_no_loss_of_a_worker():
    def work(X, so_far, common):
        raise OSError("no such chunk")

    with pytest.raises(lanes.StepFailed) as failed:
        lanes.take_step((None, []), work, np.ones(3), None, [], False)
    assert isinstance(failed.value.error, OSError)
    assert not lanes.has_erred([lanes.as_recipe(delayed(np.ones)(2))])
