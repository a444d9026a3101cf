"""The numbers of baselines: what each estimator owes to theory and to numpy."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines import (
    bleaching,
    knot_curve,
    quantile,
    running_quantiles,
    soft_minimum,
    white_noise,
)
from partita._solvers.baselines.binning import bin_traces, join_stretches
from partita._solvers.baselines.design import cut_design, design_baseline
from partita._solvers.baselines.running_baseline import fit_cube
from partita._solvers.baselines.time_grid import lay_grid, place, recentre, spans_of
from partita._solvers.compute.threads import Crew

TIMES = np.arange(3000) / 10


def fitted(traces: np.ndarray, *, times: np.ndarray = TIMES, **options) -> np.ndarray:
    """Return baselines (n_times, n_voxels) of traces (n_times, n_voxels)."""
    design = design_baseline(times, **{"window": 30.0, **options})
    with Crew(2) as crew:
        held = fit_cube(
            traces[None], design, dtype=np.dtype(float), crew=crew, progress=lambda _: None
        )
    return np.array([np.interp(times, design.knots, curve) for curve in held.knots]).T


def test_bins_and_blocks_cover_every_sample_once():
    grid = lay_grid(TIMES, 30.0)
    assert grid.bins[0] == 0
    assert grid.bins[-1] == len(TIMES)
    assert grid.counts.sum() == len(TIMES)
    assert (grid.counts >= np.median(grid.counts) / 2).all()
    assert grid.blocks[-1] == len(grid.counts)
    assert np.all(np.diff(grid.blocks) > 0)
    np.testing.assert_allclose(np.diff(grid.knots)[:-1], 6, atol=0.7)


def test_windows_have_the_length_asked_for_on_irregular_times():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.exponential(0.1, 5000))
    times[2500:] += 40.0
    spans = spans_of(lay_grid(times, 30.0))
    lengths = times[spans[:, 1] - 1] - times[spans[:, 0]]
    assert lengths.max() < 40
    inner = lengths[4:-4]
    assert np.median(inner) == pytest.approx(30, abs=1.5)


def test_lines_through_windows_keep_straight_lines_to_the_very_ends():
    grid = lay_grid(TIMES, 30.0)
    curve = 3 + 0.2 * grid.knots
    smooth = curve.copy()
    knot_curve.smooth(smooth, np.empty_like(curve), grid.lines, grid.weights)
    np.testing.assert_allclose(smooth, curve, rtol=1e-12)


def test_means_of_windows_keep_straight_lines_to_the_very_ends():
    trace = (100 - 0.1 * TIMES)[:, None]
    np.testing.assert_allclose(fitted(trace, kind="mean")[50:-50], trace[50:-50], rtol=1e-10)
    spans = spans_of(lay_grid(TIMES, 30.0))
    matrix = recentre(TIMES, spans, TIMES[[0, 700, -1]])
    means = np.array([trace[a:b].mean() for a, b in spans])
    np.testing.assert_allclose(matrix @ means, trace[[0, 700, -1], 0], rtol=1e-10)


def test_a_place_between_knots_tells_how_far_it_is_to_the_next():
    np.testing.assert_allclose(
        place(np.array([-1.0, 0.0, 1.0, 3.0]), np.array([0.0, 2.0])), [-0.5, 0, 0.5, 1.5]
    )


@pytest.mark.parametrize("n_times", [4, 40, 3000])
def test_noise_is_told_from_second_differences_whatever_the_length(n_times):
    rng = np.random.default_rng(1)
    found = [
        white_noise.bin_variance(5 + 4 * rng.standard_normal(n_times) + np.arange(n_times))
        for _ in range(4000 // n_times + 400)
    ]
    assert np.mean(found) == pytest.approx(16, rel=0.12)


def test_noise_stays_told_where_a_third_of_the_time_is_active():
    rng = np.random.default_rng(2)
    trace = rng.standard_normal(3000)
    trace[1000:2000] += 50 * rng.random(1000)
    assert white_noise.bin_variance(trace) == pytest.approx(1, rel=0.35)


@pytest.mark.parametrize("sd", [1.0, 10.0, 25.0])
def test_the_minimum_of_noise_is_not_biased(sd):
    rng = np.random.default_rng(3)
    traces = 100 + sd * rng.standard_normal((3000, 100))
    found = fitted(traces, kind="minimum")
    one_bin = sd / np.sqrt(7)
    assert abs(found.mean() - 100) < 0.12 * one_bin
    assert found.std() < 0.6 * one_bin


@pytest.mark.parametrize("quiet", [0.3, 0.6])
@pytest.mark.parametrize(("kind", "tolerance"), [("minimum", 1.5), ("adaptive", 3.5)])
def test_the_bias_hardly_depends_on_how_much_is_quiet(kind, tolerance, quiet):
    rng = np.random.default_rng(4)
    active = np.repeat(rng.random((300, 100)) > quiet, 10, axis=0)
    traces = 100 + 5 * rng.standard_normal((3000, 100)) + 60 * active
    assert abs(fitted(traces, kind=kind).mean() - 100) < tolerance


def test_the_level_under_gamma_activity_is_found():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(40):
        r = 3 + rng.standard_normal(20_000) + rng.gamma(0.4, 8.0, 20_000)
        counts = np.ones(20_000)
        r += 1.0 / (2 * 0.5)  # what noise of variance one takes from a soft minimum of width 0.5
        found.append(soft_minimum.quiet_level(r, 0.5, 1.0, counts))
    assert np.mean(found) == pytest.approx(3, abs=0.15)


def test_quantiles_are_those_of_numpy():
    rng = np.random.default_rng(6)
    values = rng.standard_normal(101)
    for share in (0.0, 0.08, 0.5, 0.999, 1.0):
        assert quantile.quantile_of(values, np.empty(101), share) == pytest.approx(
            np.quantile(values, share)
        )


def test_running_quantiles_are_quantiles_of_the_samples_in_every_window():
    rng = np.random.default_rng(7)
    cube = rng.random((3, 400, 5))
    spans = np.array([[0, 50], [10, 200], [390, 400]])
    found = np.empty((9, 3))
    running_quantiles.running_quantiles(cube, 4, 13, spans, 0.2, found)
    flat = cube.transpose(0, 2, 1).reshape(15, 400)[4:13]
    expected = np.stack([np.quantile(flat[:, a:b], 0.2, axis=1) for a, b in spans], axis=1)
    np.testing.assert_allclose(found, expected)


def test_maximin_of_a_staircase_is_the_lower_step_on_either_side():
    trace = np.where(TIMES < 150, 10.0, 20.0)[:, None]
    found = fitted(trace, kind="maximin")
    np.testing.assert_allclose(found[TIMES < 140], 10)
    np.testing.assert_allclose(found[TIMES > 160], 20)


def test_exponential_bleaching_is_found_exactly():
    times = np.arange(60) * 5.0
    curves = np.array(
        [80 + 30 * np.exp(-times / 70), 50 * np.exp(-times / 900), np.full(60, 7.0), 5 + times]
    )
    found = bleaching.fit_bleaching(curves, times)
    np.testing.assert_allclose(found[:3], curves[:3], rtol=2e-3)
    np.testing.assert_allclose(found[3], curves[3].mean())  # what rises does not bleach


def test_too_few_knots_for_a_bleaching_give_their_mean():
    curves = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(bleaching.fit_bleaching(curves, np.arange(3.0)), 2)


def test_parts_of_a_recording_joined_are_the_summary_of_the_whole():
    rng = np.random.default_rng(8)
    cube = rng.random((1, 3000, 6))
    cube[0, 2500, 2] = np.nan
    design = design_baseline(TIMES, kind="minimum", window=30.0)
    kind = np.dtype(float)
    whole = bin_traces(cube, design, first=0, last=6, dtype=kind)
    edges = design.grid.bins[design.grid.blocks[[0, 7, 30, len(design.grid.knots)]]]
    parts = [
        bin_traces(cube[:, a:b], cut_design(design, i, j), first=0, last=6, dtype=kind)
        for a, b, i, j in zip(edges[:-1], edges[1:], (0, 7, 30), (7, 30, 99), strict=True)
    ]
    joined = join_stretches(parts, [int(edge) for edge in edges[:-1]], first=2, last=6)
    for one, other in zip(joined, whole, strict=True):
        columns = slice(2, 6)
        expected = other[columns] if len(other) == 6 else other[:, columns]
        np.testing.assert_allclose(one, expected)
    assert joined.bad[:, 0].tolist() == [1, 2500, 1]
