"""A fit that is killed goes on from its checkpoint to the same end."""

import subprocess
import sys
import time
import warnings

import dask
import numpy as np
import pytest
import xarray as xr

import partita as pt
from partita._solvers.matrices import partition
from partita.decomposition import checkpoints, out_of_core

OPTIONS = {"n_components": 8, "solver": "hals", "tol": 1e-5, "random_state": 0}


@pytest.fixture(autouse=True)
def _every_iteration(monkeypatch):
    monkeypatch.setattr(checkpoints, "_EVERY", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", np.inf)


@pytest.fixture(scope="module")
def recording():
    power = pt.datasets.simulate_fusi(n_times=150, shape=(1, 30, 24), random_state=0)["recording"]
    return pt.preprocess.split_sign(pt.preprocess.zscore(power))


class Killed(Exception):
    """What a callback raises in place of a kill: nothing of the fit goes on after it."""


def kill_at(iteration):
    def callback(state):
        if state.iteration == iteration:
            raise Killed

    return callback


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 7, 30])
@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_the_end_is_the_same_to_the_bit(recording, tmp_path, at, mode):
    whole = pt.NMF(mode=mode, **OPTIONS).fit(recording)
    assert whole.n_iter_ > 30
    path = tmp_path / "fit.nc"
    with pytest.raises(Killed):
        pt.NMF(mode=mode, **OPTIONS).fit(recording, checkpoint=path, callback=kill_at(at))
    assert path.exists()
    resumed = pt.NMF(mode=mode, **OPTIONS).fit(recording, checkpoint=path)
    xr.testing.assert_identical(resumed.maps_, whole.maps_)
    xr.testing.assert_identical(resumed.signals_, whole.signals_)
    np.testing.assert_array_equal(resumed.losses_, whole.losses_)
    assert resumed.n_iter_ == whole.n_iter_
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [{"time": 40}, {"y": 10}], ids=["by time", "by place"])
def test_streamed_fits_resume_as_well(recording, tmp_path, chunks, monkeypatch):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    options = {**OPTIONS, "solver": "auto", "tol": 3e-4}
    lazy = recording.chunk(chunks)
    whole = pt.NMF(**options).fit(lazy)
    path = tmp_path / "fit.nc"
    with pytest.raises(Killed):
        pt.NMF(**options).fit(lazy, checkpoint=path, callback=kill_at(3))
    resumed = pt.NMF(**options).fit(lazy, checkpoint=path)
    xr.testing.assert_identical(resumed.maps_, whole.maps_)
    assert resumed.fit_report_["passes"] < whole.fit_report_["passes"]


@pytest.mark.slow
def test_a_streamed_fit_may_go_on_with_other_threads(recording, tmp_path, monkeypatch):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    monkeypatch.setattr(partition, "PART_BYTES", 0)  # many parts, summed up thread by thread
    options = {**OPTIONS, "solver": "auto", "tol": 3e-4}
    lazy, path = recording.chunk(time=10), tmp_path / "fit.nc"
    with dask.config.set(num_workers=1), pytest.raises(Killed):
        pt.NMF(**options).fit(lazy, checkpoint=path, callback=kill_at(3))
    with dask.config.set(num_workers=3):
        resumed = pt.NMF(**options).fit(lazy, checkpoint=path)
    assert resumed.losses_.sizes["iteration"] > 3
    whole = pt.NMF(**options).fit(lazy)
    np.testing.assert_allclose(resumed.maps_, whole.maps_, atol=1e-4)


@pytest.mark.slow
def test_a_fit_may_go_on_for_more_iterations(recording, tmp_path):
    path = tmp_path / "fit.nc"
    with pytest.raises(Killed):
        pt.NMF(**OPTIONS, max_iter=20).fit(recording, checkpoint=path, callback=kill_at(15))
    longer = pt.NMF(**OPTIONS, max_iter=500).fit(recording, checkpoint=path)
    assert longer.converged_


SCRIPT = """
import sys, time
import partita as pt
from partita.decomposition import out_of_core, checkpoints
checkpoints._EVERY, checkpoints._SHARE, out_of_core.KEPT_BYTES = 0.0, float("inf"), 0
recording = pt.load(sys.argv[1], chunks={"time": 20} if sys.argv[3] == "streamed" else None)
solver, pause = ("auto", 0.2) if sys.argv[3] == "streamed" else ("hals", 0.02)
nmf = pt.NMF(n_components=8, solver=solver, tol=float(sys.argv[4]), random_state=0)
print("ready", flush=True)
nmf.fit(recording, checkpoint=sys.argv[2], callback=lambda state: time.sleep(pause))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["in memory", "streamed"])
def test_a_process_that_is_killed_resumes_to_the_same_end(recording, tmp_path, how, monkeypatch):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    options = dict(OPTIONS)
    if how == "streamed":  # in single precision, which does not come as near as 1e-5
        options |= {"solver": "auto", "tol": 1e-4}
    pt.save(recording, tmp_path / "recording.nc")
    chunks = {"time": 20} if how == "streamed" else None
    stored = pt.load(tmp_path / "recording.nc", chunks=chunks)
    # A process that compiles a kernel runs code that may differ in the last bit from what it keeps
    # for those that come after it: let another process be the first.
    first = str(tmp_path / "recording.nc"), str(tmp_path / "first.nc"), how, str(options["tol"])
    subprocess.run([sys.executable, "-c", SCRIPT, *first], check=True, stdout=subprocess.DEVNULL)
    whole = pt.NMF(**options).fit(stored)
    rng = np.random.default_rng(0)
    for attempt in range(5):
        path = tmp_path / f"{attempt}.nc"
        files = str(tmp_path / "recording.nc"), str(path)
        command = [sys.executable, "-c", SCRIPT, *files, how, str(options["tol"])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
            assert process.stdout.readline() == "ready\n"
            while not path.exists():
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.6))
            process.kill()
        assert path.exists()
        resumed = pt.NMF(**options).fit(stored, checkpoint=path)
        assert resumed.fit_report_["passes"] <= whole.fit_report_["passes"]
        np.testing.assert_allclose(resumed.maps_, whole.maps_, atol=1e-6)
        np.testing.assert_allclose(resumed.signals_, whole.signals_, rtol=1e-5, atol=1e-5)
        assert not path.exists()


def test_the_checkpoint_of_another_fit_is_refused(recording, tmp_path):
    path = tmp_path / "fit.nc"
    with pytest.raises(Killed):
        pt.NMF(**OPTIONS).fit(recording, checkpoint=path, callback=kill_at(3))
    others = {
        "n_components": (pt.NMF(**{**OPTIONS, "n_components": 7}), recording),
        "random_state": (pt.NMF(**{**OPTIONS, "random_state": 1}), recording),
        "coordinates": (pt.NMF(**OPTIONS), recording.assign_coords(y=recording["y"] + 1)),
        "sizes": (pt.NMF(**OPTIONS), recording[:-1]),
        "values": (pt.NMF(**OPTIONS), recording * 2),
        "dtype": (pt.NMF(**OPTIONS), recording.astype(float)),
    }
    for what, (model, other) in others.items():
        with pytest.raises(ValueError, match=f"checkpoint of another fit: .*{what}"):
            model.fit(other, checkpoint=path)
    assert path.exists()


def test_a_file_that_is_no_checkpoint_is_refused_and_kept(recording, tmp_path):
    text = tmp_path / "notes.nc"
    text.write_text("not NetCDF", encoding="utf-8")
    saved = pt.save(recording, tmp_path / "recording.nc")[0]
    for path in (text, saved):
        before = path.read_bytes()
        with pytest.raises(ValueError, match="no checkpoint of Partita"):
            pt.NMF(3).fit(recording, checkpoint=path)
        assert path.read_bytes() == before


def test_an_interruption_leaves_the_checkpoint(recording, tmp_path):
    path = tmp_path / "fit.nc"

    def interrupt(state):
        if state.iteration == 5:
            raise KeyboardInterrupt

    model = pt.NMF(**OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        model.fit(recording, checkpoint=path, callback=interrupt)
    assert path.exists()
    assert not model.converged_


def test_a_full_disk_costs_a_warning_and_the_state_before_stays(recording, tmp_path, monkeypatch):
    path = tmp_path / "fit.nc"
    with pytest.raises(Killed):
        pt.NMF(**OPTIONS).fit(recording, checkpoint=path, callback=kill_at(4))
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("partita.io.stores.full_disk.write_at", full)
    words = r"could not be written .*the one before is whole"
    with pytest.warns(UserWarning, match=words) as seen, pytest.raises(Killed):
        pt.NMF(**OPTIONS).fit(recording, checkpoint=path, callback=kill_at(20))
    assert len(seen) == 1
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_states_are_kept_no_more_often_than_is_cheap(recording, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_EVERY", 3600.0)
    path = tmp_path / "fit.nc"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Killed):
            pt.NMF(**OPTIONS).fit(recording, checkpoint=path, callback=kill_at(10))
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        assert stored["losses"].size == 0


@pytest.mark.parametrize("loss", ["kullback-leibler", 0.5])
def test_other_solvers_refuse_a_checkpoint(recording, tmp_path, loss):
    with pytest.raises(ValueError, match=r"checkpoint= keeps the state of the Frobenius solver"):
        pt.NMF(3, loss=loss).fit(recording, checkpoint=tmp_path / "fit.nc")
    with pytest.raises(ValueError, match="entrywise weights"):
        pt.NMF(3).fit(recording, weights=recording.notnull(), checkpoint=tmp_path / "fit.nc")


FULL = """
import gc, os, resource, sys, warnings
import numpy as np, xarray as xr, partita
from partita.decomposition import checkpoints
checkpoints._EVERY, checkpoints._SHARE = 0.0, 1e9
values = np.random.default_rng(0).random((400, 60, 50)).astype("float32")
recording = xr.DataArray(values, dims=("time", "y", "x"))
partita.NMF(3, max_iter=2, random_state=0).fit(recording)  # compiled kernels are kept on disk
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    model = partita.NMF(3, max_iter=30, random_state=0).fit(recording, checkpoint=sys.argv[1])
gc.collect()
print(*[one.message for one in said], sep="\\n")
print(model.maps_.shape, os.listdir("."))
"""


@pytest.mark.slow
def test_a_fit_lives_on_where_the_disk_of_its_checkpoint_is_full(tmp_path):
    pytest.importorskip("resource")
    ended = subprocess.run(
        [sys.executable, "-c", FULL, "fit.nc"], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("fit.nc could not be written") >= 1
    assert "(3, 60, 50) []" in ended.stdout
