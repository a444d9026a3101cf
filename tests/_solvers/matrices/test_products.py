"""Norms and products are the same however X lies, and hold in single precision."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.matrices.products import (
    column_blocks,
    norm2,
    residual_norm2,
    root_mean_square,
    t_times,
    times,
)

RNG = np.random.default_rng(5)
W, H = RNG.random((30, 3)), RNG.random((3, 700))
ENTRYWISE = RNG.random((30, 700))
RANK_ONE = RNG.random(30), RNG.random(700)
WEIGHTS = {"none": None, "entry by entry": ENTRYWISE, "rank one": RANK_ONE}


def dense(weights):
    if weights is None:
        return np.ones((30, 700))
    return np.outer(*weights) if isinstance(weights, tuple) else weights


def test_products_are_dense(laid_out, X):
    np.testing.assert_allclose(times(laid_out, H.T), X @ H.T)
    np.testing.assert_allclose(t_times(laid_out, W), X.T @ W)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_norms_are_those_of_the_matrix_under_its_weights(laid_out, X, weights):
    M = dense(weights)
    assert norm2(laid_out, weights) == pytest.approx((M * X**2).sum())
    assert residual_norm2(laid_out, W, H, weights) == pytest.approx((M * (X - W @ H) ** 2).sum())
    rms = np.sqrt((M * X**2).sum() / M.sum())
    assert root_mean_square(laid_out, weights) == pytest.approx(rms)


def test_the_residual_of_a_stream_is_that_of_the_matrix(stream, X):
    assert residual_norm2(stream, W, H) == pytest.approx(((X - W @ H) ** 2).sum())


def test_what_has_no_weight_has_no_size(X):
    assert root_mean_square(X, np.zeros(X.shape)) == 0


def test_norms_of_single_precision_are_summed_in_double():
    large = np.full((1000, 1500), 3.0, np.float32)
    large[0, 0] = 3e4
    assert norm2(large) == pytest.approx(9.0 * (large.size - 1) + 9e8, rel=1e-12)


@pytest.mark.parametrize("n_bytes", [1, 5_000, 1 << 30])
def test_blocks_of_columns_cover_them_all(X, n_bytes):
    blocks = column_blocks(X, n_bytes=n_bytes)
    assert [i for block in blocks for i in range(block.start, block.stop)] == list(range(700))
    assert all((b.stop - b.start) * 30 * 8 <= max(n_bytes, 240) for b in blocks)


@pytest.mark.parametrize("factor", [1e-25, 1e-19, 1.0, 1e19, 1e25])
def test_residuals_of_any_size_have_a_norm_in_single_precision(factor) -> None:
    X = (factor * (W @ H + 1)).astype(np.float32)
    exact = np.square(X - factor * W.astype(np.float32) @ H.astype(np.float32), dtype=np.float64)
    found = residual_norm2(X, (factor * W).astype(np.float32), H.astype(np.float32))
    assert found == pytest.approx(exact.sum(), rel=1e-4, abs=0)
    assert residual_norm2(0 * X, 0 * W.astype(np.float32), H.astype(np.float32)) == 0.0
