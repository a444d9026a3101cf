"""Drifts: what is fitted goes, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import xarray as xr

from partita.preprocess import detrend

UNEVEN = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 80))


def of_courses(courses: np.ndarray, times: np.ndarray) -> xr.DataArray:
    return xr.DataArray(courses, dims=("time", "voxel"), coords={"time": times})


def test_a_line_is_what_scipy_takes_out(labelled):
    recording = labelled()
    np.testing.assert_allclose(
        detrend(recording), scipy.signal.detrend(recording.values, axis=0), atol=1e-9
    )


@pytest.mark.parametrize("order", [0, 1, 2, 5])
def test_polynomials_of_uneven_times_go_and_the_residual_holds_none(order):
    rng = np.random.default_rng(1)
    scaled = UNEVEN / UNEVEN[-1]
    powers = np.vander(scaled, order + 1)
    noise = rng.standard_normal((80, 3))
    left = detrend(
        of_courses(noise + powers @ rng.standard_normal((order + 1, 3)), UNEVEN), order=order
    )
    np.testing.assert_allclose(left, detrend(of_courses(noise, UNEVEN), order=order), atol=1e-9)
    np.testing.assert_allclose(powers.T @ left.values, 0, atol=1e-9)


def test_cosines_are_those_of_spm():
    """Of 200 volumes at 2 s, a cut-off of 128 s takes out floor(2 * 400 / 128) = 6 cosines."""
    n = 200
    times = 2.0 * np.arange(n)
    basis = np.array([np.cos(np.pi * k * (2 * np.arange(n) + 1) / (2 * n)) for k in range(1, 9)]).T
    left = detrend(of_courses(basis, times), drift="cosine", longest_period=128)
    np.testing.assert_allclose(left[:, :6], 0, atol=1e-12)
    np.testing.assert_allclose(left[:, 6:], basis[:, 6:], atol=1e-12)


def test_the_cutoff_is_in_seconds_whatever_the_unit():
    n = 200
    courses = np.random.default_rng(0).standard_normal((n, 4))
    seconds = of_courses(courses, 2.0 * np.arange(n))
    millis = seconds.assign_coords(time=("time", 2000.0 * np.arange(n), {"units": "ms"}))
    stamps = seconds.assign_coords(
        time=np.datetime64("2026-01-01") + 2 * np.arange(n) * np.timedelta64(1, "s")
    )
    expected = detrend(seconds, drift="cosine", longest_period=100)
    for other in (millis, stamps):
        np.testing.assert_allclose(
            detrend(other, drift="cosine", longest_period=100), expected, atol=1e-12
        )


def test_without_times_samples_are_counted(labelled):
    recording = labelled()
    np.testing.assert_allclose(
        detrend(recording.drop_vars("time"), order=3), detrend(recording, order=3), atol=1e-9
    )


def test_a_large_offset_costs_no_precision():
    courses = np.random.default_rng(0).standard_normal((80, 3))
    far = detrend(of_courses(courses + 1e8, UNEVEN))
    np.testing.assert_allclose(far, detrend(of_courses(courses, UNEVEN)), atol=1e-6)


def test_detrending_twice_changes_nothing(labelled):
    once = detrend(labelled(), order=2)
    np.testing.assert_allclose(detrend(once, order=2), once, atol=1e-10)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"drift": "spline"}, "knows the drifts 'polynomial' and 'cosine'; given: 'spline'"),
        ({"order": -1}, "order must be a whole number, 0 or more, and was -1"),
        ({"order": 1.5}, "order must be a whole number"),
        ({"order": True}, "order must be a whole number"),
        ({"order": 119}, "needs more than 120 samples, and was given 120"),
        ({"drift": "cosine", "longest_period": 0}, "longest_period must be above 0 s"),
        ({"drift": "cosine", "longest_period": "slow"}, "above 0 s, and was 'slow'. SPM takes 128"),
        (
            {"drift": "cosine", "longest_period": 1e4},
            "no cosine slower than 10000 s in a recording of 240",
        ),
        ({"drift": "cosine", "longest_period": 1}, "has 480 cosines for 120 samples"),
    ],
)
def test_drifts_that_cannot_be_fitted_are_refused(labelled, given, message):
    with pytest.raises(ValueError, match=message):
        detrend(labelled(), **given)


def test_one_sample_is_refused(labelled):
    with pytest.raises(ValueError, match="at least two samples"):
        detrend(labelled()[:1])


def test_falling_times_are_refused(labelled):
    with pytest.raises(ValueError, match="detrend needs times that increase"):
        detrend(labelled()[::-1])
