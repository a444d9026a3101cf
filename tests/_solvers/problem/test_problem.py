"""A problem says what is asked; what is left out of it is plain least squares."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.factorise import factorise
from partita._solvers.penalties.penalty import NONE
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.start import Start


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.gamma(0.5, 1.0, (40, 3)) @ rng.gamma(0.3, 1.0, (3, 25)) + 0.01


def solve(problem, **start):
    return factorise(problem, Start(n_starts=1, **start), rng=np.random.default_rng(0))


def test_what_is_left_out_is_the_squared_error_of_all_entries(X):
    problem = Problem(X, 3)
    said = Problem(X, 3, 2.0, NONE, None, None, np.arange(25))
    answer, other = solve(problem), solve(said)
    np.testing.assert_array_equal(answer.W, other.W)
    np.testing.assert_allclose(answer.losses[-1], 0.5 * np.square(X - answer.W @ answer.H).sum())


def test_the_loss_is_the_one_that_is_asked_for(X):
    answer = solve(Problem(X, 2, 1.0))
    Y = answer.W @ answer.H
    np.testing.assert_allclose(answer.losses[-1], (X * np.log(X / Y) - X + Y).sum())
    squares = np.square(X - Y).sum()
    assert squares > 2 * solve(Problem(X, 2)).losses[-1]


@pytest.mark.parametrize("loss", [2.0, 1.0])
def test_what_is_held_stays_as_the_start_gives_it(X, loss):
    maps = np.random.default_rng(1).random((3, 25))
    held = np.array([True, False, True])
    answer = solve(Problem(X, 3, loss, held=held), H=maps)
    np.testing.assert_allclose(answer.H[held], maps[held], rtol=1e-12)
    assert not np.allclose(answer.H[1], maps[1])


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_data_may_lie_in_any_order_and_stay_as_they_are(X, order):
    given = np.array(X, order=order)
    answer = solve(Problem(given, 3))
    np.testing.assert_array_equal(given, X)
    np.testing.assert_allclose(answer.losses[-1], solve(Problem(X, 3)).losses[-1], rtol=1e-4)
