"""The penalty of scikit-learn is the one that scikit-learn's loss has."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.penalties.penalty import Extent
from partita._solvers.penalties.per_entry import PerEntry


@pytest.fixture
def factors():
    rng = np.random.default_rng(0)
    return rng.random((3, 20)), rng.random((3, 50))


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_its_value_is_the_formula_of_scikit_learn(factors, l1_ratio):
    W, H = factors
    alpha_W, alpha_H, (n, p) = 0.02, 0.03, (20, 50)
    penalty = PerEntry(
        l1_ratio * alpha_W, l1_ratio * alpha_H, (1 - l1_ratio) * alpha_W, (1 - l1_ratio) * alpha_H
    ).against(Extent(n, p, rms=7.0))
    sparse = alpha_W * p * W.sum() + alpha_H * n * H.sum()
    small = alpha_W * p * np.square(W).sum() + alpha_H * n * np.square(H).sum()
    expected = l1_ratio * sparse + 0.5 * (1 - l1_ratio) * small
    assert penalty.value(W, H) == pytest.approx(expected)


def test_it_is_a_quadratic_and_its_own_majoriser(
    factors,
):
    W, H = factors
    penalty = PerEntry(0.1, 0.2, 0.3, 0.4)
    terms = penalty.majorise(W, H, signals=True)
    assert terms.linear.tolist() == [[0.1]] * 3
    assert terms.ridge.tolist() == [[0.3]] * 3
    assert penalty.turned.majorise(H, W, signals=False).linear.tolist() == [[0.1]] * 3


def test_weights_count_entries_and_rescaling_changes_it(factors):
    W, H = factors
    penalty, weights = PerEntry(W_l1=1.0), np.arange(20.0)
    assert penalty.value(W, H, (weights, None)) == pytest.approx((W * weights).sum())
    assert not penalty.scale_free
    assert penalty.value(2 * W, H / 2) == pytest.approx(2 * penalty.value(W, H))
    assert not PerEntry().active
