"""What arrays are called says what a solver answers with."""

from __future__ import annotations

import typing

import numpy as np
import pytest
from solving import fit

from partita._solvers.compute import types


def test_weights_of_rank_one_are_those_of_samples_and_of_features():
    rng = np.random.default_rng(3)
    X = rng.gamma(0.5, 1.0, (30, 3)) @ rng.gamma(0.4, 1.0, (3, 20))
    of_samples, of_features = rng.uniform(0.5, 2.0, 30), rng.uniform(0.5, 2.0, 20)
    assert len(typing.get_args(types.RankOne)) == 2
    pair = fit(X, 3, weights=(of_samples, of_features), tol=1e-6, max_iter=2000)
    each = fit(X, 3, weights=np.outer(of_samples, of_features), tol=1e-6, max_iter=2000)
    np.testing.assert_allclose(pair.W @ pair.H, each.W @ each.H, atol=1e-2 * X.max())


@pytest.mark.parametrize(
    ("alias", "dtype"),
    [(types.Floats, np.float64), (types.Singles, np.float32), (types.Spectrum, np.complex64)],
)
def test_each_name_is_one_precision(alias, dtype):
    assert typing.get_args(typing.get_args(alias)[1]) == (dtype,)
