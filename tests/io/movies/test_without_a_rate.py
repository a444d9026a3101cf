"""Frames that are merely numbered: what needs seconds says how to give them, the rest goes on."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import partita
from partita import preprocess as pp

NEEDS_SECONDS = {
    "delta_f_over_f": lambda r: pp.delta_f_over_f(r, window=4),
    "lowpass": lambda r: pp.lowpass(r, cutoff=2),
    "resample_time": lambda r: pp.resample_time(r, step=0.2),
    "detrend": lambda r: pp.detrend(r, drift="cosine", longest_period=5),
    "estimate_motion with smooth_fwhm=": lambda r: pp.estimate_motion(r, smooth_fwhm=0.5),
}
NEEDS_NONE = {
    "detrend": lambda r: pp.detrend(r),
    "zscore": lambda r: pp.zscore(r),
    "censor": lambda r: pp.censor(r, r.mean(["y", "x"]) > 110, how="interpolate"),
    "compcor": lambda r: pp.compcor(r, r.mean("time") > 0, n_components=2),
    "register": lambda r: pp.register(r),
}


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.gamma(20, 5, (12, 10)) + 20 * rng.standard_normal((80, 1, 1)).clip(-1, 1)
    np.save(tmp_path / "a.npy", values + rng.standard_normal((80, 12, 10)))
    return tmp_path / "a.npy"


@pytest.mark.parametrize("name", NEEDS_SECONDS)
def test_what_needs_seconds_names_the_frame_rate(path, load_numbered, name):
    numbered = load_numbered(path)
    words = rf"{name} needs times in seconds; .* merely numbered \(units '1' of 'time'\).*"
    with pytest.raises(ValueError, match=words + r"partita\.load\(path, frame_rate=30\)"):
        NEEDS_SECONDS[name](numbered)


@pytest.mark.parametrize("name", NEEDS_SECONDS)
def test_both_remedies_work_and_agree(path, load_numbered, name):
    loaded = partita.load(path, frame_rate=10)
    numbered = load_numbered(path)
    assigned = numbered.assign_coords(time=numbered["time"].values / 10)
    xr.testing.assert_allclose(NEEDS_SECONDS[name](loaded), NEEDS_SECONDS[name](assigned))


@pytest.mark.parametrize("name", NEEDS_NONE)
def test_what_needs_no_seconds_takes_numbers(path, load_numbered, name):
    found = NEEDS_NONE[name](load_numbered(path))
    expected = NEEDS_NONE[name](partita.load(path, frame_rate=10))
    np.testing.assert_allclose(found, expected)
    assert found["time"].attrs["units"] == "1"
