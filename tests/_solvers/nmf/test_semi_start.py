"""A semi-non-negative fit begins where the best of several starts leads, or as it is told to."""

from __future__ import annotations

import numpy as np
from solving import posed

from partita._solvers.matrices.convert import lay
from partita._solvers.nmf.semi_descent import Data, Descent
from partita._solvers.nmf.semi_start import begin
from partita._solvers.problem.start import Start

RNG = np.random.default_rng(0)
SIGNALS = np.maximum(RNG.standard_normal((120, 3)), 0)
X = SIGNALS @ RNG.standard_normal((3, 90)) + 0.1 * RNG.standard_normal((120, 90))
LAID = lay(X)
DATA = Data(posed(LAID.matrix, 3), LAID.signals_short, 0.1)


def loss_of(S: np.ndarray) -> float:
    return Descent(DATA, S).at.loss


def test_it_begins_near_the_loss_of_the_truth() -> None:
    S, report = begin(DATA, LAID, 3, Start("auto"), np.random.default_rng(1))
    assert S.min() >= 0
    assert report["starts"] > 1
    assert loss_of(S) < 1.1 * loss_of(SIGNALS.T)


def test_given_signals_are_begun_from_as_they_are() -> None:
    S, _ = begin(DATA, LAID, 3, Start(W=SIGNALS), np.random.default_rng(1))
    np.testing.assert_allclose(S, SIGNALS.T)
