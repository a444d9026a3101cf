"""Quantiles are those of numpy."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.quantile import NORMAL_QUARTILE, quantile_of, running_quantiles


@pytest.mark.parametrize("share", [0.0, 0.08, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("count", [1, 2, 101])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quantiles_are_those_of_numpy(share, count, dtype):
    traces = np.random.default_rng(6).standard_normal((4, count)).astype(dtype)
    before = traces.copy()
    np.testing.assert_allclose(
        quantile_of(traces, share), np.quantile(traces.astype(float), share, axis=1)
    )
    np.testing.assert_array_equal(traces, before)


def test_every_trace_may_have_a_share_of_its_own():
    traces = np.random.default_rng(6).standard_normal((3, 20))
    shares = np.array([0.1, 0.5, 0.77])
    expected = [np.quantile(trace, share) for trace, share in zip(traces, shares, strict=True)]
    np.testing.assert_allclose(quantile_of(traces, shares), expected)


def test_running_quantiles_are_quantiles_of_the_samples_in_every_window():
    traces = np.random.default_rng(7).random((9, 400))
    spans = np.array([[0, 50], [10, 200], [390, 400]])
    expected = [np.quantile(traces[:, a:b], 0.2, axis=1) for a, b in spans]
    np.testing.assert_allclose(running_quantiles(traces, spans, 0.2), expected)


def test_the_lower_quartile_of_normal_noise_lies_where_it_is_said_to():
    noise = np.random.default_rng(0).standard_normal((1, 200_000))
    np.testing.assert_allclose(quantile_of(noise, 0.25), -NORMAL_QUARTILE, atol=0.01)
