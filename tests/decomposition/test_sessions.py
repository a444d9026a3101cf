"""NMF over sessions: one by one, all together, and what they refuse."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from sklearn.exceptions import ConvergenceWarning

import partita
from partita import NMF
from partita.decomposition import out_of_core
from partita.decomposition.fit_sessions import _Joint

pytestmark = pytest.mark.xdist_group("sessions")


def planted(*, n_times: int, seed: int = 3, shape: tuple[int, int] = (12, 10)) -> xr.Dataset:
    """Return four sparse parts, their signals, and the recording they make with some noise."""
    rng = np.random.default_rng(seed)
    signals = rng.gamma(0.5, 1.0, (n_times, 4)) * [6.0, 5, 4, 3]
    maps = rng.gamma(0.3, 1.0, (4, *shape))
    maps /= np.sqrt((maps**2).sum((1, 2), keepdims=True))
    values = np.tensordot(signals, maps, 1) + 0.1 * rng.random((n_times, *shape))
    coords = {
        "time": np.arange(n_times) * 0.5,
        "y": np.arange(shape[0]) * 0.1,
        "x": np.arange(shape[1]) * 0.1,
    }
    variables = {
        "recording": (("time", "y", "x"), values),
        "maps": (("component", "y", "x"), maps),
        "signals": (("time", "component"), signals),
    }
    return xr.Dataset(variables, coords)


@pytest.fixture(scope="module")
def truth() -> xr.Dataset:
    return planted(n_times=400)


@pytest.fixture(scope="module")
def joined(truth) -> NMF:
    return NMF(4, random_state=0).fit(truth["recording"])


def cut(recording: xr.DataArray, n_sessions: int) -> list[xr.DataArray]:
    """Cut a recording into sessions of equal length."""
    length = recording.sizes["time"] // n_sessions
    return [recording[i * length : (i + 1) * length] for i in range(n_sessions)]


def matched(found: xr.DataArray, true: xr.DataArray) -> float:
    """Return the least correlation of a true map with the found one nearest to it."""
    left, right = (maps.transpose("component", "y", "x").values for maps in (found, true))
    left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
    return float(np.corrcoef(left, right)[: len(left), len(left) :].max(axis=0).min())


def excess(model: NMF, other: NMF) -> float:
    """Return how far the loss of a model lies above another's, relative."""
    return model.reconstruction_err_**2 / other.reconstruction_err_**2 - 1


@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_two_passes_agree_with_the_fit_of_the_joined_recording(truth, joined, mode: str) -> None:
    nmf = NMF(4, mode=mode, random_state=0).fit_sessions(cut(truth["recording"], 8))
    assert excess(nmf, joined) < 1e-3
    assert matched(nmf.maps_, joined.maps_) > 0.99
    assert matched(nmf.maps_, truth["maps"]) > 0.99


def test_more_passes_come_closer_until_the_joint_fit_is_certified(truth, joined) -> None:
    sessions = cut(truth["recording"], 8)
    losses = [
        float(NMF(4, random_state=0, tol=0).fit_sessions(sessions, n_passes=n).losses_[-1])
        for n in (1, 2, 3)
    ]
    assert losses[0] > losses[1] >= losses[2] * (1 - 1e-9)
    nmf = NMF(4, random_state=0, tol=1e-6).fit_sessions(sessions)
    assert nmf.converged_
    assert float(np.hypot(*nmf.optimality_["residual"])) < 1e-6
    assert excess(nmf, joined) < 1e-6


def test_the_certificate_is_that_of_a_fit_of_the_joined_recording(truth) -> None:
    sessions = cut(truth["recording"], 4)
    nmf = NMF(4, random_state=0, tol=0).fit_sessions(sessions, n_passes=1)
    start = xr.Dataset({"maps": nmf.maps_, "signals": nmf.signals_})
    x, maps = truth["recording"].values.reshape(400, -1), nmf.maps_.values.reshape(4, -1)
    signals = start["signals"].values
    gradient = signals.T @ (signals @ maps - x)
    projected = np.where(maps > 0, gradient, np.minimum(gradient, 0))
    metric = np.sqrt((projected**2 / (signals**2).sum(0)[:, None]).sum())
    stated = float(nmf.optimality_["residual"].sel(factor="maps"))
    assert stated == pytest.approx(metric / nmf.reconstruction_err_, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_sessions_are_certified_as_a_fit_of_them_is(truth, dtype) -> None:
    recording = truth["signals"].dot(truth["maps"], dim="component").astype(dtype)
    sessions = cut(recording, 4)
    nmf = NMF(4, random_state=0, tol=5e-3, max_iter=8).fit_sessions(sessions, n_passes=None)
    assert nmf.converged_
    assert float(np.hypot(*nmf.optimality_["residual"])) <= nmf.tol
    assert nmf.reconstruction_err_ < 1e-3 * float(np.sqrt((recording**2).sum()))


@pytest.mark.slow
def test_a_hundred_small_sessions_give_the_parts_back_in_any_order(truth, joined) -> None:
    sessions = cut(truth["recording"], 100)
    forth = NMF(4, random_state=0).fit_sessions(sessions)
    back = NMF(4, random_state=0).fit_sessions(sessions[::-1])
    for nmf in (forth, back):
        assert matched(nmf.maps_, truth["maps"]) > 0.99
        assert excess(nmf, joined) < 1e-3
    assert matched(forth.maps_, back.maps_) > 0.99


def test_a_part_that_only_later_sessions_play_is_found(truth) -> None:
    silent = truth["signals"].copy()
    silent[50:], silent[:, :3] = 0, 0
    recording = (truth["recording"] - silent.dot(truth["maps"], dim="component")).clip(min=0)
    sessions = cut(recording.transpose("time", "y", "x"), 8)
    stream = NMF(4, random_state=0)
    for session in sessions:
        stream.partial_fit(session)
    for nmf in (stream, NMF(4, random_state=0).fit_sessions(sessions)):
        assert matched(nmf.maps_, truth["maps"]) > 0.99


def test_signals_lie_along_time_with_their_session(truth) -> None:
    recording = truth["recording"].assign_coords(trial=("time", np.arange(400) // 10))
    sessions = {f"day {i}": part for i, part in enumerate(cut(recording, 4))}
    nmf = NMF(4, random_state=0).fit_sessions(sessions)
    assert nmf.signals_.dims == ("time", "component")
    assert list(np.unique(nmf.signals_["session"])) == ["day 0", "day 1", "day 2", "day 3"]
    xr.testing.assert_equal(nmf.signals_["trial"].drop_vars("session"), recording["trial"])
    third = nmf.signals_[nmf.signals_["session"] == "day 2"]
    again = nmf.transform(sessions["day 2"])
    np.testing.assert_allclose(third.values, again.values, atol=1e-6)
    rebuilt = nmf.inverse_transform()
    error = float(np.sqrt(((rebuilt - recording) ** 2).sum()))
    assert error == pytest.approx(nmf.reconstruction_err_, rel=1e-6)
    assert nmf.signals_.attrs["long_name"] == "signal"


def test_scalar_coordinates_stay_where_the_sessions_agree(truth) -> None:
    parts = cut(truth["recording"], 2)
    sessions = [p.assign_coords(animal="a", run=i) for i, p in enumerate(parts)]
    nmf = NMF(4, random_state=0).fit_sessions(sessions)
    for result in (nmf.maps_, nmf.signals_):
        assert result["animal"].item() == "a"
        assert "run" not in result.coords


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".nc", ".nii.gz"])
def test_sessions_are_read_from_paths(truth, tmp_path: Path, suffix: str) -> None:
    recording = truth["recording"].astype("float32").expand_dims(z=[0.0], axis=1)
    parts = {f"s{i}": part for i, part in enumerate(cut(recording, 3))}
    paths = {name: tmp_path / f"{name}{suffix}" for name in parts}
    for name, part in parts.items():
        part = part.assign_coords(time=np.arange(part.sizes["time"]) * 0.5)
        partita.save(part, paths[name])
    read = NMF(4, random_state=0).fit_sessions(paths)
    held = NMF(4, random_state=0).fit_sessions(parts)
    assert abs(excess(read, held)) < 1e-4
    squeezed = (read.maps_.isel(z=0), held.maps_.isel(z=0))
    assert matched(*squeezed) > 0.999


@pytest.mark.parametrize("chunks", [{"time": 7}, {"y": 5, "x": 3}])
def test_chunks_dtype_and_order_of_dimensions_change_nothing(truth, chunks) -> None:
    sessions = cut(truth["recording"].astype("float32"), 5)
    plain = NMF(4, random_state=0).fit_sessions(sessions)
    lazy = [part.chunk(chunks).transpose("x", "time", "y") for part in sessions]
    turned = NMF(4, random_state=0).fit_sessions([sessions[0], *lazy[1:]])
    assert turned.maps_.dtype == np.float32
    assert abs(excess(turned, plain)) < 1e-4
    assert matched(turned.maps_, plain.maps_) > 0.999


@pytest.mark.slow
def test_one_session_at_a_time_is_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    maps = rng.gamma(0.3, 1.0, (3, 60, 50)).astype("float32")
    paths = []
    for index in range(12):
        values = np.tensordot(rng.gamma(0.5, 1.0, (200, 3)).astype("float32"), maps, 1)
        coords = {"time": np.arange(200.0), "y": np.arange(60.0), "x": np.arange(50.0)}
        recording = xr.DataArray(values, dims=("time", "y", "x"), coords=coords)
        paths.append(tmp_path / f"{index}.nc")
        partita.save(recording, paths[-1])
    peaks = {count: _peak_of_a_fit(paths[:count]) for count in (2, 12)}
    assert peaks[12] < 1.25 * peaks[2]
    assert peaks[12] < 12 * values.nbytes / 2


def counted(session: xr.DataArray) -> tuple[xr.DataArray, list[None]]:
    """Return a session in five blocks, and a list that grows by one whenever one is read."""
    reads: list[None] = []

    def look(block):
        reads.append(None)
        return block

    chunked = session.chunk(time=session.sizes["time"] // 5)
    data = chunked.data.map_blocks(look, dtype=session.dtype, meta=np.empty((0, 0, 0)))
    return session.copy(data=data), reads


@pytest.mark.parametrize(("n_passes", "times"), [(1, 2), (2, 3), (3, 5)])
def test_each_session_is_read_as_often_as_is_said(truth, monkeypatch, n_passes, times) -> None:
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    sessions, reads = zip(*map(counted, cut(truth["recording"], 4)), strict=True)
    nmf = NMF(4, random_state=0, tol=0).fit_sessions(list(sessions), n_passes=n_passes)
    assert [len(of_one) // 5 for of_one in reads] == [times + 1, times, times, times]
    assert nmf.fit_report_["visits"] == sum(len(of_one) for of_one in reads) / 5


def test_a_session_is_read_once_to_be_folded_in_and_not_kept(truth, monkeypatch) -> None:
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    nmf, kept = NMF(4, random_state=0), []
    for index, session in enumerate(cut(truth["recording"], 4)):
        lazy, reads = counted(session)
        nmf.partial_fit(lazy)
        assert len(reads) == 5
        held = session.copy(deep=True) + index
        kept.append(weakref.ref(held.data))
        nmf.partial_fit(held)
        del held
    gc.collect()
    assert [ref() for ref in kept] == [None] * 4


def test_what_is_kept_of_sessions_is_small_beside_them(truth) -> None:
    first, *others = (counted(session)[0] for session in cut(truth["recording"], 5))
    for _ in range(2):  # the first loads what compiling left
        nmf = NMF(4, random_state=0).partial_fit(first).partial_fit(others[0])
    nmf = NMF(4, random_state=0).partial_fit(first)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for session in others:
        nmf.partial_fit(session)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert kept < 0.3 * sum(session.nbytes for session in others)


def _peak_of_a_fit(paths: list[Path]) -> int:
    tracemalloc.start()
    NMF(3, random_state=0).fit_sessions(paths)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_session_folded_in_keeps_order_and_labels_and_gives_its_own_signals(truth) -> None:
    sessions = cut(truth["recording"], 5)
    named = NMF(4, random_state=0).fit(sessions[0]).maps_.assign_coords(component=list("dbca"))
    nmf = NMF(4, init=named, random_state=0)
    for session in sessions:
        nmf.partial_fit(session)
        assert nmf.maps_["component"].values.tolist() == list("dbca")
        np.testing.assert_array_equal(nmf.signals_["time"], session["time"])
        np.testing.assert_allclose(nmf.transform(session), nmf.signals_, atol=1e-6)
        residual = nmf.inverse_transform() - session
        assert nmf.reconstruction_err_ == pytest.approx(float(np.sqrt((residual**2).sum())))
    assert nmf.n_sessions_ == 5
    assert matched(nmf.maps_, truth["maps"]) > 0.99
    for name in ("optimality_", "losses_", "converged_", "n_iter_"):
        assert not hasattr(nmf, name)
    for component in "abcd":
        near = (nmf.maps_.sel(component=component) * named.sel(component=component)).sum()
        assert float(near) > 0.95


@pytest.mark.slow
def test_a_session_that_comes_again_counts_once(truth) -> None:
    first, second = cut(truth["recording"], 2)
    nmf = NMF(4, random_state=0).partial_fit(first).partial_fit(second)
    for _ in range(30):
        nmf.partial_fit(first).partial_fit(second.transpose("x", "y", "time"))
    assert nmf.n_sessions_ == 2
    both = NMF(4, random_state=0).fit_sessions([first, second], n_passes=None)
    assert matched(nmf.maps_, both.maps_) > 0.9999
    signals = nmf.transform(truth["recording"])
    loss = float(((nmf.inverse_transform(signals) - truth["recording"]) ** 2).sum())
    assert loss == pytest.approx(both.reconstruction_err_**2, rel=1e-3)


def test_partial_fit_goes_on_from_fit_and_from_fit_sessions(truth, joined) -> None:
    old, new = truth["recording"][:300], truth["recording"][300:]
    after_fit = NMF(4, random_state=0).fit(old).partial_fit(new)
    after_all = NMF(4, random_state=0).fit_sessions(cut(old, 3)).partial_fit(new)
    assert (after_fit.n_sessions_, after_all.n_sessions_) == (2, 4)
    for nmf in (after_fit, after_all):
        assert matched(nmf.maps_, joined.maps_) > 0.99
    after_all.partial_fit(old[:100])
    assert after_all.n_sessions_ == 4
    assert not hasattr(after_all.fit(old), "n_sessions_")


def test_fixed_maps_are_held(truth) -> None:
    known = truth["maps"][:2].assign_coords(component=["one", "two"])
    sessions = cut(truth["recording"], 4)
    stream = NMF(4, fixed_maps=known, random_state=0)
    for session in sessions:
        stream.partial_fit(session)
    for nmf in (stream, NMF(4, fixed_maps=known, random_state=0).fit_sessions(sessions)):
        held = nmf.maps_.sel(component=["one", "two"])
        np.testing.assert_allclose(held.values, known.values, atol=1e-6)
        assert matched(nmf.maps_, truth["maps"]) > 0.99


def test_scale_changes_nothing(truth) -> None:
    sessions = cut(truth["recording"].astype("float32"), 4)
    plain = NMF(4, random_state=0).fit_sessions(sessions)
    large = NMF(4, random_state=0).fit_sessions([1e8 * part for part in sessions])
    assert matched(large.maps_, plain.maps_) > 0.999
    assert large.reconstruction_err_ == pytest.approx(1e8 * plain.reconstruction_err_, rel=1e-4)


def test_a_joint_fit_is_saved_and_loaded_whole(truth, tmp_path: Path) -> None:
    sessions = dict(zip("abcd", cut(truth["recording"], 4), strict=True))
    nmf = NMF(4, random_state=0).fit_sessions(sessions)
    partita.save(nmf, tmp_path / "joint.nc")
    loaded = partita.load_model(tmp_path / "joint.nc")
    xr.testing.assert_equal(loaded.maps_, nmf.maps_)
    xr.testing.assert_equal(loaded.signals_, nmf.signals_)
    assert loaded.n_sessions_ == 4
    assert loaded.partial_fit(sessions["a"]).n_sessions_ == 2


def test_the_mask_holds_in_every_session(truth) -> None:
    mask = truth["maps"].max("component") > 0.01
    nmf = NMF(4, mask=mask, random_state=0).fit_sessions(cut(truth["recording"], 4))
    assert bool((nmf.maps_.notnull().all("component") == mask).all())


def test_bad_sessions_are_refused_in_words(truth) -> None:
    first, second = cut(truth["recording"], 2)
    fitted = NMF(4, random_state=0).partial_fit(first)
    maps = fitted.maps_.copy()
    with pytest.raises(ValueError, match="lies on another grid"):
        fitted.partial_fit(second.assign_coords(x=second["x"] + 0.05))
    with pytest.raises(ValueError, match="NaN at all times in this session"):
        fitted.partial_fit(second.where(second["x"] > 0))
    with pytest.raises(ValueError, match="negative"):
        fitted.partial_fit(second - 1)
    with pytest.raises(ValueError, match="session 1"):
        NMF(4, random_state=0).fit_sessions([first, second - 1])
    xr.testing.assert_identical(fitted.maps_, maps)
    assert fitted.n_sessions_ == 1


@pytest.mark.parametrize("parameters", [{"loss": "kullback-leibler"}, {"maps_l1": 0.1}])
def test_what_the_products_do_not_suffice_for_is_refused(truth, parameters) -> None:
    nmf = NMF(4, **parameters)
    with pytest.raises(ValueError, match="suffice for loss='frobenius' without penalties"):
        nmf.partial_fit(truth["recording"])
    with pytest.raises(ValueError, match="suffice for loss='frobenius' without penalties"):
        nmf.fit_sessions([truth["recording"]])


def test_what_is_no_list_of_sessions_is_refused(truth) -> None:
    recording, nmf = truth["recording"], NMF(4)
    for wrong in (recording, "session.nc", iter([recording])):
        with pytest.raises(TypeError, match="takes a list or a mapping"):
            nmf.fit_sessions(wrong)
    with pytest.raises(TypeError, match="one of them is ndarray"):
        nmf.fit_sessions([recording.values])
    with pytest.raises(ValueError, match="was given no sessions"):
        nmf.fit_sessions([])
    for wrong in (0, 1.5, True):
        with pytest.raises(ValueError, match="n_passes is a whole number"):
            nmf.fit_sessions([recording], n_passes=wrong)


def test_a_joint_fit_that_runs_out_of_passes_says_so(truth) -> None:
    nmf = NMF(4, random_state=0, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="NMF.fit_sessions stopped after 1"):
        nmf.fit_sessions(cut(truth["recording"], 8), n_passes=None)


@pytest.mark.parametrize(("at", "sessions"), [(3, 2), (6, 4), (10, 4), (17, 4)])
def test_ctrl_c_keeps_the_best_factors_so_far(truth, monkeypatch, at, sessions) -> None:
    whole = truth["recording"]
    parts, visits = cut(whole, 4), []
    visit = _Joint._visit

    def visited(self, name, *others):
        visits.append(name)
        if len(visits) == at:
            raise KeyboardInterrupt
        return visit(self, name, *others)

    monkeypatch.setattr(_Joint, "_visit", visited)
    model = NMF(4, random_state=0, tol=1e-12, max_iter=50)
    with pytest.raises(KeyboardInterrupt):
        model.fit_sessions(parts, n_passes=3)
    assert not model.converged_
    assert model.n_sessions_ == sessions
    assert len(np.unique(model.signals_["session"])) == sessions
    assert model.signals_.sizes["time"] == sum(part.sizes["time"] for part in parts[:sessions])
    seen = whole[: model.signals_.sizes["time"]]
    rebuilt = model.inverse_transform(model.signals_)
    error = float(np.linalg.norm(seen.values - rebuilt.transpose(*seen.dims).values))
    np.testing.assert_allclose(model.reconstruction_err_, error, rtol=1e-3)
    monkeypatch.undo()
    model.partial_fit(parts[-1])
    assert model.maps_.sizes["component"] == 4


def test_ctrl_c_in_the_fit_of_the_first_session_keeps_its_factors(truth, monkeypatch) -> None:
    first = cut(truth["recording"], 4)[0]
    solved = NMF._solved

    def interrupted(self, *given):
        return solved(self, *given)._replace(interrupted=True)

    monkeypatch.setattr(NMF, "_solved", interrupted)
    model = NMF(4, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit_sessions([first, first])
    assert not model.converged_
    assert model.signals_.sizes["time"] == first.sizes["time"]


@pytest.mark.parametrize(
    "name", ["n_components", "mode", "sample_dim", "mask", "fixed_maps", "init"]
)
def test_parameters_set_between_sessions_are_refused_not_ignored(truth, name) -> None:
    first, second = cut(truth["recording"], 4)[:2]
    model = NMF(3, random_state=0).partial_fit(first)
    values = {
        "n_components": 5, "mode": "spatial", "sample_dim": "t",
        "mask": first.notnull().all("time"), "fixed_maps": model.maps_,
        "init": model.maps_,
    }  # fmt: skip
    before = model.get_params()[name]
    with pytest.raises(ValueError, match=f"{name} changed since"):
        model.set_params(**{name: values[name]}).partial_fit(second)
    model.set_params(**{name: before, "tol": 1e-2})
    assert model.partial_fit(second).n_sessions_ == 2


def test_passes_that_end_above_tol_are_said_to(truth) -> None:
    sessions = cut(truth["recording"], 4)
    with pytest.warns(
        ConvergenceWarning, match=r"fit_sessions stopped after 1 .*Leave n_passes out"
    ):
        NMF(4, random_state=0).fit_sessions(sessions, n_passes=1)
