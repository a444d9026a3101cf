"""Other times: what is slow enough survives, what is too fast leaves no alias."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import xarray as xr

from partita.preprocess import resample_time


def waves(times: np.ndarray, *frequencies: float) -> xr.DataArray:
    values = np.sin(2 * np.pi * np.outer(times, frequencies))
    return xr.DataArray(values, {"time": times}, ("time", "voxel"))


def uneven(n_times: int = 500) -> np.ndarray:
    wobble = np.random.default_rng(0).uniform(-0.04, 0.04, n_times)
    return 0.3 * np.arange(n_times) + np.where(np.arange(n_times) > 0, wobble, 0)


def test_uneven_samples_of_a_wave_come_out_even():
    recording = waves(uneven(), 0.1, 0.3)
    left = resample_time(recording, step=0.3)
    np.testing.assert_allclose(np.diff(left["time"]), 0.3, atol=1e-12)
    expected = waves(left["time"].values, 0.1, 0.3)
    np.testing.assert_allclose(left, expected, atol=2e-3)
    line = resample_time(recording, step=0.3, interpolation="linear")
    assert abs(left - expected).max() < 0.1 * abs(line - expected).max()


@pytest.mark.parametrize("given", [{"step": 1.5}, {"rate": 2 / 3}])
def test_what_is_too_fast_for_the_new_rate_leaves_no_alias(given):
    recording = waves(0.3 * np.arange(1000), 0.05, 0.75, 1.4)
    left = resample_time(recording, **given)
    expected = waves(left["time"].values, 0.05)
    np.testing.assert_allclose(left[15:-15, 0], expected[15:-15, 0], atol=3e-3)
    assert float(abs(left[15:-15, 1:]).max()) < 3e-3


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_a_whole_number_of_steps_is_what_scipy_decimates(interpolation):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((400, 6))
    recording = xr.DataArray(values, {"time": 0.5 * np.arange(400)}, ("time", "voxel"))
    expected = scipy.signal.resample_poly(values, 1, 4, axis=0)
    left = resample_time(recording, step=2, interpolation=interpolation)
    np.testing.assert_allclose(left[10:-10], expected[10:-10], atol=1e-9)


@pytest.mark.parametrize("step", [0.1, 0.3, 0.45, 2.0])
def test_lines_and_constants_stay_lines_and_constants(step):
    times = uneven(200)
    recording = xr.DataArray(
        np.column_stack([3 + 2 * times, np.full(200, 7.0)]), {"time": times}, ("time", "voxel")
    )
    left = resample_time(recording, step=step)
    np.testing.assert_allclose(left[:, 0], 3 + 2 * left["time"], atol=1e-9)
    np.testing.assert_allclose(left[:, 1], 7, atol=1e-9)


@pytest.mark.parametrize("step", [0.2, 0.3, 0.7, 3.0])
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("chunk", [25, 333])
def test_chunks_change_nothing(step, interpolation, chunk):
    times = uneven(600)
    rng = np.random.default_rng(0)
    recording = xr.DataArray(rng.standard_normal((600, 3)), {"time": times}, ("time", "voxel"))
    expected = resample_time(recording, step=step, interpolation=interpolation)
    left = resample_time(recording[:, :1].chunk(time=chunk), step=step, interpolation=interpolation)
    np.testing.assert_allclose(left, expected[:, :1], atol=1e-9)


def test_given_times_are_met_and_may_be_uneven():
    recording = waves(0.3 * np.arange(300), 0.1)
    times = np.sort(np.random.default_rng(0).uniform(0, 89, 50))
    left = resample_time(recording, times=times)
    np.testing.assert_array_equal(left["time"], times)
    np.testing.assert_allclose(left, waves(times, 0.1), atol=1e-3)
    same = resample_time(recording, times=recording["time"])
    np.testing.assert_allclose(same, recording, atol=1e-12)
    assert same.attrs["history"] == "resample_time(n_times=300, interpolation='cubic')"


def test_times_keep_their_units_and_kind():
    recording = waves(0.5 * np.arange(100), 0.1)
    expected = resample_time(recording, step=0.25)
    millis = recording.assign_coords(time=("time", 500.0 * np.arange(100), {"units": "ms"}))
    left = resample_time(millis, step=0.25)
    np.testing.assert_allclose(left["time"], 250 * np.arange(199))
    assert left["time"].attrs["units"] == "ms"
    np.testing.assert_allclose(left, expected, atol=1e-9)
    start = np.datetime64("2026-03-01T12:00", "ns")
    spans = (500 * np.arange(100)).astype("timedelta64[ms]")
    for times in (start + spans, spans):
        left = resample_time(recording.assign_coords(time=times), step=0.25)
        assert left["time"].dtype.kind == times.dtype.kind
        assert left["time"].values[1] - left["time"].values[0] == np.timedelta64(250, "ms")
        np.testing.assert_allclose(left, expected, atol=1e-9)
    stamped = recording.assign_coords(time=start + spans)
    np.testing.assert_allclose(
        resample_time(stamped, times=stamped["time"][10:20]), recording[10:20], atol=1e-9
    )


def test_other_coordinates_on_time_go_along(labelled):
    recording = labelled()
    left = resample_time(recording, step=1.0)
    np.testing.assert_allclose(left["motion"][::2], recording["motion"])
    middle = (recording["motion"].values[0] + recording["motion"].values[1]) / 2
    np.testing.assert_allclose(left["motion"][1], middle)
    assert left["run"].dtype == recording["run"].dtype
    assert set(np.unique(left["run"])) == {0, 1}
    assert left["time"].attrs == recording["time"].attrs
    for name in ("x", "y", "z", "grid", "depth"):
        xr.testing.assert_identical(left[name].variable, recording[name].variable)
    assert left.attrs["history"] == "load()\nresample_time(step=1.0, interpolation='cubic')"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "exactly one of rate= .*; given: none"),
        ({"rate": 1, "step": 1}, "exactly one of .* given: rate, step"),
        ({"step": 0}, "step must be a number above 0, and was 0"),
        ({"rate": np.inf}, "rate must be a number above 0, and was inf"),
        ({"step": 1000}, "would leave one sample: the recording spans 238 s"),
        ({"times": [-1.0, 3.0]}, "within the recording, which runs from 0 to 238 s.*-1 to 3 s"),
        ({"times": [3.0, 300.0]}, "times must be a row of times within the recording"),
        ({"times": []}, "Given: none"),
        ({"times": 3.0}, "times must be a row of times .*Given: 0 dimensions"),
        ({"times": [[3.0, 4.0]]}, "times must be a row of times .*Given: 2 dimensions"),
        ({"rate": "fast"}, "rate must be a number above 0, and was 'fast'"),
        ({"times": [3.0, 2.0]}, "resample_time needs times that increase"),
        ({"step": 1, "interpolation": "nearest"}, "interpolation must be 'cubic' or 'linear'"),
    ],
)
def test_times_that_cannot_be_are_refused(labelled, given, message):
    with pytest.raises(ValueError, match=message):
        resample_time(labelled(), **given)


def test_recordings_without_rising_times_or_too_few_are_refused(labelled):
    recording = labelled()
    with pytest.raises(ValueError, match="resample_time needs the time of every sample"):
        resample_time(recording.drop_vars("time"), step=1)
    with pytest.raises(ValueError, match="resample_time needs times that increase"):
        resample_time(recording[::-1], step=1)
    with pytest.raises(ValueError, match="4 samples for interpolation='cubic', and was given 3"):
        resample_time(recording[:3], step=1)
    assert resample_time(recording[:4], step=1).sizes["time"] == 7


@pytest.mark.parametrize(
    ("step", "expected"), [(5.0, [1, 2]), (1.0, [3, 12]), (0.5, [5, 6, 7, 23, 24, 25])]
)
def test_marks_of_single_frames_survive_a_new_rate(step, expected):
    bad = np.isin(np.arange(20), [3, 12])
    recording = xr.DataArray(
        np.arange(40.0).reshape(20, 2),
        {
            "time": np.arange(20.0),
            "censored": ("time", bad),
            "seen": (("voxel", "time"), [bad, ~bad]),
        },
        ("time", "voxel"),
    )
    found = resample_time(recording, step=step, interpolation="linear")
    assert np.flatnonzero(found["censored"]).tolist() == expected
    assert found["censored"].dtype == found["seen"].dtype == bool
    assert np.flatnonzero(found["seen"][0]).tolist() == expected
