"""The divergences: zero where the fit is the data, with the slopes that they have."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.losses.beta_divergence import add_up, misfit_by_column, slope_and_curvature

BETAS = [0.0, 0.5, 1.0, 1.5, 2.0]
RNG = np.random.default_rng(0)
X, Y = RNG.gamma(2.0, 1.0, (7, 9)) + 0.1, RNG.gamma(2.0, 1.0, (7, 9)) + 0.1
M = RNG.random((7, 9))

every_beta = pytest.mark.parametrize("beta", BETAS)


@every_beta
def test_nothing_is_amiss_where_the_fit_is_the_data_and_only_there(beta):
    np.testing.assert_allclose(misfit_by_column(X, X.copy(), None, beta=beta), 0, atol=1e-12)
    assert (misfit_by_column(X, Y, None, beta=beta) > 0).all()


@every_beta
@pytest.mark.parametrize("unit", [1e-3, 1e4])
def test_in_another_unit_it_is_larger_by_a_power_of_it(beta, unit):
    np.testing.assert_allclose(
        misfit_by_column(unit * X, unit * Y, None, beta=beta),
        unit**beta * misfit_by_column(X, Y, None, beta=beta),
        rtol=1e-9,
    )


@every_beta
def test_weights_count_entries_as_often(beta):
    M = np.tile([0.0, 1.0, 3.0], (7, 3))
    single = np.stack(
        [misfit_by_column(X[i : i + 1], Y[i : i + 1], None, beta=beta) for i in range(7)]
    )
    found = misfit_by_column(X, Y, M.copy(), beta=beta)
    np.testing.assert_allclose(found, (M * single).sum(axis=0), atol=1e-12)


@every_beta
@pytest.mark.parametrize("weights", [None, M], ids=["plain", "weighted"])
def test_slopes_and_bends_are_those_of_the_divergence(beta, weights):
    slope, curvature = slope_and_curvature(X, Y, weights, beta=beta, exact=True)
    step = 1e-4

    def total(Y):
        columns = [
            misfit_by_column(X[i : i + 1], Y[i : i + 1], None, beta=beta) for i in range(len(Y))
        ]
        return np.stack(columns) * (1 if weights is None else weights)

    above, here, below = total(Y + step), total(Y.copy()), total(Y - step)
    np.testing.assert_allclose(slope, (above - below) / (2 * step), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        curvature, (above - 2 * here + below) / step**2, rtol=2e-3, atol=1e-3
    )


@every_beta
def test_expected_curvatures_are_positive_and_the_true_ones_where_fit_and_data_agree(beta):
    _, expected = slope_and_curvature(X, Y, None, beta=beta, exact=False)
    assert (expected > 0).all()
    _, fisher = slope_and_curvature(X, X.copy(), None, beta=beta, exact=False)
    _, exact = slope_and_curvature(X, X.copy(), None, beta=beta, exact=True)
    np.testing.assert_allclose(fisher, exact)


@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_the_family_between_is_between(beta):
    lower, upper = np.floor(beta), np.ceil(beta)
    near = [misfit_by_column(X, Y, None, beta=b) for b in (lower + 1e-6, upper - 1e-6)]
    ends = [misfit_by_column(X, Y, None, beta=b) for b in (lower, upper)]
    np.testing.assert_allclose(near, ends, rtol=1e-3)


def test_no_counts_under_a_rate_cost_the_rate():
    np.testing.assert_allclose(
        misfit_by_column(np.zeros((2, 3)), Y[:2, :3], None, beta=1.0), Y[:2, :3].sum(0)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_are_in_double_precision(dtype):
    ones = np.ones((100_000, 1), dtype)
    assert misfit_by_column(ones, 2 * ones, None, beta=2.0).dtype == np.float64
    assert add_up([np.float32([1e8]), np.float32([1.0])])[0] == 1e8 + 1
