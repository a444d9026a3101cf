"""Products of some columns are those of the matrices, however these lie."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.matrices.inner_products import add_products, panels

SHAPES = [(3, 5, 9), (10, 7, 1200), (4, 16, 513), (5, 1, 1), (2, 9000, 1100), (6, 751, 2100)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("lies", ["C", "F"])
@pytest.mark.parametrize(("k", "n", "p"), SHAPES)
def test_products_are_added_over_the_columns_asked_for(dtype, order, lies, k, n, p):
    rng, block = np.random.default_rng(k), slice(p // 4, p)
    X = np.asarray(rng.standard_normal((n, p)), dtype, order=order)
    L = rng.standard_normal((k, p - p // 4)).astype(dtype)
    A = np.ones((n, k), order=lies)
    add_products(X, block, L, A)
    expected = 1 + X[:, block].astype("float64") @ L.T.astype("float64")
    np.testing.assert_allclose(A, expected, atol=1e-3 if dtype == "float32" else 1e-10)


def test_sums_in_single_precision_are_rounded_by_far_less_than_its_digits():
    L = np.random.default_rng(0).random((10, 20_000), np.float32)
    B = np.zeros((10, 10))
    add_products(L, slice(0, 20_000), L, B)
    exact = L.astype("float64") @ L.T.astype("float64")
    assert abs(B.sum() / exact.sum() - 1) < 1e-8


def test_panels_cover_all_columns():
    assert [i for panel in panels(2500) for i in range(panel.start, panel.stop)] == [*range(2500)]
