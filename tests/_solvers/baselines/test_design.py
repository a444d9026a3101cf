"""What a baseline needs of the times: the same whatever the values."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.design import cut_design, design_baseline

TIMES = np.arange(3000) / 10


@pytest.mark.parametrize("kind", ["quantile", "mean"])
def test_the_whole_recording_is_one_window_at_one_knot(kind):
    design = design_baseline(TIMES, kind=kind, window=None)
    assert design.spans.tolist() == [[0, 3000]]
    np.testing.assert_allclose(design.knots, [TIMES.mean()])
    np.testing.assert_array_equal(design.matrix, [[1]])


def test_noise_is_told_only_where_bins_hold_several_samples():
    assert design_baseline(TIMES, kind="minimum", window=30.0).tells_noise
    assert not design_baseline(TIMES, kind="minimum", window=4.0).tells_noise
    assert not design_baseline(TIMES, kind="mean", window=30.0).tells_noise


def test_parts_of_a_design_hold_all_of_its_bins_once():
    design = design_baseline(TIMES, kind="minimum", window=30.0)
    n_blocks = len(design.grid.blocks) - 1
    parts = [cut_design(design, a, b) for a, b in ((0, 7), (7, 20), (20, n_blocks))]
    for part in parts:
        assert part.grid.bins[0] == part.grid.blocks[0] == 0
        assert part.grid.blocks[-1] == len(part.grid.counts)
        np.testing.assert_array_equal(np.diff(part.grid.bins), part.grid.counts)
    counts = np.concatenate([part.grid.counts for part in parts])
    np.testing.assert_array_equal(counts, design.grid.counts)
