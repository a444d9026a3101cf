"""The penalty of unit norms does not see how a component's length is shared."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.penalties.penalty import Extent
from partita._solvers.penalties.unit_norm import UnitNorm


@pytest.fixture
def factors():
    rng = np.random.default_rng(0)
    return rng.random((3, 20)), rng.random((3, 50))


def test_no_rescaling_of_a_component_evades_it(factors):
    W, H = factors
    share = np.array([1e-3, 1, 1e3])[:, None]
    penalty = UnitNorm(0.1, 0.2, 0.3)
    assert penalty.value(W * share, H / share) == pytest.approx(penalty.value(W, H))


def test_with_unit_maps_it_is_their_sums_and_the_size_of_the_signals(factors):
    W, H = factors
    H = H / np.linalg.norm(H, axis=1, keepdims=True)
    lengths = np.linalg.norm(W, axis=1)
    assert UnitNorm(H_l1=0.2).value(W, H) == pytest.approx(0.2 * lengths @ H.sum(1))
    assert UnitNorm(W_l1=0.1).value(W, H) == pytest.approx(0.1 * W.sum())
    assert UnitNorm(l2=0.3).value(W, H) == pytest.approx(0.15 * np.square(W).sum())


@pytest.mark.parametrize("beta", [2.0, 1.0, 0.0])
def test_against_data_in_other_units_it_weighs_as_the_loss_does(factors, beta):
    W, H = factors
    stated, units = UnitNorm(0.1, 0.2, 0.3), 1e4
    here = stated.against(Extent(20, 50, 1.0, beta)).value(W, H)
    there = stated.against(Extent(20, 50, units, beta)).value(units * W, H)
    assert there == pytest.approx(units**beta * here)


def test_a_weight_counts_a_sample_as_often(factors):
    W, H = factors
    penalty, weights = UnitNorm(0.1, 0.2, 0.3), np.arange(1, 21)
    repeated = np.repeat(W, weights, axis=1)
    assert penalty.value(W, H, (weights, None)) == pytest.approx(penalty.value(repeated, H))


def test_a_row_of_zeros_has_a_tangent_all_the_same(factors):
    W, H = factors
    W = W * np.array([1, 0, 1])[:, None]
    terms = UnitNorm(0.1, 0.2, 0.3).majorise(W, H, signals=True)
    assert np.isfinite(terms.ridge).all()
    assert terms.ridge[1] > 1e6 * terms.ridge[0]
