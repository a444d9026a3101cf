"""The sketch: what it keeps of X, and where solving on it leads."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from solving import fit

from partita._solvers.compression.range_finder import complement
from partita._solvers.nmf import multistart, sketch
from partita._solvers.nmf.sweeps import Manner, Moving, sweep_columns


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_a_complement_brings_columns_into_the_span_and_stays_orthonormal(rng):
    Q = np.linalg.qr(rng.standard_normal((60, 8)))[0].astype(np.float32)
    columns = rng.random((60, 5)) * 10.0 ** rng.uniform(-6, 6, 5)
    both = np.concatenate([Q, complement(Q, columns)], axis=1).astype(float)
    np.testing.assert_allclose(both.T @ both, np.eye(13), atol=1e-5)
    np.testing.assert_allclose(both @ (both.T @ columns), columns, rtol=1e-4, atol=1e-4 * 1e-6)


def test_a_widened_sketch_has_both_products_of_the_data_at_its_point(rng):
    X, S, L = rng.random((80, 300)), rng.random((4, 80)), rng.random((4, 300))
    Q = np.linalg.qr(X @ rng.standard_normal((300, 10)))[0]
    both = np.concatenate([Q, complement(Q, np.concatenate([S, L @ X.T]).T)], axis=1)
    sketched = both @ (both.T @ X)
    np.testing.assert_allclose(S @ sketched, S @ X, rtol=1e-9)
    np.testing.assert_allclose(sketched @ L.T, X @ L.T, rtol=1e-9)
    assert np.linalg.norm(sketched - X) > 0.1 * np.linalg.norm(X)


def test_a_sweep_extrapolates_alike_when_the_new_answer_replaces_the_old(rng):
    factor = rng.random((5, 200))
    G, C = factor @ factor.T, factor @ rng.random((200, 300))
    begin, old = rng.random((5, 300)), rng.random((5, 300))
    apart, shared = np.empty_like(begin), np.empty_like(begin)
    manner = Manner(np.arange(5), beta=0.7, most=4, ratio=0.1, measure=False, curvature=-1.0)
    new, none = np.empty_like(begin), np.zeros((0, 1))
    sweep_columns(C, Moving(G, begin, apart, old, new, none), 0, 300, manner)
    replaced = old.copy()
    sweep_columns(C, Moving(G, begin, shared, replaced, replaced, none), 0, 300, manner)
    np.testing.assert_array_equal(shared, apart)
    np.testing.assert_array_equal(replaced, new)
    assert not np.allclose(apart, new)


@pytest.mark.slow
def test_the_start_that_leads_lowest_wins_however_it_stands_on_the_way(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.gamma(0.4, 1, (300, 14)) @ rng.gamma(0.4, 1, (14, 2500)) + rng.gamma(1, 1, (300, 2500))
    race, overtaken = multistart._race, []

    def watched(problem, starts, crew, rounds):
        early = [multistart.settle(problem, S, rounds=20).loss for S in starts]
        late = [multistart.settle(problem, S, rounds=rounds).loss for S in starts]
        ends = race(problem, starts, crew, rounds)
        assert ends[0].loss == pytest.approx(min(late), rel=1e-9)
        overtaken.append(np.argmin(early) != np.argmin(late))
        return ends

    monkeypatch.setattr(multistart, "_race", watched)
    for seed in range(6):
        fit(X.astype(np.float32), 5, rng=np.random.default_rng(seed))
    assert len(overtaken) == 6
    assert any(overtaken)


@pytest.mark.parametrize(
    "shape",
    [(400, 3000), (60, 2500), (60, 8000), (60, 26000)],
    ids=["on the sketch", "on all columns", "on a sample, then on all", "on two samples"],
)
@pytest.mark.parametrize("call", [1, 4, -1])
def test_ctrl_c_while_starts_are_tried_keeps_the_best_of_them(shape, call, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.gamma(0.5, 1, (shape[0], 4)) @ rng.gamma(0.5, 1, (4, shape[1]))
    X = (X + 0.1 * rng.random(shape)).astype(np.float32)
    settle, calls = multistart.settle, []

    def run(limit):
        calls.clear()
        for module in (multistart, sketch):
            monkeypatch.setattr(module, "settle", lambda *a, **k: interrupted(limit, *a, **k))
        return fit(X, 4, rng=np.random.default_rng(0), threads=1)

    def interrupted(limit, *given, **options):
        calls.append(1)
        if len(calls) == limit:
            raise KeyboardInterrupt
        return settle(*given, **options)

    whole = run(math.inf)
    solution = run(len(calls) if call == -1 else call)
    assert solution.interrupted
    assert not solution.converged
    assert solution.n_iter == 1
    norm2 = np.square(X, dtype=float).sum()
    bound = 0.5 * norm2 if call == 1 else 1.1 * whole.losses[-1]  # from NNDSVD; from a start's end
    assert solution.losses[-1] < bound
    assert math.isfinite(solution.certificate.residual)


@pytest.mark.parametrize(
    ("shape", "starts"), [((400, 3000), 8), ((60, 2500), 4), ((60, 8000), 4), ((60, 50000), 10)]
)
def test_there_are_more_starts_where_they_cost_less(shape, starts):
    X = np.random.default_rng(0).random(shape, np.float32)
    options = {"rng": np.random.default_rng(0), "tol": 0, "max_iter": 1}
    assert fit(X, 3, **options).report["starts"] == starts
    assert fit(X, 3, n_starts=2, **options).report["starts"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(400, 8000), (60, 8000)], ids=["on the sketch", "on samples"])
def test_more_starts_than_the_default_never_end_higher(shape):
    rng = np.random.default_rng(0)
    X = rng.gamma(0.4, 1, (shape[0], 14)) @ rng.gamma(0.4, 1, (14, shape[1]))
    X = (X + rng.gamma(1, 1, shape)).astype(np.float32)
    for seed in range(3):
        default, more = (
            fit(X, 5, n_starts=count, rng=np.random.default_rng(seed)) for count in ("auto", 20)
        )
        assert more.report["starts"] == 20
        assert more.losses[-1] <= default.losses[-1] * (1 + 1e-5)


@pytest.mark.parametrize("losses", [[3.0, 5.0, 4.0], [5.0, 3.0, 4.0], [5.0, 4.0, 3.0]])
def test_of_several_groups_of_starts_the_end_that_is_lowest_on_the_data_is_kept(
    losses, rng, monkeypatch
):
    left, groups = iter(losses), []

    def lead(task, count):
        groups.append(count)
        return multistart.Explored(np.full((1, 1), next(left)), np.zeros((1, 1)), 1.0, count, 1)

    def stay(problem, S, L, *, rounds):
        return sketch.Settled(float(S[0, 0]), S, L, 0, True)

    monkeypatch.setattr(multistart, "_on_sketch", lead)
    monkeypatch.setattr(multistart, "settle", stay)
    problem = SimpleNamespace(matrix=SimpleNamespace(shape=(1000, 5000)))
    kept = multistart.explore(
        problem, 3, init="auto", n_starts=20, columns=None, rng=rng, short=True
    )
    assert kept.S[0, 0] == 3.0
    assert groups == [8, 8, 4]


def test_a_sample_is_drawn_evenly_along_the_order_of_the_columns(rng):
    columns = rng.permutation(8000)
    problem = SimpleNamespace(matrix=SimpleNamespace(shape=(60, 8000)))
    task = multistart._Task(problem, 3, "auto", columns, rng, True)
    places = np.argsort(columns)[multistart._sample(task, 1000)]
    np.testing.assert_array_equal(places // 8, np.arange(1000))
    assert multistart._sample(task, 4000) is None


def test_overlapping_footprints_need_few_rounds_on_the_data_themselves(rng):
    y, x = np.mgrid[:40, :40]
    centres, widths = rng.uniform(5, 35, (6, 2)), rng.uniform(3, 6, 6)
    maps = np.array(
        [
            np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * w * w)).ravel()
            for (a, b), w in zip(centres, widths, strict=True)
        ]
    )
    traces = rng.gamma(0.3, 1.0, (1200, 6))
    X = np.maximum(traces @ maps + 0.1 * rng.standard_normal((1200, 1600)), 0).astype(np.float32)
    sketched = fit(X, 6, rng=np.random.default_rng(0))
    direct = fit(X, 6, sketch=False, rng=np.random.default_rng(0))
    assert sketched.report["route"] == "sketch"
    assert sketched.converged
    assert sketched.n_iter <= 12
    assert sketched.n_iter < direct.n_iter
    assert sketched.losses[-1] <= direct.losses[-1] * (1 + 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape",
    [(400, 8000), (60, 8000), (60, 26000)],
    ids=["on a sample of the sketch", "on a sample, then on all", "on two samples"],
)
@pytest.mark.parametrize("factor", [1.0, 100.0, 1e-4])
def test_starts_are_ranked_by_their_weighted_loss_whatever_the_size_of_the_weights(
    shape, factor, monkeypatch
):
    rng = np.random.default_rng(0)
    X = rng.gamma(0.4, 1, (shape[0], 5)) @ rng.gamma(0.4, 1, (5, shape[1])) + rng.random(shape)
    X = X.astype(np.float32)
    weights = factor * (rng.random(shape[0]) + 0.5), rng.random(shape[1]) + 0.5
    settle, losses = multistart.settle, []

    def seen(problem, S, L=None, **options):
        end = settle(problem, S, L, **options)
        matrix, (row, column) = problem.matrix, problem.weights
        here = np.concatenate([matrix.values(b) for group in matrix.groups for b in group], axis=1)
        rest = row @ np.square(here / problem.scale - end.S.T @ end.L) @ column / 2
        losses.append((end.loss, rest + 0.5 * matrix.left_out2 / problem.scale**2))
        return end

    monkeypatch.setattr(multistart, "settle", seen)
    solution = fit(X, 5, weights=weights)
    of_sample, exact = np.array(losses).T
    assert (of_sample > 0).all()
    np.testing.assert_allclose(of_sample[:4], exact[:4], rtol=2e-3)
    plain = fit(X, 5, weights=(weights[0] / factor, weights[1]))
    assert solution.losses[-1] == pytest.approx(factor * plain.losses[-1], rel=1e-4)
