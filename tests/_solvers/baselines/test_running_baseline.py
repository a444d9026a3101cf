"""Baselines of voxels: what each estimator owes to theory."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.baselines.design import design_baseline
from partita._solvers.baselines.running_baseline import fit_cube
from partita._solvers.compute.threads import Crew

TIMES = np.arange(3000) / 10


def fitted(traces: np.ndarray, *, times: np.ndarray = TIMES, **options) -> np.ndarray:
    """Return baselines (n_times, n_voxels) of traces (n_times, n_voxels)."""
    design = design_baseline(times, **{"window": 30.0, **options})
    with Crew(2) as crew:
        held = fit_cube(
            traces[None], design, dtype=np.dtype(float), crew=crew, progress=lambda _: None
        )
    return np.array([np.interp(times, design.knots, curve) for curve in held.knots.T]).T


def test_means_of_windows_keep_straight_lines_to_the_very_ends():
    trace = (100 - 0.1 * TIMES)[:, None]
    np.testing.assert_allclose(fitted(trace, kind="mean")[50:-50], trace[50:-50], rtol=1e-10)


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


def test_maximin_of_a_staircase_is_the_lower_step_on_either_side():
    trace = np.where(TIMES < 150, 10.0, 20.0)[:, None]
    found = fitted(trace, kind="maximin")
    np.testing.assert_allclose(found[TIMES < 140], 10)
    np.testing.assert_allclose(found[TIMES > 160], 20)


@pytest.mark.parametrize(
    "kind", ["minimum", "adaptive", "maximin", "exponential", "mean", "quantile"]
)
def test_a_voxel_that_is_nan_is_nan_and_alone_in_it(kind):
    traces = np.random.default_rng(0).random((3000, 3))
    sound = fitted(traces, kind=kind)
    traces[:, 1] = np.nan
    found = fitted(traces, kind=kind)
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_array_equal(found[:, [0, 2]], sound[:, [0, 2]])


def test_tiles_and_threads_change_nothing():
    traces = np.random.default_rng(0).random((300, 1100)).astype(np.float32)
    design = design_baseline(TIMES[:300], kind="minimum", window=10.0)
    for threads, shape in ((1, (1, 300, 1100)), (2, (1, 300, 1100)), (2, (1100, 300, 1))):
        cube = traces.reshape(shape) if shape[0] == 1 else traces.T[:, :, None]
        done = []
        with Crew(threads) as crew:
            found = fit_cube(cube, design, dtype=np.dtype("f4"), crew=crew, progress=done.append)
        assert sum(done) == 1100
        if shape[0] == threads == 1:
            first = found
        for one, other in zip(found, first, strict=True):
            np.testing.assert_array_equal(one, other)
