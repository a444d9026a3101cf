"""F0 is near the truth on known traces, and bounded in memory, whatever the chunks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.ndimage
import xarray as xr

from partita.datasets import simulate_traces
from partita.preprocess import delta_f_over_f, estimate_baseline
from partita.preprocess.fluorescence import f0_at_knots

dask = pytest.importorskip("dask")

ALL = ("minimum", "adaptive", "maximin", "percentile", "median", "mean", "exponential")


def errors(truth: xr.Dataset, **options) -> tuple[float, float]:
    """Return rms and mean error of F0, per cent."""
    error = 100 * (estimate_baseline(truth.recording, **options) / truth.baseline - 1)
    return float(np.sqrt((error**2).mean())), float(error.mean())


def suite2p(recording: xr.DataArray) -> np.ndarray:
    """Return the published maximin baseline: sd 10 frames, 60 s at 30 Hz."""
    smooth = scipy.ndimage.gaussian_filter1d(recording.values, 10, axis=0)
    low = scipy.ndimage.minimum_filter1d(smooth, 1800, axis=0)
    return scipy.ndimage.maximum_filter1d(low, 1800, axis=0)


@pytest.mark.slow
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
def test_without_a_window_the_statistic_is_that_of_the_whole_recording(movie, baseline):
    recording = movie(dtype="float64")
    found = estimate_baseline(recording, baseline=baseline, window=None, percentile=20)
    expected = {
        "percentile": recording.quantile(0.2, "time"),
        "median": recording.median("time"),
        "mean": recording.mean("time"),
    }[baseline]
    np.testing.assert_allclose(found, expected.broadcast_like(found).transpose(*found.dims))


@pytest.mark.parametrize("baseline", ["minimum", "median"])
def test_what_does_not_fit_is_read_in_several_passes(movie, counted, baseline, monkeypatch):
    recording = movie()
    expected = estimate_baseline(recording, baseline=baseline)
    monkeypatch.setattr(f0_at_knots, "BUDGET", 8 * 160)
    lazy, reads = counted(recording.chunk(time=50))
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
@pytest.mark.slow
def test_the_baseline_of_a_lazy_recording_holds_only_a_few_blocks(baseline):
    recording = noise_in_chunks(50)
    assert peak_of_baseline(recording, baseline, window=10) < 0.35 * recording.nbytes


def test_chunks_that_make_up_a_fifth_of_a_window_are_not_put_together():
    recording = noise_in_chunks(50)
    fifth = recording[:2000].nbytes
    assert peak_of_baseline(recording, "minimum", window=100) < 1.8 * fifth


def test_irregular_samples_of_a_curve_give_its_baseline():
    truth = simulate_traces(snr=8, event_rate=0.2, random_state=10)
    rng = np.random.default_rng(0)
    kept = np.sort(rng.choice(9000, 4000, replace=False))
    kept = kept[(kept < 4000) | (kept > 4900)]  # and a gap of half a minute
    rms, bias = errors(truth.isel(time=kept))
    assert rms < 2.2
    assert abs(bias) < 1


@pytest.mark.parametrize("call", [delta_f_over_f, estimate_baseline])
@pytest.mark.parametrize("chunks", [None, {"time": 40, "y": 2}])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_isolated_values_that_are_not_finite_are_counted_and_placed(movie, call, chunks, bad):
    recording = movie()
    recording[:, 0, 0, 0] = np.nan
    recording[520, 1, 2, 2] = bad
    recording[510, 1, 1, 1] = bad
    given = recording if chunks is None else recording.chunk(chunks)
    message = r"2 in 2 of 24 voxels, the first at time 51, z index 1, y 0\.1.*interpolate"
    with pytest.raises(ValueError, match=message):
        call(given)


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
def test_what_cannot_be_meant_is_refused(movie, call, bad, words):
    with pytest.raises(ValueError, match=words):
        call(movie(), **bad)


def test_a_percentile_must_be_a_number(movie):
    with pytest.raises(TypeError, match="percentile to be a number"):
        estimate_baseline(movie(), baseline="percentile", percentile="8")


def test_windows_as_short_and_as_long_as_can_be_are_accepted(movie):
    for baseline in ALL:
        short = estimate_baseline(movie(n_times=40), baseline=baseline, window=0.2)
        long = estimate_baseline(movie(n_times=40), baseline=baseline, window=4.0)
        two = estimate_baseline(movie(n_times=2), baseline=baseline, window=0.2)
        for found in (short, long, two):
            assert np.isfinite(found).all()
            assert float(found.min()) > 50
