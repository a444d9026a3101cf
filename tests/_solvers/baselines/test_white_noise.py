"""The noise under a trace: told whatever its length, and however much is active."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.white_noise import bin_variance, noise_variance


@pytest.mark.parametrize("n_times", [4, 40, 3000])
def test_noise_is_told_from_second_differences_whatever_the_length(n_times):
    rng = np.random.default_rng(1)
    noise = 4 * rng.standard_normal((n_times, 4000 // n_times + 400))
    found = bin_variance(5 + noise + np.arange(n_times)[:, None])
    assert found.mean() == pytest.approx(16, rel=0.12)


def test_noise_stays_told_where_a_third_of_the_time_is_active():
    rng = np.random.default_rng(2)
    trace = rng.standard_normal((3000, 1))
    trace[1000:2000] += 50 * rng.random((1000, 1))
    assert bin_variance(trace) == pytest.approx(1, rel=0.35)


@pytest.mark.parametrize("level", [0.0, 1e6])
def test_what_is_straight_holds_no_noise(level):
    assert bin_variance(level + 0.5 * np.arange(100.0)[:, None]) == pytest.approx(0, abs=1e-12)
    assert bin_variance(np.array([[level], [5.0]])) == 0


def test_the_variance_goes_with_the_square_of_the_unit():
    trace = np.random.default_rng(3).standard_normal((500, 1))
    assert bin_variance(1e3 * trace) == pytest.approx(1e6 * bin_variance(trace))


@pytest.mark.parametrize("samples", [6, 40, 400])
def test_estimates_of_stretches_are_brought_together_without_a_bias(samples):
    rng = np.random.default_rng(4)
    noise = 3 * rng.standard_normal((2000, samples + 2))
    estimates = (np.diff(noise, 2, axis=1) ** 2).mean(axis=1)[:, None] / 6
    assert noise_variance(estimates, float(samples)) == pytest.approx(9, rel=0.06)
