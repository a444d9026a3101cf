"""The cluster that dask would use: none is made, and one of another version is refused."""

from __future__ import annotations

import dask
import dask.array as da
import pytest

from partita import __version__
from partita._solvers.matrices import dask_cluster


class Cluster:
    """A client whose workers answer what it was made with."""

    def __init__(self, **answers):
        self.answers = answers

    def run(self, function, on_error):
        assert function() == __version__
        return self.answers


def test_without_a_client_there_is_no_cluster():
    assert dask_cluster.client() is None
    assert dask_cluster.dashboard() is None
    assert dask_cluster.futures_of(da.ones(3)) == []


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_a_scheduler_of_this_machine_is_no_cluster(scheduler):
    with dask.config.set(scheduler=scheduler):
        assert dask_cluster.client() is None


def test_workers_of_this_version_are_taken():
    dask_cluster.refuse_other_versions(Cluster(one=__version__, two=__version__))


def test_workers_of_another_version_are_refused():
    with pytest.raises(RuntimeError, match=r"1 of the cluster's workers.*0\.0\.1 at two"):
        dask_cluster.refuse_other_versions(Cluster(one=__version__, two="0.0.1"))


def test_a_worker_without_partita_tells_so_and_one_that_is_lost_has_no_version():
    dask_cluster.refuse_other_versions(Cluster(one=__version__, two=OSError("lost")))
    with pytest.raises(ModuleNotFoundError, match="partita"):
        dask_cluster.refuse_other_versions(Cluster(one=ModuleNotFoundError("no partita")))
