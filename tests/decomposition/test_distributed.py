"""Fits on a cluster: the same answer as in memory, and again when a worker dies under them."""

import importlib.util
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import psutil
import pytest

import partita as pt
from partita._solvers.matrices import dask_cluster, partition, streamed
from partita.decomposition import out_of_core

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("alone"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Sending large graph:UserWarning"),
]


@pytest.fixture(scope="module")
def recording(signed_fusi):
    return signed_fusi(300, (60, 50), 5)


@pytest.fixture(scope="module")
def eager(recording):
    return pt.NMF(6, random_state=0).fit(recording)


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    monkeypatch.setattr(partition, "PART_BYTES", 1 << 20)  # as many parts as a large one has
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def agrees(model, eager):
    assert model.converged_
    assert model.losses_[-1] == pytest.approx(float(eager.losses_[-1]), rel=1e-4)
    for name in ("maps_", "signals_"):
        pair = [
            getattr(m, name).transpose("component", ...).values.reshape(6, -1)
            for m in (model, eager)
        ]
        assert np.corrcoef(np.concatenate(pair))[:6, 6:].max(1).min() > 0.999


@pytest.mark.parametrize("chunks", [{"time": 40}, {"y": 16, "x": 25}], ids=["time", "place"])
def test_two_processes_give_the_answer_of_memory(client, recording, eager, chunks):
    agrees(pt.NMF(6, random_state=0).fit(recording.chunk(chunks)), eager)


def test_blocks_that_were_persisted_stay_on_the_workers(client, recording, eager):
    held = recording.chunk(time=40).persist()
    distributed.wait(held.data)
    before = client.who_has(distributed.futures_of(held.data))
    agrees(pt.NMF(6, random_state=0).fit(held), eager)
    assert client.who_has(distributed.futures_of(held.data)) == before
    assert len(before) == 8


def test_a_worker_that_is_killed_costs_time_and_nothing_else(client, recording, eager):
    def slowly(block):
        time.sleep(0.02)
        return block

    lazy = recording.chunk(time=40)
    lazy = lazy.copy(data=lazy.data.map_blocks(slowly, dtype=lazy.dtype))
    rng = np.random.default_rng(0)
    for _ in range(3):
        client.wait_for_workers(2)
        pids = list(client.run(lambda: __import__("os").getpid()).values())
        kill = threading.Timer(rng.uniform(0.2, 2.0), _kill, args=(int(rng.choice(pids)),))
        kill.start()
        try:
            model = pt.NMF(6, random_state=0).fit(lazy)
        finally:
            kill.cancel()
        agrees(model, eager)


def test_a_chunk_that_breaks_in_another_process_is_told_at_once(client, recording, tmp_path):
    pytest.importorskip("zarr")
    pt.save(recording, tmp_path / "a.zarr", chunks={"time": 40})
    (chunk,) = tmp_path.glob("a.zarr/*/c/2/0/0/0")
    broken = []

    def break_it(state):
        chunk.write_bytes(chunk.read_bytes()[:100])
        broken.append(time.monotonic())

    with pytest.raises(OSError, match=r"Chunk \(2, 0, 0, 0\) of .*a\.zarr") as caught:
        pt.NMF(3, random_state=0, tol=1e-9).fit(pt.load(tmp_path / "a.zarr"), callback=break_it)
    assert len(broken) == 1
    assert time.monotonic() - broken[0] < sum(range(streamed._ATTEMPTS)) * streamed._PAUSE
    assert caught.value.__cause__ is not None


def test_work_that_the_cluster_has_forgotten_is_sent_again(client, recording, eager, monkeypatch):
    gathered, forgotten = streamed.Stream._gathered, []

    def forgetful(*args, **options):
        if len(forgotten) < 2:
            forgotten.append(args)
            raise CancelledError
        return gathered(*args, **options)

    monkeypatch.setattr(streamed.Stream, "_gathered", forgetful)
    agrees(pt.NMF(6, random_state=0).fit(recording.chunk(time=40)), eager)


def test_what_moves_in_an_iteration_is_what_the_guide_says(tmp_path, monkeypatch):
    path = Path(__file__).parents[2] / "benchmarks" / "scale" / "bytes_moved.py"
    monkeypatch.syspath_prepend(path.parent)
    spec = importlib.util.spec_from_file_location("bytes_moved", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    benchmark.make(tmp_path / "a.nc")
    with benchmark.counting(2) as client:
        for along in ("time", "space"):
            moved, formula = benchmark.measure(client, tmp_path / "a.nc", along, 8)
            np.testing.assert_allclose(moved[:2], formula, rtol=0.3)
            assert moved[2] == 0  # no part goes from worker to worker


def test_workers_with_another_version_are_named_at_the_start(client, recording):
    def pretend():

        dask_cluster.__version__ = "0.0.1"

    client.run(pretend)
    with pytest.raises(RuntimeError, match="another version of Partita"):
        pt.NMF(3).fit(recording.chunk(time=40))


def _kill(pid):
    psutil.Process(pid).kill()
