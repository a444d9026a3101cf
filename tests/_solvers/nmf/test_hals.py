"""A descent taken up again from its state goes where it would have gone."""

import numpy as np
import pytest

from partita._solvers.compute.threads import Crew
from partita._solvers.matrices import products
from partita._solvers.matrices.convert import lay
from partita._solvers.nmf.frobenius import orient
from partita._solvers.nmf.hals import Descent
from partita._solvers.penalties.penalty import NONE
from partita._solvers.penalties.unit_norm import UnitNorm

K, ROUNDS = 4, 30


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("penalty", [NONE, UnitNorm(H_l1=0.05)])
def test_a_descent_resumed_after_any_round_ends_in_the_same_bits(dtype, penalty):
    rng = np.random.default_rng(0)
    X = (rng.random((40, K)) @ rng.random((K, 900)) + 0.3 * rng.random((40, 900))).astype(dtype)
    S, L = rng.random((K, 40)).astype(dtype), rng.random((K, 900)).astype(dtype)
    with Crew(1) as crew:
        free = np.ones(K, bool)
        problem = orient(lay(X), products.norm2(X), penalty, None, free, crew=crew)
        whole = Descent(problem, S.copy(), L.copy())
        states = [whole.state()]
        for _ in range(ROUNDS):
            whole.step()
            states.append(whole.state())
        assert any(state.careful for state in states), "no step back was taken: nothing is shown"
        for done, state in enumerate(states):
            resumed = Descent.resumed(problem, state)
            for _ in range(ROUNDS - done):
                resumed.step()
            np.testing.assert_array_equal(resumed.S.ahead, whole.S.ahead)
            np.testing.assert_array_equal(resumed.L.ahead, whole.L.ahead)
            assert resumed.losses == whole.losses
