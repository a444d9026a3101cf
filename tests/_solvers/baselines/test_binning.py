"""Binned traces: means, noise, sums and what is not finite, whole or in stretches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from partita._solvers.baselines.binning import bin_traces, join_stretches, traces_of
from partita._solvers.baselines.design import cut_design, design_baseline

TIMES = np.arange(3000) / 10


def binned_of(traces, design):
    """Return what is binned of traces (time, voxels)."""
    return bin_traces(traces[None], design, first=0, last=traces.shape[1], dtype=np.dtype(float))


def test_parts_of_a_recording_joined_are_the_whole_binned():
    rng = np.random.default_rng(8)
    traces = rng.random((3000, 6))
    traces[2500, 2] = np.nan
    design = design_baseline(TIMES, kind="minimum", window=30.0)
    whole = binned_of(traces, design)
    edges = design.grid.bins[design.grid.blocks[[0, 7, 30, len(design.grid.knots)]]]
    parts = [
        binned_of(traces[a:b], cut_design(design, i, j))
        for a, b, i, j in zip(edges[:-1], edges[1:], (0, 7, 30), (7, 30, 99), strict=True)
    ]
    joined = join_stretches(parts, [int(edge) for edge in edges[:-1]], first=2, last=6)
    for one, other in zip(joined, whole, strict=True):
        np.testing.assert_allclose(one, other[:, 2:6])
    assert joined.bad[:, 0].tolist() == [1, 2500, 1]


def test_bins_hold_means_and_blocks_the_variance_of_noise():
    rng = np.random.default_rng(0)
    traces = 5 + 3 * rng.standard_normal((3000, 6))
    design = design_baseline(TIMES, kind="minimum", window=30.0)
    binned = binned_of(traces, design)
    edges = design.grid.bins
    means = [traces[a:b].mean(axis=0) for a, b in pairwise(edges)]
    np.testing.assert_allclose(binned.means, means)
    np.testing.assert_allclose(binned.sums, [traces.sum(axis=0), (traces**2).sum(axis=0)])
    blocks = pairwise(edges[design.grid.blocks])
    rough = [(np.diff(traces[a:b], 2, axis=0) ** 2).mean(axis=0) / 6 for a, b in blocks]
    np.testing.assert_allclose(binned.noise, rough)
    assert binned.noise.mean() == pytest.approx(9, rel=0.1)
    assert binned.bad.tolist() == [[0] * 6, [-1] * 6, [0] * 6]


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_the_type_of_the_values_does_not_matter(dtype):
    traces = np.random.default_rng(1).integers(0, 60_000, (3000, 3)).astype(dtype)
    design = design_baseline(TIMES, kind="maximin", window=30.0)
    found, expected = (binned_of(values, design) for values in (traces, traces * 1.0))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_a_quantile_needs_no_means():
    design = design_baseline(TIMES, kind="quantile", window=30.0)
    binned = binned_of(np.ones((3000, 3)), design)
    assert binned.means.shape == (0, 3)
    assert binned.noise.shape == (0, 3)


@pytest.mark.parametrize("shape", [(3, 40, 5), (15, 40, 1), (1, 40, 15)])
def test_traces_are_the_voxels_in_their_order(shape):
    cube = np.random.default_rng(0).random(shape)
    flat = cube.transpose(1, 0, 2).reshape(40, 15)
    for first, last in ((4, 13), (5, 10), (0, 15)):
        np.testing.assert_array_equal(traces_of(cube, first, last), flat[:, first:last])


def test_values_that_are_not_finite_are_counted_and_placed_wherever_they_are():
    traces = np.ones((3000, 4))
    traces[[3, 700, 2999], 1] = np.inf, np.nan, np.nan
    traces[:, 2] = np.nan
    design = design_baseline(TIMES, kind="minimum", window=30.0)
    with np.errstate(invalid="ignore"):
        bad = binned_of(traces, design).bad
    assert bad.tolist() == [[0, 3, 3000, 0], [-1, 3, 0, -1], [0, 2, 3000, 0]]


def test_a_mean_needs_no_finer_bins_than_blocks():
    fine, coarse = (design_baseline(TIMES, kind=k, window=30.0) for k in ("minimum", "mean"))
    np.testing.assert_array_equal(coarse.grid.bins, fine.grid.bins[fine.grid.blocks])
    np.testing.assert_array_equal(np.diff(coarse.grid.bins), coarse.grid.counts)
