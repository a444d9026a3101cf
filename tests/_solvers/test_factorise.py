"""One door to every factorisation: the loss and the weights choose what is behind it."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.factorise import factorise
from partita._solvers.losses.beta_divergence import misfit_by_column
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.stopping import Stopping

RNG = np.random.default_rng(0)
X = RNG.gamma(1.0, size=(40, 3)) @ RNG.gamma(1.0, size=(3, 60))
LONG = Stopping(tol=1e-6, max_iter=500)
WEIGHTS = {
    "none": None,
    "rank one": (RNG.random(40) + 0.5, RNG.random(60) + 0.5),
    "entry by entry": RNG.random((40, 60)) + 0.5,
}


@pytest.mark.parametrize("loss", [0.0, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_exact_parts_are_found_under_every_loss_and_weight(loss, weights):
    problem = Problem(X, 3, loss=loss, weights=weights)
    found = factorise(problem, stopping=LONG, rng=np.random.default_rng(1))
    assert (found.W >= 0).all()
    assert (found.H >= 0).all()
    assert np.linalg.norm(X - found.W @ found.H) < 0.02 * np.linalg.norm(X)


@pytest.mark.parametrize("loss", [1.0, 2.0])
def test_the_last_loss_is_that_of_the_factors(loss):
    noisy = X + RNG.random(X.shape)
    found = factorise(Problem(noisy, 3, loss=loss), stopping=LONG, rng=np.random.default_rng(1))
    expected = misfit_by_column(noisy, found.W @ found.H, None, beta=loss).sum()
    assert found.losses[-1] == pytest.approx(expected, rel=1e-6)
