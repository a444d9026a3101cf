"""Steps on box-constrained quadratics: they go down, stay in the box, and end at its minimum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from partita._solvers.nnls.box_steps import descend_rows

M, K = 25, 4


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((M, 7, K))
    A = np.swapaxes(factors, 1, 2) @ factors
    return A, rng.standard_normal((M, K)), rng.gamma(1.0, size=(M, K))


def descend(A, slopes, W, *, free=None, keep=0.0, sweeps=200):
    packed = np.array([matrix[np.tril_indices(K)] for matrix in A])
    steps = np.full_like(W, np.nan)
    free = np.ones(K, bool) if free is None else free
    gradient2 = descend_rows(packed, slopes, W, free, keep, sweeps, steps)
    return steps, gradient2


def value(A, slopes, steps):
    return (slopes * steps).sum(1) + np.einsum("mi,mij,mj->m", steps, A, steps) / 2


@pytest.mark.parametrize("sweeps", [1, 3, 200])
@pytest.mark.parametrize("keep", [0.0, 0.1])
def test_steps_go_down_and_keep_a_share_of_every_entry(problem, sweeps, keep):
    A, slopes, W = problem
    steps, _ = descend(A, slopes, W, keep=keep, sweeps=sweeps)
    assert (value(A, slopes, steps) <= 0).all()
    assert (W + steps >= keep * W - 1e-12).all()


def test_more_sweeps_come_lower_and_end_near_the_minimum(problem):
    A, slopes, W = problem
    once, often = (value(A, slopes, descend(A, slopes, W, sweeps=n)[0]) for n in (1, 200))
    best = [
        scipy.optimize.minimize(
            lambda d, matrix=matrix, slope=slope: slope @ d + d @ matrix @ d / 2,
            np.zeros(K),
            jac=lambda d, matrix=matrix, slope=slope: slope + matrix @ d,
            bounds=[(-entry, None) for entry in row],
            options={"ftol": 1e-15, "gtol": 1e-12},
        ).fun
        for matrix, slope, row in zip(A, slopes, W, strict=True)
    ]
    assert (often <= once + 1e-12).all()
    assert (often >= np.array(best) - 1e-9).all()
    assert often.sum() <= 0.95 * np.sum(best)  # sweeps end where they gain little


def test_what_is_held_does_not_move(problem):
    A, slopes, W = problem
    steps, _ = descend(A, slopes, W, free=np.array([True, False, True, False]))
    assert not steps[:, [1, 3]].any()
    assert steps[:, [0, 2]].any()


def test_at_a_minimum_nothing_moves_and_the_gradient_is_none(problem):
    A, _, W = problem
    W[:, 0] = 0
    slopes = np.zeros((M, K))
    slopes[:, 0] = 3.0  # against the bound
    steps, gradient2 = descend(A, slopes, W)
    assert not steps.any()
    assert gradient2 == 0


def test_the_gradient_is_measured_by_the_diagonals_where_it_may_move(problem):
    A, slopes, W = problem
    W[:, 1] = 0
    moving = (W > 0) | (slopes < 0)
    diagonal = np.einsum("mii->mi", A)
    expected = (moving * slopes**2 / diagonal).sum()
    assert descend(A, slopes, W)[1] == pytest.approx(expected)
