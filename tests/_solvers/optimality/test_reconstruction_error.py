"""The error of reconstruction is that of numpy under every loss, with weights, in any units."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from partita._solvers.optimality.reconstruction_error import error


@pytest.fixture
def given():
    rng = np.random.default_rng(0)
    W, H = rng.random((9, 2)) + 0.1, rng.random((2, 14)) + 0.1
    return rng.poisson(3.0, (9, 14)) + 0.0, W, H


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_norm_of_the_residual_under_frobenius(given, kind, weighted):
    X, W, H = given
    M = np.random.default_rng(1).random(X.shape) if weighted else np.ones(X.shape)
    found = error(kind(X), W, H, loss=2.0, weights=M if weighted else None)
    assert found == pytest.approx(np.sqrt((M * (X - W @ H) ** 2).sum()))


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
def test_it_is_the_root_of_twice_the_divergence_under_kullback_leibler(given, kind):
    X, W, H = given
    Y = W @ H
    logs = np.log(np.divide(X, Y, out=np.ones_like(X), where=X > 0))
    divergence = (X * logs - X + Y).sum()
    assert error(kind(X), W, H, loss=1.0) == pytest.approx(np.sqrt(2 * divergence))


@pytest.mark.parametrize("loss", [2.0, 1.0, 0.5])
def test_it_follows_the_units_as_the_loss_does(given, loss):
    X, W, H = given
    here, there = error(X, W, H, loss=loss), error(1e6 * X, 1e6 * W, H, loss=loss)
    assert there == pytest.approx(1e6 ** (loss / 2) * here)


@pytest.mark.parametrize("loss", [2.0, 1.0])
def test_exact_factors_have_none(given, loss):
    _, W, H = given
    assert error(W @ H, W, H, loss=loss) == pytest.approx(0.0, abs=1e-7)
