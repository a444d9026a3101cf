"""Each step of a semi-non-negative fit solves one factor for the other, and never climbs."""

from __future__ import annotations

import numpy as np
import pytest
from solving import posed

from partita._solvers.matrices.convert import lay
from partita._solvers.nmf.semi_descent import Data, Descent, gram_of, maps_for, signals_for

X = np.random.default_rng(0).standard_normal((40, 60))


def data_of(shrinkage: float) -> Data:
    laid = lay(X)
    return Data(posed(laid.matrix, 3), laid.signals_short, shrinkage)


@pytest.mark.parametrize("shrinkage", [0.0, 0.1])
def test_a_descent_never_climbs_and_keeps_signals_non_negative(shrinkage: float) -> None:
    descent = Descent(data_of(shrinkage), np.random.default_rng(1).random((3, 40)))
    before = descent.at.loss
    for _ in range(20):
        descent.step()
        assert descent.at.loss <= before * (1 + 1e-12)
        assert descent.at.S.min() >= 0
        before = descent.at.loss


@pytest.mark.parametrize("shrinkage", [0.0, 0.1])
def test_maps_are_those_of_ridge_regression(shrinkage: float) -> None:
    S = np.random.default_rng(1).random((3, 40))
    ridge = np.sqrt(shrinkage) * np.diag(np.linalg.norm(S, axis=1))
    rows, zeros = np.vstack([S.T, ridge]), np.zeros((3, 60))
    wanted = np.linalg.lstsq(rows, np.vstack([X, zeros]), rcond=None)[0]
    data = data_of(shrinkage)
    np.testing.assert_allclose(maps_for(data, S, data.onto_features(S)), wanted, atol=1e-10)


def test_signals_satisfy_the_conditions_of_the_optimum() -> None:
    at = Descent(data_of(0.1), np.random.default_rng(1).random((3, 40))).at
    S = signals_for(at)
    slope = gram_of(at.maps, 0.1) @ S - at.cross
    assert slope.min() > -1e-8
    assert np.abs(slope[S > 0]).max() < 1e-8
