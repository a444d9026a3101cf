"""Where factorisations start: leading directions as good as the best, and NNDSVD's properties."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.compression import range_finder
from partita._solvers.compute.threads import Crew
from partita._solvers.matrices.convert import lay
from partita._solvers.nmf import frobenius, initialisation
from partita._solvers.penalties.penalty import NONE


def find(X, rank, seed=0):
    norm2 = float(np.square(X, dtype=float).sum())
    free = np.ones(rank, bool)
    problem = frobenius.orient(lay(X), norm2, NONE, None, free, crew=Crew(1))
    found = range_finder.find_range(problem, rank, np.random.default_rng(seed), short=True)
    return found, problem.scale


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.random((40, 6)) @ rng.random((6, 300)) + 0.1 * rng.random((40, 300))


def test_the_directions_explain_nearly_as_much_as_the_best(X):
    found, scale = find(X, 9)
    left = np.linalg.norm(X - scale * found.Q @ found.Z)
    best = np.sqrt((np.linalg.svd(X, compute_uv=False)[9:] ** 2).sum())
    np.testing.assert_allclose(found.Q.T @ found.Q, np.eye(9), atol=1e-10)
    assert best <= left <= 1.1 * best


def test_the_first_pair_is_the_leading_singular_pair(X):
    found, scale = find(X, 12)
    S, L = initialisation.nndsvd(found, 4)
    u, s, v = np.linalg.svd(X, full_matrices=False)
    np.testing.assert_allclose(scale * np.outer(S[0], L[0]), s[0] * np.outer(u[:, 0], v[0]), 1e-6)


def test_the_double_svd_is_non_negative_and_rows_come_in_pairs_of_one_length(X):
    S, L = initialisation.nndsvd(find(X, 12)[0], 5)
    assert S.min() >= 0
    assert L.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(S, axis=1), np.linalg.norm(L, axis=1))


def test_more_parts_explain_more_of_what_is_nearly_of_their_rank(X):
    found, scale = find(X, 20)
    pairs = [initialisation.nndsvd(found, k) for k in (1, 2, 4, 6)]
    errors = [np.linalg.norm(X - scale * S.T @ L) / np.linalg.norm(X) for S, L in pairs]
    assert errors[0] < 0.2
    assert errors[-1] < errors[0]


def test_data_of_rank_one_are_explained_at_once():
    rng = np.random.default_rng(0)
    X = np.outer(rng.random(30), rng.random(200))
    found, scale = find(X, 3)
    S, L = initialisation.nndsvd(found, 3)
    np.testing.assert_allclose(scale * S.T @ L, X, rtol=1e-6)
    assert not S[1:].any()


@pytest.mark.parametrize("variant", ["auto", "nndsvda", "nndsvdar"])
def test_the_variants_only_lift_the_zeros(X, variant):
    S, _ = initialisation.nndsvd(find(X, 12)[0], 5)
    lifted = initialisation.fill_zeros(
        S, variant=variant, rng=np.random.default_rng(0), samples=True
    )
    np.testing.assert_array_equal(lifted[S > 0], S[S > 0])
    assert (lifted[S == 0] > 0).all()
    assert lifted[S == 0].max() <= S.mean()


def test_averages_of_columns_are_those_of_the_columns_that_an_order_names(X):
    found, scale = find(X, 40)
    order = np.random.default_rng(1).permutation(300)
    S = initialisation.average_columns(found, 4, np.random.default_rng(0), order)
    drawn = np.random.default_rng(0).integers(300, size=(initialisation._AVERAGED, 4))
    np.testing.assert_allclose(scale * S, X[:, order[drawn]].mean(1).T, rtol=1e-6)
