"""Bleaching: exponentials are found, and what rises does not bleach."""

from __future__ import annotations

import numpy as np

from partita._solvers.baselines.bleaching import fit_bleaching


def test_exponential_bleaching_is_found_exactly():
    times = np.arange(60) * 5.0
    curves = np.array(
        [80 + 30 * np.exp(-times / 70), 50 * np.exp(-times / 900), np.full(60, 7.0), 5 + times]
    )
    found = fit_bleaching(curves, times)
    np.testing.assert_allclose(found[:3], curves[:3], rtol=2e-3)
    np.testing.assert_allclose(found[3], curves[3].mean())  # what rises does not bleach


def test_too_few_knots_for_a_bleaching_give_their_mean():
    curves = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(fit_bleaching(curves, np.arange(3.0)), 2)


def test_no_other_level_and_size_of_the_same_decay_fit_better():
    rng = np.random.default_rng(0)
    times = np.arange(60) * 5.0
    curve = 80 + 30 * np.exp(-times / 70) + rng.standard_normal(60)
    found = fit_bleaching(curve[None], times)[0]
    residual = curve - found
    shape = found - found[-1]
    np.testing.assert_allclose([residual.sum(), residual @ shape], 0, atol=1e-6)


def test_it_goes_with_the_units_of_time_and_values():
    times = np.arange(60) * 5.0
    curve = 80 + 30 * np.exp(-times / 70)[None] + np.sin(times)
    once = fit_bleaching(curve, times)
    np.testing.assert_allclose(fit_bleaching(1e3 * curve, times / 60), 1e3 * once, rtol=1e-6)
