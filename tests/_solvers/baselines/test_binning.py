"""Binned traces: means, noise, sums and what is not finite, whole or in stretches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from partita._solvers.baselines.binning import bin_traces, join_stretches
from partita._solvers.baselines.design import cut_design, design_baseline

TIMES = np.arange(3000) / 10
FLOAT = np.dtype(float)


def test_parts_of_a_recording_joined_are_the_whole_binned():
    rng = np.random.default_rng(8)
    cube = rng.random((1, 3000, 6))
    cube[0, 2500, 2] = np.nan
    design = design_baseline(TIMES, kind="minimum", window=30.0)
    whole = bin_traces(cube, design, first=0, last=6, dtype=FLOAT)
    edges = design.grid.bins[design.grid.blocks[[0, 7, 30, len(design.grid.knots)]]]
    parts = [
        bin_traces(cube[:, a:b], cut_design(design, i, j), first=0, last=6, dtype=FLOAT)
        for a, b, i, j in zip(edges[:-1], edges[1:], (0, 7, 30), (7, 30, 99), strict=True)
    ]
    joined = join_stretches(parts, [int(edge) for edge in edges[:-1]], first=2, last=6)
    for one, other in zip(joined, whole, strict=True):
        columns = slice(2, 6)
        expected = other[columns] if len(other) == 6 else other[:, columns]
        np.testing.assert_allclose(one, expected)
    assert joined.bad[:, 0].tolist() == [1, 2500, 1]


def test_bins_hold_means_and_blocks_the_variance_of_noise():
    rng = np.random.default_rng(0)
    cube = 5 + 3 * rng.standard_normal((2, 3000, 4))
    design = design_baseline(TIMES, kind="minimum", window=30.0)
    binned = bin_traces(cube, design, first=1, last=7, dtype=FLOAT)
    traces = cube.transpose(0, 2, 1).reshape(8, 3000)[1:7]
    edges = design.grid.bins
    means = [traces[:, a:b].mean(axis=1) for a, b in pairwise(edges)]
    np.testing.assert_allclose(binned.means, np.transpose(means))
    np.testing.assert_allclose(binned.sums, [traces.sum(axis=1), (traces**2).sum(axis=1)])
    assert binned.noise.mean() == pytest.approx(9, rel=0.1)
    assert binned.bad.tolist() == [[0] * 6, [-1] * 6, [0] * 6]


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_the_type_of_the_values_does_not_matter(dtype):
    cube = np.random.default_rng(1).integers(0, 60_000, (1, 3000, 3)).astype(dtype)
    design = design_baseline(TIMES, kind="maximin", window=30.0)
    found, expected = (
        bin_traces(values, design, first=0, last=3, dtype=FLOAT) for values in (cube, cube * 1.0)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_a_quantile_needs_no_means():
    design = design_baseline(TIMES, kind="quantile", window=30.0)
    binned = bin_traces(np.ones((1, 3000, 3)), design, first=0, last=3, dtype=FLOAT)
    assert binned.means.shape == (3, 0)
    assert binned.noise.shape == (3, 0)
