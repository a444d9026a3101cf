"""Weights and gaps: what has no weight is not looked at, what has two counts twice."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import solving
from sklearn.decomposition import non_negative_factorization
from solving import fit as factorise
from solving import measured

from partita._solvers.divergence import newton
from partita._solvers.losses.beta_divergence import misfit_by_column
from partita._solvers.matrices import products
from partita._solvers.penalties.penalty import NONE
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.unit_norm import UnitNorm
from partita._solvers.problem.start import Start
from partita._solvers.signals import solve_signals

every_beta = pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])


def fit_from(X, W, H, **options):
    return solving.fit_from(X, W, H, solve=newton.solve, **options)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def make_data(rng, n=40, p=90, k=3):
    W, H = rng.gamma(0.7, 1.0, (n, k)), rng.gamma(0.7, 1.0, (k, p))
    return (W @ H + 0.05) * rng.gamma(20.0, 1 / 20.0, (n, p))


def draw_start(rng, X, k=3):
    level = np.sqrt(X.mean() / k)
    return level * (rng.random((X.shape[0], k)) + 0.1), level * (rng.random((k, X.shape[1])) + 0.1)


@every_beta
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entries_without_weight_do_not_influence_the_result(rng, beta, dtype):
    X = make_data(rng).astype(dtype)
    start = draw_start(rng, X)
    seen = rng.random(X.shape) < 0.7
    changed = np.where(seen, X, 1e3 * rng.random(X.shape)).astype(dtype)
    fits = [
        fit_from(data, *start, beta=beta, weights=seen.astype(dtype), max_iter=40)
        for data in (X, changed)
    ]
    np.testing.assert_array_equal(fits[0].W, fits[1].W)
    np.testing.assert_array_equal(fits[0].H, fits[1].H)
    np.testing.assert_array_equal(fits[0].losses, fits[1].losses)


@every_beta
def test_weights_of_one_change_nothing(rng, beta):
    X = make_data(rng)
    start = draw_start(rng, X)
    plain = fit_from(X, *start, beta=beta, max_iter=40)
    for ones in (np.ones_like(X), (np.ones(40), np.ones(90))):
        fit = fit_from(X, *start, beta=beta, weights=ones, max_iter=40)
        np.testing.assert_allclose(fit.losses, plain.losses, rtol=1e-9)


@every_beta
def test_integer_weights_equal_repeated_samples(rng, beta):
    X = make_data(rng)
    W, H = draw_start(rng, X)
    counts = rng.integers(1, 4, 40)
    weights = (counts.astype(float), np.ones(90))
    fit = fit_from(X, W, H, beta=beta, weights=weights, tol=0, max_iter=30)
    repeated = fit_from(
        np.repeat(X, counts, 0),
        np.repeat(W, counts, 0),
        H,
        beta=beta,
        tol=0,
        max_iter=30,
    )
    np.testing.assert_allclose(fit.losses, repeated.losses, rtol=1e-4)
    np.testing.assert_allclose(fit.W @ fit.H, (repeated.W @ repeated.H)[
        np.cumsum(counts) - 1], rtol=0.02, atol=1e-3)  # fmt: skip


@every_beta
def test_rank_one_weights_equal_the_same_weights_entry_by_entry(rng, beta):
    X = make_data(rng)
    start = draw_start(rng, X)
    rows, columns = rng.random(40), rng.random(90)
    short = fit_from(X, *start, beta=beta, weights=(rows, columns), max_iter=20)
    full = fit_from(X, *start, beta=beta, weights=np.outer(rows, columns), max_iter=20)
    np.testing.assert_allclose(short.losses, full.losses, rtol=1e-6)


@every_beta
def test_samples_and_features_without_weight_get_zeros(rng, beta):
    X = make_data(rng)
    rows, columns = np.ones(40), np.ones(90)
    rows[4], columns[7] = 0, 0
    for weights in ((rows, columns), np.outer(rows, columns)):
        fit = fit_from(X, *draw_start(rng, X), beta=beta, weights=weights, max_iter=20)
        assert not fit.W[4].any()
        assert not fit.H[:, 7].any()
        assert np.isfinite(fit.losses).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weighted_squared_error_falls_to_a_certified_end(rng, dtype):
    X = make_data(rng).astype(dtype)
    weights = rng.random(X.shape).astype(dtype)
    fit = fit_from(X, *draw_start(rng, X), beta=2.0, weights=weights, max_iter=500)
    assert fit.converged
    assert (np.diff(fit.losses) <= 0).all()
    explicit = 0.5 * products.residual_norm2(X, fit.W, fit.H, weights)
    assert fit.losses[-1] == pytest.approx(explicit, rel=1e-5)
    assert fit.W.dtype == dtype
    np.testing.assert_allclose(
        solve_signals(X, fit.H, weights=weights), fit.W, atol=2e-3 * fit.W.max()
    )


def test_missing_entries_of_exact_data_are_filled_in(rng):
    W, H = rng.gamma(0.7, 1.0, (40, 3)), rng.gamma(0.7, 1.0, (3, 90))
    seen = rng.random((40, 90)) < 0.6
    X = np.where(seen, W @ H, 0)
    start = W * rng.uniform(0.5, 2, W.shape), H * rng.uniform(0.5, 2, H.shape)
    fit = fit_from(X, *start, beta=2.0, weights=seen.astype(float), tol=1e-6, max_iter=3000)
    error = np.linalg.norm(fit.W @ fit.H - W @ H) / np.linalg.norm(W @ H)
    assert error < 1e-3


def test_uniform_squared_weights_reach_the_unweighted_minimum(rng):
    X = make_data(rng)
    W, H = draw_start(rng, X)
    fit = fit_from(X, W, H, beta=2.0, weights=np.full_like(X, 2.0), tol=1e-6, max_iter=2000)
    signals = solve_signals(X, fit.H)
    maps = solve_signals(X.T, fit.W.T).T
    np.testing.assert_allclose(signals, fit.W, atol=1e-3 * fit.W.max())
    np.testing.assert_allclose(maps, fit.H, atol=1e-3 * fit.H.max())


STRENGTHS = {
    "none": NONE,
    "scale-free": UnitNorm(0.1, 0.1, 0.1),
    "scikit-learn's": PerEntry(0.1, 0.1, 0.1, 0.1),
}


@pytest.mark.parametrize("penalty", STRENGTHS.values(), ids=STRENGTHS)
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_where_there_is_nothing_to_explain_signals_are_zero_and_certified(rng, beta, penalty):
    X = np.where(rng.random((12, 30)) < 0.5, 2.0, 0.0)
    unseen, ones = (X == 0).astype(float), np.ones((12, 30))
    cases = [(0 * X, None), (scipy.sparse.csr_array(0 * X), None), (0 * X, ones), (X, unseen)]
    cases += [(X, 0 * ones), (X, (np.zeros(12), np.ones(30)))]
    for data, weights in cases:
        fit = factorise(data, 3, loss=beta, penalty=penalty, weights=weights)
        assert not fit.W.any()
        assert fit.converged
        assert fit.certificate == (0, 0, 0, 0)
        np.testing.assert_array_equal(fit.losses, [0.0])


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_given_maps_survive_data_without_anything_to_explain(rng, beta):
    H = rng.random((2, 30))
    given = {"init": Start(H=H), "held": np.array([True, True, False])}
    fit = factorise(np.zeros((12, 30)), 3, loss=beta, weights=np.ones((12, 30)), **given)
    np.testing.assert_array_equal(fit.H, np.concatenate([H, np.zeros((1, 30))]))


def loss_of(X, W, H, beta, M, penalty):
    """Return the loss in the units of X."""
    misfit = float(misfit_by_column(X, np.maximum(W @ H, 1e-30), M, beta=beta).sum())
    return misfit + penalty.value(W.T, H)


KINDS = {
    "plain": {},
    "weighted": {"weighted": True},
    "penalised": {"penalty": UnitNorm(W_l1=0.05, H_l1=0.05)},
    "held": {"n_held": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("n_given", [4, 2])
@pytest.mark.parametrize("first", ["W", "H"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_a_fit_begins_no_higher_than_the_given_maps_with_their_signals(
    rng, beta, kind, first, n_given
):
    X = make_data(rng, k=4)
    M = rng.random(X.shape) + 0.1 if kind.get("weighted") or beta == 2.0 else None
    penalty, n_held = kind.get("penalty", NONE), kind.get("n_held", 0)
    held = np.arange(4) < n_held if n_held else None
    options = {"loss": beta, "weights": M, "penalty": penalty}
    maps = factorise(X, max_iter=15, **options).H[:n_given]
    bound = measured(penalty, X, beta, M)
    signals = solve_signals(X, maps, loss=beta, weights=M, penalty=bound)
    before = loss_of(X, signals, maps, beta, M, bound)
    fit = factorise(X, init=Start(H=maps), held=held, first=first, **options)
    assert fit.losses[0] <= before * (1 + 1e-6)
    assert fit.losses[-1] <= before * (1 + 1e-6)
    if n_held:
        np.testing.assert_array_equal(fit.H[:n_held], maps[:n_held])


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize("beta", [0.5, 0.8, 1.0])
def test_on_counts_a_fit_ends_as_low_as_a_long_run_of_scikit_learn(rng, beta):
    X = rng.poisson(3 * rng.gamma(0.4, 1.0, (60, 4)) @ rng.gamma(0.4, 1.0, (4, 150)) + 0.1)
    X = X.astype(float)
    fit = factorise(X, 4, loss=beta)
    W, H, _ = non_negative_factorization(
        X, n_components=4, init="nndsvda", solver="mu", beta_loss=beta, max_iter=1000, tol=0
    )
    assert fit.losses[-1] <= loss_of(X, W, H, beta, None, NONE) * (1 + 1e-3)
