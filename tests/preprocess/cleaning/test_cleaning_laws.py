"""What every step of cleaning keeps: labels, precision, and one answer whatever the layout."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
import xarray as xr

from partita import preprocess as pp

dask = pytest.importorskip("dask")

N_TIMES = 120


def confounds() -> xr.DataArray:
    rng = np.random.default_rng(8)
    return xr.DataArray(rng.standard_normal((N_TIMES, 3)), dims=("time", "confound"))


def bad_frames() -> xr.DataArray:
    return xr.DataArray(np.random.default_rng(1).random(N_TIMES) < 0.15, dims="time")


STEPS = {
    "detrend": lambda r: pp.detrend(r, order=2),
    "detrend, cosine": lambda r: pp.detrend(r, drift="cosine", longest_period=60, keep_mean=True),
    "regress_out": lambda r: pp.regress_out(r, confounds()),
    "lowpass": lambda r: pp.lowpass(r, cutoff=0.1),
    "highpass": lambda r: pp.highpass(r, cutoff=0.02, keep_mean=True),
    "bandpass": lambda r: pp.bandpass(r, lowcut=0.02, highcut=0.1, order=2),
    "censor": lambda r: pp.censor(r, bad_frames(), how="interpolate"),
    "censor, cubic": lambda r: pp.censor(r, bad_frames(), how="interpolate", interpolation="cubic"),
    "smooth": lambda r: pp.smooth(r, fwhm=0.15),
    "resample_time, finer": lambda r: pp.resample_time(r, step=1.5),
    "resample_time, coarser": lambda r: pp.resample_time(r, rate=0.2, interpolation="linear"),
}
SAME_TIMES = [name for name in STEPS if not name.startswith("resample")]
NAMES = {name: name.split(",")[0] for name in STEPS}
CHUNKS = [
    {"time": 17},
    {"time": -1, "y": 2},
    {"time": (5, 110, 5), "z": 1, "y": 3, "x": (1, 3)},
    {"time": 7, "x": 2},
]

step = pytest.mark.parametrize("name", STEPS)


@pytest.mark.parametrize("name", ["detrend", "detrend, cosine", "regress_out"])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_chunks_stay_as_they_are(labelled, name, chunks):
    lazy = labelled().chunk(chunks)
    assert STEPS[name](lazy).chunks == lazy.chunks


@pytest.mark.parametrize("name", ["lowpass", "highpass", "bandpass"])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_filters_have_time_in_one_chunk(labelled, name, chunks):
    assert len(STEPS[name](labelled().chunk(chunks)).chunksizes["time"]) == 1


# How many values are read when a step is called, beside the first or last chunk once more, and
# when its result is computed; per value of the recording.
CALLS = {
    "detrend": 1, "detrend, cosine": 1, "regress_out": 1, "lowpass": 0, "highpass": 0,
    "bandpass": 0, "censor": 0, "censor, cubic": 0, "smooth": 0,
    "resample_time, finer": 0, "resample_time, coarser": 0,
}  # fmt: skip


@step
def test_a_lazy_recording_is_read_as_often_as_documented(labelled, counted, name):
    lazy, reads = counted(labelled().chunk(time=30))
    part = lazy.size // 4
    with dask.config.set(scheduler="synchronous"):
        result = STEPS[name](lazy)
        edges = 2 * part if CALLS[name] else 0
        assert CALLS[name] * lazy.size <= sum(reads) <= CALLS[name] * lazy.size + edges
        reads.clear()
        result.compute()
    assert sum(reads) <= lazy.size


@pytest.mark.parametrize("name", ["lowpass", "highpass", "bandpass"])
def test_a_filter_of_whole_courses_reads_nothing_when_called(labelled, counted, name):
    lazy, reads = counted(labelled().chunk(time=-1, y=2))
    with dask.config.set(scheduler="synchronous"):
        result = STEPS[name](lazy)
        assert not reads
        result.compute()
    assert sum(reads) == lazy.size


@pytest.mark.parametrize("name", ["detrend", "regress_out", "censor", "smooth"])
@pytest.mark.slow
def test_memory_stays_bounded(name):
    import dask.array as da

    def noise(block_info=None):
        (start, stop), *_ = block_info[None]["array-location"]
        rng = np.random.default_rng(start)
        return rng.random((stop - start, 100, 100), dtype=np.float32)

    blocks = ((100,) * 40, (100,), (100,))
    values = da.map_blocks(noise, chunks=blocks, dtype="f4", meta=np.empty((0, 0, 0), "f4"))
    recording = xr.DataArray(values, dims=("time", "y", "x"), coords={"time": np.arange(4000.0)})
    rng = np.random.default_rng(0)
    table = xr.DataArray(rng.standard_normal((4000, 3)), dims=("time", "confound"))
    steps = {
        "detrend": lambda r: pp.detrend(r),
        "regress_out": lambda r: pp.regress_out(r, table),
        "censor": lambda r: pp.censor(r, table[:, 0] > 2, how="interpolate"),
        "smooth": lambda r: pp.smooth(r.assign_coords(y=range(100), x=range(100)), fwhm=2),
    }
    with dask.config.set(scheduler="synchronous"):
        tracemalloc.start()
        float(steps[name](recording).sum())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 0.4 * values.nbytes


@step
@pytest.mark.parametrize("chunks", [None, {"time": 30, "y": 2}, {"time": -1, "y": 2}])
def test_voxels_without_any_value_stay_without(labelled, name, chunks):
    recording = labelled()
    expected = STEPS[name](recording)
    recording[:, 1, 2, 3] = np.nan
    given = recording if chunks is None else recording.chunk(chunks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = STEPS[name](given).compute()
    assert result[:, 1, 2, 3].isnull().all()
    assert int(result.isnull().sum()) == result.sizes["time"]
    if name != "smooth":
        np.testing.assert_allclose(result[:, 0], expected[:, 0], atol=1e-9)


@pytest.mark.parametrize("name", [name for name in STEPS if name != "smooth"])
@pytest.mark.parametrize("chunks", [None, {"time": 30, "y": 2}, {"time": -1, "y": 2}])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_isolated_values_that_are_not_finite_are_counted_and_placed(labelled, name, chunks, bad):
    recording = labelled()
    recording[:, 0, 0, 0] = np.nan
    recording[50, 1, 3, 2] = bad
    given = recording if chunks is None else recording.chunk(chunks)
    message = r"1 in 1 of \d+ voxels, the first at time 100, z 0\.4, y 0\.3, x -0\.4\. Voxels"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            STEPS[name](given).compute()


@pytest.mark.parametrize("name", ["detrend", "regress_out", "highpass", "bandpass"])
@pytest.mark.parametrize("chunks", [None, {"time": 30}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constant_voxels_become_exactly_zero(labelled, name, chunks, dtype):
    recording = labelled(dtype=dtype)
    recording[:, 0, 1, 1] = 1234.5678
    given = recording if chunks is None else recording.chunk(chunks)
    result = STEPS[name](given)
    assert np.ptp(result.values[:, 0, 1, 1]) == 0


@step
def test_what_is_no_recording_of_numbers_is_refused(labelled, name):
    for bad in (np.zeros((3, 2)), labelled().to_dataset(name="bold"), labelled() > 0):
        with pytest.raises(TypeError, match=f"{NAMES[name]} needs"):
            STEPS[name](bad)


@step
def test_a_sparse_recording_is_refused(name):
    sparse = pytest.importorskip("sparse")
    recording = xr.DataArray(sparse.COO(np.eye(N_TIMES)), dims=("time", "x"))
    with pytest.raises(TypeError, match=f"{NAMES[name]} needs a dense recording"):
        STEPS[name](recording)


@pytest.mark.parametrize("name", [name for name in STEPS if name != "smooth"])
def test_a_missing_sample_dimension_is_named(labelled, name):
    with pytest.raises(ValueError, match="needs the sample dimension 'time'"):
        STEPS[name](labelled().rename(time="frame"))


def test_the_mean_goes_or_stays_as_asked(labelled):
    recording = labelled()
    table = confounds()
    for step in (
        lambda keep: pp.detrend(recording, keep_mean=keep),
        lambda keep: pp.regress_out(recording, table, keep_mean=keep),
        lambda keep: pp.highpass(recording, cutoff=0.02, keep_mean=keep),
    ):
        gone, kept = step(False), step(True)
        means = recording.mean("time").broadcast_like(recording)
        np.testing.assert_allclose((kept - gone).transpose(*means.dims), means, atol=1e-9)
        assert gone.attrs["long_name"] == "BOLD (fluctuation)"
        assert kept.attrs["long_name"] == "BOLD"
        assert pp.detrend(gone).attrs["long_name"] == "BOLD (fluctuation)"
