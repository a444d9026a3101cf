"""What a fit says of its optimality is what can be computed from its factors alone."""

from __future__ import annotations

import numpy as np
import pytest
from solving import fit


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


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_the_residual_knows_no_units(beta):
    rng = np.random.default_rng(0)
    X = rng.gamma(2.0, 1.0, (40, 3)) @ rng.gamma(1.0, 1.0, (3, 60)) * rng.gamma(20, 0.05, (40, 60))
    options = {"loss": beta, "tol": 0, "max_iter": 6}
    residuals = [
        fit(c * X, 3, rng=np.random.default_rng(0), **options).certificate.residual
        for c in (1.0, 1e6)
    ]
    assert residuals[1] == pytest.approx(residuals[0], rel=1e-2)
