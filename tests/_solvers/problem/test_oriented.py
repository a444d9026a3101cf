"""A fit as it is solved: products of every kind of matrix, some of its columns, and its floor."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from solving import posed, stream_of

from partita._solvers.matrices.in_memory import Compressed, Dense, Sparse
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.problem import oriented

N, P, K = 12, 700, 3


def compressed(X):
    Q = np.linalg.qr(X[:, :N].astype(float))[0].astype(X.dtype)
    return Compressed(Q, Q.T @ X)


KINDS = {
    "dense": Dense,
    "dense, turned": lambda X: Dense(np.asfortranarray(X)),
    "dense, every other column": lambda X: Dense(np.repeat(X, 2, axis=1)[:, ::2]),
    "sparse by rows": lambda X: Sparse(scipy.sparse.csr_array(X)),
    "sparse by columns": lambda X: Sparse(scipy.sparse.csc_array(X)),
    "compressed": compressed,
    "samples in one part": lambda X: stream_of(X, chunks=(-1, -1), by_samples=True),
    "features in parts": lambda X: stream_of(X, chunks=(-1, 90)),
    "features in uneven parts": lambda X: stream_of(X, chunks=((N,), (1, 300, 399))),
    "samples in parts": lambda X: stream_of(X, chunks=(70, -1), by_samples=True),
    "samples in uneven parts": lambda X: stream_of(X, chunks=((300, 400), (5, 7)), by_samples=True),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(params=["float32", "float64"])
def X(request, rng, monkeypatch):
    monkeypatch.setattr("partita._solvers.matrices.partition.PART_BYTES", 1)
    return (rng.random((N, P)) * (rng.random((N, P)) < 0.5)).astype(request.param)


def agrees(found, expected, X):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=50 * np.finfo(X.dtype).eps * scale)


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
def test_products_with_long_rows_are_those_of_numpy(kind, X, weighted, rng):
    L = rng.random((K, P)).astype(X.dtype)
    columns = (rng.random(P) + 0.5).astype(X.dtype) if weighted else None
    problem = posed(kind(X), scale=4.0, columns=columns)
    A, B = oriented.products_of(problem, L)
    by_weight = L if columns is None else L * columns
    agrees(A, by_weight @ X.T / 4, X)
    agrees(B, by_weight @ L.T, X)


@every_kind
def test_products_with_short_rows_are_those_of_numpy(kind, X, rng):
    S = rng.standard_normal((K, N)).astype(X.dtype)
    problem = posed(kind(X), scale=4.0)
    agrees(oriented.project(problem, S), S @ X / 4, X)
    agrees(oriented.multiply_gram(problem, S), S @ X @ X.T / 16, X)


@every_kind
def test_norms_are_those_of_numpy_under_weights_of_both_sides(kind, X, rng):
    rows, columns = ((rng.random(size) + 0.5).astype(X.dtype) for size in X.shape)
    problem = posed(kind(X), scale=2.0, rows=rows, columns=columns)
    exact = rows.astype(float) @ np.square(X, dtype=float) / 4
    agrees(oriented.column_norms2(problem), exact, X)
    assert oriented.energy(problem) == pytest.approx(exact @ columns, rel=1e-5)
    plain = problem._replace(S_weights=None, L_weights=None)
    assert oriented.energy(plain) == pytest.approx(np.square(X, dtype=float).sum() / 4, rel=1e-5)


@every_kind
def test_every_pass_of_what_is_stored_is_counted(kind, X, rng):
    matrix = kind(X)
    before = getattr(matrix, "passes", 0)
    oriented.project(posed(matrix), rng.random((K, N)))
    if matrix.read_anew:
        assert matrix.passes == before + 2  # the energy of the problem is one
        with pytest.raises(NotImplementedError):
            matrix.take(np.arange(3))


@pytest.fixture
def small():
    return np.random.default_rng(0).random((6, 40))


def test_on_some_columns_the_penalty_of_the_whole_factor_counts_by_their_share(small):
    problem = posed(Dense(small), penalty=PerEntry(W_l1=1.0, H_l1=1.0))
    chosen = np.arange(10)
    part = oriented.restricted(problem, problem.matrix.take(chosen), share=0.25)
    assert part.norm2 == pytest.approx(np.square(small[:, :10]).sum())
    assert (part.penalty.W_l1, part.penalty.H_l1) == (0.25, 1.0)


def test_what_a_stand_in_leaves_out_counts_in_its_norm(small):
    Q = np.linalg.qr(small[:, :3])[0]
    left_out2 = np.square(small - Q @ Q.T @ small).sum()
    stand_in = Compressed(Q, Q.T @ small, left_out2)
    problem = oriented.restricted(posed(Dense(small)), stand_in, share=1.0)
    assert problem.norm2 == pytest.approx(np.square(small).sum())


def test_the_floor_is_a_share_of_the_norm(small):
    problem = posed(Dense(small))._replace(floor_share=1e-3)
    assert problem.floor == pytest.approx(1e-3 * np.linalg.norm(small))


def test_the_residual_is_at_hand_where_x_is_dense_and_unweighted(small):
    assert posed(Dense(small)).at_hand
    assert not posed(Dense(small), rows=np.ones(6)).at_hand
    assert not posed(Compressed(np.eye(6), small)).at_hand


@pytest.mark.parametrize("height", [10, oriented.LONG])
def test_sums_along_a_long_side_are_kept_in_the_dtype_of_the_data(height):
    part = Dense(np.zeros((height, 3), np.float32))
    A, B = oriented.zeros(part, 4)
    assert A.shape == (height, 4)
    assert A.dtype == (np.float32 if height == oriented.LONG else np.float64)
    assert B.dtype == np.float64
