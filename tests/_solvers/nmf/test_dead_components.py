"""A component that died begins again where the misfit is largest, and no other does."""

from __future__ import annotations

import numpy as np
import pytest
from solving import posed

from partita._solvers.matrices.in_memory import Dense
from partita._solvers.nmf.dead_components import revive
from partita._solvers.nmf.hals import Descent
from partita._solvers.penalties.per_entry import PerEntry


@pytest.fixture
def factors():
    rng = np.random.default_rng(0)
    return rng.gamma(0.5, 1, (3, 10)), rng.gamma(0.5, 1, (3, 40))


def died(factors, **options):
    S, L = factors
    descent = Descent(posed(Dense(S.T @ L), 3, **options), S.copy(), L.copy())
    descent.S.ahead[1] = 0
    return descent


def test_the_dead_one_takes_the_column_that_is_explained_worst(factors):
    S, L = factors
    descent = died(factors)
    assert revive(descent).tolist() == [1]
    missing = np.outer(S[1], L[1])
    worst = np.square(missing).sum(0).argmax()
    assert np.flatnonzero(descent.L.ahead[1]).tolist() == [worst]
    np.testing.assert_allclose(descent.S.ahead[1], missing[:, worst], atol=1e-12)
    assert not descent.L.ahead[[0, 2], worst].any()


def test_the_fit_finds_what_it_had_lost(factors):
    descent = died(factors)
    revive(descent)
    for _ in range(200):
        descent.step()
    assert descent.losses[-1] < 1e-4 * descent.problem.norm2


def test_nothing_is_changed_where_all_live_or_a_penalty_may_have_put_one_out(factors):
    S, L = factors
    alive = Descent(posed(Dense(S.T @ L), 3), S.copy(), L.copy())
    assert revive(alive).size == 0
    np.testing.assert_array_equal(alive.S.ahead, S)
    assert revive(died(factors, penalty=PerEntry(W_l1=1.0))).size == 0


def test_what_is_held_stays_dead(factors):
    descent = died(factors)
    descent.problem = descent.problem._replace(L_free=np.array([0, 2]))
    assert revive(descent).size == 0
