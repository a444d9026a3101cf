"""Running quantiles are quantiles of the samples in every window."""

from __future__ import annotations

import numpy as np

from partita._solvers.baselines.running_quantiles import gather_traces, running_quantiles


def test_running_quantiles_are_quantiles_of_the_samples_in_every_window():
    rng = np.random.default_rng(7)
    cube = rng.random((3, 400, 5))
    spans = np.array([[0, 50], [10, 200], [390, 400]])
    found = np.empty((9, 3))
    running_quantiles(cube, 4, 13, spans, 0.2, found)
    flat = cube.transpose(0, 2, 1).reshape(15, 400)[4:13]
    expected = np.stack([np.quantile(flat[:, a:b], 0.2, axis=1) for a, b in spans], axis=1)
    np.testing.assert_allclose(found, expected)


def test_gathered_traces_are_the_voxels_in_their_order():
    cube = np.random.default_rng(0).random((3, 40, 5))
    traces = np.empty((9, 40))
    gather_traces(cube, 4, 13, traces)
    np.testing.assert_array_equal(traces, cube.transpose(0, 2, 1).reshape(15, 40)[4:13])
