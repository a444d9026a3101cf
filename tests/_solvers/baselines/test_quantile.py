"""Quantiles by selection are those of numpy."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.quantile import NORMAL_QUARTILE, quantile_of


@pytest.mark.parametrize("share", [0.0, 0.08, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("count", [1, 2, 101])
def test_quantiles_are_those_of_numpy(share, count):
    values = np.random.default_rng(6).standard_normal(count)
    before = values.copy()
    found = quantile_of(values, np.empty(count), share)
    assert found == pytest.approx(np.quantile(values, share))
    np.testing.assert_array_equal(values, before)


def test_ties_and_sorted_values_are_selected_too():
    for values in (np.zeros(50), np.arange(50.0), np.arange(50.0)[::-1], np.arange(50.0) // 10):
        found = quantile_of(values.copy(), np.empty(50), 0.3)
        assert found == pytest.approx(np.quantile(values, 0.3))


def test_the_lower_quartile_of_normal_noise_lies_where_it_is_said_to():
    noise = np.random.default_rng(0).standard_normal(200_000)
    assert quantile_of(noise, np.empty_like(noise), 0.25) == pytest.approx(
        -NORMAL_QUARTILE, abs=0.01
    )
