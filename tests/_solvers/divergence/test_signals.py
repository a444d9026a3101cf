"""Signals for given maps under a divergence: exact, penalised, and defined where all is zero."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.sparse
from solving import fit, measured

from partita._solvers.penalties.penalty import NONE, Extent
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.smoothness import Smoothness, chain
from partita._solvers.penalties.unit_norm import UnitNorm
from partita._solvers.signals import solve_signals

PENALTIES = {
    "none": NONE,
    "scale-free": UnitNorm(0.1, 0.1, 0.1),
    "scikit-learn's": PerEntry(0.1, 0.1, 0.1, 0.1),
}


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_where_there_is_nothing_to_explain_signals_are_zero(beta, penalty):
    rng = np.random.default_rng(0)
    H, ones = rng.random((3, 30)), np.ones((8, 30))
    X = np.where(rng.random((8, 30)) < 0.5, 2.0, 0.0)
    unseen = (X == 0).astype(float)
    cases = [(0 * X, None), (scipy.sparse.csr_array(0 * X), None), (0 * X, ones), (X, unseen)]
    cases += [(X, 0 * ones), (X, (np.zeros(8), np.ones(30)))]
    penalty = penalty.against(Extent(8, 30, 1.0, beta))
    for data, weights in cases:
        W = solve_signals(data, H, loss=beta, penalty=penalty, weights=weights)
        np.testing.assert_array_equal(W, np.zeros((8, 3)))


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5])
def test_signals_of_exact_data_are_recovered_for_given_maps(beta):
    rng = np.random.default_rng(11)
    H, W = rng.gamma(0.7, 1.0, (4, 80)), rng.random((20, 4)) + 0.1
    np.testing.assert_allclose(solve_signals(W @ H, H, loss=beta), W, rtol=1e-4)


def test_signals_for_given_maps_obey_the_penalty():
    rng = np.random.default_rng(11)
    H = rng.gamma(0.7, 1.0, (3, 120))
    X = rng.gamma(0.7, 1.0, (50, 3)) @ H * rng.gamma(8.0, 1 / 8.0, (50, 120))
    free = solve_signals(X, H, loss=1.0)
    for penalty in (UnitNorm(W_l1=0.2), UnitNorm(H_l1=0.02), UnitNorm(l2=0.5)):
        assert solve_signals(X, H, loss=1.0, penalty=measured(penalty, X, 1.0)).sum() < free.sum()


@pytest.mark.slow
def test_signals_of_a_fit_are_solved_to_the_end_where_samples_are_tied():
    rng = np.random.default_rng(0)
    W = np.abs(scipy.ndimage.gaussian_filter1d(rng.standard_normal((200, 4)), 8, axis=0))
    X = rng.poisson(40 * W @ rng.gamma(0.5, 1.0, (4, 400)) + 0.1).astype(float)
    found = fit(X, 4, loss=1.0, penalty=Smoothness.along(chain(np.ones(199)), 10.0), max_iter=300)
    again = solve_signals(X, found.H, loss=1.0, penalty=found.penalty)
    np.testing.assert_allclose(again, found.W, atol=1e-4 * found.W.max())
