"""Statistics of recordings, and the maps that lower the joint loss for them."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from partita._solvers.nmf import online


def problem(seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((30, 50)) for _ in range(3)], rng.random((4, 50))


def joint_loss(sessions, signals, maps) -> float:
    return 0.5 * sum(((X - W @ maps) ** 2).sum() for X, W in zip(sessions, signals, strict=True))


def test_the_statistics_state_the_joint_loss() -> None:
    sessions, maps = problem()
    signals = [np.random.default_rng(i).random((30, 4)) for i in range(3)]
    first, second, third = map(online.gather, sessions, signals)
    whole = first.plus(second).plus(third)
    assert np.isclose(whole.loss(maps), joint_loss(sessions, signals, maps))
    assert np.isclose(whole.minus(second).loss(maps), joint_loss(sessions[::2], signals[::2], maps))
    lengths = np.array([1.0, 2.0, 0.5, 3.0])
    assert np.isclose(whole.scaled(lengths).loss(maps / lengths[:, None]), whole.loss(maps))


def test_no_visit_after_the_first_pass_raises_the_joint_loss() -> None:
    sessions, maps = problem()
    free = np.arange(4)
    signals: list[np.ndarray | None] = [None] * 3
    total, losses = None, []
    for visit in range(12):
        at = visit % 3
        X, old = sessions[at], signals[at]
        rest = total if old is None else total.minus(online.gather(X, old))
        signals[at], maps, total = online.fold(X, maps, rest, free=free, n_rounds=2)
        if visit >= 2:
            losses.append(joint_loss(sessions, signals, maps))
            assert np.isclose(total.loss(maps), losses[-1])
    assert (np.diff(losses) <= 1e-9 * losses[0]).all()
    assert losses[-1] < losses[0]


def test_maps_are_the_best_for_statistics_that_are_settled_on_them() -> None:
    _, maps = problem()
    signals = np.random.default_rng(1).random((30, 4))
    settled = online.settled(maps, signals)
    np.testing.assert_allclose(online.improve(settled, maps, free=np.arange(4)), maps)


def test_maps_that_are_held_stay() -> None:
    sessions, maps = problem()
    folded = online.fold(sessions[0], maps, None, free=np.array([1, 3]), n_rounds=2)
    np.testing.assert_array_equal(folded.H[[0, 2]], maps[[0, 2]])
    assert (folded.H[[1, 3]] != maps[[1, 3]]).any()


def test_a_fingerprint_depends_on_values_alone() -> None:
    X = np.arange(1200.0).reshape(400, 3)
    marked = online.fingerprint(X)
    assert online.fingerprint(np.asfortranarray(X)) == marked
    assert online.fingerprint(scipy.sparse.csr_matrix(X)) == marked
    X[399, 2] += 1e-9
    assert online.fingerprint(X) != marked
    assert online.fingerprint(X.reshape(3, 400)) != online.fingerprint(X)


def test_a_whole_sketch_leads_to_a_stationary_point() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((40, 3)) @ rng.random((3, 30)) + 0.01 * rng.random((40, 30))
    Q, W, H = np.eye(40), rng.random((40, 3)), rng.random((3, 30))
    free, norm2 = np.arange(3), float((X**2).sum())
    maps = online.descend_sketch(Q, X, W, H, norm2=norm2, free=free, tol=1e-6)
    folded = online.fold(X, maps, None, free=free, n_rounds=0)
    loss = folded.statistics.loss(maps)
    of_maps = online.slack(folded.statistics.B, folded.statistics.A, maps, free=free)
    assert of_maps.gradient2 < 1e-8 * loss
    assert of_maps.decrease < 1e-6 * loss


def test_nothing_to_explain_leaves_the_maps() -> None:
    H = np.ones((2, 5))
    Z, W = np.zeros((3, 5)), np.zeros((4, 2))
    answer = online.descend_sketch(
        np.eye(4)[:, :3], Z, W, H, norm2=0.0, free=np.arange(2), tol=1e-3
    )
    np.testing.assert_array_equal(answer, H)
