"""Filters: scipy's answer, no shift in time, and refusals before nonsense."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import xarray as xr

from partita import preprocess as pp
from partita.preprocess import bandpass, highpass, lowpass, resample_time
from partita.preprocess.cleaning import filtering


@pytest.mark.parametrize("order", [1, 2, 4, 5])
@pytest.mark.parametrize("kind", ["lowpass", "highpass", "bandpass"])
@pytest.mark.parametrize("chunks", [None, {"time": 13}, {"time": (1, 58, 61)}])
def test_filters_agree_with_scipy(labelled, order, kind, chunks):
    recording = labelled()
    cuts = {"lowcut": 0.02, "highcut": 0.1} if kind == "bandpass" else {"cutoff": 0.05}
    edges = list(cuts.values()) if kind == "bandpass" else cuts["cutoff"]
    sections = scipy.signal.butter(order, edges, kind, fs=0.5, output="sos")
    expected = scipy.signal.sosfiltfilt(sections, recording.values, axis=0)
    given = recording if chunks is None else recording.chunk(chunks)
    np.testing.assert_allclose(getattr(pp, kind)(given, **cuts, order=order), expected, atol=1e-8)


def test_a_very_slow_filter_of_a_long_lazy_recording_agrees_with_scipy():
    rng = np.random.default_rng(0)
    times = 0.1 * np.arange(6000)
    values = 1e4 + rng.standard_normal((6000, 5)).cumsum(axis=0)
    recording = xr.DataArray(values, {"time": times}, ("time", "voxel"))
    sections = scipy.signal.butter(4, 0.003, "highpass", fs=10, output="sos")
    expected = scipy.signal.sosfiltfilt(sections, values, axis=0)
    np.testing.assert_allclose(
        highpass(recording.chunk(time=500), cutoff=0.003), expected, atol=1e-4 * expected.std()
    )


def test_waves_inside_the_band_pass_unshifted_and_others_do_not():
    times = 0.5 * np.arange(1200)
    waves = np.sin(2 * np.pi * np.outer(times, [0.005, 0.05, 0.4]))
    recording = xr.DataArray(waves, {"time": times}, ("time", "voxel"))
    middle = slice(300, 900)
    left = bandpass(recording, lowcut=0.02, highcut=0.1)[middle]
    np.testing.assert_allclose(left[:, 1], waves[middle, 1], atol=0.01)
    assert float(abs(left[:, [0, 2]]).max()) < 0.01
    half = lowpass(recording, cutoff=0.05)[middle, 1]
    np.testing.assert_allclose(half, 0.5 * waves[middle, 1], atol=0.01)


def test_low_and_high_of_one_cutoff_are_half_each_at_it_and_constants_are_kept():
    recording = xr.DataArray(np.full((60, 2), 5.0), {"time": np.arange(60.0)}, ("time", "voxel"))
    for given in (recording, recording.chunk(time=9)):
        np.testing.assert_array_equal(lowpass(given, cutoff=0.1), recording)
        np.testing.assert_array_equal(highpass(given, cutoff=0.1), 0 * recording)


def test_cuts_are_in_hertz_whatever_the_unit_of_time(labelled):
    recording = labelled()
    millis = recording.assign_coords(time=("time", 2000.0 * np.arange(120), {"units": "ms"}))
    np.testing.assert_allclose(
        lowpass(millis, cutoff=0.1), lowpass(recording, cutoff=0.1), atol=1e-9
    )


def test_times_even_to_one_percent_pass_and_others_are_refused_with_the_remedy(labelled):
    recording = labelled()
    rng = np.random.default_rng(0)
    wobble = rng.uniform(-1, 1, 120)
    near = recording.assign_coords(time=2.0 * np.arange(120) + 0.015 * wobble)
    np.testing.assert_allclose(lowpass(near, cutoff=0.1), lowpass(recording, cutoff=0.1), atol=1e-3)
    far = recording.assign_coords(time=2.0 * np.arange(120) + 0.2 * wobble)
    with pytest.raises(ValueError, match=r"lowpass needs even sampling; .*resample_time\(record"):
        lowpass(far, cutoff=0.1)
    gap = recording.isel(time=np.r_[0:60, 61:120])
    with pytest.raises(ValueError, match=r"2 to 4 s apart"):
        lowpass(gap, cutoff=0.1)


def test_uneven_times_are_resampled_on_request(labelled):
    recording = labelled().drop_vars(["motion", "run"])
    wobble = np.random.default_rng(0).uniform(-0.2, 0.2, 120)
    uneven = recording.assign_coords(time=("time", 2.0 * np.arange(120) + wobble))
    step = float(np.median(np.diff(uneven.time)))
    left = lowpass(uneven, cutoff=0.1, irregular="resample")
    expected = lowpass(resample_time(uneven, step=step), cutoff=0.1)
    xr.testing.assert_identical(left, expected)
    same = lowpass(recording, cutoff=0.1, irregular="resample")
    xr.testing.assert_identical(same, lowpass(recording, cutoff=0.1))
    with pytest.raises(ValueError, match="irregular must be 'refuse' or 'resample'"):
        lowpass(uneven, cutoff=0.1, irregular="ignore")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lowcut": 0.01, "highcut": 0.25}, "highcut=0.25 Hz needs more than 0.5 samples a second"),
        ({"lowcut": 0.1, "highcut": 0.05}, "lowcut must be below highcut; given: 0.1 and 0.05"),
        ({"lowcut": 0.1, "highcut": 0.1}, "lowcut must be below highcut"),
        ({"lowcut": 0, "highcut": 0.1}, "lowcut must be a frequency above 0 Hz, and was 0"),
        ({"lowcut": 0.01, "highcut": np.nan}, "highcut must be a frequency above 0 Hz"),
        ({"lowcut": None, "highcut": 0.1}, "lowcut must be a frequency above 0 Hz, and was None"),
        ({"lowcut": 0.01, "highcut": 0.1, "order": 0}, "order must be a whole number above 0"),
        ({"lowcut": 0.01, "highcut": 0.1, "order": 2.5}, "order must be a whole number above 0"),
        ({"lowcut": 0.01, "highcut": 0.1, "order": 10**9}, "needs more than 3000000003 samples"),
        ({"lowcut": 0.004, "highcut": 0.1}, "at least one period, 250 s, and the recording lasts"),
    ],
)
def test_bands_that_cannot_be_are_refused(labelled, given, message):
    with pytest.raises(ValueError, match=message):
        bandpass(labelled(), **given)


def test_recordings_too_short_or_without_times_are_refused(labelled):
    recording = labelled()
    with pytest.raises(ValueError, match="needs more than 15 samples, and was given 15"):
        lowpass(recording[:15], cutoff=0.1)
    lowpass(recording[:16], cutoff=0.1)
    with pytest.raises(ValueError, match="highpass needs the time of every sample"):
        highpass(recording.drop_vars("time"), cutoff=0.1)
    with pytest.raises(ValueError, match="highpass needs times that increase"):
        highpass(recording[::-1], cutoff=0.1)
    with pytest.raises(ValueError, match="at least two samples"):
        highpass(recording[:1], cutoff=0.1)


def test_what_is_cut_along_time_and_exceeds_memory_is_refused_with_the_remedy(
    labelled, monkeypatch
):
    recording = labelled()
    monkeypatch.setattr(filtering, "available_memory", lambda: 2 * recording.nbytes)
    with pytest.raises(ValueError, match=r"'time' into 4 chunks: .* chunks=\{'time': -1, 'y': 8\}"):
        lowpass(recording.chunk(time=30), cutoff=0.1)
    for whole in (recording, recording.chunk(time=-1, y=2)):
        lowpass(whole, cutoff=0.1).compute()
