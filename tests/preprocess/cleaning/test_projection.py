"""What a regression removes entirely is gone, and no later step finds a signal in its rounding."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.preprocess import compcor, detrend, regress_out, tsnr, zscore

N_TIMES = 300
TIMES = xr.Variable("time", 2.0 * np.arange(N_TIMES), {"units": "s"})
CHUNKS = [None, {"time": 70}, {"time": 300, "voxel": 2}]


def drifting(dtype: str) -> xr.DataArray:
    """Return drifts alone, far above 0 and about it, beside a faint signal and one on a drift."""
    time = TIMES.values
    faint = np.sin(time)
    courses = {
        "line": 3 + 0.37 * time, "high line": 1e6 + 11.3 * time, "about 0": 5.1 * time - 1525,
        "constant": np.full(N_TIMES, 7.3), "none": np.full(N_TIMES, np.nan),
        "signal": 100 + faint, "on a drift": 1e3 * time + 30 * faint,
    }  # fmt: skip
    values = np.stack(list(courses.values()), axis=1).astype(dtype)
    return xr.DataArray(values, {"time": TIMES, "voxel": list(courses)}, ("time", "voxel"))


def removed(recording: xr.DataArray, how: str, *, keep_mean: bool = False) -> xr.DataArray:
    if how == "detrend":
        return detrend(recording, keep_mean=keep_mean)
    confounds = xr.DataArray(
        np.stack([TIMES.values, np.cos(TIMES.values / 7)], 1), dims=("time", "c")
    )
    return regress_out(recording, confounds, keep_mean=keep_mean)


@pytest.mark.parametrize("how", ["detrend", "regress_out"])
@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4"])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_z_scores_of_what_was_removed_entirely_are_0_and_counted(how, dtype, chunks) -> None:
    recording = drifting(dtype)
    given = recording if chunks is None else recording.chunk(chunks)
    left = removed(given, how)
    with pytest.warns(UserWarning, match="4 of 7 voxels do not change over time"):
        found = zscore(left).compute()
    assert not found[:, :4].any()
    assert found.sel(voxel="none").isnull().all()
    for name in ("signal", "on a drift"):
        expected = xr.DataArray(np.sin(TIMES.values), dims="time")
        assert float(xr.corr(found.sel(voxel=name), expected)) > 0.99


@pytest.mark.parametrize("how", ["detrend", "regress_out"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_what_was_removed_entirely_keeps_its_mean_and_no_more(how, dtype, chunks) -> None:
    recording = drifting(dtype)
    given = recording if chunks is None else recording.chunk(chunks)
    left = removed(given, how, keep_mean=True).compute()
    whole = recording[:, :4].astype(float)
    np.testing.assert_allclose(left[:, :4].mean("time"), whole.mean("time"), rtol=1e-6, atol=1e-3)
    assert not (left[:, :4] - left[0, :4]).any()
    with pytest.warns(UserWarning, match="4 of 7 voxels"):
        assert tsnr(left)[:4].isnull().all()


@pytest.mark.parametrize("chunks", CHUNKS)
def test_a_lazy_residual_is_that_in_memory(chunks) -> None:
    recording = drifting("float32")
    given = recording if chunks is None else recording.chunk(chunks)
    left = removed(given, "regress_out")
    np.testing.assert_allclose(left, removed(recording, "regress_out"), atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compcor_finds_no_course_in_what_the_drift_explains(dtype) -> None:
    recording = drifting(dtype).isel(voxel=[0, 1, 2, 3, 5])
    mask = xr.ones_like(recording[0], bool)
    found = compcor(recording, mask, n_components=1)
    assert float(found.explained_variance_ratio[0]) == pytest.approx(1)
    with pytest.raises(ValueError, match="finds 1 independent courses in the 1 voxels"):
        compcor(recording, mask, n_components=2)
