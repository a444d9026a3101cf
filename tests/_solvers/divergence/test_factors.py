"""Factors oriented and scaled for a divergence: nothing is lost on the way in and out."""

from __future__ import annotations

import numpy as np
import pytest
from solving import measured

from partita._solvers.divergence.factors import enter
from partita._solvers.losses.beta_divergence import misfit_by_column
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.unit_norm import UnitNorm
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.start import Start
from partita._solvers.signals import solve_signals


@pytest.fixture(params=[(20, 50), (50, 20)], ids=["wide", "tall"])
def made(request):
    rng = np.random.default_rng(0)
    n, p = request.param
    W, H = rng.gamma(1.0, 1.0, (n, 3)), rng.gamma(1.0, 1.0, (3, p))
    return W @ H * rng.gamma(20.0, 0.05, (n, p)), W, H


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e8])
@pytest.mark.parametrize("penalty", [UnitNorm(), UnitNorm(0.1, 0.2, 0.3), PerEntry(0.01, 0.02)])
def test_what_enters_leaves_again(made, scale, penalty):
    X, W, H = made
    sides = enter(Problem(scale * X, 3, 1.0, penalty), Start(W=scale * W, H=H))
    left_W, left_H = sides.leave()
    np.testing.assert_allclose(left_W @ left_H, scale * W @ H, rtol=1e-12)
    if penalty.scale_free:
        np.testing.assert_allclose(left_H, H, rtol=1e-12)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("penalty", [UnitNorm(0.1, 0.2, 0.3), PerEntry(0.01, 0.02, 0.01, 0.02)])
def test_the_penalty_inside_is_that_of_the_units_outside(made, beta, penalty):
    X, W, H = made
    sides = enter(Problem(X, 3, beta, penalty), Start(W=W, H=H))
    inside = sides.penalise(sides.short, sides.long) / sides.data.unit
    assert inside == pytest.approx(measured(penalty, X, beta).value(W.T, H), rel=1e-9)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_signals_are_solved_for_the_maps_as_they_are(made, beta):
    X, W, H = made
    problem = Problem(X, 3, beta)
    sides = enter(problem, Start(W=W, H=H))
    before = misfit_by_column(X, W @ H, None, beta=beta).sum()
    sides.refit_signals()
    after_W, after_H = sides.leave()
    np.testing.assert_allclose(after_H, H, rtol=1e-12)
    after = misfit_by_column(X, after_W @ after_H, None, beta=beta).sum()
    assert after < before
    again = solve_signals(X, H, loss=beta)
    np.testing.assert_allclose(after_W, again, rtol=1e-2, atol=1e-3 * after_W.max())


def test_rows_and_columns_without_weight_enter_as_zeros(made):
    X, W, H = made
    weights = np.ones(len(X)), np.ones(X.shape[1])
    weights[0][2], weights[1][4] = 0, 0
    left_W, left_H = enter(Problem(X, 3, 1.0, weights=weights), Start(W=W, H=H)).leave()
    assert not left_W[2].any()
    assert not left_H[:, 4].any()
