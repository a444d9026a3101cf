import numpy as np
import pytest
import scipy.sparse

from partita._solvers.matrices.spread import Moments, moments, spread

KINDS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "csr": scipy.sparse.csr_matrix,
    "csc": scipy.sparse.csc_matrix,
}


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return np.where(rng.random((40, 30)) < 0.5, 0, rng.gamma(1.0, 2.0, (40, 30)))


@pytest.fixture(params=["none", "rank one", "entries"])
def weights(request):
    rng = np.random.default_rng(1)
    rows, columns, entries = rng.random(40), rng.random(30), rng.random((40, 30))
    columns[3] = entries[:, 3] = 0
    return {"none": None, "rank one": (rows, columns), "entries": entries}[request.param]


@pytest.mark.parametrize("kind", KINDS)
def test_one_number_a_column_leaves_least_where_it_is_the_weighted_mean(X, weights, kind) -> None:
    whole = np.ones(X.shape) if weights is None else weights
    whole = np.outer(*whole) if isinstance(whole, tuple) else whole
    means = np.average(X, axis=0, weights=np.where(whole.sum(0) > 0, whole, 1))
    found = spread(KINDS[kind](X), weights)
    assert found.total == pytest.approx((whole * X**2).sum())
    assert found.centred == pytest.approx((whole * (X - means) ** 2).sum())


def test_small_changes_of_large_single_precision_values_are_seen() -> None:
    X = (1e4 + np.random.default_rng(2).normal(size=(500, 64))).astype(np.float32)
    exact = X.astype(float)
    assert spread(X).centred == pytest.approx(((exact - exact.mean(0)) ** 2).sum(), rel=1e-6)


def test_moments_of_sessions_are_those_of_all_rows_together(X) -> None:
    apart = Moments.none(30).plus(moments(X[:15])).plus(moments(scipy.sparse.csr_matrix(X[15:])))
    np.testing.assert_allclose(apart.spread, spread(X))


def test_constant_columns_leave_nothing() -> None:
    assert spread(np.full((9, 4), 0.1, np.float32)).centred == pytest.approx(0, abs=1e-12)
