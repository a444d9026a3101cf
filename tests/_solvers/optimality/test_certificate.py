"""What a fit says of its optimality is what can be computed from its factors alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solving import fit

from partita._solvers.losses.beta_divergence import slope_and_curvature
from partita._solvers.nnls.solve import solve_least_squares
from partita._solvers.optimality.certificate import (
    Slack,
    certify,
    floor_share,
    relative_decrease,
    relative_gradient,
    scale_of,
    squared_gradient,
    together,
)
from partita._solvers.problem.start import Start


def divergence(X, Y, beta, M):
    if beta == 2:
        D = (X - Y) ** 2 / 2
    elif beta == 1:
        D = X * np.log(X / Y) - X + Y
    elif beta == 0:
        D = X / Y - np.log(X / Y) - 1
    else:
        D = (X**beta + (beta - 1) * Y**beta - beta * X * Y ** (beta - 1)) / (beta * (beta - 1))
    return float((M * D).sum())


def residual_of(X, fixed, moving, beta, M):
    """Return the scaled projected gradient of `moving` (k, p) in X ~ fixed (n, k) @ moving."""
    Y = fixed @ moving
    slope = fixed.T @ (M * Y ** (beta - 2) * (Y - X))
    curvature = (fixed**2).T @ (M * Y ** (beta - 2))
    projected = np.where(moving > 0, slope, np.minimum(slope, 0))
    return np.sqrt((projected**2 / curvature).sum() / (2 * divergence(X, Y, beta, M)))


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "entry by entry"])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_the_residual_is_the_projected_gradient_in_units_of_the_misfit(beta, weighted):
    rng = np.random.default_rng(0)
    X = rng.gamma(2.0, 1.0, (40, 3)) @ rng.gamma(1.0, 1.0, (3, 60)) * rng.gamma(20, 0.05, (40, 60))
    M = rng.random((40, 60)) + 0.1 if weighted else np.ones((40, 60))
    solution = fit(
        X, 3, loss=beta, weights=M if weighted else None, tol=0, max_iter=6,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    W, H = solution.W, solution.H
    certificate = solution.certificate
    assert certificate.H_residual == pytest.approx(residual_of(X, W, H, beta, M), rel=1e-4)
    of_W = residual_of(X.T, H.T, W.T, beta, M.T)
    assert certificate.W_residual == pytest.approx(of_W, rel=1e-4, abs=1e-7)


def example(seed=0):
    rng = np.random.default_rng(seed)
    signals, maps = rng.gamma(2.0, 1.0, (40, 3)), rng.gamma(1.0, 1.0, (3, 60))
    return signals @ maps * rng.gamma(20, 0.05, (40, 60))


@pytest.mark.parametrize("scale", [1e-3, 1e2, 1e8])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_the_certificate_knows_no_units(beta, scale):
    X = example()
    options = {"loss": beta, "tol": 0, "max_iter": 6}
    plain, scaled = (
        fit(c * X, 3, rng=np.random.default_rng(0), **options).certificate for c in (1.0, scale)
    )
    assert scaled == pytest.approx(plain, rel=1e-2, abs=1e-7)


def slacks(X, W, H, M, beta):
    """Return the squared gradients of W and of H."""
    slope, curvature = slope_and_curvature(X, W @ H, M, beta=beta, exact=False)
    curvature = np.broadcast_to(curvature, X.shape)
    every = np.ones(W.shape[1], bool)
    of_W = squared_gradient(slope @ H.T, curvature @ (H**2).T, W, every)
    return of_W, squared_gradient(slope.T @ W, curvature.T @ W**2, H.T, every)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_it_does_not_matter_which_factor_is_which_nor_how_long_a_component_is(beta):
    rng = np.random.default_rng(1)
    X, W, H, M = example(), rng.random((40, 3)), rng.random((3, 60)), rng.random((40, 60))
    of_W, of_H = slacks(X, W, H, M, beta)
    assert slacks(X.T, H.T, W.T, M.T, beta) == pytest.approx((of_H, of_W))
    lengths = np.array([1e-3, 1.0, 1e4])
    assert slacks(X, W * lengths, H / lengths[:, None], M, beta) == pytest.approx((of_W, of_H))


def test_at_an_optimum_the_projected_gradient_is_zero():
    X, W = example(), np.random.default_rng(1).random((40, 5)) ** 4
    H = solve_least_squares(X.T, W.T).T
    assert (H == 0).any(), "no entry lies on the boundary: nothing is shown"
    gradient = W.T @ (W @ H - X)
    lengths2 = np.broadcast_to((W**2).sum(0), H.T.shape)
    every = np.ones(5, bool)
    assert squared_gradient(gradient.T, lengths2, H.T, every) < 1e-20 * (X**2).sum()
    assert squared_gradient(gradient.T, lengths2, H.T + 1e-3, every) > 1e-6


def test_a_component_that_is_held_has_no_gradient():
    rng = np.random.default_rng(0)
    slopes, diagonal, rows = rng.standard_normal((3, 8, 2)) ** 2
    both, first, second = (
        squared_gradient(slopes, diagonal, rows, np.array(free))
        for free in ([True, True], [True, False], [False, True])
    )
    assert first + second == pytest.approx(both)
    assert squared_gradient(slopes, diagonal, rows, np.zeros(2, bool)) == 0


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "entry by entry"])
@pytest.mark.parametrize("max_iter", [1, 4, 30])
def test_no_refit_of_one_factor_takes_more_from_the_loss_than_the_certificate_allows(
    weighted, max_iter
):
    X = example()
    M = np.random.default_rng(2).random(X.shape) + 0.1 if weighted else None
    found = fit(X, 3, weights=M, tol=0, max_iter=max_iter)

    def loss(W, H):
        return 0.5 * ((1.0 if M is None else M) * (X - W @ H) ** 2).sum()

    now = loss(found.W, found.H)
    W = solve_least_squares(X, found.H, weights=M)
    H = solve_least_squares(X.T, found.W.T, weights=None if M is None else M.T).T
    rounding = 1e-12
    assert 1 - loss(W, found.H) / now <= found.certificate.W_decrease * (1 + 1e-3) + rounding
    assert 1 - loss(found.W, H) / now <= found.certificate.H_decrease * (1 + 1e-3) + rounding


numbers = st.floats(0, 1e12)


@given(gradients=st.tuples(numbers, numbers), decreases=st.tuples(numbers, numbers), loss=numbers,
       norm2=st.floats(1e-12, 1e12), dtype=st.sampled_from([np.float32, np.float64]),
       rows=st.integers(0, 20))  # fmt: skip
@settings(deadline=None)
def test_any_slack_gives_finite_residuals_and_decreases_between_none_and_all(
    gradients, decreases, loss, norm2, dtype, rows
):
    pairs = zip(gradients, decreases, strict=True)
    scale = scale_of(norm2, dtype, rows=rows)
    certificate = certify(*(Slack(*pair) for pair in pairs), loss=loss, scale=scale)
    assert all(0 <= value < np.inf for value in certificate)
    assert max(certificate[2:]) <= 1
    if rows:
        assert max(certificate[:2]) <= np.sqrt(rows) * (1 + 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_below_the_floor_a_gradient_is_measured_by_the_norm_of_the_data(dtype):
    scale = scale_of(9.0, dtype)
    floor = 3 * floor_share(dtype)
    assert relative_gradient(4.0, 0.0, scale) == pytest.approx(2 / floor)
    assert relative_gradient(4.0, 0.5 * floor**2, scale) == pytest.approx(2 / floor)
    assert relative_gradient(4.0, 50 * floor**2, scale) == pytest.approx(0.2 / floor)
    assert relative_decrease(1.0, 0.0, scale) == 0
    assert np.isnan(relative_decrease(np.nan, 1.0, scale))


def test_what_is_explained_but_for_the_rounding_of_the_factors_has_no_gradient():
    loss = 0.5 * np.finfo(np.float32).eps ** 2
    assert relative_gradient(1.0, loss, scale_of(1.0, np.float32, rows=3)) == 0
    assert relative_gradient(1.0, loss, scale_of(1.0, np.float32)) > 0


def test_the_slack_of_a_factor_is_that_of_its_parts():
    assert together([Slack(1.0, 2.0), Slack(3.0, 5.0)]) == (4.0, 7.0)
    assert together(iter([Slack(1.0, 2.0)])) == (1.0, 2.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["plain", "rank-one weights", "weights", "Kullback-Leibler"])
def test_exact_factors_are_certified_on_every_route(kind, dtype):
    rng = np.random.default_rng(0)
    W, H = rng.random((40, 3)) + 0.1, rng.random((3, 60)) + 0.1
    options = {
        "plain": {},
        "rank-one weights": {"weights": (np.ones(40), rng.random(60))},
        "weights": {"weights": rng.random((40, 60))},
        "Kullback-Leibler": {"loss": 1.0},
    }[kind]
    X = (W @ H).astype(dtype)
    found = fit(X, 3, init=Start(W=W, H=H), max_iter=20, **options)
    assert found.converged
    assert found.certificate.residual <= 1e-3
