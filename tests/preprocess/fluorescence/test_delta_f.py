"""ΔF/F is true on known traces, whatever the layout, the chunks and the scale."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
import xarray as xr

from partita.datasets import simulate_traces
from partita.preprocess import delta_f_over_f, estimate_baseline

dask = pytest.importorskip("dask")

ALL = ("minimum", "adaptive", "maximin", "percentile", "median", "mean", "exponential")


def test_the_change_is_that_of_the_simulation():
    truth = simulate_traces(snr=20, event_rate=0.2, n_neurons=10, random_state=7)
    found = delta_f_over_f(truth.recording)
    residual = found - truth.change
    assert float(residual.std()) < 0.04  # the noise is 0.025 and a little more where F0 is low
    peaks = truth.change > 0.3
    assert float((residual.where(peaks) / truth.change.where(peaks)).mean()) == pytest.approx(
        0, abs=0.05
    )


@pytest.mark.parametrize("baseline", ["minimum", "adaptive", "maximin", "exponential"])
def test_a_steady_voxel_is_its_own_baseline(movie, baseline):
    recording = movie()[:, :1].copy(data=np.full((900, 1, 3, 4), 7.0, "float32"))
    for window in (30.0, None):
        found = estimate_baseline(recording, baseline=baseline, window=window)
        np.testing.assert_allclose(found, 7, rtol=1e-5)
    np.testing.assert_allclose(delta_f_over_f(recording, baseline=baseline), 0, atol=1e-5)


def test_every_label_is_kept_and_the_units_say_that_this_is_a_ratio(movie):
    recording = movie()
    before = recording.copy(deep=True)
    change, baseline = delta_f_over_f(
        recording, baseline="percentile", window=20, percentile=10, return_baseline=True
    )
    for found in (change.drop_vars("background"), baseline, estimate_baseline(recording)):
        xr.testing.assert_identical(found.coords.to_dataset(), recording.coords.to_dataset())
        assert (found.dims, found.name, found.dtype) == (recording.dims, "movie", "float32")
    line = (
        "delta_f_over_f(baseline='percentile', window=20, percentile=10, offset=0.0, rectify=False)"
    )
    assert change.attrs == {
        "units": "1",
        "long_name": "Fluorescence (ΔF/F)",
        "history": f"load()\n{line}",
    }
    assert baseline.attrs["units"] == "a.u."
    assert baseline.attrs["long_name"] == "Fluorescence (baseline)"
    assert estimate_baseline(recording).attrs["history"] == (
        "load()\nestimate_baseline(baseline='minimum', window=30.0)"
    )
    xr.testing.assert_identical(recording, before)


def test_a_nameless_recording_gets_a_name_for_its_plots(movie):
    assert delta_f_over_f(movie().drop_attrs()).attrs["long_name"] == "ΔF/F"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("float32", "float32"),
        ("float64", "float64"),
        ("int16", "float32"),
        ("uint8", "float32"),
        ("int32", "float64"),
    ],
)
def test_precision_is_kept_and_integers_are_promoted(movie, given, expected):
    recording = movie(dtype=given)
    found = delta_f_over_f(recording)
    assert found.dtype == expected
    assert delta_f_over_f(recording.chunk(time=70)).dtype == expected
    np.testing.assert_allclose(found, delta_f_over_f(recording.astype("float64")), atol=1e-4)


@pytest.mark.parametrize("baseline", ALL)
@pytest.mark.parametrize("contiguous", [True, False])
def test_the_order_of_dimensions_changes_nothing(movie, baseline, contiguous):
    recording = movie()
    expected = delta_f_over_f(recording, baseline=baseline)
    for order in [("y", "x", "z", "time"), ("z", "time", "x", "y")]:
        turned = recording.transpose(*order)
        if contiguous:
            turned = turned.copy(data=np.ascontiguousarray(turned.data))
        found = delta_f_over_f(turned, baseline=baseline)
        assert found.dims == order
        xr.testing.assert_allclose(found.transpose(*recording.dims), expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("baseline", ALL)
@pytest.mark.parametrize(
    "chunks",
    [
        {"time": 7},
        {"time": 170},
        {"time": -1, "y": 2},
        {"time": (5, 800, 95), "z": 1, "y": 2, "x": (1, 3)},
    ],
)
def test_chunks_change_nothing_and_stay_as_they_are(movie, baseline, chunks):
    recording = movie()
    lazy = recording.chunk(chunks)
    change, level = delta_f_over_f(lazy, baseline=baseline, return_baseline=True)
    assert change.chunks == level.chunks == lazy.chunks
    expected = delta_f_over_f(recording, baseline=baseline, return_baseline=True)
    xr.testing.assert_allclose(change.compute(), expected[0], rtol=1e-5, atol=1e-6)
    xr.testing.assert_allclose(level.compute(), expected[1], rtol=1e-5)
    assert change.attrs == expected[0].attrs


@pytest.mark.parametrize("baseline", ["minimum", "percentile"])
def test_a_lazy_recording_is_read_once_when_called_and_once_when_used(movie, counted, baseline):
    recording = movie()
    lazy, reads = counted(recording.chunk(time=50))
    with dask.config.set(scheduler="synchronous"):
        change = delta_f_over_f(lazy, baseline=baseline)
        assert sum(reads) == recording.size
        change.compute()
    assert sum(reads) == 2 * recording.size


def test_the_eager_path_makes_no_second_copy():
    rng = np.random.default_rng(0)
    recording = xr.DataArray(
        5 + rng.random((2000, 5000), dtype=np.float32),
        dims=("time", "pixel"),
        coords={"time": np.arange(2000) / 10},
    )
    delta_f_over_f(recording[:, :10])
    for given in (recording, recording.transpose()):
        tracemalloc.start()
        delta_f_over_f(given)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.5 * recording.nbytes


@pytest.mark.parametrize("exponent", [-9, 9])
@pytest.mark.parametrize("baseline", ALL)
def test_the_change_does_not_depend_on_the_unit(movie, exponent, baseline):
    scaled = delta_f_over_f(movie(scale=10.0**exponent), baseline=baseline)
    np.testing.assert_allclose(scaled, delta_f_over_f(movie(), baseline=baseline), atol=2e-5)


@pytest.mark.parametrize(
    ("unit", "factor"), [("ms", 1e3), ("min", 1 / 60)], ids=["milliseconds", "minutes"]
)
def test_the_window_is_in_seconds_whatever_the_unit_of_time(movie, unit, factor):
    recording = movie()
    other = recording.assign_coords(time=("time", recording.time.values * factor, {"units": unit}))
    xr.testing.assert_allclose(
        delta_f_over_f(other, window=20).drop_vars("time"),
        delta_f_over_f(recording, window=20).drop_vars("time"),
    )


@pytest.mark.parametrize("baseline", ALL)
@pytest.mark.parametrize("chunks", [None, {"time": 40, "y": 2}])
def test_voxels_without_any_value_stay_without(movie, baseline, chunks):
    recording = movie()
    recording[:, 1, 2, 3] = np.nan
    given = recording if chunks is None else recording.chunk(chunks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        change = delta_f_over_f(given, baseline=baseline).compute()
    assert change[:, 1, 2, 3].isnull().all()
    assert int(change.isnull().sum()) == recording.sizes["time"]


@pytest.mark.parametrize("chunks", [None, {"time": 100}])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_baseline_that_comes_near_zero_makes_its_voxel_nan(movie, chunks, scale):
    recording = movie(scale=scale)
    recording[:, 0, 0, 0] = 0
    recording[:, 0, 0, 1] = scale * np.linspace(100, 0, 900)
    recording[:, 0, 0, 2] = scale * 1e-3 * np.random.default_rng(0).standard_normal(900)
    recording[:, 0, 0, 3] *= 1e-6  # dim and sound
    given = recording if chunks is None else recording.chunk(chunks)
    with pytest.warns(UserWarning, match="of 3 of 24 voxels comes near zero.*raw fluorescence"):
        change, baseline = delta_f_over_f(given, return_baseline=True)
    change = change.compute()
    assert change[:, 0, 0, :3].isnull().all()
    assert baseline[:, 0, 0, :3].isnull().all()
    assert int(change.isnull().sum()) == 3 * 900
    assert float(np.abs(change).max()) < 10


@pytest.mark.parametrize("baseline", ALL)
def test_standardised_recordings_are_answered_with_words(movie, baseline):
    recording = movie(dtype="float64")
    scores = (recording - recording.mean("time")) / recording.std("time")
    with pytest.warns(UserWarning, match="24 of 24 voxels .* raw fluorescence.* not z-scores"):
        change = delta_f_over_f(scores, baseline=baseline)
    assert change.isnull().all()


def test_the_camera_offset_is_taken_from_the_divisor(movie):
    recording = movie(dtype="float64")
    lifted = delta_f_over_f(recording + 400, offset=400)
    np.testing.assert_allclose(lifted, delta_f_over_f(recording), atol=1e-9)
    assert float(delta_f_over_f(recording + 400).max()) < 0.3 * float(lifted.max())


@pytest.mark.parametrize("chunks", [None, {"time": 100}])
def test_rectified_changes_are_the_positive_part(movie, chunks):
    recording = movie() if chunks is None else movie().chunk(chunks)
    change, rise = delta_f_over_f(recording), delta_f_over_f(recording, rectify=True)
    xr.testing.assert_allclose(rise, change.clip(min=0))
    assert (np.signbit(rise.values) == 0).all()


@pytest.mark.parametrize("chunks", [None, {"time": 100}])
@pytest.mark.parametrize("lazy_baseline", [False, True])
def test_a_given_baseline_is_used_as_it_is(movie, chunks, lazy_baseline):
    recording = movie(dtype="float64")
    expected, level = delta_f_over_f(recording, offset=3, rectify=True, return_baseline=True)
    level = level.transpose("x", "time", "y", "z")
    given = recording if chunks is None else recording.chunk(chunks)
    change, used = delta_f_over_f(
        given,
        baseline=level.chunk(time=333) if lazy_baseline else level,
        offset=3,
        rectify=True,
        return_baseline=True,
    )
    assert change.chunks == given.chunks
    xr.testing.assert_allclose(change.compute(), expected)
    xr.testing.assert_allclose(used.compute(), level.transpose(*recording.dims))
    assert "delta_f_over_f(baseline='given', offset=3.0" in change.attrs["history"]


def test_a_given_baseline_may_be_an_image_a_course_or_a_number(movie):
    recording = movie(dtype="float64").drop_vars("time")  # whose times are not asked for
    for level in (recording.mean("time"), recording.mean(["z", "y", "x"]), 80.0):
        change = delta_f_over_f(recording, baseline=level)
        xr.testing.assert_allclose(change.drop_vars("background"), (recording - level) / level)


@pytest.mark.parametrize("chunks", [None, {"time": 100}])
def test_a_given_baseline_that_comes_near_zero_makes_its_voxel_nan(movie, chunks):
    recording = movie() if chunks is None else movie().chunk(chunks)
    level = recording.mean("time").compute()
    level[0, 0, 0], level[1, 2, 3] = 0.1, np.nan
    with pytest.warns(UserWarning, match="2 of 24 voxels"):
        change = delta_f_over_f(recording, baseline=level)
    assert int(change.isnull().sum()) == 2 * 900


def test_a_given_baseline_on_another_grid_is_refused(movie):
    recording = movie()
    level = estimate_baseline(recording)
    with pytest.raises(ValueError, match="800 places along 'time', and the recording 900"):
        delta_f_over_f(recording, baseline=level[:800])
    moved = level.assign_coords(y=level.y + 0.05)
    with pytest.raises(ValueError, match=r"another grid: its 'y' begins at 0\.05"):
        delta_f_over_f(recording, baseline=moved)
    with pytest.raises(ValueError, match=r"dimensions \['plane'\], which the recording lacks"):
        delta_f_over_f(recording, baseline=level.expand_dims("plane"))
    with pytest.raises(TypeError, match="baseline by name, as a number, or as a DataArray"):
        delta_f_over_f(recording, baseline=level.values)
    with pytest.raises(TypeError, match="real numbers"):
        delta_f_over_f(recording, baseline=level > 0)


@pytest.mark.parametrize("offset", [np.inf, "dark", True])
def test_an_offset_must_be_a_number(movie, offset):
    with pytest.raises(ValueError, match="offset to be a finite number"):
        delta_f_over_f(movie(), offset=offset)


def test_times_that_fall_or_repeat_are_refused(movie):
    recording = movie()
    times = recording.time.values.copy()
    times[400:] -= 20
    with pytest.raises(ValueError, match=r"times that increase.*each run"):
        delta_f_over_f(recording.assign_coords(time=times))


def test_a_recording_without_times_is_refused_where_a_window_needs_them(movie):
    with pytest.raises(ValueError, match=r"no coordinate 'time'.*frame_rate"):
        delta_f_over_f(movie().drop_vars("time"))


def test_one_time_point_is_refused(movie):
    with pytest.raises(ValueError, match="at least two samples"):
        delta_f_over_f(movie()[:1])


@pytest.mark.parametrize("wrong", [np.asarray, xr.DataArray.to_dataset, lambda x: x > 0])
def test_what_is_no_recording_of_numbers_is_refused(movie, wrong):
    with pytest.raises(TypeError, match="delta_f_over_f needs"):
        delta_f_over_f(wrong(movie()))


def test_a_sparse_recording_is_refused():
    sparse = pytest.importorskip("sparse")
    recording = xr.DataArray(sparse.COO(np.eye(40)), dims=("time", "neuron"))
    with pytest.raises(TypeError, match="delta_f_over_f needs a dense recording"):
        delta_f_over_f(recording)


def test_the_sample_dimension_may_have_any_name(movie):
    recording = movie()
    found = delta_f_over_f(recording.rename(time="frame"), sample_dim="frame")
    np.testing.assert_allclose(found, delta_f_over_f(recording))


def test_progress_is_shown_when_asked(movie, capsys):
    delta_f_over_f(movie(), verbose=1)
    assert "24/24" in capsys.readouterr().err
    delta_f_over_f(movie())
    assert capsys.readouterr().err == ""
