"""A fit ends where there is nothing more to gain and its certificate holds."""

from __future__ import annotations

import numpy as np
import pytest
from solving import fit

from partita._solvers.optimality.stopping import Rule
from partita._solvers.penalties.penalty import NONE
from partita._solvers.penalties.unit_norm import UnitNorm

TOL = 1e-3
RULE = Rule(TOL, floor=1e-6)


def falling(share, rounds=6):
    """Return losses that fall by a share of the last one in five rounds."""
    return np.linspace(1 + share, 1, rounds).tolist()


def test_a_loss_is_flat_by_what_five_rounds_bring():
    assert RULE.is_near(falling(4e-6))
    assert not RULE.is_near(falling(6e-6))
    assert not RULE.is_near(falling(4e-6)[1:])
    assert not RULE.is_near([])


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_rule_knows_no_units(scale):
    rule = Rule(TOL, floor=1e-6 * np.sqrt(scale))
    for share in (4e-6, 6e-6):
        losses = [scale * loss for loss in falling(share)]
        assert rule.is_near(losses) is RULE.is_near(falling(share))


def test_a_point_ahead_must_be_well_within_the_tolerance_or_stand_still():
    flat, still = falling(4e-6), falling(4e-7)
    assert RULE.ends(0.9 * TOL, flat, ahead=False)
    assert not RULE.ends(0.9 * TOL, flat, ahead=True)
    assert RULE.ends(0.4 * TOL, flat, ahead=True)
    assert RULE.ends(0.9 * TOL, still, ahead=True)
    assert not RULE.ends(1.1 * TOL, still, ahead=False)
    assert not RULE.ends(0.1 * TOL, falling(1e-4), ahead=False)


def test_where_rounding_decides_the_residual_alone_counts():
    tiny = [1.0, 1e-13]
    assert RULE.is_near(tiny)
    assert RULE.ends(TOL, tiny, ahead=True)
    assert not RULE.ends(2 * TOL, tiny, ahead=False)


def test_a_certificate_that_does_not_hold_asks_for_more():
    assert RULE.tightened().aim < RULE.aim
    assert RULE.tightened(0.5 * TOL).aim < 0.5 * TOL
    assert RULE.flattened().aim == RULE.aim
    losses = falling(4e-6)
    assert not RULE.flattened().is_near(losses)
    assert not RULE.tightened().is_near(losses)


KINDS = {
    "plain": {},
    "weights": {"weighted": True},
    "penalties": {"penalty": UnitNorm(W_l1=0.02, H_l1=0.02)},
    "held maps": {"held": np.array([True, False, False, False])},
}


def recording(dtype, *, shape=(60, 150)):
    rng = np.random.default_rng(0)
    signals, maps = rng.gamma(0.5, 1.0, (shape[0], 4)), rng.gamma(0.3, 1.0, (4, shape[1]))
    return ((signals @ maps + 0.02) * rng.gamma(10, 0.1, shape)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_a_fit_is_converged_when_its_certificate_holds_and_ends_there(beta, kind, dtype):
    X = recording(dtype)
    options = {key: value for key, value in kind.items() if key != "weighted"}
    if kind.get("weighted"):
        options["weights"] = np.random.default_rng(1).random(X.shape).astype(dtype)
    for max_iter in (3, 500):
        found = fit(X, 4, loss=beta, tol=TOL, max_iter=max_iter, **options)
        assert found.converged == (found.certificate.residual <= TOL)
    assert found.converged
    assert found.n_iter < 500


@pytest.mark.parametrize("shape", [(60, 150), (700, 90), (200, 900)])
@pytest.mark.parametrize("penalty", [NONE, UnitNorm(H_l1=0.02)], ids=["plain", "penalties"])
@pytest.mark.parametrize("weights", ["seen", "any"])
def test_weighted_fits_in_float32_end_where_rounding_stops_them(shape, penalty, weights):
    X = recording(np.float32, shape=shape)
    draw = np.random.default_rng(9).random(X.shape)
    M = (draw < 0.8 if weights == "seen" else draw + 0.1).astype(np.float32)
    found = fit(X, 4, weights=M, penalty=penalty)
    assert found.converged
    assert found.n_iter < 100
