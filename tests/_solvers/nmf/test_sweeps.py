"""Sweeps go down to the minimum over non-negative columns, and say how much is left."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.nmf.block_update import least_curvature
from partita._solvers.nmf.sweeps import Manner, Moving, sweep_columns
from partita._solvers.nnls.solve import solve_gram

K, P = 5, 700


@pytest.fixture
def given():
    rng = np.random.default_rng(0)
    A = rng.random((30, K)) + 2 * np.eye(30, K)
    return A.T @ A, A.T @ rng.standard_normal((30, P)), rng.random((K, P))


def swept(G, C, begin, most=400, *, rows=None, ridge=None, measure=True, bound=True):
    target, new = np.empty_like(begin), np.empty_like(begin)
    ridge = np.zeros((0, 1)) if ridge is None else ridge
    rows = np.arange(K) if rows is None else rows
    curvature = least_curvature(G, G) if bound else -1.0
    moving = Moving(G, begin, target, begin.copy(), new, ridge)
    manner = Manner(rows, 0.0, most, 0.0, measure, curvature)
    return target, sweep_columns(C, moving, 0, P, manner)


def value(G, C, H, ridge=0.0):
    return 0.5 * np.vdot(H, G @ H + ridge * H) - np.vdot(C, H)


def test_many_sweeps_end_in_the_exact_minimum(given):
    G, C, begin = given
    H, _ = swept(G, C, begin, 5000)
    np.testing.assert_allclose(H, solve_gram(G, C), atol=1e-6)


@pytest.mark.parametrize("most", [1, 4, 20])
def test_the_decrease_is_what_the_value_fell_by_and_what_is_left_is_bounded(given, most):
    G, C, begin = given
    H, (_, decrease, left) = swept(G, C, begin, most)
    here = value(G, C, H)
    assert decrease == pytest.approx(value(G, C, begin) - here, rel=1e-9)
    assert here - value(G, C, solve_gram(G, C)) <= left


def test_the_gradient_is_that_at_the_start_in_the_metric_of_the_diagonal(given):
    G, C, begin = given
    begin[:, ::3] = 0
    _, (gradient2, _, _) = swept(G, C, begin, 1)
    slope = G @ begin - C
    projected = np.where(begin > 0, slope, np.minimum(slope, 0))
    assert gradient2 == pytest.approx((projected**2 / np.diag(G)[:, None]).sum())


def test_a_ridge_of_each_entry_adds_to_its_curvature(given):
    G, C, begin = given
    ridge = np.random.default_rng(1).random((K, P))
    H, _ = swept(G, C, begin, 5000, ridge=ridge)
    for j in (0, 300, 699):
        exact = solve_gram(G + np.diag(ridge[:, j]), C[:, [j]])
        np.testing.assert_allclose(H[:, [j]], exact, atol=1e-6)


def test_held_components_stay(given):
    G, C, begin = given
    H, _ = swept(G, C, begin, rows=np.array([0, 3]))
    np.testing.assert_array_equal(H[[1, 2, 4]], begin[[1, 2, 4]])
    assert not np.allclose(H[[0, 3]], begin[[0, 3]])
