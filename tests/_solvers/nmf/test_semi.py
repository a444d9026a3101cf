"""Semi-non-negative factorisation: a minimum, from every start, of every kind of matrix."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from sklearn.cluster import KMeans

from partita._solvers.nmf.semi import factorise_semi
from partita._solvers.nnls.solve import solve_least_squares
from partita._solvers.penalties.unit_norm import UnitNorm
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.start import Start
from partita._solvers.problem.stopping import Stopping


def planted(n=120, p=200, k=4, *, noise=0.5, seed=0):
    """Return data of parts that are silent most of the time, with their signals and maps."""
    rng = np.random.default_rng(seed)
    W = rng.gamma(1.0, 1.0, (n, k)) * (rng.random((n, k)) > 0.7) * np.linspace(4, 2, k)
    H = rng.standard_normal((k, p))
    return W @ H + noise * rng.standard_normal((n, p)), W, H


def solved(X, k=4, *, l2=0.0, start=None, seed=0, threads=None, **stopping):
    return factorise_semi(
        Problem(X, k, penalty=UnitNorm(l2=l2)),
        Start() if start is None else start,
        Stopping(**stopping),
        rng=np.random.default_rng(seed),
        threads=threads,
    )


def objective(X, solution, l2=0.0):
    W, H = solution.W.astype(float), solution.H.astype(float)
    energy = ((W**2).sum(0) * (H**2).sum(1)).sum()
    return 0.5 * np.linalg.norm(X - W @ H) ** 2 + 0.5 * l2 * energy


def cosines(found, true):
    """Return for each true row the best cosine of a found one, signs included."""
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (true, found)]
    return (unit[0] @ unit[1].T).max(axis=1)


def ding(X, W, rounds):
    """Return the loss after updates of Ding, Li & Jordan (2010), equations 10 and 11."""
    for _ in range(rounds):
        H = np.linalg.pinv(W.T @ W) @ W.T @ X
        C, B = X @ H.T, H @ H.T
        up = np.maximum(C, 0) + W @ np.maximum(-B, 0)
        down = np.maximum(-C, 0) + W @ np.maximum(B, 0)
        W = W * np.sqrt(up / np.maximum(down, 1e-300))
    H = np.linalg.pinv(W.T @ W) @ W.T @ X
    return 0.5 * np.linalg.norm(X - W @ H) ** 2


@pytest.mark.parametrize("seed", range(3))
def test_it_ends_no_higher_than_multiplicative_updates_from_the_same_start(seed: int) -> None:
    X = planted(noise=1.0, seed=seed)[0]
    labels = KMeans(4, n_init=1, random_state=seed).fit_predict(X)
    W = np.eye(4)[labels] + 0.2
    ours = solved(X, start=Start(W=W), tol=1e-5, max_iter=500)
    assert ours.losses[-1] <= ding(X, W, 1500) * (1 + 1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_it_explains_no_less_than_the_means_of_clusters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = 5 * rng.standard_normal((5, 30))[rng.integers(5, size=150)]
    X += rng.standard_normal(X.shape)
    inertia = KMeans(5, n_init=10, random_state=seed).fit(X).inertia_
    assert objective(X, solved(X, 5)) <= 0.5 * inertia


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(120, 200), (300, 90)])
def test_planted_parts_are_recovered_with_their_signs(shape, l2: float) -> None:
    X, W, H = planted(*shape, noise=0.1)
    solution = solved(X, l2=l2)
    if l2 > 0:  # without it other parts explain as much
        assert (cosines(solution.H, H) > 0.98).all()
        assert (cosines(solution.W.T, W.T) > 0.98).all()
    assert np.linalg.norm(X - solution.W @ solution.H) < 0.1 * np.linalg.norm(X)


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(120, 200), (200, 120)])
def test_the_loss_never_rises_and_is_the_objective(shape, l2: float) -> None:
    X = planted(*shape, noise=2.0)[0]
    solution = solved(X, l2=l2, start=Start(W=np.random.default_rng(1).random((len(X), 4))))
    assert len(solution.losses) == solution.n_iter > 3
    assert (np.diff(solution.losses) <= 1e-9 * solution.losses[0]).all()
    assert solution.losses[-1] == pytest.approx(objective(X, solution, l2), rel=1e-8)


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(120, 200), (200, 120)])
def test_the_certificate_says_how_far_both_factors_are_from_their_best(shape, l2: float) -> None:
    X = planted(*shape, noise=2.0)[0]
    solution = solved(X, l2=l2, tol=1e-2)
    W, H = solution.W, solution.H
    np.testing.assert_allclose(
        W, solve_least_squares(X, H, penalty=UnitNorm(l2=l2)), atol=1e-6 * W.max()
    )
    gram = W.T @ W
    gram += l2 * np.diag(np.diag(gram))
    slopes, loss = gram @ H - W.T @ X, objective(X, solution, l2)
    residual = np.sqrt(((slopes**2).sum(1) / np.diag(gram)).sum() / (2 * loss))
    best = loss - 0.5 * np.vdot(slopes, np.linalg.solve(gram, slopes))
    certificate = solution.certificate
    assert certificate.W_residual < 1e-6
    assert certificate.W_decrease == 0
    assert certificate.H_residual == pytest.approx(residual, rel=1e-4)
    assert certificate.H_decrease == pytest.approx((loss - best) / loss, rel=1e-3)
    assert solution.converged == (residual <= 1e-2)


def test_sparse_and_dense_of_any_layout_give_one_answer() -> None:
    X = planted()[0] * (np.random.default_rng(5).random((120, 200)) < 0.2)
    plain = solved(X, l2=0.1, tol=1e-6)
    for other in (np.asfortranarray(X), scipy.sparse.csr_matrix(X), scipy.sparse.csc_matrix(X)):
        again = solved(other, l2=0.1, tol=1e-6)
        assert again.losses[-1] == pytest.approx(plain.losses[-1], rel=1e-6)
        np.testing.assert_allclose(again.H, plain.H, atol=1e-3 * np.abs(plain.H).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e8])
def test_scale_and_dtype_change_no_part(dtype, scale: float) -> None:
    X, W, H = planted(1200, 900, noise=1.0)
    solution = solved((X * scale).astype(dtype), l2=0.1)
    assert solution.W.dtype == solution.H.dtype == dtype
    assert solution.converged
    assert (cosines(solution.H, H) > 0.98).all()
    assert (cosines(solution.W.T, W.T) > 0.98).all()


def test_many_samples_are_solved_from_some_of_them() -> None:
    X, _, H = planted(9000, 40, noise=0.5)
    assert (cosines(solved(X.astype(np.float32), l2=0.1, max_iter=20).H, H) > 0.98).all()


def test_threads_change_no_more_than_rounding() -> None:
    X = planted(800, 1500)[0].astype(np.float32)
    one, two = (solved(X, l2=0.1, threads=threads) for threads in (1, 2))
    np.testing.assert_allclose(one.H, two.H, atol=1e-4 * np.abs(one.H).max())


def test_nothing_is_explained_by_signals_of_zero() -> None:
    solution = solved(np.zeros((10, 20)), 3)
    assert solution.converged
    assert not solution.W.any()


@pytest.mark.parametrize("k", [2, 5, 12])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_more_parts_than_the_rank_are_no_trouble(k: int, l2: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((8, 1)) @ rng.standard_normal((1, 30))
    solution = solved(X, k, l2=l2)
    assert solution.converged
    assert np.isfinite(solution.H).all()
    assert (solution.W >= 0).all()
    assert np.linalg.norm(X - solution.W @ solution.H) <= (l2 + 1e-6) * np.linalg.norm(X)


@pytest.mark.slow
def test_twice_as_many_parts_as_the_rank_stay_finite() -> None:
    X = np.random.default_rng(0).standard_normal((40, 60))
    X = ((X - X.mean(0)) / X.std(0)).astype("float32")
    solution = solved(X, 80, max_iter=50)
    assert np.isfinite(solution.W).all()
    assert np.isfinite(solution.H).all()
    assert np.abs(X - solution.W @ solution.H).max() < 1e-3


def test_rows_and_columns_of_zeros_and_duplicates_are_no_trouble() -> None:
    X = planted()[0]
    X[3], X[:, 5], X[7], X[:, 9] = 0, 0, X[8], X[:, 10]
    solution = solved(X, l2=0.1)
    assert not solution.W[3].any()
    np.testing.assert_allclose(solution.H[:, 5], 0, atol=1e-12)
    np.testing.assert_allclose(solution.W[7], solution.W[8], atol=1e-6)


def test_a_fit_goes_on_from_given_maps_or_signals() -> None:
    X = planted(noise=1.0)[0]
    first = solved(X, l2=0.1, tol=1e-6)
    for start in (Start(H=first.H), Start(W=first.W), Start(W=first.W, H=first.H)):
        again = solved(X, l2=0.1, start=start, seed=9)
        assert again.n_iter == 1
        assert again.report["route"] == "warm"
        np.testing.assert_allclose(again.W, first.W, atol=1e-3 * first.W.max())


def test_without_a_tolerance_it_runs_to_the_end() -> None:
    solution = solved(planted()[0], l2=0.1, tol=0.0, max_iter=7)
    assert solution.n_iter == 7


def test_a_watcher_sees_each_iteration_and_may_end_the_fit() -> None:
    X = planted(noise=2.0)[0]
    seen = []

    def watch(state) -> bool:
        seen.append(state)
        return state.iteration == 3

    W = np.random.default_rng(1).random((len(X), 4))
    solution = solved(X, start=Start(W=W), watch=watch, tol=1e-9)
    assert [state.iteration for state in seen] == [1, 2, 3]
    assert solution.n_iter == 3
    assert not solution.converged
    assert seen[1].loss == pytest.approx(0.5 * np.linalg.norm(X - seen[1].W @ seen[1].H) ** 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("a block is gone")])
def test_what_breaks_off_leaves_the_factors_so_far(error) -> None:
    X = planted(noise=2.0)[0]

    def watch(state) -> None:
        if state.iteration == 2:
            raise error

    solution = solved(X, l2=0.1, watch=watch, tol=1e-12)
    assert solution.interrupted == (error is KeyboardInterrupt)
    assert (solution.failure is None) == solution.interrupted
    assert not solution.converged
    misfit = np.linalg.norm(X - solution.W @ solution.H)
    assert solution.misfit == pytest.approx(misfit, rel=1e-6)
