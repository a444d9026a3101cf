"""One visit to X: whatever way X lies in memory, the same answers and the same products."""

import numpy as np
import pytest

from partita._solvers.compute.threads import Crew
from partita._solvers.matrices.convert import lay
from partita._solvers.nmf.block_update import Side, Sweeps, visit
from partita._solvers.nmf.frobenius import orient
from partita._solvers.penalties.penalty import NONE
from partita._solvers.penalties.unit_norm import UnitNorm

LAYOUTS = {
    "by rows": np.ascontiguousarray,
    "by columns": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
}


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
