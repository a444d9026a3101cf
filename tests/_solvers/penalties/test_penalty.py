"""Penalties: quadratics that touch and lie above, units, and fits that are optimal under them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from solving import fit, measured

from partita._solvers.penalties.penalty import (
    NONE,
    Extent,
    Separable,
    Terms,
    Together,
    for_unit_maps,
    frozen,
)
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.smoothness import Graph, Smoothness, chain
from partita._solvers.penalties.unit_norm import UnitNorm
from partita._solvers.signals import solve_signals

N, P, K = 30, 50, 3
GRID = Graph(np.arange(P - 1), np.arange(1, P), np.linspace(0.5, 2, P - 1), P)


@dataclass(frozen=True)
class Alike:
    """A penalty of a user's own: signals that resemble each other cost, ``<W, Q @ W> / 2``."""

    strength: float = 1.0
    of_signals: bool = True
    active = True
    scale_free = False
    couples_signals = False

    def _gram(self, k):
        return self.strength * np.ones((k, k))

    def against(self, extent):
        return self

    def value(self, W, H, weights=(None, None)):
        own = W if self.of_signals else H
        return 0.5 * float(np.vdot(own, self._gram(len(own)) @ own))

    def majorise(self, moving, given, *, signals, weights=(None, None)):
        zero = np.zeros((len(moving), 1))
        return Terms(zero, zero, self._gram(len(moving)) if signals is self.of_signals else None)

    @property
    def turned(self):
        return Alike(self.strength, not self.of_signals)

    def scaled(self, *, W, H, loss):
        return Alike(self.strength * (W if self.of_signals else H) ** 2 / loss, self.of_signals)

    def restricted(self, share):
        return Alike(self.strength * share, True) if self.of_signals else self


PENALTIES = {
    "sparse maps": UnitNorm(H_l1=0.05),
    "sparse signals": UnitNorm(W_l1=0.05),
    "small parts": UnitNorm(l2=0.05),
    "scikit-learn's": PerEntry(0.002, 0.003, 0.001, 0.002),
    "smooth signals": Smoothness.along(chain(np.linspace(1, 2, N - 1)), 0.5),
    "smooth maps": Smoothness.along(GRID, 0.5, signals=False),
    "of a user": Alike(0.5),
    "several": Together((UnitNorm(0.03, 0.02, 0.01), Smoothness.along(chain(np.ones(N - 1)), 0.3))),
}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
either_factor = pytest.mark.parametrize("signals", [True, False], ids=["signals", "maps"])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def factors(rng):
    return rng.gamma(0.5, 1.0, (K, N)), rng.gamma(0.5, 1.0, (K, P))


def make_data(rng, noise=0.2):
    W = np.abs(np.cumsum(rng.standard_normal((N, K)), axis=0))
    H = rng.gamma(0.5, 1.0, (K, P))
    return W @ H + noise * rng.gamma(1.0, 1.0, (N, P)) + 0.05


def quadratic(terms, x):
    rest = 0 if terms.gram is None else np.vdot(x, terms.gram @ x) / 2
    return float((terms.linear * x + terms.ridge * x**2 / 2).sum() + rest)


def value_at(penalty, x, other, *, signals):
    return penalty.value(x, other) if signals else penalty.value(other, x)


@every_penalty
@either_factor
def test_the_quadratic_lies_above_and_touches(penalty, factors, signals, rng):
    here, other = factors if signals else factors[::-1]
    terms = penalty.majorise(here, other, signals=signals)
    level = value_at(penalty, here, other, signals=signals) - quadratic(terms, here)
    for size in (1e-3, 0.1, 1.0, 10.0):
        for _ in range(10):
            there = np.maximum(here + size * rng.standard_normal(here.shape), 0)
            bound = quadratic(terms, there) + level
            assert value_at(penalty, there, other, signals=signals) <= bound + 1e-9 * abs(bound)


@every_penalty
@either_factor
def test_the_quadratic_has_the_slope_of_the_penalty(penalty, factors, signals, rng):
    here, other = factors if signals else factors[::-1]
    here = here + 0.1
    slope = penalty.majorise(here, other, signals=signals).slope(here) + np.zeros(here.shape)
    direction = rng.standard_normal(here.shape)
    step = 1e-6 * direction
    rise = value_at(penalty, here + step, other, signals=signals)
    fall = value_at(penalty, here - step, other, signals=signals)
    assert (rise - fall) / 2e-6 == pytest.approx(float(np.vdot(slope, direction)), rel=1e-5)


@every_penalty
def test_a_turned_penalty_is_that_of_the_transpose(penalty, factors):
    W, H = factors
    assert penalty.turned.value(H, W) == pytest.approx(penalty.value(W, H), rel=1e-12)
    for signals in (True, False):
        own, other = (W, H) if signals else (H, W)
        direct = penalty.majorise(own, other, signals=signals)
        turned = penalty.turned.majorise(own, other, signals=not signals)
        np.testing.assert_allclose(turned.linear + 0 * own, direct.linear + 0 * own)
        np.testing.assert_allclose(turned.ridge + 0 * own, direct.ridge + 0 * own)


@every_penalty
def test_other_units_change_the_value_as_they_change_the_loss(penalty, factors):
    W, H = factors
    scaled = penalty.scaled(W=8.0, H=0.25, loss=64.0)
    expected = penalty.value(W, H) / 64.0
    assert scaled.value(W / 8.0, H / 0.25) == pytest.approx(expected, rel=1e-12)


@every_penalty
def test_no_rescaling_evades_a_penalty_that_says_so(penalty, factors):
    W, H = factors
    stretch = np.array([[1e-3], [1.0], [1e4]])
    same = penalty.value(W * stretch, H / stretch) == pytest.approx(penalty.value(W, H))
    assert same is penalty.scale_free


def test_penalties_add_up_and_none_is_nothing(factors):
    W, H = factors
    parts = (UnitNorm(0.1, 0.2, 0.3), PerEntry(0.1))
    whole = Together(parts)
    assert whole.value(W, H) == pytest.approx(sum(part.value(W, H) for part in parts))
    assert not NONE.active
    assert NONE.value(W, H) == 0


# Fits


ROUTES = {
    "least squares": {},
    "weighted samples": {"weights": (np.linspace(0.5, 1, N), np.ones(P))},
    "entry by entry": {"weights": np.random.default_rng(1).random((N, P)) + 0.5},
    "Kullback-Leibler": {"loss": 1.0},
    "beta 0.5": {"loss": 0.5},
}


def divergence(X, Y, beta):
    if beta == 2:
        return (X - Y) ** 2 / 2
    if beta == 1:
        return X * np.log(X / Y) - X + Y
    return (X**beta + (beta - 1) * Y**beta - beta * X * Y ** (beta - 1)) / (beta * (beta - 1))


def objective(X, W, H, penalty, *, loss=2.0, weights=None):
    rank_one = isinstance(weights, tuple)
    M = np.outer(*weights) if rank_one else np.ones(X.shape) if weights is None else weights
    misfit = float((M * divergence(X, W @ H, loss)).sum())
    bound = measured(penalty, X, loss, M)
    return misfit + bound.value(W.T, H, weights if rank_one else (None,) * 2)


@pytest.mark.slow
@every_penalty
@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@pytest.mark.parametrize("tall", [False, True])
def test_penalised_fits_end_where_no_small_step_improves(penalty, route, tall, rng):
    if tall and (penalty.couples_signals or "smooth" in repr(penalty).lower()):
        pytest.skip("the graphs are those of the wide data")
    X = make_data(rng)
    X = X.T.copy() if tall else X
    weights = route.get("weights")
    if tall and weights is not None:
        weights = weights[::-1] if isinstance(weights, tuple) else weights.T
    options = {"loss": route.get("loss", 2.0), "weights": weights}
    solution = fit(X, K, penalty=penalty, tol=1e-5, max_iter=4000, **options)
    W, H = solution.W, solution.H
    here = objective(X, W, H, penalty, **options)
    assert solution.losses[-1] == pytest.approx(here, rel=1e-6)
    for _ in range(30):
        step = 1e-3 * W.max() * rng.standard_normal(W.shape)
        assert objective(X, np.maximum(W + step, 0), H, penalty, **options) > here * (1 - 1e-6)
        step = 1e-3 * H.max() * rng.standard_normal(H.shape)
        assert objective(X, W, np.maximum(H + step, 0), penalty, **options) > here * (1 - 1e-6)


@every_penalty
@pytest.mark.parametrize("loss", [2.0, 1.0], ids=["least squares", "Kullback-Leibler"])
def test_what_is_left_of_a_penalty_gives_the_signals_of_the_fit(penalty, loss, rng):
    X = make_data(rng)
    solution = fit(X, K, penalty=penalty, loss=loss, tol=1e-6, max_iter=4000)
    again = solve_signals(X, solution.H, penalty=solution.penalty, loss=loss)
    np.testing.assert_allclose(again, solution.W, atol=2e-3 * solution.W.max())


@every_penalty
@pytest.mark.parametrize("loss", [2.0, 1.0], ids=["least squares", "Kullback-Leibler"])
def test_signals_of_a_part_are_that_part_of_the_signals(penalty, loss, rng):
    if penalty.couples_signals:
        pytest.skip("its samples are tied to their neighbours")
    X = make_data(rng)
    left = fit(X, K, penalty=penalty, loss=loss, max_iter=100)
    whole = solve_signals(X, left.H, penalty=left.penalty, loss=loss)
    part = solve_signals(X[:10], left.H, penalty=left.penalty, loss=loss)
    np.testing.assert_allclose(part, whole[:10], atol=1e-5 * whole.max())


def test_what_is_left_follows_maps_to_unit_length_and_another_order(factors, rng):
    W, H = factors
    left = frozen(UnitNorm(0.1, 0.2, 0.3), W, H)
    order, lengths = np.array([2, 0, 1]), np.linalg.norm(H, axis=1)
    moved = for_unit_maps(left, order, lengths)
    assert isinstance(moved.parts[0], Separable)
    canonical = (W * lengths[:, None])[order]
    assert moved.value(canonical, H) == pytest.approx(left.value(W, H), rel=1e-12)


def test_the_penalty_that_the_guide_builds_keeps_signals_apart(rng):
    page = Path(__file__).parents[3] / "docs" / "develop" / "adding.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    defined = {"__name__": "added"}
    exec(compile(block, page.name, "exec", dont_inherit=True), defined)
    X, added = make_data(rng), defined["Apart"](0.3)
    plain, apart = fit(X, K), fit(X, K, penalty=added)
    assert apart.converged
    strength = added.against(Extent(N, P, 1.0))
    assert strength.value(apart.W.T, apart.H) < strength.value(plain.W.T, plain.H)
    misfit = 0.5 * np.square(X - apart.W @ apart.H).sum()
    assert apart.losses[-1] == pytest.approx(misfit + strength.value(apart.W.T, apart.H))
