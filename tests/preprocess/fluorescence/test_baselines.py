"""Baselines and ΔF/F: true on known traces, whatever the layout, the chunks and the scale."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.ndimage
import xarray as xr

from partita.datasets import simulate_traces
from partita.preprocess import delta_f_over_f, estimate_baseline
from partita.preprocess.fluorescence import held

dask = pytest.importorskip("dask")

ALL = ("minimum", "adaptive", "maximin", "percentile", "median", "mean", "exponential")


def movie(*, dtype: str = "float32", n_times: int = 900, scale: float = 1.0) -> xr.DataArray:
    """Return fluorescence of a few voxels with all the labels a real recording has."""
    truth = simulate_traces(
        n_times=n_times, n_neurons=24, sampling_interval=0.1, snr=8, random_state=4, dtype="f8"
    )
    values = (scale * truth.recording.values).reshape(-1, 2, 3, 4)
    return xr.DataArray(
        values.astype(dtype),
        dims=("time", "z", "y", "x"),
        coords={
            "time": truth.time,
            "y": ("y", 0.1 * np.arange(3), {"units": "mm"}),
            "grid": ((), 0, {"qform_code": 1}),
            "depth": (("y", "x"), np.arange(12.0).reshape(3, 4)),
            "motion": (("time", "y"), np.ones((n_times, 3))),
        },
        attrs={"units": "a.u.", "long_name": "Fluorescence", "history": "load()"},
        name="movie",
    )


def errors(truth: xr.Dataset, **options) -> tuple[float, float]:
    """Return rms and mean error of F0, per cent."""
    error = 100 * (estimate_baseline(truth.recording, **options) / truth.baseline - 1)
    return float(np.sqrt((error**2).mean())), float(error.mean())


def suite2p(recording: xr.DataArray) -> np.ndarray:
    """Return the published maximin baseline: sd 10 frames, 60 s at 30 Hz."""
    smooth = scipy.ndimage.gaussian_filter1d(recording.values, 10, axis=0)
    low = scipy.ndimage.minimum_filter1d(smooth, 1800, axis=0)
    return scipy.ndimage.maximum_filter1d(low, 1800, axis=0)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("snr", [2, 3, 8, 20])
def test_the_default_baseline_is_near_the_truth(snr, rate):
    truth = simulate_traces(snr=snr, event_rate=rate, random_state=77)
    rms, bias = errors(truth)
    assert rms < (2.2 if snr >= 8 else 4.5)
    assert abs(bias) < 3
    theirs = 100 * (suite2p(truth.recording) / truth.baseline - 1)
    assert rms < np.sqrt(float((theirs**2).mean())) + 1


@pytest.mark.parametrize("baseline", ["adaptive", "exponential"])
def test_other_baselines_are_near_the_truth_of_sparse_activity(baseline):
    rms, _ = errors(simulate_traces(snr=8, event_rate=0.1, random_state=5), baseline=baseline)
    assert rms < (1.5 if baseline == "adaptive" else 4)


def test_exponential_is_near_a_baseline_that_only_bleaches():
    truth = simulate_traces(snr=8, drift=0, event_rate=0.3, random_state=6)
    assert errors(truth, baseline="exponential")[0] < 0.8


def test_the_change_is_that_of_the_simulation():
    truth = simulate_traces(snr=20, event_rate=0.2, n_neurons=10, random_state=7)
    found = delta_f_over_f(truth.recording)
    residual = found - truth.change
    assert float(residual.std()) < 0.04  # the noise is 0.025 and a little more where F0 is low
    peaks = truth.change > 0.3
    assert float((residual.where(peaks) / truth.change.where(peaks)).mean()) == pytest.approx(
        0, abs=0.05
    )


@pytest.mark.parametrize("percentile", [8, 50])
def test_percentile_is_the_running_percentile_away_from_the_ends(percentile):
    truth = simulate_traces(n_times=3000, sampling_interval=0.1, n_neurons=6, random_state=8)
    name = "median" if percentile == 50 else "percentile"
    found = estimate_baseline(truth.recording, baseline=name, percentile=percentile)
    theirs = scipy.ndimage.percentile_filter(truth.recording, percentile, size=(301, 1))
    difference = (found - theirs)[200:-200]
    assert float(np.abs(difference).mean()) < 0.01 * 100
    assert float(np.abs(difference.mean())) < 0.002 * 100


@pytest.mark.parametrize("baseline", ["percentile", "median", "mean"])
def test_the_ends_of_a_slope_are_not_bent(baseline):
    rng = np.random.default_rng(9)
    times = np.arange(3000) / 10
    slope = 100 - 0.1 * times
    recording = xr.DataArray(
        slope[:, None] + 0.1 * rng.standard_normal((3000, 20)),
        dims=("time", "neuron"),
        coords={"time": times},
    )
    found = estimate_baseline(recording, baseline=baseline, percentile=50).mean("neuron")
    np.testing.assert_allclose(found, slope, atol=0.1)


@pytest.mark.parametrize("baseline", ["percentile", "median", "mean"])
def test_without_a_window_the_statistic_is_that_of_the_whole_recording(baseline):
    recording = movie(dtype="float64")
    found = estimate_baseline(recording, baseline=baseline, window=None, percentile=20)
    expected = {
        "percentile": recording.quantile(0.2, "time"),
        "median": recording.median("time"),
        "mean": recording.mean("time"),
    }[baseline]
    np.testing.assert_allclose(found, expected.broadcast_like(found).transpose(*found.dims))


@pytest.mark.parametrize("baseline", ["minimum", "adaptive", "maximin", "exponential"])
def test_a_steady_voxel_is_its_own_baseline(baseline):
    recording = movie()[:, :1].copy(data=np.full((900, 1, 3, 4), 7.0, "float32"))
    for window in (30.0, None):
        found = estimate_baseline(recording, baseline=baseline, window=window)
        np.testing.assert_allclose(found, 7, rtol=1e-5)
    np.testing.assert_allclose(delta_f_over_f(recording, baseline=baseline), 0, atol=1e-5)


def test_every_label_is_kept_and_the_units_say_that_this_is_a_ratio():
    recording = movie()
    before = recording.copy(deep=True)
    change, baseline = delta_f_over_f(
        recording, baseline="percentile", window=20, percentile=10, return_baseline=True
    )
    for found in (change, baseline, estimate_baseline(recording)):
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


def test_a_nameless_recording_gets_a_name_for_its_plots():
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
def test_precision_is_kept_and_integers_are_promoted(given, expected):
    recording = movie(dtype=given)
    found = delta_f_over_f(recording)
    assert found.dtype == expected
    assert delta_f_over_f(recording.chunk(time=70)).dtype == expected
    np.testing.assert_allclose(found, delta_f_over_f(recording.astype("float64")), atol=1e-4)


@pytest.mark.parametrize("baseline", ALL)
@pytest.mark.parametrize("contiguous", [True, False])
def test_the_order_of_dimensions_changes_nothing(baseline, contiguous):
    recording = movie()
    expected = delta_f_over_f(recording, baseline=baseline)
    for order in [("y", "x", "z", "time"), ("z", "time", "x", "y")]:
        turned = recording.transpose(*order)
        if contiguous:
            turned = turned.copy(data=np.ascontiguousarray(turned.data))
        found = delta_f_over_f(turned, baseline=baseline)
        assert found.dims == order
        xr.testing.assert_allclose(found.transpose(*recording.dims), expected, rtol=1e-6)


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
def test_chunks_change_nothing_and_stay_as_they_are(baseline, chunks):
    recording = movie()
    lazy = recording.chunk(chunks)
    change, level = delta_f_over_f(lazy, baseline=baseline, return_baseline=True)
    assert change.chunks == level.chunks == lazy.chunks
    expected = delta_f_over_f(recording, baseline=baseline, return_baseline=True)
    xr.testing.assert_allclose(change.compute(), expected[0], rtol=1e-5, atol=1e-6)
    xr.testing.assert_allclose(level.compute(), expected[1], rtol=1e-5)
    assert change.attrs == expected[0].attrs


def counted(lazy: xr.DataArray, reads: list[int]) -> xr.DataArray:
    """Return the same lazy recording, which notes how many values are read."""

    def read(block):
        reads.append(block.size)
        return block

    return lazy.copy(data=lazy.data.map_blocks(read, meta=lazy.data._meta))


@pytest.mark.parametrize("baseline", ["minimum", "percentile"])
def test_a_lazy_recording_is_read_once_when_called_and_once_when_used(baseline):
    recording, reads = movie(), []
    lazy = counted(recording.chunk(time=50), reads)
    with dask.config.set(scheduler="synchronous"):
        change = delta_f_over_f(lazy, baseline=baseline)
        assert sum(reads) == recording.size
        change.compute()
    assert sum(reads) == 2 * recording.size


@pytest.mark.parametrize("baseline", ["minimum", "median"])
def test_what_does_not_fit_is_read_in_several_passes(baseline, monkeypatch):
    recording, reads = movie(), []
    expected = estimate_baseline(recording, baseline=baseline)
    monkeypatch.setattr(held, "BUDGET", 12 * 4 * 160)
    lazy = counted(recording.chunk(time=50), reads)
    with dask.config.set(scheduler="synchronous"):
        found = estimate_baseline(lazy, baseline=baseline)
    assert sum(reads) > recording.size
    xr.testing.assert_allclose(found.compute(), expected)


def noise_in_chunks(n_frames):
    """Return 10 000 frames of 2000 pixels at 100 Hz which exist only while they are looked at."""
    import dask.array as da

    def noise(block_info=None):
        (start, stop), *_ = block_info[None]["array-location"]
        return 5 + np.random.default_rng(start).random((stop - start, 2000), dtype=np.float32)

    chunks = ((n_frames,) * (10_000 // n_frames), (2000,))
    values = da.map_blocks(noise, chunks=chunks, dtype="f4", meta=np.empty((0, 0), "f4"))
    times = np.arange(10_000) / 100
    return xr.DataArray(values, dims=("time", "pixel"), coords={"time": times})


def peak_of_baseline(recording, baseline, *, window):
    """Return the most memory that estimating a baseline takes, in bytes."""
    estimate_baseline(recording[:, :10], baseline=baseline, window=window)
    with dask.config.set(scheduler="synchronous"):
        tracemalloc.start()
        estimate_baseline(recording, baseline=baseline, window=window)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("baseline", ["minimum", "percentile"])
def test_the_baseline_of_a_lazy_recording_holds_only_a_few_blocks(baseline):
    recording = noise_in_chunks(50)
    assert peak_of_baseline(recording, baseline, window=10) < 0.35 * recording.nbytes


def test_chunks_that_make_up_a_fifth_of_a_window_are_not_put_together():
    recording = noise_in_chunks(50)
    fifth = recording[:2000].nbytes
    assert peak_of_baseline(recording, "minimum", window=100) < 1.8 * fifth


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
def test_the_change_does_not_depend_on_the_unit(exponent, baseline):
    scaled = delta_f_over_f(movie(scale=10.0**exponent), baseline=baseline)
    np.testing.assert_allclose(scaled, delta_f_over_f(movie(), baseline=baseline), atol=2e-5)


@pytest.mark.parametrize(
    ("unit", "factor"), [("ms", 1e3), ("min", 1 / 60)], ids=["milliseconds", "minutes"]
)
def test_the_window_is_in_seconds_whatever_the_unit_of_time(unit, factor):
    recording = movie()
    other = recording.assign_coords(time=("time", recording.time.values * factor, {"units": unit}))
    xr.testing.assert_allclose(
        delta_f_over_f(other, window=20).drop_vars("time"),
        delta_f_over_f(recording, window=20).drop_vars("time"),
    )


def test_irregular_samples_of_a_curve_give_its_baseline():
    truth = simulate_traces(snr=8, event_rate=0.2, random_state=10)
    rng = np.random.default_rng(0)
    kept = np.sort(rng.choice(9000, 4000, replace=False))
    kept = kept[(kept < 4000) | (kept > 4900)]  # and a gap of half a minute
    rms, bias = errors(truth.isel(time=kept))
    assert rms < 2.2
    assert abs(bias) < 1


@pytest.mark.parametrize("baseline", ALL)
@pytest.mark.parametrize("chunks", [None, {"time": 40, "y": 2}])
def test_voxels_without_any_value_stay_without(baseline, chunks):
    recording = movie()
    recording[:, 1, 2, 3] = np.nan
    given = recording if chunks is None else recording.chunk(chunks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        change = delta_f_over_f(given, baseline=baseline).compute()
    assert change[:, 1, 2, 3].isnull().all()
    assert int(change.isnull().sum()) == recording.sizes["time"]


@pytest.mark.parametrize("call", [delta_f_over_f, estimate_baseline])
@pytest.mark.parametrize("chunks", [None, {"time": 40, "y": 2}])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_isolated_values_that_are_not_finite_are_counted_and_placed(call, chunks, bad):
    recording = movie()
    recording[:, 0, 0, 0] = np.nan
    recording[520, 1, 2, 2] = bad
    recording[510, 1, 1, 1] = bad
    given = recording if chunks is None else recording.chunk(chunks)
    message = r"2 in 2 of 24 voxels, the first at time 51, z index 1, y 0\.1.*interpolate"
    with pytest.raises(ValueError, match=message):
        call(given)


@pytest.mark.parametrize("chunks", [None, {"time": 100}])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_baseline_that_comes_near_zero_makes_its_voxel_nan(chunks, scale):
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
def test_standardised_recordings_are_answered_with_words(baseline):
    recording = movie(dtype="float64")
    scores = (recording - recording.mean("time")) / recording.std("time")
    with pytest.warns(UserWarning, match="24 of 24 voxels .* raw fluorescence.* not z-scores"):
        change = delta_f_over_f(scores, baseline=baseline)
    assert change.isnull().all()


def test_the_camera_offset_is_taken_from_the_divisor():
    recording = movie(dtype="float64")
    lifted = delta_f_over_f(recording + 400, offset=400)
    np.testing.assert_allclose(lifted, delta_f_over_f(recording), atol=1e-9)
    assert float(delta_f_over_f(recording + 400).max()) < 0.3 * float(lifted.max())


@pytest.mark.parametrize("chunks", [None, {"time": 100}])
def test_rectified_changes_are_the_positive_part(chunks):
    recording = movie() if chunks is None else movie().chunk(chunks)
    change, rise = delta_f_over_f(recording), delta_f_over_f(recording, rectify=True)
    xr.testing.assert_allclose(rise, change.clip(min=0))
    assert (np.signbit(rise.values) == 0).all()


@pytest.mark.parametrize("chunks", [None, {"time": 100}])
@pytest.mark.parametrize("lazy_baseline", [False, True])
def test_a_given_baseline_is_used_as_it_is(chunks, lazy_baseline):
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


def test_a_given_baseline_may_be_an_image_a_course_or_a_number():
    recording = movie(dtype="float64").drop_vars("time")  # whose times are not asked for
    for level in (recording.mean("time"), recording.mean(["z", "y", "x"]), 80.0):
        change = delta_f_over_f(recording, baseline=level)
        xr.testing.assert_allclose(change, (recording - level) / level)


@pytest.mark.parametrize("chunks", [None, {"time": 100}])
def test_a_given_baseline_that_comes_near_zero_makes_its_voxel_nan(chunks):
    recording = movie() if chunks is None else movie().chunk(chunks)
    level = recording.mean("time").compute()
    level[0, 0, 0], level[1, 2, 3] = 0.1, np.nan
    with pytest.warns(UserWarning, match="2 of 24 voxels"):
        change = delta_f_over_f(recording, baseline=level)
    assert int(change.isnull().sum()) == 2 * 900


def test_a_given_baseline_on_another_grid_is_refused():
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


@pytest.mark.parametrize("call", [delta_f_over_f, estimate_baseline])
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"window": 91.0}, r"window of 91 s, longer than the recording, 90 s.*window=None"),
        ({"window": 0.15}, r"at least two samples, 0\.2 s; it was given 0\.15 s"),
        ({"window": -1}, "a window in seconds, above 0"),
        ({"window": "30"}, "a window in seconds, above 0"),
        ({"window": np.nan}, "a window in seconds, above 0"),
        ({"baseline": "lowest"}, "does not know the baseline 'lowest'.*'minimum', 'adaptive'"),
        ({"baseline": "percentile", "percentile": 101}, "between 0 and 100, and was given 101"),
        ({"baseline": "percentile", "percentile": -1}, "between 0 and 100"),
        ({"sample_dim": "frame"}, "sample dimension 'frame'"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, bad, words):
    with pytest.raises(ValueError, match=words):
        call(movie(), **bad)


def test_a_percentile_must_be_a_number():
    with pytest.raises(TypeError, match="percentile to be a number"):
        estimate_baseline(movie(), baseline="percentile", percentile="8")


@pytest.mark.parametrize("offset", [np.inf, "dark", True])
def test_an_offset_must_be_a_number(offset):
    with pytest.raises(ValueError, match="offset to be a finite number"):
        delta_f_over_f(movie(), offset=offset)


def test_windows_as_short_and_as_long_as_can_be_are_accepted():
    for baseline in ALL:
        short = estimate_baseline(movie(n_times=40), baseline=baseline, window=0.2)
        long = estimate_baseline(movie(n_times=40), baseline=baseline, window=4.0)
        two = estimate_baseline(movie(n_times=2), baseline=baseline, window=0.2)
        for found in (short, long, two):
            assert np.isfinite(found).all()
            assert float(found.min()) > 50


def test_times_that_fall_or_repeat_are_refused():
    recording = movie()
    times = recording.time.values.copy()
    times[400:] -= 20
    with pytest.raises(ValueError, match=r"times that increase.*each run"):
        delta_f_over_f(recording.assign_coords(time=times))


def test_a_recording_without_times_is_refused_where_a_window_needs_them():
    with pytest.raises(ValueError, match=r"no coordinate 'time'.*frame_rate"):
        delta_f_over_f(movie().drop_vars("time"))


def test_one_time_point_is_refused():
    with pytest.raises(ValueError, match="at least two samples"):
        delta_f_over_f(movie()[:1])


@pytest.mark.parametrize("bad", [np.zeros((3, 2)), movie().to_dataset(), movie() > 0])
def test_what_is_no_recording_of_numbers_is_refused(bad):
    with pytest.raises(TypeError, match="delta_f_over_f needs"):
        delta_f_over_f(bad)


def test_a_sparse_recording_is_refused():
    sparse = pytest.importorskip("sparse")
    recording = xr.DataArray(sparse.COO(np.eye(40)), dims=("time", "neuron"))
    with pytest.raises(TypeError, match="delta_f_over_f needs a dense recording"):
        delta_f_over_f(recording)


def test_the_sample_dimension_may_have_any_name():
    recording = movie()
    found = delta_f_over_f(recording.rename(time="frame"), sample_dim="frame")
    np.testing.assert_allclose(found, delta_f_over_f(recording))


def test_progress_is_shown_when_asked(capsys):
    delta_f_over_f(movie(), verbose=1)
    assert "24/24" in capsys.readouterr().err
    delta_f_over_f(movie())
    assert capsys.readouterr().err == ""
