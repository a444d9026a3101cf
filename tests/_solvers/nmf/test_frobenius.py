"""Factorisation: known answers, optimality checked independently, invariances, odd input."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.optimize
import scipy.sparse
from solving import fit, measured

from partita._solvers.nmf import finish, frobenius, hals
from partita._solvers.penalties.penalty import NONE
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.unit_norm import UnitNorm
from partita._solvers.problem import normalisation
from partita._solvers.problem.start import Start


def planted(n=90, p=300, k=4, *, noise=0.05, seed=0, dtype=np.float64):
    """Sparse parts and sparse signals with a little noise."""
    rng = np.random.default_rng(seed)
    W = rng.random((n, k)) * (rng.random((n, k)) < 0.4)
    H = rng.random((k, p)) * (rng.random((k, p)) < 0.3)
    return (W @ H + noise * rng.random((n, p))).astype(dtype), W, H


def misfit(X, solution):
    return 0.5 * np.square(X - solution.W.astype(float) @ solution.H.astype(float)).sum()


def matched(H, truth):
    """Return the correlation of each true row with the row of H that is most like it."""
    return np.abs(np.corrcoef(H, truth)[: len(H), len(H) :]).max(0)


@pytest.mark.parametrize("init", ["auto", "random", "nndsvd", "nndsvda", "nndsvdar"])
@pytest.mark.parametrize("first", ["W", "H"])
@pytest.mark.parametrize("tall", [False, True])
def test_planted_parts_are_found_from_any_start(init, first, tall):
    X, W, H = planted()
    data, truth = (X.T, W.T) if tall else (X, H)
    solution = fit(data, init=init, first=first)
    assert solution.converged
    assert matched(solution.H, truth).min() > 0.98


def test_factors_are_non_negative_finite_and_keep_the_dtype():
    for dtype in (np.float32, np.float64):
        solution = fit(planted(dtype=dtype)[0])
        for factor in (solution.W, solution.H):
            assert factor.dtype == dtype
            assert np.isfinite(factor).all()
            assert (factor >= 0).all()


def test_the_last_loss_is_that_of_the_factors():
    X, _, _ = planted()
    solution = fit(X)
    assert solution.losses[-1] == pytest.approx(misfit(X, solution), rel=1e-9)
    assert solution.n_iter == solution.losses.size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_do_not_rise(dtype):
    X = planted(n=300, p=900, dtype=dtype)[0]
    losses = fit(X, tol=0, max_iter=60, sketch=False).losses
    rounding = 5e-8 if dtype == np.float32 else 1e-14
    assert np.all(np.diff(losses) <= rounding * np.square(X, dtype=float).sum())


def test_the_optimality_conditions_hold_by_an_independent_check():
    X, _, _ = planted()
    W, H = fit(X, tol=1e-6)[:2]
    residual = X - W @ H
    for factor, gradient in ((W, -residual @ H.T), (H, -W.T @ residual)):
        size = np.abs(gradient).max() + np.linalg.norm(X)
        assert gradient.min() > -1e-5 * size
        assert np.abs(gradient[factor > 0]).max() < 1e-5 * size


def test_signals_are_the_exact_least_squares_answer_for_the_maps():
    X, _, _ = planted(n=30, p=80)
    for data in (X, X.T):
        solution = fit(data)
        for row, signal in zip(data, solution.W, strict=True):
            best = scipy.optimize.nnls(solution.H.T, row)[1]
            assert np.linalg.norm(row - signal @ solution.H) <= best * (1 + 1e-6) + 1e-12


def test_the_certificate_is_the_projected_gradient_in_the_metric_of_the_hessian():
    X, _, _ = planted()
    solution = fit(X, tol=1e-2, max_iter=3, init="random")
    W, H, certificate = solution.W, solution.H, solution.certificate
    gradient = W.T @ (W @ H - X)
    projected = np.where(H > 0, gradient, np.minimum(gradient, 0))
    scaled = np.square(projected).sum(1) / np.square(W).sum(0)
    expected = np.sqrt(scaled.sum()) / np.linalg.norm(X - W @ H)
    assert certificate.H_residual == pytest.approx(expected, rel=1e-6)
    assert certificate.W_residual < 1e-6


def test_the_certificate_bounds_what_changing_one_factor_could_gain():
    X, _, _ = planted(n=40, p=60)
    solution = fit(X, max_iter=2, init="random")
    best = sum(scipy.optimize.nnls(solution.W, column)[1] ** 2 for column in X.T)
    loss = misfit(X, solution)
    gain = 1 - 0.5 * best / loss
    assert gain > 0
    assert gain <= solution.certificate.H_decrease <= 1.5 * gain + 1e-6


def test_a_larger_tolerance_stops_earlier_and_zero_runs_to_the_end():
    X, _, _ = planted()
    assert fit(X, tol=1e-1).n_iter <= fit(X, tol=1e-4).n_iter
    assert fit(X, tol=0, max_iter=37).n_iter == 37


@pytest.mark.parametrize("penalty", [NONE, UnitNorm(0.1, 0.2)])
@pytest.mark.parametrize("shape", [(300, 700), (1600, 700)])
def test_norm_and_misfit_are_those_of_data_and_residual(shape, penalty):
    X = planted(*shape, dtype=np.float32)[0]
    solution = fit(X, penalty=penalty)
    residual = X - solution.W.astype(float) @ solution.H.astype(float)
    assert solution.misfit == pytest.approx(np.linalg.norm(residual), rel=1e-5)
    assert solution.norm2 == pytest.approx(np.square(X, dtype=float).sum(), rel=1e-9)


def test_exact_data_are_explained_exactly():
    X, _, H = planted(noise=0.0)
    solution = fit(X, tol=1e-5)
    assert np.linalg.norm(X - solution.W @ solution.H) < 1e-4 * np.linalg.norm(X)
    assert matched(solution.H, H).min() > 0.999


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sketch", [False, True])
def test_a_power_of_two_changes_nothing_but_the_scale(dtype, sketch):
    X = planted(n=300, p=900, dtype=dtype)[0]
    plain = fit(X, sketch=sketch, max_iter=20)
    for exponent in (-40, 27, 60):
        scaled = fit(np.ldexp(X, exponent), sketch=sketch, max_iter=20)
        np.testing.assert_array_equal(scaled.H, plain.H)
        np.testing.assert_array_equal(scaled.W, np.ldexp(plain.W, exponent))


@pytest.mark.parametrize("factor", [1e-12, 1e8, 1e12])
def test_any_unit_gives_the_same_parts(factor):
    X = planted(n=300, p=900, dtype=np.float32)[0]
    plain, scaled = fit(X, sketch=False), fit(X * np.float32(factor), sketch=False)
    assert scaled.losses[-1] / factor**2 == pytest.approx(plain.losses[-1], rel=1e-5)
    assert matched(scaled.H, plain.H).min() > 0.999


def test_the_same_seed_gives_the_same_bits():
    X = planted(n=300, p=900, dtype=np.float32)[0]
    for sketch in (False, True):
        one, two = fit(X, sketch=sketch), fit(X, sketch=sketch)
        np.testing.assert_array_equal(one.W, two.W)
        np.testing.assert_array_equal(one.H, two.H)


def test_the_number_of_threads_changes_rounding_at_most():
    X = planted(n=300, p=4000, dtype=np.float32)[0]
    one, two = (fit(X, sketch=True, threads=threads) for threads in (1, 2))
    assert two.losses[-1] == pytest.approx(one.losses[-1], rel=1e-6)
    np.testing.assert_allclose(two.H, one.H, atol=1e-6 * one.H.max())


def test_single_precision_agrees_with_double():
    X = planted(n=300, p=900)[0]
    double, single = fit(X, init="nndsvda"), fit(X.astype(np.float32), init="nndsvda")
    assert single.losses[-1] == pytest.approx(double.losses[-1], rel=1e-4)


def test_memory_order_changes_rounding_at_most_and_the_input_is_untouched():
    X = planted(n=300, p=900, dtype=np.float32)[0]
    before = X.copy()
    rows, columns = fit(X), fit(np.asfortranarray(X))
    np.testing.assert_array_equal(X, before)
    assert columns.losses[-1] == pytest.approx(rows.losses[-1], rel=1e-5)


@pytest.mark.parametrize("sketch", [False, True])
@pytest.mark.parametrize("tall", [False, True])
def test_the_order_of_the_features_does_not_matter(sketch, tall):
    X = planted(n=300, p=900)[0]
    X = X.T if tall else X
    shuffled = np.random.default_rng(5).permutation(X.shape[1])
    plain = fit(X, sketch=sketch, columns=np.arange(X.shape[1]))
    permuted = fit(X[:, shuffled], sketch=sketch, columns=np.argsort(shuffled))
    assert permuted.losses[-1] == pytest.approx(plain.losses[-1], rel=1e-4)
    assert matched(permuted.H[:, np.argsort(shuffled)], plain.H).min() > 0.999


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
def test_sparse_equals_dense(kind):
    X = planted(noise=0.0)[0]
    X[X < 0.3] = 0
    assert fit(kind(X)).losses[-1] == pytest.approx(fit(X).losses[-1], rel=1e-6)


def test_sparse_data_are_never_made_dense(monkeypatch):
    X = scipy.sparse.random_array((200, 500), density=0.05, rng=np.random.default_rng(0)).tocsr()

    def refuse(*_, **__):
        raise AssertionError("made dense")

    monkeypatch.setattr(type(X), "toarray", refuse)
    monkeypatch.setattr(scipy.sparse.csc_array, "toarray", refuse)
    assert np.isfinite(fit(X, sketch=False, max_iter=20).losses).all()


def test_the_sketch_ends_as_low_as_the_direct_way():
    X = planted(n=300, p=2000, k=6, dtype=np.float32)[0]
    direct, sketched = (fit(X, 6, sketch=sketch) for sketch in (False, True))
    assert sketched.report["route"] == "sketch"
    assert direct.report["route"] == "hals"
    assert sketched.losses[-1] <= direct.losses[-1] * (1 + 1e-5)


def test_several_starts_never_end_above_one():
    X = np.random.default_rng(0).random((60, 200))
    one = fit(X, 5, sketch=True, n_starts=1, init="random")
    many = fit(X, 5, sketch=True, n_starts=8, init="random")
    assert many.report["starts"] == 8
    assert many.losses[-1] <= one.losses[-1] * 1.001


def test_a_fit_goes_on_from_where_another_ended():
    X, _, _ = planted()
    begun = fit(X, init="random", max_iter=5)
    resumed = fit(X, init=Start(W=begun.W, H=begun.H), max_iter=30)
    assert resumed.losses[0] <= begun.losses[-1] * (1 + 1e-9)
    assert resumed.report["route"] == "warm"


@pytest.mark.parametrize("given", ["W", "H"])
def test_one_factor_is_start_enough(given):
    X, W, H = planted()
    start = Start(W=W) if given == "W" else Start(H=H)
    solution = fit(X, init=start)
    np.testing.assert_array_less(0.99, np.diag(np.corrcoef(solution.H, H)[:4, 4:]))


@pytest.mark.parametrize("tall", [False, True])
def test_held_maps_stay_bit_for_bit_and_the_rest_is_learned(tall):
    X, _, H = planted(n=900 if tall else 90)
    held = np.array([False, True, False, True])
    given = np.where(held[:, None], 3.7 * H, np.random.default_rng(1).random(H.shape))
    solution = fit(X, init=Start(H=given), held=held)
    np.testing.assert_array_equal(solution.H[held], given[held])
    assert solution.converged
    assert matched(solution.H, H).min() > 0.98


def test_when_all_maps_are_held_the_signals_are_least_squares():
    X, _, H = planted(n=20, p=60)
    solution = fit(X, init=Start(H=H), held=np.ones(4, bool))
    np.testing.assert_array_equal(solution.H, H)
    expected = [scipy.optimize.nnls(H.T, row)[0] for row in X]
    np.testing.assert_allclose(solution.W, expected, atol=1e-9)


def test_rank_one_weights_equal_repeated_samples_and_features():
    X, _, H = planted(n=40, p=70)
    rows, columns = np.ones(40), np.ones(70)
    rows[:5], columns[10:20] = 2, 3
    repeated = np.repeat(np.repeat(X, rows.astype(int), 0), columns.astype(int), 1)
    weighted = fit(X, init=Start(H=H), weights=(rows, columns), tol=1e-5)
    H_repeated = np.repeat(H, columns.astype(int), 1)
    plain = fit(repeated, init=Start(H=H_repeated), tol=1e-5)
    assert weighted.losses[-1] == pytest.approx(plain.losses[-1], rel=1e-5)
    np.testing.assert_allclose(np.repeat(weighted.W, rows.astype(int), 0), plain.W, atol=1e-2)


def test_samples_without_weight_do_not_count():
    X, _, H = planted()
    spoiled, rows = X.copy(), np.ones(len(X))
    spoiled[::10] = 50 * np.random.default_rng(1).random(spoiled[::10].shape)
    rows[::10] = 0
    solution = fit(spoiled, init="random", weights=(rows, np.ones(X.shape[1])))
    assert matched(solution.H, H).min() > 0.98


@pytest.mark.parametrize("loss", [0.0, 0.5, 1.0, 1.5])
def test_other_divergences_have_their_own_solver(loss):
    X, _, _ = planted(n=40, p=60)
    solution = fit(X + 0.1, loss=loss, max_iter=60)
    assert np.isfinite(solution.losses).all()
    assert solution.losses[-1] < solution.losses[0]


def test_missing_entries_are_filled_in_from_the_others():
    X, _, _ = planted(noise=0.0)
    seen = np.random.default_rng(1).random(X.shape) < 0.8
    solution = fit(np.where(seen, X, 99.0), weights=seen.astype(float), tol=1e-5)
    hidden = (solution.W @ solution.H)[~seen]
    assert np.corrcoef(hidden, X[~seen])[0, 1] > 0.99


def penalised(X, W, H, penalty):
    loss = 0.5 * np.square(X - W @ H).sum()
    return loss + measured(penalty, X).value(W.T, H)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize("strength", ["W_l1", "H_l1", "W_l2", "H_l2"])
@pytest.mark.parametrize("tall", [False, True])
def test_scikit_learns_penalties_end_as_low_as_scikit_learn(strength, tall):
    decomposition = pytest.importorskip("sklearn.decomposition")
    X = planted(n=60, p=90)[0]
    X = X.T if tall else X
    penalty = PerEntry(**{strength: 0.002})
    of_W, of_H = (0.002 if strength[0] == name else 0.0 for name in "WH")
    peer = decomposition.NMF(
        4, init="nndsvda", alpha_W=of_W, alpha_H=of_H, l1_ratio=float(strength[2:] == "l1"),
        tol=1e-5, max_iter=1000,
    )  # fmt: skip
    theirs = penalised(X, peer.fit_transform(X), peer.components_, penalty)
    solution = fit(X, penalty=penalty, init="nndsvda", tol=1e-5, max_iter=2000)
    assert penalised(X, solution.W, solution.H, penalty) <= theirs * (1 + 1e-4)
    assert solution.losses[-1] == pytest.approx(
        penalised(X, solution.W, solution.H, penalty), rel=1e-6
    )


@pytest.mark.parametrize("strength", ["W_l1", "H_l1"])
def test_a_penalty_makes_its_factor_sparser(strength):
    X, _, _ = planted(noise=0.3)
    plain, sparse = fit(X), fit(X, penalty=UnitNorm(**{strength: 0.3}))
    factor = 0 if strength[0] == "W" else 1
    assert (sparse[factor] == 0).mean() > (plain[factor] == 0).mean()


def test_the_scale_free_penalty_is_not_evaded_by_rescaling():
    X, W, H = planted()
    penalty = UnitNorm(W_l1=0.2, H_l1=0.3, l2=0.1)
    stretch = np.array([1e-3, 1.0, 10.0, 1e4])
    value = penalty.value(W.T, H)
    assert penalty.value((W * stretch).T, H / stretch[:, None]) == pytest.approx(value)
    for factor in (1e-6, 1e6):
        plain, scaled = fit(X, penalty=penalty), fit(X * factor, penalty=penalty)
        assert scaled.losses[-1] == pytest.approx(plain.losses[-1] * factor**2, rel=1e-5)


@pytest.mark.parametrize("tall", [False, True])
def test_penalised_fits_cannot_be_improved_by_small_steps(tall):
    X = planted(n=40, p=60)[0]
    X = X.T if tall else X
    penalty = UnitNorm(W_l1=0.05, H_l1=0.05, l2=0.02)
    W, H = fit(X, penalty=penalty, tol=1e-6, max_iter=3000)[:2]
    loss = penalised(X, W, H, penalty)
    rng = np.random.default_rng(0)
    for _ in range(50):
        nearby = np.maximum(W + 1e-3 * W.max() * rng.standard_normal(W.shape), 0)
        assert penalised(X, nearby, H, penalty) > loss * (1 - 1e-7)
        nearby = np.maximum(H + 1e-3 * H.max() * rng.standard_normal(H.shape), 0)
        assert penalised(X, W, nearby, penalty) > loss * (1 - 1e-7)


def test_a_watcher_sees_each_iteration_and_can_stop_the_fit():
    X, _, _ = planted()
    seen = []

    def watch(state):
        seen.append((state.iteration, state.loss, misfit(X, state)))
        return state.iteration == 4

    solution = fit(X, init="random", watch=watch)
    assert [entry[0] for entry in seen] == [1, 2, 3, 4]
    assert solution.n_iter == 4
    assert not solution.interrupted
    np.testing.assert_allclose([entry[1] for entry in seen], [entry[2] for entry in seen], 1e-6)


def test_an_interrupted_fit_returns_the_best_so_far():
    X, _, _ = planted()

    def watch(state):
        if state.iteration == 3:
            raise KeyboardInterrupt

    solution = fit(X, init="random", watch=watch)
    assert solution.interrupted
    assert not solution.converged
    assert misfit(X, solution) < 0.5 * np.square(X).sum()


@pytest.mark.parametrize("moment", ["in the third round", "in the certificate"])
def test_an_interrupt_at_any_moment_keeps_the_last_whole_round(moment, monkeypatch):
    X, _, _ = planted(n=60, p=3000)
    losses, module = [], hals if moment == "in the third round" else finish
    visit = module.visit

    def interrupted(*given):
        if module is finish or len(losses) == 2:
            given[2].old[:, ::2] = 0  # as where half of a block has been done
            raise KeyboardInterrupt
        return visit(*given)

    monkeypatch.setattr(module, "visit", interrupted)
    solution = fit(X, init="random", watch=lambda state: losses.append(state.loss))
    assert solution.interrupted
    assert not solution.converged
    assert misfit(X, solution) <= losses[-1] * (1 + 1e-6)


@pytest.mark.parametrize("first", ["W", "H"])
def test_separable_data_are_explained_exactly(first):
    rng = np.random.default_rng(0)
    W = rng.random((60, 5)) * (rng.random((60, 5)) < 0.6)  # with zeros there is one answer
    H = np.concatenate([np.eye(5), rng.dirichlet(np.ones(5), 195).T], axis=1)
    H = H[:, rng.permutation(200)]
    solution = fit(W @ H, 5, first=first, tol=1e-6, max_iter=5000)
    assert 2 * misfit(W @ H, solution) < 1e-8 * np.square(W @ H).sum()
    assert matched(solution.H, H).min() > 0.999
    assert matched(solution.W.T, W.T).min() > 0.999


@pytest.mark.parametrize("shape", [(6, 50), (50, 6)])
def test_as_many_parts_as_the_short_side_explain_everything(shape):
    X = np.random.default_rng(0).random(shape)
    solution = fit(X, 6, tol=1e-4, max_iter=2000)
    assert 2 * misfit(X, solution) < 1e-5 * np.square(X).sum()


def test_columns_that_are_the_same_have_the_same_map_and_zeros_none():
    X = planted(n=40, p=60)[0]
    again = np.concatenate([X, X[:, :20], np.zeros((40, 3))], axis=1)
    solution = fit(again, tol=1e-5)
    np.testing.assert_allclose(solution.H[:, :20], solution.H[:, 60:80], atol=1e-6)
    assert not solution.H[:, 80:].any()


def test_all_zero_data_have_zero_signals():
    solution = fit(np.zeros((5, 7)), 2)
    assert solution.converged
    assert not solution.W.any()
    held = fit(np.zeros((5, 7)), 2, init=Start(H=np.ones((2, 7))), held=np.ones(2, bool))
    assert held.H.all()


ODD = {
    "one component": (planted()[0], 1),
    "as many as samples": (planted(n=6, p=40)[0], 6),
    "more than samples": (planted(n=3, p=40)[0], 5),
    "more than features": (planted(n=40, p=3)[0], 5),
    "one sample": (planted(n=1, p=40)[0], 2),
    "one feature": (planted(n=40, p=1)[0], 2),
    "one entry": (np.ones((1, 1)), 1),
    "rank one": (np.outer(np.arange(9.0), np.arange(20.0)), 4),
    "constant": (np.full((8, 9), 5.0), 3),
    "duplicates": (np.tile(planted(n=20, p=30)[0], (3, 4)), 4),
    "zero rows and columns": (np.pad(planted(n=20, p=30)[0], 5), 4),
    "one value": (np.eye(9, 30)[:, ::-1] * 1e-20, 3),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_odd_data_have_a_finite_answer(name, dtype):
    X, k = ODD[name]
    solution = fit(X.astype(dtype), k)
    assert np.isfinite(solution.W).all()
    assert np.isfinite(solution.H).all()
    assert np.isfinite(solution.certificate).all()
    assert solution.losses[-1] <= 0.5 * np.square(X).sum() * (1 + 1e-6)


def test_rank_one_data_are_explained_by_one_component():
    X = np.outer(np.arange(1.0, 10), np.arange(1.0, 20))
    assert np.sqrt(2 * fit(X, 1).losses[-1]) < 1e-6 * np.linalg.norm(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3, 6, 20])
@pytest.mark.parametrize("shape", [(300, 2000), (2000, 300)])
def test_rank_one_data_on_the_sketch_are_explained_whatever_is_to_spare(shape, k, dtype):
    rng = np.random.default_rng(1)
    X = np.outer(rng.random(shape[0]), rng.random(shape[1])).astype(dtype)
    with warnings.catch_warnings(action="error"):
        solution = fit(X, k)
    assert solution.report["route"] == "sketch"
    assert solution.converged
    assert np.sqrt(2 * solution.losses[-1]) < 1e-6 * np.linalg.norm(X)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [6, 10, 20])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("shape", [(300, 2000), (60, 200)])
def test_components_far_above_the_rank_stay_finite(shape, rank, k, dtype):
    rng = np.random.default_rng(1)
    X = (rng.random((shape[0], rank)) @ rng.random((rank, shape[1]))).astype(dtype)
    with warnings.catch_warnings(action="error"):
        solution = fit(X, k, max_iter=60, tol=0)
    assert np.isfinite(solution.W).all()
    assert np.isfinite(solution.H).all()
    assert np.linalg.norm(X - solution.W @ solution.H) < 1e-3 * np.linalg.norm(X)


def test_dead_components_start_again_once_and_are_named():
    X, W, H = planted()
    W, H = W.copy(), H.copy()
    W[:, 2], H[2] = 0, 0
    solution = fit(X, init=Start(W=W, H=H))
    assert solution.report["revived"] == [2]
    assert matched(solution.H, planted()[2]).min() > 0.98


def test_canonical_factors_have_unit_maps_in_order_of_energy():
    _, W, H = planted()
    H[3] = 0
    canonical = normalisation.canonicalise(W, H)
    np.testing.assert_allclose(np.linalg.norm(canonical.H, axis=1), [1, 1, 1, 0])
    assert np.all(np.diff(np.linalg.norm(canonical.W, axis=0)) <= 0)
    np.testing.assert_allclose(canonical.W @ canonical.H, W @ H)
    np.testing.assert_array_equal(H[canonical.order] > 0, canonical.H > 0)
    energies = normalisation.energies(canonical.W, canonical.H)
    assert energies.sum() == pytest.approx(normalisation.energies(W, H).sum())


def test_components_kept_in_order_stay_first():
    _, W, H = planted()
    W[:, 1] *= 100
    order = normalisation.canonicalise(W, H, keep_order=1).order
    assert order[0] == 0
    assert order[1] == 1


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_canonical_factors_survive_extreme_scales_in_single_precision(scale):
    _, W, H = planted(dtype=np.float32)
    canonical = normalisation.canonicalise(W.astype(np.float32), (H * scale).astype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(canonical.H, axis=1), 1, rtol=1e-5)


def test_swimmer_like_limbs_are_separated_exactly():
    X, limbs = swimmer()
    solutions = [fit(X, 16, seed, init="random", tol=1e-6) for seed in range(5)]
    best = min(solutions, key=lambda solution: solution.losses[-1])
    assert np.sqrt(2 * best.losses[-1]) < 1e-4 * np.linalg.norm(X)
    assert matched(best.H, limbs).min() > 0.999


def swimmer():
    """Make 256 figures of four limbs, each in one of four positions."""
    limbs = np.kron(np.eye(16), np.ones((1, 5)))
    rng = np.random.default_rng(0)
    positions = np.array(np.meshgrid(*[range(4)] * 4)).reshape(4, -1).T
    figures = np.zeros((256, 16))
    for limb in range(4):
        figures[np.arange(256), 4 * limb + positions[:, limb]] = 1
    return figures @ limbs[:, rng.permutation(80)], limbs[
        :, np.random.default_rng(0).permutation(80)
    ]


@pytest.mark.parametrize("seed", [3, 8, 11, 13])
def test_a_fit_ends_by_the_residual_of_its_answer_not_of_a_point_ahead(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    X = rng.random((60, 5)) ** 3 @ rng.random((5, 400)) ** 3 + 0.1 * rng.random((60, 400))
    looked, descend = fit(X, 5, n_starts=1), frobenius.descend
    monkeypatch.setattr(frobenius, "descend", lambda *a, **k: descend(*a, **k | {"settle": False}))
    ahead = fit(X, 5, n_starts=1)
    assert looked.n_iter < ahead.n_iter
    assert looked.certificate.residual <= 1e-3
    assert looked.losses[-1] <= ahead.losses[-1] * (1 + 1e-5)


@pytest.mark.parametrize("sketch", [False, True])
def test_who_looks_on_changes_nothing(sketch):
    X, _, _ = planted(n=120, p=900)
    alone, watched = fit(X, sketch=sketch), fit(X, sketch=sketch, watch=lambda state: None)
    assert alone.n_iter == watched.n_iter
    np.testing.assert_array_equal(alone.W, watched.W)
    np.testing.assert_array_equal(alone.H, watched.H)


@pytest.mark.slow
@pytest.mark.realdata
def test_swimmer_is_explained_exactly_by_seventeen_parts(real_data: Path):
    X = scipy.io.loadmat(real_data / "nmfbook" / "Swimmer.mat")["X"].astype(float)
    best = min(fit(X, 17, seed, init="random", tol=1e-6, max_iter=2000).losses[-1]
               for seed in range(10))  # fmt: skip
    assert np.sqrt(2 * best) <= 1e-4 * np.linalg.norm(X)


@pytest.mark.realdata
def test_planted_factors_are_recovered(real_data: Path):
    planted_factors = np.load(real_data / "planted_k5.npz")
    solution = fit(planted_factors["X"], 5)
    assert matched(solution.H, planted_factors["H"]).min() > 0.95


@pytest.mark.slow
@pytest.mark.realdata
def test_faces_are_explained_as_well_as_published(real_data: Path):
    X = scipy.io.loadmat(real_data / "nmfbook" / "CBCL.mat")["X"].astype(np.float32)
    solution = fit(X, 49, max_iter=1000)
    assert np.sqrt(2 * solution.losses[-1]) / np.linalg.norm(X) <= 0.0810
    assert solution.converged
