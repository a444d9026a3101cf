"""Whatever the kind of a matrix, its products are those of the matrix."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from partita._solvers.matrices.in_memory import Compressed, Dense, Sparse
from partita._solvers.matrices.matrix import add


def compressed(X):
    left, sizes, right = np.linalg.svd(X, full_matrices=False)
    return Compressed(left[:, :4], sizes[:4, None] * right[:4])


KINDS = {
    "dense": lambda X, stream: (Dense(X), X),
    "sparse": lambda X, stream: (Sparse(scipy.sparse.csr_array(X)), X),
    "compressed": lambda X, stream: (compressed(X), X),
    "streamed": lambda X, stream: (stream, X.T if stream.by_samples else X[:, stream.order]),
}


@pytest.fixture(params=KINDS)
def pair(request, X, stream):
    """Return a matrix, and what it stands for as an array (n, p)."""
    return KINDS[request.param](X, stream)


def work_through(columns, blocks, so_far, S, L, projected, norms):
    """Multiply with both factors, and fill what lies along the columns."""
    total = np.zeros((columns.height, S.shape[1] if L is None else L.shape[0]))
    for block in blocks:
        projected[:, block] = columns.project(S, block)
        norms[:, block] = columns.column_norms2(block, None)
        columns.add_spread(L[:, block], block, total)
    return add(so_far, (total,))


def test_one_pass_gives_both_products_and_the_norms_of_columns(pair, crew):
    matrix, X = pair
    rng = np.random.default_rng(1)
    S, L = rng.random((5, X.shape[0])), rng.random((5, X.shape[1]))
    projected, norms = np.empty((5, X.shape[1])), np.empty((1, X.shape[1]))
    (total,) = matrix.over_parts(
        work_through, matrix.encode(S), reads=[L], writes=[projected, norms], rows=5, crew=crew
    )
    np.testing.assert_allclose(projected, S @ X, atol=1e-9)
    np.testing.assert_allclose(matrix.decode(total), X @ L.T, atol=1e-9)
    np.testing.assert_allclose(norms[0], (X**2).sum(axis=0), atol=1e-9)


def test_every_kind_states_its_shape_and_kind_of_numbers(pair):
    matrix, X = pair
    assert matrix.shape == X.shape
    assert matrix.dtype == X.dtype


def test_work_that_sums_nothing_answers_nothing(pair, crew):
    matrix, X = pair
    seen = np.zeros((1, X.shape[1]))

    def mark(columns, blocks, so_far, common, seen):
        for block in blocks:
            seen[:, block] = 1

    assert matrix.over_parts(mark, None, writes=[seen], crew=crew) is None
    assert seen.all()


def test_sums_so_far_grow_in_place_and_none_is_nothing_yet():
    first, more = (np.ones(3), np.ones(2)), (np.full(3, 2.0), np.ones(2))
    assert add(None, None) is None
    assert add(None, more) is more
    assert add(first, None) is first
    grown = add(first, more)
    assert grown is first
    assert [part.tolist() for part in grown] == [[3, 3, 3], [2, 2]]
