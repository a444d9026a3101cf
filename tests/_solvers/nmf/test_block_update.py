"""One visit to X: whatever way X lies in memory, the same answers and the same products."""

import numpy as np
import pytest

from partita._solvers.compute.threads import Crew
from partita._solvers.matrices.convert import lay
from partita._solvers.matrices.tile_products import add_inner_products, combine_rows, in_fours
from partita._solvers.nmf.block_update import Side, Sweeps, visit
from partita._solvers.nmf.frobenius import orient
from partita._solvers.penalties.penalty import NONE
from partita._solvers.penalties.unit_norm import UnitNorm

LAYOUTS = {
    "by rows": np.ascontiguousarray,
    "by columns": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "p", "k"), [(8, 512, 4), (13, 700, 8), (3, 30, 4), (530, 5, 12)])
def test_products_of_a_tile_are_those_of_the_whole(n, p, k, dtype):
    rng = np.random.default_rng(n)
    X = rng.random((n, p + 3)).astype(dtype)
    S, L = rng.random((k, n)).astype(dtype), rng.random((k, p + 1)).astype(dtype)
    tile = X[:, 2 : p + 2].astype(float)
    C, A = np.full((k, p + 5), np.nan, dtype), np.ones((n, k))
    combine_rows(S, X, 2, p, C)
    add_inner_products(X, 2, L, 1, p, A)
    tolerance = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(C[:, :p], S.astype(float) @ tile, rtol=tolerance)
    np.testing.assert_allclose(A, 1 + tile @ L[:, 1:].astype(float).T, rtol=tolerance)


@pytest.mark.parametrize("k", [1, 3, 4, 6])
def test_rows_come_in_fours_with_zeros_after_them(k):
    rows = np.random.default_rng(0).random((k, 5))
    fours = in_fours(rows)
    assert len(fours) % 4 == 0
    assert len(fours) - k < 4
    np.testing.assert_array_equal(fours[:k], rows)
    assert not fours[k:].any()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("penalty", [NONE, UnitNorm(W_l1=0.1, H_l1=0.2, l2=0.1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_visit_solves_the_long_factor_and_gathers_its_products(layout, penalty, weighted):
    rng = np.random.default_rng(1)
    n, p, k = 37, 1100, 5
    X, S = rng.random((n, p)), rng.random((k, n))
    weights = (rng.random(n), rng.random(p)) if weighted else None
    row, column = (np.ones(n), np.ones(p)) if weights is None else weights
    norm2 = float(((X**2) * row[:, None] * column).sum())
    with Crew(2) as crew:
        laid = lay(LAYOUTS[layout](X))
        problem = orient(laid, norm2, penalty, weights, np.ones(k, bool), crew=crew)
        L = Side(rng.random((k, p)))
        begin = L.ahead.copy()
        seen = visit(problem, S, L, Sweeps(most=2000, ratio=0.0))
    A, B = (X * column) @ L.ahead.T, (L.ahead * column) @ L.ahead.T
    np.testing.assert_allclose(seen.A.T * problem.scale, A, rtol=1e-12)
    np.testing.assert_allclose(seen.B, B, rtol=1e-12)
    if not penalty.active:
        slope = (S * row) @ (S.T @ L.ahead - X / problem.scale)
        assert np.abs(np.where(L.ahead > 0, slope, np.minimum(slope, 0))).max() < 1e-9
    assert not np.array_equal(begin, L.ahead)


def test_layouts_end_in_the_same_factors():
    rng = np.random.default_rng(2)
    X, S, start = rng.random((50, 900)), rng.random((6, 50)), rng.random((6, 900))
    ends = []
    for layout in LAYOUTS.values():
        with Crew(1) as crew:
            norm2 = float((X**2).sum())
            problem = orient(lay(layout(X)), norm2, NONE, None, np.ones(6, bool), crew=crew)
            L = Side(start.copy())
            seen = visit(problem, S, L, Sweeps(beta=0.5, most=4, ratio=0.0, measure=True))
        ends.append((L.ahead, seen.A, seen.gradient2, seen.decrease))
    for end in ends[1:]:
        for value, expected in zip(end, ends[0], strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)
