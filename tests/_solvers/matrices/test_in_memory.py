"""Matrices in memory: blocks that cover the columns, and parts that are taken out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse

from partita._solvers.matrices.in_memory import Compressed, Dense, Sparse, group_columns


@pytest.mark.parametrize(("n", "p"), [(3, 5), (30, 700), (20_000, 3_000), (4, 1_000_000), (7, 1)])
def test_blocks_cover_all_columns_in_their_order_in_few_groups(n, p):
    groups = group_columns(n, p)
    blocks = [block for group in groups for block in group]
    assert blocks[0].start == 0
    assert blocks[-1].stop == p
    assert all(a.stop == b.start for a, b in itertools.pairwise(blocks))
    assert len(groups) <= 16


@pytest.mark.parametrize("kind", [Dense, lambda X: Sparse(scipy.sparse.csr_array(X))])
def test_rows_may_be_weighted_and_values_are_those_of_the_block(X, kind):
    matrix, weights = kind(X), np.arange(1.0, 31)
    for group in matrix.groups:
        for block in group:
            np.testing.assert_allclose(
                matrix.column_norms2(block, weights), weights @ X[:, block] ** 2
            )
            np.testing.assert_array_equal(matrix.values(block), X[:, block])


def test_a_compressed_matrix_stands_for_the_product_of_its_factors():
    rng = np.random.default_rng(2)
    Q, _ = np.linalg.qr(rng.standard_normal((30, 4)))
    matrix, weights = Compressed(Q, rng.standard_normal((4, 50))), rng.random(30)
    whole, everything = matrix.Q @ matrix.Z, slice(0, 50)
    np.testing.assert_allclose(matrix.values(everything), whole)
    np.testing.assert_allclose(matrix.column_norms2(everything), (whole**2).sum(0))
    np.testing.assert_allclose(matrix.column_norms2(everything, weights), weights @ whole**2)


@pytest.mark.parametrize("kind", ["dense", "sparse", "compressed"])
def test_some_columns_are_taken_as_a_copy(X, kind):
    columns = np.array([3, 0, 600])
    Q, Z = np.linalg.qr(X)
    matrix = {
        "dense": lambda: Dense(X),
        "sparse": lambda: Sparse(scipy.sparse.csc_array(X)),
        "compressed": lambda: Compressed(Q, Z, left_out2=7.0),
    }[kind]()
    taken = matrix.take(columns)
    assert taken.shape == (30, 3)
    np.testing.assert_allclose(taken.values(slice(0, 3)), X[:, columns], atol=1e-9)
    assert taken.left_out2 == pytest.approx(matrix.left_out2 * 3 / 700)


def test_nothing_of_an_array_is_copied(X):
    assert Dense(X).X is X
