"""Fits on a cluster whose workers are threads: what was held stays, and what fails is told."""

import time

import dask
import numpy as np
import pytest
import xarray as xr

import partita as pt
from partita._solvers.matrices import partition, streamed
from partita.decomposition import out_of_core

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("alone"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Sending large graph:UserWarning"),
]

N_CHUNKS = 6


@pytest.fixture(scope="module")
def recording(signed_fusi):
    return signed_fusi(150, (30, 24), 4)


@pytest.fixture(scope="module")
def eager(recording):
    return pt.NMF(5, random_state=0).fit(recording)


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    monkeypatch.setattr(partition, "PART_BYTES", 100_000)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def attempts(monkeypatch):
    """Return a list that grows by one with every attempt at a pass."""
    tried, gathered = [], streamed.Stream._gathered

    def counted(*args, **options):
        tried.append(None)
        return gathered(*args, **options)

    monkeypatch.setattr(streamed.Stream, "_gathered", counted)
    return tried


def agrees(model, eager):
    assert model.converged_
    assert model.fit_report_["route"] == "stream"
    assert model.losses_[-1] == pytest.approx(float(eager.losses_[-1]), rel=1e-4)
    for name in ("maps_", "signals_"):
        pair = [
            getattr(m, name).transpose("component", ...).values.reshape(5, -1)
            for m in (model, eager)
        ]
        assert np.corrcoef(np.concatenate(pair))[:5, 5:].max(1).min() > 0.999


def through(recording, function):
    """Return a lazy recording in `N_CHUNKS` blocks that go through a function."""
    lazy = recording.chunk(time=recording.sizes["time"] // N_CHUNKS)
    meta = np.empty((0,) * lazy.ndim, lazy.dtype)
    return lazy.copy(data=lazy.data.map_blocks(function, dtype=lazy.dtype, meta=meta))


def logged(recording, log):
    """Return a lazy recording, each reading of a block of which makes a file one byte longer."""

    def look(block):
        with log.open("a") as file:
            file.write(".")
        return block

    log.touch()
    return through(recording, look)


@pytest.mark.parametrize("chunks", [{"time": 25}, {"y": 8, "x": 12}], ids=["time", "place"])
def test_workers_that_are_threads_give_the_answer_of_memory(client, recording, eager, chunks):
    agrees(pt.NMF(5, random_state=0).fit(recording.chunk(chunks)), eager)


def test_principal_components_are_found_there_too(client, recording):
    lazily, eagerly = (pt.PCA(3).fit(one) for one in (recording.chunk(time=25), recording))
    xr.testing.assert_allclose(lazily.maps_, eagerly.maps_, atol=1e-4)
    xr.testing.assert_allclose(lazily.signals_, eagerly.signals_, atol=1e-2)


@pytest.mark.parametrize("cut", ["time", "place"])
def test_blocks_that_were_persisted_stay_where_they_are_and_are_not_read_again(
    client, recording, eager, tmp_path, cut
):
    log = tmp_path / "reads"
    lazy = logged(recording, log)
    lazy = lazy if cut == "time" else lazy.chunk(time=-1, y=10)
    held = lazy.persist()
    distributed.wait(held.data)
    before = client.who_has(distributed.futures_of(held.data))
    assert len({place for places in before.values() for place in places}) == 2
    agrees(pt.NMF(5, random_state=0).fit(held), eager)
    assert client.who_has(distributed.futures_of(held.data)) == before
    assert log.stat().st_size == N_CHUNKS


def test_a_fit_leaves_nothing_on_the_cluster(client, recording, tmp_path):
    held = recording.chunk(time=25).persist()
    distributed.wait(held.data)
    for one in (held, logged(recording, tmp_path / "reads")):
        pt.NMF(3, random_state=0).fit(one)
    mine = {str(future.key) for future in distributed.futures_of(held)}
    deadline = time.monotonic() + 10
    while keys_on(client) != mine and time.monotonic() < deadline:
        time.sleep(0.01)  # until the scheduler has heard that they are not needed any more
    assert keys_on(client) == mine


def keys_on(client):
    return client.run_on_scheduler(lambda dask_scheduler: set(map(str, dask_scheduler.tasks)))


@pytest.mark.parametrize("kind", [OSError, KeyError, RuntimeError])
def test_an_error_of_the_users_own_function_is_told_at_once(client, recording, attempts, kind):
    def fail(block):
        raise kind("no such thing")

    with pytest.raises(kind, match="no such thing"):
        pt.NMF(3).fit(through(recording, fail))
    assert len(attempts) == 1


def test_blocks_that_could_not_be_persisted_are_told_at_once(client, recording, attempts):
    def fail(block):
        raise OSError("no such chunk")

    held = through(recording, fail).persist()
    distributed.wait(held.data)
    with pytest.raises(OSError, match="no such chunk"):
        pt.NMF(3).fit(held)
    assert len(attempts) == 1


@pytest.mark.parametrize("phase", ["start", "iterations", "certificate"])
def test_a_chunk_that_breaks_is_told_at_once_with_its_name(
    client, recording, attempts, tmp_path, phase
):
    pytest.importorskip("zarr")
    pt.save(recording, tmp_path / "a.zarr", chunks={"time": 25})
    (chunk,) = tmp_path.glob("a.zarr/*/c/2/0/0/0")
    model = pt.NMF(3, random_state=0, tol=1e-9)

    def break_it(state=None):
        chunk.write_bytes(chunk.read_bytes()[:100])
        attempts.clear()
        return phase == "certificate"

    lazy = pt.load(tmp_path / "a.zarr")
    if phase == "start":
        break_it()
    with pytest.raises(OSError, match=r"Chunk \(2, 0, 0, 0\) of .* cannot be read") as caught:
        model.fit(lazy, callback=None if phase == "start" else break_it)
    assert str(chunk) in str(caught.value)
    assert caught.value.__cause__ is not None
    assert len(attempts) == 1
    assert hasattr(model, "maps_") is (phase != "start")


@pytest.mark.parametrize("kind", [OSError, KeyError, RuntimeError])
def test_what_the_cluster_lost_is_sent_again(client, recording, eager, monkeypatch, kind):
    monkeypatch.setattr(streamed, "_PAUSE", 0)
    gathered, lost = streamed.Stream._gathered, []

    def forgetful(*args, **options):
        if len(lost) < 3:
            lost.append(args)
            raise kind("a worker is gone")
        return gathered(*args, **options)

    monkeypatch.setattr(streamed.Stream, "_gathered", forgetful)
    agrees(pt.NMF(5, random_state=0).fit(recording.chunk(time=25)), eager)


def test_a_worker_that_is_lost_before_the_first_pass_is_no_other_version(
    client, recording, eager, monkeypatch
):
    run = client.run

    def lose_one(function, **options):
        answers = run(function, **options)
        return answers | {next(iter(answers)): OSError("Stream is closed")}

    monkeypatch.setattr(client, "run", lose_one)
    agrees(pt.NMF(5, random_state=0).fit(recording.chunk(time=25)), eager)
    monkeypatch.setattr(client, "run", lambda *_, **__: {"there": ModuleNotFoundError("partita")})
    with pytest.raises(ModuleNotFoundError, match="partita"):
        pt.NMF(3).fit(recording.chunk(time=25))


def test_progress_names_the_dashboard(client, recording, capsys, monkeypatch):
    lazy = recording.chunk(time=25)
    monkeypatch.setattr(distributed.Client, "dashboard_link", "")
    pt.NMF(2, max_iter=1, tol=0, verbose=1).fit(lazy)
    assert "cluster" not in capsys.readouterr().err
    link = "http://scheduler:8787/status"
    monkeypatch.setattr(distributed.Client, "dashboard_link", link)
    pt.NMF(2, max_iter=1, tol=0, verbose=1).fit(lazy)
    assert capsys.readouterr().err.count(f"NMF on a cluster: {link}\n") == 1
    pt.NMF(2, max_iter=1, tol=0).fit(lazy)
    with dask.config.set(scheduler="threads"):
        pt.NMF(2, max_iter=1, tol=0, verbose=1).fit(lazy)
    assert link not in capsys.readouterr().err
