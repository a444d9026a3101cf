"""Confounds: the residual is orthogonal to them, and they are those of the right samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from partita.datasets import simulate_fmri
from partita.preprocess import compcor, regress_out


@pytest.fixture
def recording(labelled):
    return labelled()


def courses(n_times: int = 120, count: int = 4) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((n_times, count)).cumsum(axis=0)


def naive(recording: xr.DataArray, columns: np.ndarray) -> np.ndarray:
    """Solve the least squares with numpy, the columns brought to one scale."""
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    design = np.column_stack([np.ones(len(columns)), columns])
    flat = recording.values.reshape(len(columns), -1)
    weights, *_ = np.linalg.lstsq(design, flat, rcond=None)
    return (flat - design @ weights).reshape(recording.shape)


def test_the_residual_is_that_of_least_squares_and_orthogonal_to_the_confounds(recording):
    columns = courses()
    left = regress_out(recording, xr.DataArray(columns, dims=("time", "confound")))
    np.testing.assert_allclose(left, naive(recording, columns), atol=1e-9)
    flat = left.values.reshape(120, -1)
    np.testing.assert_allclose(columns.T @ flat, 0, atol=1e-7)
    np.testing.assert_allclose(flat.sum(axis=0), 0, atol=1e-9)


def test_what_is_a_combination_of_confounds_is_gone():
    columns = courses()
    mixed = xr.DataArray(7 + columns @ courses(4, 6), dims=("time", "voxel"))
    left = regress_out(mixed, xr.DataArray(columns, dims=("time", "confound")))
    np.testing.assert_allclose(left, 0, atol=1e-10)


def test_only_what_the_confounds_span_counts(recording):
    """Units, offsets, copies, sums, constants and their order change nothing."""
    columns = courses()
    more = np.column_stack([
        1e-7 * columns[:, ::-1] + 3, columns[:, 0], columns.sum(axis=1), np.full(120, 0.1),
        np.zeros(120), 1e9 * columns[:, 1],
    ])  # fmt: skip
    expected = regress_out(recording, xr.DataArray(columns, dims=("time", "confound")))
    left = regress_out(recording, xr.DataArray(more, dims=("time", "confound")))
    np.testing.assert_allclose(left, expected, atol=1e-6)


def test_every_kind_of_table_means_the_same(recording):
    columns = courses(count=3)
    time = recording["time"]
    array = xr.DataArray(columns, dims=("time", "axis"), coords={"time": time})
    expected = regress_out(recording, array)
    tables = [
        array.T,
        xr.Dataset({"a": array[:, 0], "b": array[:, 1:]}),
        pd.DataFrame(columns, columns=["x", "y", "z"]),
        pd.DataFrame(columns, index=time.values),
        array.expand_dims(plane=2),
        array.chunk(time=10),
        [array[:, 0], pd.DataFrame(columns[:, 1:])],
        (xr.Dataset({"a": array[:, 0]}), [array[:, 1], pd.Series(columns[:, 2])]),
    ]
    for table in tables:
        np.testing.assert_allclose(regress_out(recording, table), expected, atol=1e-9)
    one = regress_out(recording, array[:, 0])
    for table in (pd.Series(columns[:, 0]), pd.Series(columns[:, 0], index=time.values, name="g")):
        np.testing.assert_allclose(regress_out(recording, table), one, atol=1e-9)
    jumped = array[:, 0] > array[:, 0].mean()
    np.testing.assert_allclose(
        regress_out(recording, jumped), regress_out(recording, jumped.astype(float)), atol=1e-9
    )


def test_confounds_are_matched_by_time_label(recording):
    columns = xr.DataArray(courses(), dims=("time", "confound"), coords={"time": recording.time})
    part = recording[30:90:2]
    np.testing.assert_allclose(
        regress_out(part, columns), regress_out(part, columns[30:90:2]), atol=1e-9
    )
    frame = pd.DataFrame(columns.values[::-1], index=recording["time"].values[::-1])
    np.testing.assert_allclose(regress_out(part, frame), regress_out(part, columns), atol=1e-9)


def test_confounds_of_other_times_are_refused(recording):
    columns = xr.DataArray(courses(), dims=("time", "confound"), coords={"time": recording.time})
    moved = columns.assign_coords(time=columns.time + 0.5)
    with pytest.raises(ValueError, match=r"confounds lies on another grid: 120 of 120 positions"):
        regress_out(recording, moved)
    with pytest.raises(ValueError, match="confounds lies on another grid: 20 of 120"):
        regress_out(recording, columns[:100])
    with pytest.raises(ValueError, match="has 100 samples along 'time', and the recording 120"):
        regress_out(recording, columns[:100].drop_vars("time"))
    with pytest.raises(ValueError, match="in ms, and needs s"):
        regress_out(recording, columns.assign_coords(time=columns.time.assign_attrs(units="ms")))


@pytest.mark.parametrize(
    ("table", "kind", "message"),
    [
        (courses(), TypeError, "as a DataArray, a Dataset or a pandas DataFrame"),
        (pd.DataFrame({"trial": ["rest"] * 120}), TypeError, "the columns trial hold none"),
        (
            xr.DataArray(["a"] * 120, dims="time"),
            TypeError,
            "'confound' holds <U1. Choose variables",
        ),
        (xr.Dataset(), ValueError, "confounds without any column. Check the names"),
        (pd.DataFrame(index=range(120)), ValueError, "without any column"),
        ([], ValueError, "without any column"),
        (["trans_x", "trans_y"], TypeError, "or a list of these, and was given str"),
        (xr.DataArray(courses(count=0), dims=("time", "confound")), ValueError, "without any col"),
        (
            xr.Dataset({"a": ("time", np.ones(120)), "centre": ("axis", [1.0, 2.0])}),
            ValueError,
            "confounds over 'time'; 'centre' has the dimensions",
        ),
        (
            pd.DataFrame({"a": np.ones(120), "dvars": [np.nan, *np.ones(119)]}),
            ValueError,
            r"1 values are not, the first in 'dvars' at sample 0\..*fillna\(0\)",
        ),
        (
            xr.DataArray(courses(count=200), dims=("time", "confound")),
            ValueError,
            "given 200 confounds, 119 of them independent, for 120 samples",
        ),
    ],
)
def test_what_is_no_table_of_confounds_is_refused(recording, table, kind, message):
    with pytest.raises(kind, match=message):
        regress_out(recording, table)


# CompCor


@pytest.fixture(scope="module")
def run():
    return simulate_fmri(n_times=200, drift=0.0, motion=0.0, random_state=3)


def test_compcor_finds_the_rhythm_of_the_ventricles(run):
    found = compcor(run["recording"], run["ventricles"], n_components=2)
    assert abs(float(xr.corr(found[:, 0], run["physiology"]))) > 0.97
    ratio = found["explained_variance_ratio"]
    assert ratio[0] > 0.5 > ratio[1] > 0
    assert found.attrs["units"] == "1"
    assert found.attrs["history"].endswith("compcor(n_components=2, order=1)")
    assert set(found.coords) == {"time", "grid", "component", "explained_variance_ratio"}


def test_components_are_standardised_uncorrelated_and_free_of_drift(run):
    found = compcor(run["recording"].astype(float), run["ventricles"], n_components=4, order=2)
    np.testing.assert_allclose(found.T.values @ found.values / 200, np.eye(4), atol=1e-9)
    drifts = np.vander(np.linspace(-1, 1, 200), 3)
    np.testing.assert_allclose(drifts.T @ found.values, 0, atol=1e-8)


def test_components_are_the_singular_vectors_of_standardised_voxels():
    rng = np.random.default_rng(2)
    for shape in ((50, 12), (20, 60)):  # more times than voxels, and fewer
        values = rng.standard_normal(shape) @ np.diag(np.linspace(1, 3, shape[1]))
        recording = xr.DataArray(values, dims=("time", "voxel"))
        found = compcor(recording, xr.DataArray(np.ones(shape[1], bool), dims="voxel"), order=0)
        standard = (values - values.mean(axis=0)) / values.std(axis=0)
        left, strength, _ = np.linalg.svd(standard, full_matrices=False)
        cosines = (left[:, :5].T @ found.values) / np.sqrt(shape[0])
        np.testing.assert_allclose(np.abs(cosines), np.eye(5), atol=1e-8)
        np.testing.assert_allclose(
            found["explained_variance_ratio"], (strength**2 / (strength**2).sum())[:5], atol=1e-10
        )


@pytest.mark.parametrize("chunks", [{"time": 30}, {"time": 50, "y": 7, "x": 11}])
def test_compcor_does_not_depend_on_layout_or_scale(run, counted, chunks):
    recording = run["recording"].astype(float)
    expected = compcor(recording, run["ventricles"])
    lazy, reads = counted(recording.transpose("x", "time", "z", "y").chunk(chunks))
    np.testing.assert_allclose(compcor(lazy, run["ventricles"]), expected, atol=1e-8)
    assert sum(reads) <= recording.size
    np.testing.assert_allclose(compcor(1e-6 * recording, run["ventricles"]), expected, atol=1e-8)


def test_empty_and_constant_voxels_take_no_part(run):
    recording = run["recording"].astype(float)
    mask = run["ventricles"]
    places = np.argwhere(mask.values)
    less = mask.copy()
    less.values[tuple(places[0])] = less.values[tuple(places[1])] = False
    recording[(slice(None), *places[0])] = np.nan
    recording[(slice(None), *places[1])] = 7.0
    np.testing.assert_allclose(compcor(recording, mask), compcor(recording, less), atol=1e-9)
    recording[(50, *places[2])] = np.nan
    with pytest.raises(ValueError, match="compcor cannot use NaN or infinite values: 1 in 1 of"):
        compcor(recording, mask)


def test_masks_that_do_not_fit_are_refused(run):
    recording, mask = run["recording"], run["ventricles"]
    with pytest.raises(ValueError, match="The mask is empty"):
        compcor(recording, mask & False)
    with pytest.raises(ValueError, match="mask lies on another grid"):
        compcor(recording, mask.assign_coords(x=mask.x + 1))
    with pytest.raises(TypeError, match="A mask is a boolean DataArray"):
        compcor(recording, mask.astype(float))
    one = xr.zeros_like(mask)
    one.values[tuple(np.argwhere(mask.values)[0])] = True
    with pytest.raises(ValueError, match=r"finds 1 independent courses .* n_components=5"):
        compcor(recording, one)
    with pytest.raises(ValueError, match="finds 0 independent courses"):
        compcor(xr.ones_like(recording), mask)


@pytest.mark.parametrize("bad", [0, 2.5, "five", True])
def test_the_number_of_components_is_a_whole_number(run, bad):
    with pytest.raises(ValueError, match="n_components must be a whole number above 0"):
        compcor(run["recording"], run["ventricles"], n_components=bad)
