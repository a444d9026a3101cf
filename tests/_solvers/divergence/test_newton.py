"""Second-order steps for every beta: falling losses, optimality, known truth, any scale."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import solving
from scipy.special import kl_div
from sklearn.decomposition import non_negative_factorization

from partita._solvers.divergence import newton
from partita._solvers.divergence.signals import solve_divergence
from partita._solvers.losses.beta_divergence import misfit_by_column
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.unit_norm import UnitNorm


def fit_from(X, W, H, *, beta=1.0, **options):
    return solving.fit_from(X, W, H, solve=newton.solve, beta=beta, **options)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def make_counts(rng, n=60, p=150, k=4, rate=3.0):
    W, H = rng.gamma(0.4, 1.0, (n, k)), rng.gamma(0.4, 1.0, (k, p))
    return rng.poisson(rate * W @ H + 0.1).astype(float), W, H


def draw_start(rng, X, k=4):
    level = np.sqrt(X.mean() / k)
    return level * (rng.random((X.shape[0], k)) + 0.1), level * (rng.random((k, X.shape[1])) + 0.1)


def divergence(X, W, H):
    return kl_div(X, np.asarray(W, float) @ np.asarray(H, float)).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("first", ["W", "H"])
def test_losses_never_rise_and_end_at_the_divergence_of_the_factors(rng, dtype, first):
    X = make_counts(rng)[0].astype(dtype)
    fit = fit_from(X, *draw_start(rng, X), first=first, tol=1e-3, max_iter=300)
    assert fit.converged
    assert fit.W.dtype == fit.H.dtype == dtype
    assert (fit.W >= 0).all()
    assert (fit.H >= 0).all()
    assert (np.diff(fit.losses) <= 0).all()
    assert fit.n_iter == fit.losses.size
    assert fit.losses[-1] == pytest.approx(divergence(X, fit.W, fit.H), rel=1e-5)


@pytest.mark.parametrize("shape", [(60, 150), (150, 60)])
def test_at_the_end_no_gradient_points_into_the_orthant(rng, shape):
    X = make_counts(rng, *shape)[0]
    fit = fit_from(X, *draw_start(rng, X), tol=1e-6, max_iter=1000)
    assert fit.converged
    slope = 1 - X / np.maximum(fit.W @ fit.H, 1e-30)
    for gradient, factor, size in (
        (slope @ fit.H.T, fit.W, fit.H.sum(1)),
        ((fit.W.T @ slope).T, fit.H.T, fit.W.sum(0)),
    ):
        relative = gradient / size
        assert relative.min() > -1e-3
        assert np.abs(relative * factor).max() < 1e-3 * factor.max()


def test_certificate_is_what_refitting_one_factor_would_bring(rng):
    X = make_counts(rng)[0]
    fit = fit_from(X, *draw_start(rng, X), tol=0, max_iter=8)
    signals = solve_divergence(X, fit.H, beta=1.0)
    maps = solve_divergence(X.T, fit.W.T, beta=1.0).T
    now = divergence(X, fit.W, fit.H)
    gain_W, gain_H = now - divergence(X, signals, fit.H), now - divergence(X, fit.W, maps)
    assert fit.certificate.W_decrease == pytest.approx(gain_W / now, abs=1e-9)
    assert fit.certificate.H_decrease == pytest.approx(gain_H / now, rel=0.05)
    assert fit.certificate.H_residual > fit.certificate.W_residual


def test_planted_poisson_parts_are_found(rng):
    X, W, H = make_counts(rng, 150, 400, 3, rate=60.0)
    noisy = [f * rng.uniform(0.5, 2.0, f.shape) + 0.2 * f.mean() for f in (W, H)]
    fit = fit_from(X, *noisy, tol=1e-4, max_iter=500)
    for found, truth in zip(fit.H, H, strict=True):
        assert np.corrcoef(found, truth)[0, 1] > 0.98
    assert fit.losses[-1] <= divergence(X, 60 * W, H)


def test_signals_are_already_solved_for_the_final_maps(rng):
    X = make_counts(rng)[0]
    fit = fit_from(X, *draw_start(rng, X))
    again = solve_divergence(X, fit.H, beta=1.0)
    np.testing.assert_allclose(again, fit.W, atol=1e-4 * fit.W.max())


@pytest.mark.parametrize("power", [40, -40, 27])
def test_a_power_of_two_scales_the_parts_exactly(rng, power):
    X = make_counts(rng)[0].astype(np.float32)
    W, H = (f.astype(np.float32) for f in draw_start(rng, X))
    scale = np.float32(2.0**power)
    fit, scaled = fit_from(X, W, H), fit_from(scale * X, scale * W, H)
    np.testing.assert_array_equal(scaled.H, fit.H)
    np.testing.assert_array_equal(scaled.W, scale * fit.W)


@pytest.mark.parametrize("scale", [1e-12, 1e8])
def test_any_units_give_the_same_loss_in_float32(rng, scale):
    X = make_counts(rng)[0].astype(np.float32)
    W, H = (f.astype(np.float32) for f in draw_start(rng, X))
    fit = fit_from(X, W, H, tol=1e-4)
    scaled = fit_from(np.float32(scale) * X, np.float32(scale) * W, H, tol=1e-4)
    assert scaled.losses[-1] / np.float32(scale) == pytest.approx(fit.losses[-1], rel=1e-5)


def test_sparse_counts_give_the_same_as_dense(rng):
    X = make_counts(rng)[0]
    start = draw_start(rng, X)
    dense = fit_from(X, *start, max_iter=20)
    for form in (scipy.sparse.csr_array, scipy.sparse.csc_array):
        fit = fit_from(form(X), *start, max_iter=20)
        np.testing.assert_allclose(fit.losses, dense.losses, rtol=1e-9)


def test_memory_order_and_orientation_of_the_data_do_not_matter(rng):
    X = make_counts(rng)[0]
    W, H = draw_start(rng, X)
    fit = fit_from(X, W, H, tol=1e-5, max_iter=1000)
    order = fit_from(np.asfortranarray(X), W, H, tol=1e-5, max_iter=1000)
    np.testing.assert_allclose(order.losses[-1], fit.losses[-1], rtol=1e-9)
    turned = fit_from(X.T, H.T, W.T, first="H", tol=1e-5, max_iter=1000)
    assert turned.losses[-1] == pytest.approx(fit.losses[-1], rel=1e-6)


def test_empty_rows_and_columns_get_nothing(rng):
    X = make_counts(rng)[0]
    X[5], X[:, 9] = 0, 0
    fit = fit_from(X, *draw_start(rng, X))
    assert np.isfinite(fit.losses).all()
    assert fit.W[5].max() < 1e-6 * fit.W.max()
    assert fit.H[:, 9].max() < 1e-6 * fit.H.max()


@pytest.mark.parametrize("k", [1, 9])
def test_one_component_and_more_components_than_rows(rng, k):
    X = make_counts(rng, 6, 40)[0]
    fit = fit_from(X, *draw_start(rng, X, k), max_iter=300)
    if k == 1:
        rank_one = np.outer(X.sum(1), X.sum(0)) / X.sum()
        assert fit.losses[-1] == pytest.approx(kl_div(X, rank_one).sum(), rel=1e-6)
    assert np.isfinite(fit.W).all()
    assert np.isfinite(fit.H).all()


@pytest.mark.parametrize("shape", [(60, 150), (150, 60)])
def test_held_maps_stay_bit_for_bit_as_given(rng, shape):
    X = make_counts(rng, *shape)[0].astype(np.float32)
    W, H = (f.astype(np.float32) for f in draw_start(rng, X))
    held = np.array([True, False, True, False])
    fit = fit_from(X, W, H, held=held)
    np.testing.assert_array_equal(fit.H[held], H[held])
    assert not np.array_equal(fit.H[~held], H[~held])
    assert fit.converged


@pytest.mark.parametrize(
    "penalty",
    [
        UnitNorm(W_l1=0.05, H_l1=0.05),
        UnitNorm(l2=0.1),
        PerEntry(W_l1=0.01, H_l1=0.02, W_l2=0.01, H_l2=0.01),
    ],
)
def test_penalised_losses_never_rise_and_shrink_the_fit(rng, penalty):
    X = make_counts(rng)[0]
    start = draw_start(rng, X)
    fit, free = fit_from(X, *start, penalty=penalty), fit_from(X, *start)
    assert (np.diff(fit.losses) <= 1e-9 * fit.losses[0]).all()
    assert (fit.W @ fit.H).sum() < (free.W @ free.H).sum()
    assert fit.losses[-1] > free.losses[-1]


@pytest.mark.parametrize("scale", [1e-4, 1e6])
def test_a_scale_free_penalty_weighs_the_same_in_any_units(rng, scale):
    X = make_counts(rng)[0]
    W, H = draw_start(rng, X)
    penalty = UnitNorm(W_l1=0.05, H_l1=0.05, l2=0.1)
    fit = fit_from(X, W, H, penalty=penalty)
    scaled = fit_from(scale * X, scale * W, H, penalty=penalty)
    assert scaled.losses[-1] / scale == pytest.approx(fit.losses[-1], rel=1e-6)


def test_a_watcher_sees_each_iteration_and_may_end_the_fit(rng):
    X = make_counts(rng)[0]
    seen = []
    fit = fit_from(X, *draw_start(rng, X), watch=lambda s: seen.append(s) or s.iteration == 4)
    assert [state.iteration for state in seen] == [1, 2, 3, 4]
    assert fit.n_iter == 4
    assert not fit.converged
    assert seen[-1].loss == pytest.approx(divergence(X, seen[-1].W, seen[-1].H), rel=1e-9)


def test_an_interrupt_keeps_the_best_factors_so_far(rng):
    X = make_counts(rng)[0]

    def press_ctrl_c(state):
        if state.iteration == 5:
            raise KeyboardInterrupt

    fit = fit_from(X, *draw_start(rng, X), watch=press_ctrl_c)
    assert fit.interrupted
    assert not fit.converged
    assert fit.n_iter == 5
    assert divergence(X, fit.W, fit.H) == pytest.approx(fit.losses[-1], rel=1e-9)


def test_tolerance_zero_goes_on_to_the_last_iteration(rng):
    X = make_counts(rng)[0]
    fit = fit_from(X, *draw_start(rng, X), tol=0, max_iter=60)
    assert fit.n_iter == 60
    assert not fit.converged


@pytest.mark.parametrize("beta", [1.0, 1.5])
def test_signals_for_given_maps_are_the_least_divergence(rng, beta):
    X, _, H = make_counts(rng, 5, 80)

    def value(w, row):
        fitted = np.maximum(w @ H, 1e-12)
        if beta == 1.0:
            return kl_div(row, fitted).sum()
        parts = row**1.5 + 0.5 * fitted**1.5 - 1.5 * row * np.sqrt(fitted)
        return parts.sum() / 0.75

    for row, signals in zip(X, solve_divergence(X, H, beta=beta), strict=True):
        best = scipy.optimize.minimize(
            value, np.ones(4), args=(row,), method="L-BFGS-B", bounds=[(0, None)] * 4
        )
        assert value(signals, row) <= best.fun * (1 + 1e-7)


def test_the_number_of_threads_does_not_change_the_result(rng, monkeypatch):
    X = make_counts(rng, 200, 3000)[0].astype(np.float32)
    start = draw_start(rng, X)
    fits = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        fits.append(fit_from(X, *start, tol=0, max_iter=15))
    np.testing.assert_array_equal(fits[0].W, fits[1].W)
    np.testing.assert_array_equal(fits[0].H, fits[1].H)


def make_positive(rng, n=50, p=120, k=3, noise=8.0):
    W, H = rng.gamma(0.7, 1.0, (n, k)), rng.gamma(0.7, 1.0, (k, p))
    return (W @ H + 0.05) * rng.gamma(noise, 1 / noise, (n, p))


def total(X, W, H, beta):
    return misfit_by_column(X, np.maximum(W @ H, 1e-30), None, beta=beta).sum()


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5])
def test_loss_is_not_above_a_long_run_of_scikit_learn(rng, beta):
    X = make_positive(rng)
    W, H = draw_start(rng, X, 3)
    fit = fit_from(X, W, H, beta=beta, tol=1e-4, max_iter=1000)
    theirs = non_negative_factorization(
        X, W.copy(), H.copy(), n_components=3, init="custom", solver="mu", beta_loss=beta,
        max_iter=1500, tol=0,
    )  # fmt: skip
    assert fit.losses[-1] <= total(X, *theirs[:2], beta) * (1 + 1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.7])
def test_below_one_too_losses_never_rise_and_the_fit_ends_certified(rng, dtype, beta):
    X = make_positive(rng).astype(dtype)
    fit = fit_from(X, *draw_start(rng, X, 3), beta=beta, tol=3e-3, max_iter=1000)
    assert fit.converged
    assert fit.certificate.residual <= 3e-3
    assert fit.W.dtype == fit.H.dtype == dtype
    assert (np.diff(fit.losses) <= 0).all()
    assert fit.losses[-1] == pytest.approx(total(X, fit.W, fit.H, beta), rel=1e-4)
    assert max(fit.certificate[2:]) < 1e-4


@pytest.mark.parametrize("beta", [0.0, 0.5])
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_any_units_give_the_same_maps(rng, beta, scale):
    X = make_positive(rng).astype(np.float32)
    W, H = (f.astype(np.float32) for f in draw_start(rng, X, 3))
    fit = fit_from(X, W, H, beta=beta)
    scaled = fit_from(np.float32(scale) * X, np.float32(scale) * W, H, beta=beta)
    unit = np.float64(np.float32(scale)) ** beta
    assert scaled.losses[-1] / unit == pytest.approx(fit.losses[-1], rel=1e-4)
    for one, other in zip(fit.H, scaled.H, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.999


def test_exact_products_are_recovered_to_a_thousandth_under_itakura_saito(rng):
    W, H = rng.random((40, 2)) + 0.05, rng.random((2, 60)) + 0.05
    X = W @ H
    fit = fit_from(X, *draw_start(rng, X, 2), beta=0.0, tol=1e-6, max_iter=2000)
    np.testing.assert_allclose(fit.W @ fit.H, X, rtol=1e-3)


def test_zeros_count_as_a_thousandth_of_the_least_value_for_itakura_saito(rng):
    X = make_positive(rng)
    X[rng.random(X.shape) < 0.05] = 0
    W, H = draw_start(rng, X, 3)
    filled = fit_from(np.where(X == 0, 1e-3 * X[X > 0].min(), X), W, H, beta=0.0, max_iter=60)
    fit = fit_from(X, W, H, beta=0.0, max_iter=60)
    np.testing.assert_allclose(fit.losses, filled.losses, rtol=1e-6)
    sparse = fit_from(scipy.sparse.csr_array(X), W, H, beta=0.0, max_iter=60)
    np.testing.assert_allclose(sparse.losses, fit.losses, rtol=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_held_maps_stay_as_given_below_one(rng, beta):
    X = make_positive(rng)
    W, H = draw_start(rng, X, 3)
    held = np.array([True, False, False])
    fit = fit_from(X, W, H, beta=beta, held=held, max_iter=50)
    np.testing.assert_array_equal(fit.H[0], H[0])
    assert not np.array_equal(fit.H[1:], H[1:])


def test_penalties_shrink_the_fit_below_one(rng):
    X = make_positive(rng)
    W, H = draw_start(rng, X, 3)
    fit = fit_from(X, W, H, beta=0.5, penalty=UnitNorm(W_l1=0.1, H_l1=0.1))
    free = fit_from(X, W, H, beta=0.5)
    assert (fit.W @ fit.H).sum() < (free.W @ free.H).sum()
    assert (np.diff(fit.losses) <= 1e-9 * fit.losses[0]).all()
