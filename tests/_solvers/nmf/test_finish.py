"""A fit ends on signals that are exact for its maps, and on the loss of the residual itself."""

from __future__ import annotations

import numpy as np
import pytest
from solving import posed

from partita._solvers.matrices.in_memory import Dense
from partita._solvers.nmf.finish import exact_loss, finish, unfinished
from partita._solvers.nmf.hals import Descent
from partita._solvers.nnls.solve import solve_gram
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.problem.oriented import products_of

K, N, P = 3, 12, 300


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.gamma(0.5, 1, (N, K)) @ rng.gamma(0.5, 1, (K, P)) + rng.random((N, P))


def descended(X, rounds=5, **options):
    rng = np.random.default_rng(1)
    descent = Descent(posed(Dense(X), K, **options), rng.random((K, N)), rng.random((K, P)))
    for _ in range(rounds):
        descent.step()
    return descent


@pytest.mark.parametrize("rounds", [0, 5])
def test_short_signals_are_the_exact_answer_for_the_maps(X, rounds):
    descent = descended(X, rounds)
    maps = descent.L.ahead.copy()
    end = finish(descent, signals_short=True)
    exact = solve_gram(maps @ maps.T, maps @ X.T)
    np.testing.assert_allclose(descent.S.ahead, exact, atol=1e-9)
    np.testing.assert_array_equal(descent.L.ahead, maps)
    assert end.certificate.W_residual < 1e-6
    assert end.loss == pytest.approx(0.5 * np.square(X - exact.T @ maps).sum())


def test_long_signals_are_the_exact_answer_for_the_maps(X):
    descent = descended(X)
    maps = descent.S.ahead.copy()
    end = finish(descent, signals_short=False)
    exact = solve_gram(maps @ maps.T, maps @ X)
    np.testing.assert_allclose(descent.L.ahead, exact, atol=1e-4)
    np.testing.assert_array_equal(descent.S.ahead, maps)
    assert end.certificate.W_residual < 1e-3


@pytest.mark.parametrize("signals_short", [True, False])
def test_exact_signals_under_a_penalty_leave_nothing_to_gain(X, signals_short):
    descent = descended(X, penalty=PerEntry(W_l1=0.5, H_l1=0.5, W_l2=0.1))
    end = finish(descent, signals_short=signals_short)
    assert end.certificate.W_decrease < 1e-9
    assert end.certificate.H_decrease > end.certificate.W_decrease


def test_held_signals_stay(X):
    descent = descended(X)
    descent.problem = descent.problem._replace(S_free=np.array([0, 2]))
    held = descent.S.ahead[1].copy()
    finish(descent, signals_short=True)
    np.testing.assert_array_equal(descent.S.ahead[1], held)


def test_a_map_that_is_rounding_beside_the_longest_gets_a_signal_of_zeros(X):
    descent = descended(X)
    descent.L.ahead[1] *= 1e-20
    descent.seen = None
    finish(descent, signals_short=True)
    assert not descent.S.ahead[1].any()


@pytest.mark.parametrize("signals_short", [True, False])
def test_where_a_penalty_has_put_out_every_map_all_signals_are_zeros(X, signals_short):
    descent = descended(X, penalty=PerEntry(H_l1=0.5))
    (descent.L if signals_short else descent.S).ahead[:] = 0
    descent.seen = None
    finish(descent, signals_short=signals_short)
    assert not (descent.S if signals_short else descent.L).ahead.any()


def test_the_loss_is_that_of_the_residual_where_products_would_cancel(X):
    rng = np.random.default_rng(1)
    S, L = rng.random((K, N)), rng.random((K, P))
    problem = posed(Dense(S.T @ L + 1e-9 * rng.random((N, P))), K)
    loss = exact_loss(problem, S, L, products_of(problem, L))
    residual = problem.matrix.X - S.T @ L
    assert loss == pytest.approx(0.5 * np.square(residual).sum(), rel=1e-5)


def test_of_data_that_are_not_read_any_more_nothing_is_certified(X):
    descent = descended(X)
    end = unfinished(descent)
    assert end.loss == descent.losses[-1]
    assert np.isnan(end.certificate.residual)
    assert np.isnan(unfinished(descended(X, 0)).loss)
