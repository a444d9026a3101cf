"""Attributes survive a file; history grows by a line."""

from __future__ import annotations

import datetime
import warnings

import numpy as np
import pytest
import scipy.sparse
import xarray as xr

import partita
from partita._labels.attrs import (
    append_history,
    as_fluctuation,
    describe_call,
    long_name_with,
    storable,
)


def test_history_grows_by_one_line_and_leaves_the_input_alone() -> None:
    array = xr.DataArray([1.0], dims="time")
    once = append_history(array, describe_call("zscore", ddof=0))
    twice = append_history(once, "split_sign()")
    assert twice.attrs["history"] == "zscore(ddof=0)\nsplit_sign()"
    assert "history" not in array.attrs
    assert np.shares_memory(array.values, twice.values)


def test_what_is_made_of_an_array_is_named_after_it() -> None:
    power = xr.DataArray([1.0], dims="time", attrs={"long_name": "Power"})
    assert long_name_with(power, "z-score", alone="z-score") == "Power (z-score)"
    assert long_name_with(power.drop_attrs(), "baseline", alone="Baseline") == "Baseline"


def test_that_the_mean_is_gone_is_said_once() -> None:
    power = xr.DataArray([1.0], dims="time", attrs={"long_name": "Power"})
    twice = as_fluctuation(as_fluctuation(power))
    assert twice.attrs["long_name"] == "Power (fluctuation)"
    assert as_fluctuation(power.drop_attrs()).attrs == {}


def test_what_is_storable_survives_netcdf(tmp_path) -> None:
    attrs = {
        "text": "µm", "number": 1.5, "flag": True, "none": None, "array": np.arange(3.0),
        "words": ["a", "b"], "nested": {"a": [1, {"b": 2}]}, "matrix": np.eye(2), "empty": [],
        "ragged": [[1], [2, 3]], "raw": b"bytes", 7: np.float32(2.0), "tuple": (1, 2),
    }  # fmt: skip
    kept = storable(attrs)
    array = xr.DataArray(np.zeros(2), dims="x", name="a", attrs=kept)
    array.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataarray(tmp_path / "a.nc", engine="h5netcdf") as again:
        assert set(again.attrs) == set(kept) == {str(key) for key in attrs} - {"none"}
        np.testing.assert_array_equal(again.attrs["array"], np.arange(3.0))
        assert again.attrs["text"] == "µm"
        assert list(again.attrs["words"]) == ["a", "b"]


def test_a_sparse_matrix_becomes_a_labelled_recording() -> None:
    pytest.importorskip("sparse")
    counts = scipy.sparse.random_array((20, 5), density=0.2, rng=0)
    recording = partita.from_sparse(
        counts, dims=("time", "neuron"), coords={"neuron": list("abcde")}
    )
    np.testing.assert_array_equal(recording.data.todense(), counts.toarray())
    assert recording["neuron"].values.tolist() == list("abcde")


def test_a_dense_matrix_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="was given ndarray"):
        partita.from_sparse(np.ones((2, 2)), dims=("time", "neuron"))


def test_other_than_two_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="names of two dimensions"):
        partita.from_sparse(scipy.sparse.eye_array(3), dims=("time",))


def test_a_missing_package_is_named_with_its_command(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sparse", None)
    with pytest.raises(ImportError, match='pip install "partita\\[sparse\\]"'):
        partita.from_sparse(scipy.sparse.eye_array(3), dims=("time", "neuron"))


class Probe:
    """An object that no file holds."""


WHOLE = {
    "a table with arrays": ({"origin": np.arange(3000.0), "n": np.int64(3)}, '"origin": [0.0, 1.0'),
    "labels by number": ({0: "outside", 1: "cortex"}, '{"0": "outside", "1": "cortex"}'),
    "a day": (datetime.date(2026, 1, 2), "2026-01-02"),
    "times": (np.array(["2026-01-02", "2026-01-03"], "M8[D]"), '["2026-01-02", "2026-01-03"]'),
    "a number alone": (np.array(2.5), 2.5),
    "a long number": (np.longdouble(2.5), 2.5),
    "a huge number": (10**30, str(10**30)),
    "short numbers": (np.array([1, 2], np.float16), None),
    "a matrix": (np.eye(2), "[[1.0, 0.0], [0.0, 1.0]]"),
}


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".nii.gz"])
def test_attributes_are_kept_whole(tmp_path, kind, suffix) -> None:
    value, expected = WHOLE[kind]
    form = storable({"about": value})["about"]
    if isinstance(expected, str):
        assert expected in form
        assert "..." not in form
    recording = _recording().assign_attrs(about=value)
    recording["y"].attrs["about"] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        partita.save(recording, tmp_path / f"r{suffix}")
    again = partita.load(tmp_path / f"r{suffix}", chunks=None)
    for found in (again.attrs["about"], again["y"].attrs["about"]):
        np.testing.assert_array_equal(found, form)


@pytest.mark.parametrize(
    "value",
    [
        Probe(),
        [1, Probe()],
        {"a": Probe()},
        {"a": {1, 2}},
        np.array([1, Probe()]),
        1j,
        b"\xff",
        {1: "one", "1": "another"},
        {(0, 1): "a pair"},
    ],
)
@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".nii.gz"])
def test_attributes_that_no_file_holds_whole_are_dropped_and_named_once(
    tmp_path, value, suffix
) -> None:
    recording = _recording().assign_attrs(about=value, other=value, units="V")
    recording["y"].attrs["place"] = value
    with pytest.warns(UserWarning, match="leaves out 3 attributes") as caught:
        partita.save(recording, tmp_path / f"r{suffix}")
    assert len(caught) == 1
    for name in ("attrs['about']", "attrs['other']", "y.attrs['place']", type(value).__name__):
        assert name in str(caught[0].message)
    again = partita.load(tmp_path / f"r{suffix}", chunks=None)
    assert again.attrs["units"] == "V"
    assert not {"about", "other"} & set(again.attrs)
    assert "place" not in again["y"].attrs
    assert {"about", "other"} <= set(recording.attrs)
    assert recording["y"].attrs["place"] is value


def test_attributes_of_a_dataset_are_named_too(tmp_path) -> None:
    dataset = xr.Dataset({"a": ("x", [1.0], {"how": Probe()})}, {"x": ("x", [0], {"why": Probe()})})
    with pytest.warns(UserWarning, match=r"leaves out 2 attributes.*x\.attrs.*a\.attrs"):
        partita.io.write_dataset(dataset, tmp_path / "a.nc")


def _recording() -> xr.DataArray:
    return xr.DataArray(
        np.ones((2, 1, 3, 2)),
        {"time": [0.0, 1.0], "y": ("y", [0.0, 1.0, 2.0], {"units": "mm"})},
        ("time", "z", "y", "x"),
    )
