"""Compiled products of a tile are those of the matrices."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.matrices.tile_products import (
    add_inner_products,
    add_products,
    combine_rows,
    combine_turned,
    in_fours,
    spread_turned,
)

SHAPES = [(4, 5, 9), (8, 7, 1200), (12, 16, 513), (4, 1, 1)]


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


def draw(*shape, dtype="float64"):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def agree(found, expected, dtype):
    np.testing.assert_allclose(found, expected, atol=1e-3 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("k", [1, 3, 4, 6])
def test_rows_are_filled_up_to_fours_with_zeros(k):
    rows = draw(k, 5)
    filled = in_fours(rows)
    assert len(filled) == -(-k // 4) * 4
    np.testing.assert_array_equal(filled[:k], rows)
    assert not filled[k:].any()


@pytest.mark.parametrize(("k", "n", "p"), SHAPES)
def test_rows_are_combined_within_a_tile(dtype, k, n, p):
    S, X, start = draw(k, n, dtype=dtype), draw(n, p, dtype=dtype), p // 3
    C = draw(k, p - start, dtype=dtype)
    combine_rows(S, X, start, p - start, C)
    agree(C, S @ X[:, start:], dtype)


@pytest.mark.parametrize(("k", "n", "p"), SHAPES)
def test_inner_products_of_a_tile_are_added(dtype, k, n, p):
    X, L, start = draw(n, p, dtype=dtype), draw(k, p, dtype=dtype), p // 3
    before = draw(n, k)
    A = before.copy()
    add_inner_products(X, start, L, start, p - start, A)
    agree(A - before, X[:, start:] @ L[:, start:].T, dtype)


@pytest.mark.parametrize(("k", "n", "p"), SHAPES)
@pytest.mark.parametrize("turned", [False, True])
def test_products_are_added_over_the_columns_asked_for(dtype, k, n, p, turned):
    X, L, first = draw(n, p, dtype=dtype), draw(k, p, dtype=dtype), p // 4
    A = np.zeros((k, n) if turned else (n, k))
    lies = np.ascontiguousarray(X.T) if turned else X
    add_products(lies, turned, np.ascontiguousarray(L[:, first:]), first, p, A)
    agree(A.T if turned else A, X[:, first:] @ L[:, first:].T, dtype)


@pytest.mark.parametrize(("k", "n", "p"), SHAPES)
def test_a_turned_tile_gives_the_same_products(dtype, k, n, p):
    X, S, width = draw(p, n, dtype=dtype), draw(k, n, dtype=dtype), min(p, 300)
    C = np.empty((k, width), dtype)
    combine_turned(S, X, p - width, width, C)
    agree(C, S @ X[p - width :].T, dtype)
    given = np.zeros((k, 512), dtype)
    given[:, :width] = draw(k, width, dtype=dtype)
    A, part = np.zeros((k, n)), np.empty((k, 512), dtype)
    spread_turned(X, p - width, width, given, part, A)
    agree(A, given[:, :width] @ X[p - width :], dtype)
