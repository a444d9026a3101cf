"""Data as a divergence takes them: near one in size, and free of what has no weight."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse

from partita._solvers.matrices.scaled import prepare

RANK_ONE = np.arange(30.0) % 3, np.arange(700.0) % 5
ENTRYWISE = np.outer(*RANK_ONE)


def whole(data):
    taken = [data.take(block) for block in data.blocks(2_000)]
    weights = None if taken[0][1] is None else np.hstack([weight for _, weight in taken])
    return np.hstack([values for values, _ in taken]), weights


@pytest.mark.parametrize("unit", [1e-6, 1.0, 3e8])
def test_values_come_in_a_size_near_one_by_a_power_of_two(laid_out, X, unit):
    data = prepare(laid_out * unit, beta=1.0)
    assert math.frexp(data.scale)[0] == 0.5
    values, weights = whole(data)
    assert weights is None
    np.testing.assert_array_equal(values, X * unit * data.scale)
    assert 0.7 < np.sqrt((values**2).mean()) < 1.5
    assert data.rms == pytest.approx(np.sqrt((values**2).mean()))


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5, 2.0])
def test_a_divergence_of_scaled_values_is_larger_by_the_unit(beta):
    data = prepare(np.full((3, 4), 1e3), beta=beta)
    assert data.unit == pytest.approx(data.scale**beta)


@pytest.mark.parametrize("weights", [RANK_ONE, ENTRYWISE], ids=["rank one", "entry by entry"])
def test_weights_come_with_their_values_and_what_has_none_is_zero(laid_out, X, weights):
    data = prepare(laid_out, beta=1.0, weights=weights)
    values, found = whole(data)
    np.testing.assert_array_equal(found, ENTRYWISE)
    np.testing.assert_array_equal(values, np.where(ENTRYWISE > 0, X * data.scale, 0))
    rows, columns = data.unseen()
    np.testing.assert_array_equal(rows, RANK_ONE[0] == 0)
    np.testing.assert_array_equal(columns, RANK_ONE[1] == 0)


def test_missing_values_without_weight_do_not_spread(X):
    X[4, 5] = np.nan
    values, _ = whole(prepare(X, beta=1.0, weights=np.isfinite(X).astype(float)))
    assert np.isfinite(values).all()


@pytest.mark.parametrize("weights", [None, RANK_ONE, ENTRYWISE], ids=["none", "rank one", "all"])
def test_turned_data_are_those_of_the_transpose(laid_out, weights):
    data = prepare(laid_out, beta=1.0, weights=weights)
    values, found = whole(data)
    turned, turned_weights = whole(data.turned())
    np.testing.assert_array_equal(turned.T, values)
    if weights is not None:
        np.testing.assert_array_equal(turned_weights.T, found)


def test_where_logarithms_of_zero_would_be_infinite_zeros_become_small(laid_out, X):
    values, _ = whole(prepare(laid_out, beta=0.0))
    assert (values > 0).all()
    assert values[X == 0].max() < values[X > 0].min()
    assert (whole(prepare(laid_out, beta=1.0))[0][X == 0] == 0).all()


def test_zeros_become_a_share_of_the_smallest_value_and_the_rest_stays():
    X = np.array([[0.0, 2.0], [8.0, 0.0]])
    data = prepare(X, beta=0.0)
    np.testing.assert_allclose(whole(data)[0] / data.scale, [[2e-3, 2], [8, 2e-3]])
    np.testing.assert_array_equal(X, [[0, 2], [8, 0]])


def test_nothing_at_all_has_a_scale():
    data = prepare(scipy.sparse.csr_array((3, 4)), beta=1.0)
    assert (data.scale, data.rms) == (1, 0)
