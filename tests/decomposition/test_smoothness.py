"""Smooth signals and maps: nearer a smooth truth, whatever the units, chunks and layout."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import partita as pt
from partita.decomposition import out_of_core


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(0)
    t = np.arange(240.0)
    bumps = np.exp(-((t[:, None] - rng.uniform(0, 240, (2, 1, 6))) ** 2) / (2 * 6**2))
    courses = (bumps * rng.uniform(0.5, 2, (2, 1, 6))).sum(axis=2)
    y, x = np.mgrid[:14, :12]
    maps = np.stack([np.exp(-((y - a) ** 2 + (x - b) ** 2) / 18) for a, b in ((4, 4), (9, 8))])
    signal = np.einsum("kt,kyx->tyx", courses, maps)
    speckle = rng.gamma(0.5, 2.0, signal.shape)
    coords = {
        "time": ("time", 0.4 * t, {"units": "s"}),
        "y": ("y", 0.1 * np.arange(14), {"units": "mm"}),
        "x": ("x", 0.1 * np.arange(12), {"units": "mm"}),
    }
    recording = xr.DataArray(signal * speckle, dims=("time", "y", "x"), coords=coords)
    return recording, courses, maps


def likeness(found, truth):
    a = found / np.linalg.norm(found, axis=1, keepdims=True)
    b = truth / np.linalg.norm(truth, axis=1, keepdims=True)
    return (a @ b.T).max(axis=0).min()


@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_smooth_signals_are_nearer_a_smooth_truth(truth, mode):
    recording, courses, _ = truth
    plain = pt.NMF(2, mode=mode, random_state=0).fit(recording)
    smooth = pt.NMF(2, mode=mode, signals_smoothness=3, random_state=0, max_iter=2000)
    smooth.fit(recording)
    assert smooth.converged_
    before, after = (likeness(m.signals_.values.T, courses) for m in (plain, smooth))
    assert after > before
    assert 1 - after < 0.8 * (1 - before)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_smooth_maps_are_nearer_smooth_footprints(truth, loss):
    recording, _, maps = truth
    flat = maps.reshape(2, -1)
    plain = pt.NMF(2, loss=loss, random_state=0).fit(recording)
    smooth = pt.NMF(2, loss=loss, maps_smoothness=0.5, random_state=0, max_iter=2000)
    smooth.fit(recording)
    assert smooth.converged_
    rough, even = (m.maps_.values.reshape(2, -1) for m in (plain, smooth))
    assert likeness(even, flat) > likeness(rough, flat)


def test_units_of_time_and_of_the_recording_change_nothing(truth):
    recording = truth[0]
    fit = pt.NMF(2, signals_smoothness=5, maps_smoothness=2, random_state=0).fit
    first = fit(recording).signals_
    in_ms = recording.assign_coords(
        time=("time", 1000 * recording.time.values, {"units": "ms"}), x=10 * recording.x.values
    )
    second = fit(1e6 * in_ms).signals_
    np.testing.assert_allclose(second, 1e6 * first, rtol=2e-3, atol=1e-3 * float(1e6 * first.max()))


@pytest.mark.slow
def test_uneven_times_tie_the_near_ones_and_runs_are_not_tied(truth):
    recording = truth[0]
    runs = recording.assign_coords(time=np.tile(recording.time.values[:120], 2))
    halves = pt.NMF(2, signals_smoothness=100, random_state=0, max_iter=3000).fit(runs).signals_
    jump = np.abs(halves[120] - halves[119]).max()
    assert float(np.abs(halves[:120].diff("time")).max()) < float(jump)


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [{"time": 60}, {"y": 7}], ids=["by time", "by place"])
def test_a_streamed_fit_ends_as_one_in_memory(truth, monkeypatch, chunks):
    recording = truth[0]
    model = pt.NMF(2, signals_smoothness=10, random_state=0, tol=1e-4, max_iter=2000)
    whole = model.fit(recording)
    losses, signals = float(whole.losses_[-1]), whole.signals_
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 1)
    streamed = model.fit(recording.chunk(chunks))
    assert float(streamed.losses_[-1]) == pytest.approx(losses, rel=1e-4)
    np.testing.assert_allclose(streamed.signals_, signals, atol=0.02 * float(signals.max()))
    with pytest.raises(ValueError, match=r"maps_smoothness.*recording.compute\(\)"):
        pt.NMF(2, maps_smoothness=1).fit(recording.chunk(chunks))


def test_transform_takes_what_it_is_given_as_one_stretch(truth, tmp_path):
    recording = truth[0]
    model = pt.NMF(2, signals_smoothness=10, maps_l1=0.02, random_state=0, tol=1e-4).fit(recording)
    np.testing.assert_allclose(
        model.transform(recording), model.signals_, atol=1e-3 * float(model.signals_.max())
    )
    pt.save(model, tmp_path / "model.nc")
    again = pt.load_model(tmp_path / "model.nc")
    xr.testing.assert_allclose(again.transform(recording[:90]), model.transform(recording[:90]))


@pytest.mark.parametrize("name", ["signals_smoothness", "maps_smoothness"])
@pytest.mark.parametrize("value", [-1, np.inf, "much", True])
def test_strengths_are_non_negative_numbers(truth, name, value):
    with pytest.raises(ValueError, match=f"{name} is a non-negative number"):
        pt.NMF(2, **{name: value}).fit(truth[0])


def test_sessions_keep_no_neighbours(truth):
    with pytest.raises(ValueError, match="signals_smoothness=1"):
        pt.NMF(2, signals_smoothness=1).fit_sessions([truth[0]])


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["kullback-leibler", 1.5])
def test_new_signals_are_as_smooth_as_those_of_the_fit(truth, loss):
    recording = truth[0]
    smooth = pt.NMF(2, loss=loss, signals_smoothness=30, random_state=0, tol=1e-4, max_iter=3000)
    fitted = smooth.fit(recording).signals_
    apart = abs(smooth.transform(recording) - fitted).max()
    assert apart < 2e-3 * fitted.max()


@pytest.mark.slow
def test_what_has_no_weight_follows_its_neighbours_under_a_divergence(truth):
    recording = truth[0].isel(time=slice(80))
    seen = xr.ones_like(recording.time).where(recording.time < 24, 0)
    smooth = pt.NMF(2, loss=1, signals_smoothness=3, random_state=0, max_iter=2000)
    tail = smooth.fit(recording).transform(recording, weights=seen)[60:]
    np.testing.assert_allclose(tail, np.broadcast_to(tail[0], tail.shape), rtol=0.02)
