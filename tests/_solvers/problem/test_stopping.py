"""Whatever ends a fit is asked in one place: a tolerance, a number of rounds, who watches."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.factorise import factorise
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.start import Start
from partita._solvers.problem.stopping import Stopping


@pytest.fixture
def solve():
    rng = np.random.default_rng(0)
    X = rng.gamma(0.5, 1.0, (40, 3)) @ rng.gamma(0.3, 1.0, (3, 25)) + 0.1 * rng.random((40, 25))

    def with_stopping(stopping, loss=2.0):
        start = Start("random", n_starts=1)
        return factorise(Problem(X, 3, loss), start, stopping, rng=np.random.default_rng(1))

    return with_stopping


class Drawer:
    """Keeps states in memory."""

    def __init__(self, kept=None):
        self.kept, self.times = kept, 0

    def recall(self):
        return self.kept

    def is_due(self):
        return True

    def keep(self, saved):
        self.kept, self.times = saved, self.times + 1


@pytest.mark.parametrize("loss", [2.0, 1.0])
def test_a_smaller_tolerance_is_kept_and_takes_no_fewer_rounds(solve, loss):
    rough, fine = (solve(Stopping(tol, 5000), loss) for tol in (1e-2, 1e-4))
    assert rough.converged
    assert fine.converged
    assert fine.certificate.residual <= 1e-4
    assert fine.n_iter >= rough.n_iter


@pytest.mark.parametrize("loss", [2.0, 1.0])
def test_a_tolerance_of_zero_goes_on_to_the_last_round(solve, loss):
    assert solve(Stopping(0.0, 7), loss).n_iter == 7


@pytest.mark.parametrize("loss", [2.0, 1.0])
def test_who_watches_sees_each_round_and_may_end_the_fit(solve, loss):
    seen = []

    def watch(state):
        seen.append(state.iteration)
        return state.iteration == 3

    assert solve(Stopping(0.0, 20, watch), loss).n_iter == 3
    assert seen == [1, 2, 3]


def test_a_keeper_is_handed_states_from_which_the_fit_goes_on_to_the_same_end(solve):
    drawer = Drawer()
    whole = solve(Stopping(0.0, 12, keeper=drawer))
    assert drawer.times > 0
    half = Drawer()
    solve(Stopping(0.0, 12, lambda state: state.iteration == 6, half))
    again = solve(Stopping(0.0, 12, keeper=Drawer(half.kept)))
    np.testing.assert_allclose(again.losses[-1], whole.losses[-1], rtol=1e-9)
