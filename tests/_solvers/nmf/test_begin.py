"""Every way to begin gives two whole non-negative factors, and keeps what was given."""

from __future__ import annotations

import numpy as np
import pytest
from solving import posed

from partita._solvers.matrices.in_memory import Dense
from partita._solvers.nmf.begin import Asked, begin
from partita._solvers.nmf.sketch import settle
from partita._solvers.problem.start import Start

N, P, K = 12, 50, 4


@pytest.fixture
def factors():
    rng = np.random.default_rng(0)
    return rng.gamma(0.5, 1, (N, K)), rng.gamma(0.5, 1, (K, P))


@pytest.fixture
def problem(factors):
    W, H = factors
    return posed(Dense(W @ H + 0.01), K)


def begun(problem, start, *, signals_short=True):
    asked = Asked(start, signals_short, None)
    return begin(problem, K, asked, np.random.default_rng(1))


@pytest.mark.parametrize("name", ["auto", "random", "nndsvd", "nndsvda", "nndsvdar"])
@pytest.mark.parametrize("first", ["W", "H"])
@pytest.mark.parametrize("signals_short", [True, False])
def test_a_start_by_name_is_whole_and_better_than_nothing(problem, name, first, signals_short):
    found = begun(problem, Start(name, first=first), signals_short=signals_short)
    assert found.S.shape == (K, N)
    assert found.L.shape == (K, P)
    assert found.S.min() >= 0
    assert found.L.min() >= 0
    assert settle(problem, found.S, found.L, rounds=1).loss < 0.5 * problem.norm2
    assert found.report["starts"] == (2 if name == "auto" else 1)


def test_whole_factors_are_taken_as_they_are(problem, factors):
    W, H = factors
    found = begun(problem, Start(W=W, H=H))
    np.testing.assert_array_equal(found.S, W.T)
    np.testing.assert_array_equal(found.L, H)
    assert found.passes == 0


@pytest.mark.parametrize("given", ["W", "H"])
def test_the_factor_that_is_missing_is_solved(problem, factors, given):
    W, H = factors
    found = begun(problem, Start(**{given: W if given == "W" else H}))
    end = settle(problem, found.S, found.L, rounds=30)
    np.testing.assert_allclose(end.S.T @ end.L, W @ H, atol=0.1)


@pytest.mark.parametrize("rest", ["auto", "random"])
def test_further_components_follow_those_that_are_given(problem, factors, rest):
    W, H = factors
    found = begun(problem, Start(rest, W=W[:, :2], H=H[:2]))
    assert found.S.shape == (K, N)
    np.testing.assert_array_equal(found.S[:2], W[:, :2].T)
    assert found.S[2:].any()
    assert found.L[2:].any()
