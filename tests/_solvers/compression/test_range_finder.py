"""Leading directions of a matrix: orthonormal, and nearly as good as the best."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.compression.range_finder import complement, find_range
from partita._solvers.compute.threads import Crew
from partita._solvers.matrices import products
from partita._solvers.matrices.convert import lay
from partita._solvers.nmf import frobenius
from partita._solvers.penalties.penalty import NONE


@pytest.fixture(params=[(50, 300), (300, 50)], ids=["wide", "tall"])
def X(request):
    rng = np.random.default_rng(0)
    n, p = request.param
    return rng.random((n, 12)) * 2.0 ** -np.arange(12) @ rng.random((12, p))


def look(X, rank, seed=0):
    laid = lay(X)
    problem = frobenius.orient(laid, products.norm2(X), NONE, None, np.ones(3, bool), crew=Crew(1))
    rng = np.random.default_rng(seed)
    return find_range(problem, rank, rng, short=laid.signals_short), laid.matrix.X


@pytest.mark.parametrize("rank", [1, 4, 9])
def test_directions_are_orthonormal_and_the_data_are_projected_on_them(X, rank):
    found, given = look(X, rank)
    assert found.Q.shape[1] == rank
    np.testing.assert_allclose(found.Q.T @ found.Q, np.eye(rank), atol=1e-10)
    along = found.Q @ found.Z  # in the scale in which the data are worked on
    scale = np.sqrt((along**2).sum() / ((found.Q @ (found.Q.T @ given)) ** 2).sum())
    np.testing.assert_allclose(along, scale * found.Q @ (found.Q.T @ given), rtol=1e-6)


def test_they_explain_nearly_as_much_as_the_best_of_their_rank(X):
    found, given = look(X, 6)
    best = (np.linalg.svd(given, compute_uv=False)[:6] ** 2).sum()
    assert ((found.Q.T @ given) ** 2).sum() >= 0.999 * best


@pytest.mark.parametrize("seed", [0, 7])
def test_of_what_has_their_rank_hardly_anything_is_left_out(X, seed):
    found, given = look(X, 12, seed)
    left_out = np.linalg.norm(given - found.Q @ (found.Q.T @ given))
    assert left_out <= 1e-3 * np.linalg.norm(given)


def test_all_directions_cost_half_a_pass(X):
    found, given = look(X, 50)
    np.testing.assert_array_equal(found.Q, np.eye(50))
    assert found.passes == 0.5
    assert found.Z.shape == given.shape


def test_a_complement_brings_columns_into_the_span():
    rng = np.random.default_rng(1)
    Q, _ = np.linalg.qr(rng.standard_normal((30, 4)))
    columns = rng.standard_normal((30, 3))
    more = complement(Q, columns)
    whole = np.hstack([Q, more])
    np.testing.assert_allclose(whole.T @ whole, np.eye(7), atol=1e-10)
    np.testing.assert_allclose(whole @ (whole.T @ columns), columns, atol=1e-10)
