"""Refusals say what is wrong, what was given, and what to do."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import xarray as xr

from partita import NMF
from partita._labels import checks


@pytest.mark.parametrize(
    ("thing", "error", "message"),
    [
        (np.ones((3, 2)), TypeError, "was given ndarray.*xr.DataArray\\(values"),
        (NMF(3), TypeError, "was given the model NMF. .*model.signals_ or model.maps_"),
        (xr.Dataset({"a": ("time", [1.0, 2])}), TypeError, "Dataset with the variables \\('a'\\)"),
        (xr.DataArray(["a", "b"], dims="time"), TypeError, "was given <U1"),
        (xr.DataArray(np.array([1, "b"], object), dims="time"), TypeError, "was given object"),
        (xr.DataArray([1j, 2], dims="time"), TypeError, "complex128. Take its magnitude: abs"),
        (xr.DataArray([True, False], dims="time"), TypeError, "was given bool"),
        (xr.DataArray(np.ones(2, "float16"), dims="time"), TypeError, "was given float16"),
        (xr.DataArray([1.0, 2], dims="frame"), ValueError, "sample dimension 'time'.*'frame'"),
        (xr.DataArray(np.ones((0, 2)), dims=("time", "x")), ValueError, "empty recording"),
    ],
)
def test_what_is_no_recording_is_refused(thing, error, message: str) -> None:
    with pytest.raises(error, match=message):
        checks.require_recording(thing, caller="NMF")


def test_a_lone_time_course_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="expand_dims"):
        checks.require_features(
            xr.DataArray([1.0, 2], dims="time"), sample_dim="time", caller="NMF"
        )


def test_a_single_sample_is_refused() -> None:
    single = xr.DataArray(np.ones((1, 3)), dims=("time", "x"))
    with pytest.raises(ValueError, match="at least two samples along 'time', and was given 1"):
        checks.require_samples(single, sample_dim="time", caller="NMF")


def _place(row: int, column: int) -> str:
    return f"row {row}, column {column}"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_isolated_holes_are_counted_and_placed(bad: float) -> None:
    matrix = np.ones((3, 4))
    matrix[1, 2] = matrix[2, 3] = bad
    with pytest.raises(ValueError, match=r"2 of 3 x 4 .* first at row 1, column 2.*isfinite"):
        checks.refuse_isolated(matrix, place=_place, caller="NMF")


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix])
def test_negative_values_are_counted_and_placed(kind) -> None:
    matrix = np.eye(3)
    matrix[2, 1] = -0.5
    with pytest.raises(ValueError, match=r"1 of 3 x 3 .*minimum -0.5.*row 2, column 1.*split_sign"):
        checks.refuse_negative(kind(matrix), place=_place, caller="NMF")


def test_only_columns_that_are_nan_throughout_are_missing() -> None:
    matrix = np.ones((3, 4))
    matrix[:, 1] = np.nan
    matrix[0, 2] = np.nan
    np.testing.assert_array_equal(checks.missing_throughout(matrix), [False, True, False, False])
    assert checks.missing_throughout(np.ones((2, 2))) is None


@pytest.mark.parametrize(
    ("dtype", "promoted"),
    [
        ("float32", "float32"), ("float64", "float64"), ("int8", "float32"), ("uint16", "float32"),
        ("int32", "float64"), ("uint64", "float64"),
    ],
)  # fmt: skip
def test_integers_are_promoted_by_their_size(dtype: str, promoted: str) -> None:
    assert checks.promote(np.dtype(dtype)) == promoted


def test_components_are_known_by_their_labels_or_numbers_and_named_once() -> None:
    maps = xr.DataArray(np.ones((2, 3)), dims=("component", "x"))
    assert checks.component_labels(maps, caller="init") == [0, 1]
    named = maps.assign_coords(component=["a", "b"])
    assert checks.component_labels(named, caller="init") == ["a", "b"]
    with pytest.raises(ValueError, match=r"init names a component twice: \['a'\]"):
        checks.component_labels(named[[0, 0]], caller="init")
