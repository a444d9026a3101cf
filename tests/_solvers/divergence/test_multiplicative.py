"""The other beta-divergences: as low as scikit-learn's long runs, certified, zeros defined."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import solving
from sklearn.decomposition import non_negative_factorization
from solving import measured

from partita._solvers.divergence import multiplicative, newton
from partita._solvers.losses.beta_divergence import misfit_by_column
from partita._solvers.matrices.scaled import fill_zeros
from partita._solvers.penalties.unit_norm import UnitNorm
from partita._solvers.signals import solve_signals


def fit_from(X, W, H, *, beta=0.0, solve=multiplicative.solve, **options):
    return solving.fit_from(X, W, H, solve=solve, beta=beta, **options)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def make_data(rng, n=50, p=120, k=3, noise=8.0):
    W, H = rng.gamma(0.7, 1.0, (n, k)), rng.gamma(0.7, 1.0, (k, p))
    return (W @ H + 0.05) * rng.gamma(noise, 1 / noise, (n, p))


def draw_start(rng, X, k=3):
    level = np.sqrt(X.mean() / k)
    return level * (rng.random((X.shape[0], k)) + 0.1), level * (rng.random((k, X.shape[1])) + 0.1)


def total(X, W, H, beta):
    return misfit_by_column(X, np.maximum(W @ H, 1e-30), None, beta=beta).sum()


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5])
def test_loss_is_not_above_a_long_run_of_scikit_learn(rng, beta):
    X = make_data(rng)
    W, H = draw_start(rng, X)
    solve = newton.solve if beta >= 1 else multiplicative.solve
    fit = fit_from(X, W, H, solve=solve, beta=beta, tol=1e-4, max_iter=1000)
    theirs = non_negative_factorization(
        X, W.copy(), H.copy(), n_components=3, init="custom", solver="mu", beta_loss=beta,
        max_iter=1500, tol=0,
    )  # fmt: skip
    assert fit.losses[-1] <= total(X, *theirs[:2], beta) * (1 + 1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.7])
def test_losses_never_rise_and_the_fit_ends_certified(rng, dtype, beta):
    X = make_data(rng).astype(dtype)
    fit = fit_from(X, *draw_start(rng, X), beta=beta, tol=3e-3, max_iter=1000)
    assert fit.converged
    assert fit.certificate.residual <= 3e-3
    assert fit.W.dtype == fit.H.dtype == dtype
    assert (np.diff(fit.losses) <= 0).all()
    assert fit.losses[-1] == pytest.approx(total(X, fit.W, fit.H, beta), rel=1e-4)
    assert max(fit.certificate[2:]) < 1e-4


@pytest.mark.parametrize("beta", [0.0, 0.5])
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_any_units_give_the_same_maps(rng, beta, scale):
    X = make_data(rng).astype(np.float32)
    W, H = (f.astype(np.float32) for f in draw_start(rng, X))
    fit = fit_from(X, W, H, beta=beta)
    scaled = fit_from(np.float32(scale) * X, np.float32(scale) * W, H, beta=beta)
    unit = np.float64(np.float32(scale)) ** beta
    assert scaled.losses[-1] / unit == pytest.approx(fit.losses[-1], rel=1e-4)
    for one, other in zip(fit.H, scaled.H, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.999


def test_exact_products_are_recovered_to_a_thousandth(rng):
    W, H = rng.random((40, 2)) + 0.05, rng.random((2, 60)) + 0.05
    X = W @ H
    fit = fit_from(X, *draw_start(rng, X, 2), beta=0.0, tol=1e-6, max_iter=2000)
    np.testing.assert_allclose(fit.W @ fit.H, X, rtol=1e-3)


def test_zeros_count_as_a_thousandth_of_the_least_value_for_itakura_saito(rng):
    X = make_data(rng)
    X[rng.random(X.shape) < 0.05] = 0
    W, H = draw_start(rng, X)
    filled = fit_from(fill_zeros(X), W, H, beta=0.0, max_iter=60)
    fit = fit_from(X, W, H, beta=0.0, max_iter=60)
    np.testing.assert_allclose(fit.losses, filled.losses, rtol=1e-6)
    sparse = fit_from(scipy.sparse.csr_array(X), W, H, beta=0.0, max_iter=60)
    np.testing.assert_allclose(sparse.losses, fit.losses, rtol=1e-6)


def test_filling_leaves_data_without_zeros_alone_and_all_zero_data_too(rng):
    X = make_data(rng)
    assert fill_zeros(X) is X
    assert not fill_zeros(np.zeros((2, 3))).any()
    assert fill_zeros(np.array([[0.0, 4.0]])).min() == pytest.approx(0.004)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.5])
def test_a_perfect_fit_has_no_misfit_and_any_other_has_some(rng, beta):
    X = make_data(rng)
    assert np.abs(misfit_by_column(X, X.copy(), None, beta=beta)).max() < 1e-12
    assert misfit_by_column(X, 1.1 * X, None, beta=beta).min() > 0


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_held_maps_stay_as_given(rng, beta):
    X = make_data(rng)
    W, H = draw_start(rng, X)
    held = np.array([True, False, False])
    fit = fit_from(X, W, H, beta=beta, held=held, max_iter=50)
    np.testing.assert_array_equal(fit.H[0], H[0])
    assert not np.array_equal(fit.H[1:], H[1:])


def test_penalties_shrink_the_fit(rng):
    X = make_data(rng)
    W, H = draw_start(rng, X)
    fit = fit_from(X, W, H, beta=0.5, penalty=UnitNorm(W_l1=0.1, H_l1=0.1))
    free = fit_from(X, W, H, beta=0.5)
    assert (fit.W @ fit.H).sum() < (free.W @ free.H).sum()
    assert (np.diff(fit.losses) <= 1e-9 * fit.losses[0]).all()


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5])
def test_signals_of_exact_data_are_recovered_for_given_maps(rng, beta):
    H = rng.gamma(0.7, 1.0, (4, 80))
    W = rng.random((20, 4)) + 0.1
    np.testing.assert_allclose(solve_signals(W @ H, H, loss=beta), W, rtol=1e-4)


def test_signals_for_given_maps_obey_the_penalty(rng):
    X = make_data(rng)
    H = rng.gamma(0.7, 1.0, (3, 120))
    free = solve_signals(X, H, loss=1.0)
    for penalty in (UnitNorm(W_l1=0.2), UnitNorm(H_l1=0.02), UnitNorm(l2=0.5)):
        assert solve_signals(X, H, loss=1.0, penalty=measured(penalty, X, 1.0)).sum() < free.sum()
