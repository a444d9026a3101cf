"""Smoothness along graphs: plain differences where evenly spaced, and a bound that bounds."""

from __future__ import annotations

import numpy as np
import pytest
from solving import fit

from partita._solvers.penalties.smoothness import Graph, Smoothness, chain


def test_evenly_spaced_samples_see_plain_differences():
    w = np.random.default_rng(0).random((2, 9))
    h = np.random.default_rng(1).random((2, 5))
    penalty = Smoothness.along(chain(np.full(8, 0.4)), 3.0)
    expected = 1.5 * (np.square(h).sum(1) * np.square(np.diff(w)).sum(1)).sum()
    assert penalty.value(w, h) == pytest.approx(expected)


def test_a_pair_is_tied_by_the_median_step_over_its_own():
    steps = np.array([1.0, 1.0, 1.0, 4.0])
    w = np.array([[0.0, 1.0, 3.0, 4.0, 8.0]])
    value = Smoothness.along(chain(steps), 2.0).value(w, np.ones((1, 1)))
    assert value == pytest.approx((np.square(np.diff(w[0])) / steps).sum())


def test_runs_that_follow_each_other_are_not_tied():
    graph = chain(np.array([1.0, 1.0, -7.0, 1.0]))
    assert graph.first.tolist() == [0, 1, 3]
    apart = Smoothness.along(graph, 1.0).value(np.array([[0, 0, 0, 9.0, 9.0]]), np.ones((1, 1)))
    assert apart == 0


def test_twice_the_diagonal_bounds_the_laplacian_and_the_diagonal_alone_does_not():
    rng = np.random.default_rng(0)
    pairs = np.unique(np.sort(rng.integers(0, 20, (60, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    laplacian = Graph(*pairs.T, rng.random(len(pairs)), 20).laplacian().toarray()
    diagonal = np.diag(np.diag(laplacian))
    assert np.linalg.eigvalsh(2 * diagonal - laplacian).min() > -1e-12
    assert np.linalg.eigvalsh(diagonal - laplacian).min() < -0.1
    assert np.linalg.eigvalsh(laplacian).min() > -1e-12


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("signals", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_stronger_the_smoother_and_courses_under_noise_come_nearer_the_truth(
    tall, signals, dtype
):
    rng = np.random.default_rng(0)
    t = np.arange(200)
    course = np.array([1 + np.sin(t / 15), 1 + np.cos(t / 23)])
    other = rng.gamma(0.3, 1.0, (2, 40))
    smooth, rough = (course, other)
    X = smooth.T @ rough + rng.gamma(1.0, 2.0, (200, 40))
    X = (X if signals else X.T).astype(dtype)
    X = np.repeat(X, 8, axis=1 if signals else 0) if tall else X
    errors, roughness = [], []
    for strength in (0.0, 3.0, 30.0):
        penalty = Smoothness.along(chain(np.ones(199)), strength, signals=signals)
        solution = fit(X, 2, penalty=penalty, max_iter=3000)
        assert solution.converged
        found = (solution.W.T if signals else solution.H).astype(float)
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        truth = course / np.linalg.norm(course, axis=1, keepdims=True)
        errors.append(2 - (found @ truth.T).max(0).sum())
        roughness.append(float(np.square(np.diff(found)).sum()))
    assert roughness[0] > 2 * roughness[1] > 2 * roughness[2]
    assert min(errors[1:]) < errors[0]
