"""Leading singular vectors of a matrix read part by part are those of the matrix."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from partita._solvers.linear.principal_components import principal
from partita._solvers.matrices.streamed import open_stream


def draw(n, p):
    rng = np.random.default_rng(n)
    spectrum = 2.0 ** -np.arange(12)
    left, right = rng.standard_normal((n, 12)), rng.standard_normal((12, p))
    return 5 + rng.random((n, 1)) + rng.random(p) + left * spectrum @ right


@pytest.fixture(params=[(40, 90), (90, 40)], ids=["wide", "tall"])
def X(request):
    return draw(*request.param)


@pytest.fixture(params=[(9, -1), (-1, 11)], ids=["by samples", "by features"])
def stream(request, X):
    return open_stream(da.from_array(X, chunks=request.param), inside=None, dtype=X.dtype)


@pytest.fixture(params=[0, 1], ids=["features centred", "samples centred"])
def axis(request):
    return request.param


def found(stream, axis, k=4):
    return principal(stream, k, axis=axis, rng=np.random.default_rng(0))


def test_they_are_the_singular_vectors_of_the_centred_matrix(stream, X, axis):
    mean = X.mean(axis=axis, keepdims=True)
    U, s, V = np.linalg.svd(X - mean, full_matrices=False)
    parts = found(stream, axis)
    np.testing.assert_allclose(parts.mean, mean)
    np.testing.assert_allclose(parts.s, s[:4], rtol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(parts.U * U[:, :4], axis=0)), 1, atol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(parts.V * V[:4], axis=1)), 1, atol=1e-6)


def test_their_product_is_the_best_of_its_rank(stream, X, axis):
    parts = found(stream, axis)
    centred = X - parts.mean
    left_out = ((centred - parts.U * parts.s @ parts.V) ** 2).sum()
    best = (np.linalg.svd(centred, compute_uv=False)[4:] ** 2).sum()
    assert left_out == pytest.approx(best, rel=1e-6)
    np.testing.assert_allclose(parts.U.T @ parts.U, np.eye(4), atol=1e-8)
    np.testing.assert_allclose(parts.V @ parts.V.T, np.eye(4), atol=1e-8)


def test_the_norms_are_those_of_what_is_left_and_of_what_was_taken_off(stream, X, axis):
    parts = found(stream, axis)
    mean = np.broadcast_to(parts.mean, X.shape)
    assert parts.norm2 == pytest.approx(((X - mean) ** 2).sum())
    assert parts.mean_norm2 == pytest.approx((mean**2).sum())
    assert parts.norm2 + parts.mean_norm2 == pytest.approx((X**2).sum())


def test_as_many_as_there_are_rebuild_everything(stream, X, axis):
    parts = found(stream, axis, k=40)
    np.testing.assert_allclose(parts.mean + parts.U * parts.s @ parts.V, X, atol=1e-6)
