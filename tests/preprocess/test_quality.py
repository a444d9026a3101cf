"""Measures of a recording: defined values, in one pass."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.datasets import simulate_fmri
from partita.preprocess import detrend, dvars, regress_out, temporal_mean, tsnr

CHUNKS = [None, {"time": 17}, {"time": 30, "y": 2, "x": 3}, {"time": 1}]


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("order", [("time", "z", "y", "x"), ("x", "time", "y", "z")])
def test_mean_and_tsnr_are_those_of_numpy(labelled, chunks, order):
    recording = labelled()
    given = recording.transpose(*order)
    given = given if chunks is None else given.chunk(chunks)
    mean, ratio = temporal_mean(given), tsnr(given)
    expected = recording.mean("time")
    np.testing.assert_allclose(mean.transpose("z", "y", "x"), expected)
    np.testing.assert_allclose(ratio.transpose("z", "y", "x"), expected / recording.std("time"))
    assert mean.chunks is None
    assert set(mean.coords) == {"z", "y", "x", "grid", "depth"}
    assert mean.attrs == {
        "units": "a.u.", "long_name": "BOLD (mean over time)", "subject": "S1",
        "history": "load()\ntemporal_mean()",
    }  # fmt: skip
    assert (ratio.attrs["units"], ratio.attrs["long_name"]) == ("1", "tSNR")
    assert temporal_mean(given.drop_attrs()).attrs["long_name"] == "Mean over time"


@pytest.mark.parametrize("measure", [temporal_mean, tsnr])
def test_maps_read_a_lazy_recording_once(labelled, counted, measure):
    lazy, reads = counted(labelled().chunk(time=20))
    measure(lazy)
    assert sum(reads) == lazy.size


def test_voxels_constant_or_empty_have_no_tsnr(labelled):
    recording = labelled()
    recording[:, 0, 0, 0], recording[:, 1, 1, 1] = 5.0, np.nan
    with pytest.warns(UserWarning, match="tsnr: 1 of 40 voxels do not change over time"):
        ratio = tsnr(recording)
    assert int(ratio.isnull().sum()) == 2


def test_changes_too_faint_to_be_squared_are_no_tsnr():
    faint = xr.DataArray([[1e-170, 1.0], [2e-170, 2.0]], dims=("time", "voxel"))
    with pytest.warns(UserWarning, match="tsnr: 1 of 2 voxels do not change over time"):
        np.testing.assert_array_equal(tsnr(faint), [np.nan, 3.0])


def test_tsnr_without_a_mean_is_refused(labelled):
    for given in (detrend(labelled()), detrend(labelled(dtype="float32"))):
        with pytest.raises(ValueError, match=r"tsnr needs the mean .* keep_mean=True"):
            tsnr(given)
    assert float(tsnr(detrend(labelled(), keep_mean=True)).min()) > 10


@pytest.mark.parametrize("measure", [temporal_mean, tsnr, dvars])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_isolated_nan_are_refused_and_empty_voxels_are_not(labelled, measure, chunks):
    recording = labelled()
    recording[:, 0, 0, 0] = np.nan
    measure(recording if chunks is None else recording.chunk(chunks))
    recording[50, 1, 3, 2] = np.nan
    given = recording if chunks is None else recording.chunk(chunks)
    with pytest.raises(ValueError, match=f"{measure.__name__} cannot use NaN .* at time 100, z 0"):
        measure(given)


@pytest.mark.parametrize("measure", [temporal_mean, tsnr, dvars])
def test_what_is_no_recording_is_refused(labelled, measure):
    with pytest.raises(TypeError, match=f"{measure.__name__} needs"):
        measure(labelled().values)
    with pytest.raises(ValueError, match="needs the sample dimension 'time'"):
        measure(labelled().rename(time="frame"))


@pytest.mark.parametrize("measure", [tsnr, dvars])
def test_one_sample_is_refused(labelled, measure):
    with pytest.raises(ValueError, match="at least two samples"):
        measure(labelled()[:1])


@pytest.mark.parametrize("chunks", CHUNKS)
def test_dvars_is_the_rms_of_the_change_in_percent_of_the_median_brightness(labelled, chunks):
    recording = labelled()
    given = recording.transpose("y", "time", "x", "z")
    given = given if chunks is None else given.chunk(chunks)
    rms = np.sqrt((recording.diff("time") ** 2).mean(["z", "y", "x"]))
    plain = dvars(given, normalize="none")
    assert np.isnan(plain[0])
    np.testing.assert_allclose(plain[1:], rms)
    assert plain.attrs["units"] == "a.u."
    found = dvars(given)
    np.testing.assert_allclose(found[1:], 100 * rms / recording.mean("time").median())
    np.testing.assert_allclose(dvars(given * 1e-6), found)
    assert (found.attrs["units"], found.attrs["long_name"]) == ("%", "DVARS")
    assert set(found.coords) == {"time", "run", "grid"}


def test_only_voxels_inside_count(labelled):
    recording = labelled()
    mask = recording["y"] < 0.15
    np.testing.assert_allclose(dvars(recording, mask=mask), dvars(recording[:, :, :2]))
    np.testing.assert_allclose(dvars(recording.chunk(y=2), mask=mask), dvars(recording[:, :, :2]))
    recording[:, :, 2:] = np.nan
    np.testing.assert_allclose(dvars(recording), dvars(recording[:, :, :2]))
    with pytest.raises(ValueError, match="The mask is empty"):
        dvars(recording, mask=mask & False)
    with pytest.raises(ValueError, match="mask lies on another grid"):
        dvars(recording, mask=mask.assign_coords(y=mask.y + 3))
    with pytest.raises(ValueError, match="no voxel inside the mask that holds values"):
        dvars(recording, mask=~mask, normalize="none")


@pytest.mark.parametrize(("normalize", "passes"), [("percent", 2), ("none", 1)])
def test_dvars_reads_a_lazy_recording_as_often_as_documented(labelled, counted, normalize, passes):
    dask = pytest.importorskip("dask")
    lazy, reads = counted(labelled().chunk(time=20))
    with dask.config.set(scheduler="synchronous"):
        dvars(lazy, normalize=normalize)
    assert sum(reads) == passes * lazy.size


def test_dvars_in_percent_needs_the_mean(labelled):
    with pytest.raises(ValueError, match="in percent needs a recording with its mean"):
        dvars(detrend(labelled()))
    with pytest.raises(ValueError, match="normalize must be 'percent' or 'none'"):
        dvars(labelled(), normalize="mode")


def test_dvars_marks_the_spoilt_frames_of_a_run_and_regression_lowers_the_rest():
    truth = simulate_fmri(n_times=200, random_state=0)
    jumps = dvars(truth["recording"], mask=truth["brain"])
    quiet = ~(truth["suspect"] | truth["suspect"].shift(time=1, fill_value=False))
    assert float(jumps[~quiet.values].min()) > 2 * float(jumps[quiet.values].median())
    confounds = truth[["translation", "physiology"]]
    left = regress_out(truth["recording"], confounds, keep_mean=True)
    lower = dvars(left, mask=truth["brain"])
    assert float(lower[quiet.values].mean()) < 0.8 * float(jumps[quiet.values].mean())
