"""Non-negative least squares: optimal, exact, and defined where the maps are degenerate."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from solving import measured

from partita._solvers.nnls import solve
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.unit_norm import UnitNorm
from partita._solvers.signals import solve_signals


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def make_maps(rng, k=6, p=40):
    return rng.gamma(0.5, 1.0, (k, p))


def make_data(rng, H, n=50):
    signals = rng.gamma(0.5, 1.0, (n, H.shape[0])) * (rng.random((n, H.shape[0])) < 0.6)
    return signals @ H + rng.gamma(0.5, 0.5, (n, H.shape[1]))


def objective(X, W, H, penalty=None, weights=None):
    M = np.ones_like(X) if weights is None else weights
    value = 0.5 * (M * (X - W @ H) ** 2).sum()
    return value if penalty is None else value + penalty.value(W.T, H)


def assert_nothing_nearby_is_better(X, W, H, rng, **terms):
    here = objective(X, W, H, **terms)
    for size in (1e-1, 1e-3):
        for _ in range(20):
            nearby = np.maximum(0, W + size * W.mean() * rng.standard_normal(W.shape))
            assert objective(X, nearby, H, **terms) >= here * (1 - 1e-9)


@pytest.mark.parametrize("k", [1, 2, 6, 30])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_residual_is_at_least_as_small_as_scipys(rng, k, order):
    H = make_maps(rng, k, 60)
    X = np.asarray(make_data(rng, H), order=order)
    W = solve_signals(X, H)
    for row, signals in zip(X, W, strict=True):
        _, best = scipy.optimize.nnls(H.T, row)
        assert np.linalg.norm(row - signals @ H) <= best * (1 + 1e-12)


def test_gradient_vanishes_where_signals_are_positive_and_points_outward_elsewhere(rng):
    A = rng.standard_normal((80, 20))
    G, C = A.T @ A, A.T @ rng.standard_normal((80, 300))
    W = solve.solve_gram(G, C)
    gradient = (G @ W - C) / np.abs(C).max()
    assert np.abs(gradient[W > 0]).max() < 1e-12
    assert gradient[W == 0].min() > -1e-12
    assert 0.2 < (W > 0).mean() < 0.8


def test_float32_data_get_the_float64_answer_in_float32(rng):
    H = make_maps(rng)
    X = make_data(rng, H)
    single = solve_signals(X.astype(np.float32), H.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, solve_signals(X, H), atol=1e-5)


def test_exact_data_give_back_their_signals(rng):
    H = make_maps(rng, 8, 100)
    truth = rng.gamma(0.5, 1.0, (30, 8)) * (rng.random((30, 8)) < 0.5)
    np.testing.assert_allclose(solve_signals(truth @ H, H), truth, atol=1e-11)


def test_a_guess_changes_nothing_but_the_way(rng):
    A = rng.random((40, 10))
    G, C = A.T @ A, A.T @ rng.random((40, 50))
    far = solve.solve_gram(G, C, start=100 * rng.random((10, 50)))
    np.testing.assert_allclose(far, solve.solve_gram(G, C), atol=1e-9)


def test_sparse_data_give_the_same_as_dense(rng):
    H = make_maps(rng)
    X = rng.poisson(make_data(rng, H) / 3).astype(float)
    for form in (scipy.sparse.csr_array, scipy.sparse.csc_array):
        np.testing.assert_allclose(solve_signals(form(X), H), solve_signals(X, H), atol=1e-12)


def test_dead_duplicate_and_dependent_maps_are_solved_optimally(rng):
    H = make_maps(rng, 4, 30)
    X = make_data(rng, H)
    degenerate = np.vstack([H, H[:2], np.zeros(30), H[0] + H[1], 1e-9 * H[2]])
    W = solve_signals(X, degenerate)
    assert np.isfinite(W).all()
    assert (W[:, 6] == 0).all()
    alone = objective(X, solve_signals(X, H), H)
    assert objective(X, W, degenerate) <= alone * (1 + 1e-10)


def test_more_maps_than_features_leave_no_residual_where_data_can_be_reached(rng):
    H = make_maps(rng, 12, 5)
    X = rng.random((20, 12)) @ H
    W = solve_signals(X, H)
    np.testing.assert_allclose(W @ H, X, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-12, 1e8, 2.0**40])
def test_signals_scale_with_the_data(rng, scale):
    H = make_maps(rng)
    X = make_data(rng, H)
    np.testing.assert_allclose(solve_signals(scale * X, H), scale * solve_signals(X, H), rtol=1e-7)


def test_all_zero_data_and_all_zero_maps_give_zeros(rng):
    H = make_maps(rng)
    assert not solve_signals(np.zeros((3, 40)), H).any()
    assert not solve_signals(rng.random((3, 40)), np.zeros_like(H)).any()


@pytest.mark.parametrize(
    "penalty",
    [
        UnitNorm(W_l1=0.3),
        UnitNorm(l2=0.2),
        UnitNorm(H_l1=0.02),
        UnitNorm(W_l1=0.1, H_l1=0.01, l2=0.1),
        PerEntry(W_l1=0.05, W_l2=0.1),
    ],
)
def test_penalised_signals_minimise_the_penalised_objective(rng, penalty):
    H = make_maps(rng)
    X = make_data(rng, H)
    W = solve_signals(X, H, penalty=measured(penalty, X))
    assert_nothing_nearby_is_better(X, W, H, rng, penalty=measured(penalty, X))
    assert np.abs(W).sum() < np.abs(solve_signals(X, H)).sum()


def test_a_strong_group_penalty_silences_a_whole_component(rng):
    H = make_maps(rng)
    X = make_data(rng, H)
    W = solve_signals(X, H, penalty=measured(UnitNorm(H_l1=50.0), X))
    assert not W.any()


@pytest.mark.parametrize("scale", [1e-3, 1e6])
def test_a_scale_free_penalty_weighs_the_same_in_any_units(rng, scale):
    H = make_maps(rng)
    X = make_data(rng, H)
    penalty = UnitNorm(W_l1=0.2, H_l1=0.01, l2=0.1)
    scaled = solve_signals(scale * X, H, penalty=measured(penalty, scale * X))
    np.testing.assert_allclose(
        scaled / scale, solve_signals(X, H, penalty=measured(penalty, X)), rtol=1e-6, atol=1e-8
    )


def test_rank_one_weights_equal_the_same_weights_entry_by_entry(rng):
    H = make_maps(rng)
    X = make_data(rng, H)
    rows, columns = rng.random(50), rng.random(40)
    short = solve_signals(X, H, weights=(rows, columns))
    np.testing.assert_allclose(
        short, solve_signals(X, H, weights=np.outer(rows, columns)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("penalty", [UnitNorm(W_l1=0.1, l2=0.2), PerEntry(W_l1=0.02)])
def test_the_weight_of_a_sample_changes_no_penalised_signal(rng, penalty):
    H = make_maps(rng)
    X = make_data(rng, H)
    columns, bound = rng.random(40), measured(penalty, X)
    weighted = solve_signals(X, H, weights=(rng.random(50) + 0.1, columns), penalty=bound)
    even = solve_signals(X, H, weights=(np.ones(50), columns), penalty=bound)
    entrywise = solve_signals(X, H, weights=np.outer(np.ones(50), columns), penalty=bound)
    np.testing.assert_allclose(weighted, even, rtol=1e-7, atol=1e-10)
    if isinstance(penalty, PerEntry):  # the norms of the other count the weights of features
        np.testing.assert_allclose(entrywise, even, rtol=1e-5, atol=1e-6)


def test_weighted_signals_minimise_the_weighted_objective(rng):
    H = make_maps(rng)
    X = make_data(rng, H)
    weights = rng.random(X.shape)
    W = solve_signals(X, H, weights=weights)
    assert_nothing_nearby_is_better(X, W, H, rng, weights=weights)


def test_entries_without_weight_are_not_looked_at(rng):
    H = make_maps(rng)
    X = make_data(rng, H)
    seen = rng.random(X.shape) < 0.7
    other = np.where(seen, X, np.nan)
    weights = seen.astype(float)
    np.testing.assert_array_equal(
        solve_signals(other, H, weights=weights), solve_signals(X, H, weights=weights)
    )


def test_samples_without_weight_get_zeros(rng):
    H = make_maps(rng)
    X = make_data(rng, H)
    rows = np.ones(50)
    rows[3] = 0
    for weights in ((rows, np.ones(40)), np.outer(rows, np.ones(40))):
        W = solve_signals(X, H, weights=weights)
        assert not W[3].any()
        np.testing.assert_allclose(W[4:], solve_signals(X, H)[4:], atol=1e-10)
