"""Sweeps over tiles of rows: well-conditioned ones end at the minimum, and others say so."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.nnls.active_set import solve_rows
from partita._solvers.nnls.coordinate_descent import TILE, sweep_shared


def draw(k, m, *, mixing=0.03):
    rng = np.random.default_rng(k)
    A = np.diag(rng.uniform(0.5, 2, k)) * 4
    A += mixing * rng.random((k, k))
    return (A + A.T) / 2, rng.standard_normal((m, k)) * rng.gamma(1.0, 50, (m, 1))


def swept(A, C, *, most=60, rows=None):
    scale = np.diag(A) ** -0.5
    W = np.full_like(C, np.nan)
    first, last = rows or (0, len(C))
    left = sweep_shared(A * np.outer(scale, scale), scale, C, W, first, last, 1e-12, most)
    return W, left


@pytest.mark.parametrize("k", [1, 3, 6, 13])
@pytest.mark.parametrize("m", [1, TILE, 3 * TILE + 5])
def test_rows_end_at_the_exact_minimum(k, m):
    A, C = draw(k, m)
    W, left = swept(A, C)
    exact = np.zeros_like(C)
    solve_rows(A[None], C, exact, 0, m, 50)
    assert left.size == 0
    np.testing.assert_allclose(W, exact, atol=1e-9 * np.abs(exact).max())


def test_tiles_that_need_longer_are_named():
    A, C = draw(6, 2 * TILE)
    hard = A + 200 * np.ones((6, 6))
    W, left = swept(hard, C, most=5)
    assert left.tolist() == [0, TILE]
    assert (W >= 0).all()


def test_only_the_rows_asked_for_are_touched():
    A, C = draw(4, 300)
    W, _ = swept(A, C, rows=(10, 200))
    assert np.isnan(W[:10]).all()
    assert np.isnan(W[200:]).all()
    assert (W[10:200] >= 0).all()


def test_a_component_without_a_scale_stays_out():
    A, C = draw(4, 50)
    scale = np.diag(A) ** -0.5
    scale[1] = 0
    W = np.empty_like(C)
    sweep_shared(A * np.outer(scale, scale), scale, C, W, 0, 50, 1e-12, 60)
    assert not W[:, 1].any()
