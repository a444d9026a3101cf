"""A corrected sketch has the gradient of X where it was corrected, and leads as near as X does."""

from __future__ import annotations

import numpy as np
import pytest
from solving import posed, stream_of

from partita._solvers.compression.range_finder import find_range
from partita._solvers.matrices.in_memory import Dense
from partita._solvers.nmf.sketch import CORRECTIONS, LongSide, Sketch, settle
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.problem import oriented

K = 3


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.gamma(0.5, 1, (40, K)) @ rng.gamma(0.5, 1, (K, 300)) + rng.random((40, 300))


@pytest.fixture
def S():
    return np.random.default_rng(1).random((K, 40))


def sketched(fit, X):
    found = find_range(posed(Dense(X)), 2 * K, np.random.default_rng(2), short=True)
    return Sketch(fit, found.Q, fit.onto_long(found.Q.T))


FITS = {
    "in memory": lambda X: LongSide(posed(Dense(X), K)),
    "along the long side": lambda X: LongSide(posed(stream_of(X, chunks=(-1, 70)), K)),
    "along the short side": lambda X: LongSide(
        posed(stream_of(X.T, chunks=(9, -1), by_samples=True), K), across=True
    ),
}
every_fit = pytest.mark.parametrize("fit", FITS.values(), ids=FITS)


@pytest.fixture(autouse=True)
def a_part_a_chunk(monkeypatch):
    monkeypatch.setattr("partita._solvers.matrices.partition.PART_BYTES", 1)


@every_fit
def test_products_with_either_side_are_those_of_numpy(fit, X, S):
    side, L = fit(X), np.random.default_rng(3).random((K, 300))
    np.testing.assert_allclose(side.onto_long(S), S @ X)
    np.testing.assert_allclose(side.onto_short(L), L @ X.T)


@every_fit
def test_where_it_is_corrected_a_sketch_has_the_products_of_x(fit, X, S):
    sketch = sketched(fit(X), X)
    at = settle(sketch.posed(), S, rounds=5)
    seen = oriented.products_of(sketch.posed(), at.L)
    assert np.abs(seen.A - at.L @ X.T).max() > 1e-3
    widened = sketch._widened(at)
    np.testing.assert_allclose(oriented.products_of(widened, at.L).A, at.L @ X.T, rtol=1e-8)
    np.testing.assert_allclose(oriented.project(widened, at.S), at.S @ X, rtol=1e-8, atol=1e-8)


@every_fit
def test_corrections_lead_to_where_a_descent_on_x_leads(fit, X, S):
    sketch = sketched(fit(X), X)
    at, count = sketch.corrected(settle(sketch.posed(), S, rounds=60))
    assert 1 <= count <= CORRECTIONS
    whole = settle(posed(Dense(X), K), S, rounds=300, tol=1e-5)
    loss = 0.5 * np.square(X - at.S.T @ at.L).sum()
    assert loss <= whole.loss * (1 + 1e-3)


def test_seen_along_the_other_side_a_penalty_and_what_is_held_change_places(X):
    problem = posed(Dense(X), K, penalty=PerEntry(W_l1=1.0))._replace(S_free=np.arange(1))
    turned = LongSide(problem, across=True).turned
    assert turned.penalty.H_l1 == 1.0
    assert turned.L_free.size == 1
    assert LongSide(problem).turned is problem


def test_settling_leaves_the_start_as_it_was(X, S):
    before = S.copy()
    problem = posed(Dense(X), K)
    first = settle(problem, S, rounds=1)
    later = settle(problem, S, rounds=30)
    np.testing.assert_array_equal(S, before)
    assert later.loss < first.loss
    assert (first.rounds, first.reached) == (1, False)
