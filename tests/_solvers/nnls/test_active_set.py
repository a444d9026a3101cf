"""Small non-negative quadratics come to their exact minimum, shown by its conditions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from partita._solvers.nnls.active_set import negligible, solve_rows


def draw(k, m, *, rank=None, seed=0):
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((rank or k + 3, k))
    return factor, factor.T @ factor, rng.standard_normal((m, factor.shape[0])) @ factor


def solved(gram, C, start=None):
    W = np.zeros_like(C) if start is None else start.copy()
    grams = gram[None] if gram.ndim == 2 else gram
    assert solve_rows(grams, C, W, 50) == 0
    return W


def assert_optimal(gram, C, W):
    """Check that W is non-negative, no gradient falls inwards, and none is left where W moves."""
    gradient = np.einsum("mij,mj->mi", np.broadcast_to(gram, (len(W), *gram.shape[-2:])), W) - C
    size = np.abs(C).max()
    assert (W >= 0).all()
    assert (gradient >= -1e-9 * size).all()
    np.testing.assert_allclose(gradient * W, 0, atol=1e-9 * size * max(W.max(), 1))


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_every_row_is_at_its_minimum(k):
    _, gram, C = draw(k, 40)
    assert_optimal(gram, C, solved(gram, C))


def test_each_row_may_have_a_matrix_of_its_own():
    rng = np.random.default_rng(1)
    factors = rng.standard_normal((30, 7, 4))
    grams, C = np.swapaxes(factors, 1, 2) @ factors, rng.standard_normal((30, 4))
    assert_optimal(grams, C, solved(grams, C))


def test_the_answer_is_that_of_lawson_and_hanson():
    factor, gram, _ = draw(6, 1)
    data = np.random.default_rng(2).standard_normal((25, len(factor)))
    expected = [scipy.optimize.nnls(factor, row)[0] for row in data]
    np.testing.assert_allclose(solved(gram, data @ factor), expected, atol=1e-9)


def test_the_start_does_not_matter():
    _, gram, C = draw(6, 30)
    start = np.random.default_rng(3).gamma(1.0, size=C.shape)
    np.testing.assert_allclose(solved(gram, C, start), solved(gram, C), atol=1e-10)


def test_scaling_a_component_scales_its_answer_inversely():
    _, gram, C = draw(5, 30)
    scale = np.array([1e-5, 1, 1e4, 3, 1e2])
    found = solved(gram * np.outer(scale, scale), C * scale)
    np.testing.assert_allclose(found * scale, solved(gram, C), rtol=1e-6, atol=1e-9)


def test_dependent_components_still_give_a_minimum():
    _, gram, C = draw(6, 30, rank=3)
    assert_optimal(gram, C, solved(gram, C))


def test_a_component_that_is_nowhere_gets_nothing():
    _, gram, C = draw(4, 20)
    gram[2] = gram[:, 2] = C[:, 2] = 0
    assert not solved(gram, C)[:, 2].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_beside_the_longest_row_is_negligible(dtype):
    eps = np.finfo(dtype).eps
    assert negligible(np.diag([1.0, 1e6]).astype(dtype)) == pytest.approx(1e6 * float(eps) ** 2)
