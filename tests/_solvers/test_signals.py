"""One door to signals for given maps: none is better, whatever the loss and the matrix."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import scipy.sparse

from partita._solvers.losses.beta_divergence import misfit_by_column
from partita._solvers.matrices.streamed import open_stream
from partita._solvers.signals import solve_signals

RNG = np.random.default_rng(0)
H = RNG.gamma(1.0, size=(3, 40))
W = RNG.gamma(1.0, size=(25, 3))
X = W @ H + 0.2 * RNG.random((25, 40))


@pytest.mark.parametrize("loss", [0.0, 1.0, 1.5, 2.0])
def test_signals_of_exact_data_are_found(loss):
    np.testing.assert_allclose(solve_signals(W @ H, H, loss=loss), W, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("weights", [None, RNG.random((25, 40))], ids=["plain", "weighted"])
def test_no_signals_nearby_fit_better(loss, weights):
    found = solve_signals(X, H, loss=loss, weights=weights)

    def misfit(signals):
        M = None if weights is None else weights.T.copy()
        return misfit_by_column(X.T, (signals @ H).T, M, beta=loss)

    best = misfit(found)
    for seed in range(5):
        step = 1e-2 * np.random.default_rng(seed).standard_normal(found.shape)
        assert (best <= misfit(np.maximum(found + step, 0)) * (1 + 1e-9)).all()


def test_dense_sparse_and_streamed_data_get_the_same_signals():
    expected = solve_signals(X, H)
    sparse = solve_signals(scipy.sparse.csr_array(X), H)
    stream = open_stream(da.from_array(X, chunks=(10, -1)), inside=None, dtype=X.dtype)
    np.testing.assert_allclose(sparse, expected, atol=1e-9)
    np.testing.assert_allclose(solve_signals(stream, H), expected, atol=1e-9)


@pytest.mark.parametrize("loss", [1.0, 2.0])
def test_a_map_of_zeros_has_signals_of_zero(loss):
    found = solve_signals(X, np.vstack([H, np.zeros(40)]), loss=loss)
    assert not found[:, 3].any()
    assert (found[:, :3] > 0).any()
