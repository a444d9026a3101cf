"""NetCDF and Zarr give back what they were given, and are whole or not there."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import partita
from partita.io import read_dataset, write_dataset


@pytest.fixture(params=[".nc", ".zarr"])
def suffix(request):
    if request.param == ".zarr":
        pytest.importorskip("zarr")
    return request.param


def model_like():
    """Return a Dataset with everything that a saved model may hold."""
    return xr.Dataset(
        {
            "maps": (("component", "sign", "y"), np.ones((2, 2, 3), np.float32)),
            "signals": (("time", "component"), np.zeros((4, 2)), {"units": "V^2"}),
            "missing": ("y", [1.0, np.nan, 3]),
            "inside": ("y", [True, False, True]),
            "n_iter": ((), 7),
            "lag": ("lag", [0.0, 0.3], {"units": "s"}),
        },
        coords={
            "time": ("time", [0.0, 0.3, 0.6, 0.6], {"units": "s", "long_name": "time"}),
            "sign": ["positive", "negative"],
            "condition": ("time", ["rest", "", "Gesicht ä", "b"]),
            "when": ("time", np.datetime64("2020-10-11") + np.arange(4).astype("m8[ms]")),
            "since": ("time", np.arange(4).astype("m8[us]"), {"units": "own words"}),
            "grid": ((), 0, {"affine": np.eye(4).ravel(), "qform_code": 1}),
            "component": [0, 1],
        },
        attrs={"history": "zscore(ddof=0)\nsplit_sign()", "parameters": '{"tol": 0.001}'},
    )


def test_a_dataset_comes_back_identical(tmp_path, suffix):
    dataset = model_like()
    again = read_dataset(write_dataset(dataset, tmp_path / f"a{suffix}"))
    xr.testing.assert_identical(again, dataset)
    for name, variable in dataset.variables.items():
        assert again[name].dtype.kind == variable.dtype.kind
        if variable.dtype.kind in "iufb":
            assert again[name].dtype == variable.dtype


def test_numbers_with_units_of_time_stay_numbers(tmp_path, suffix):
    units = ["s", "seconds", "ms", "days", "h"]
    dataset = xr.Dataset({unit: ("x", [1.5, 2], {"units": unit}) for unit in units})
    again = read_dataset(write_dataset(dataset, tmp_path / f"a{suffix}"))
    assert {again[unit].dtype for unit in units} == {np.dtype(float)}


ATTRIBUTES = st.dictionaries(
    st.text("abc_XY 0", min_size=1, max_size=6).filter(lambda key: not key.startswith("_")),
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
        st.integers(-(2**31), 2**31),
        st.floats(allow_nan=False),
        hnp.arrays(np.float64, st.integers(1, 4), elements=st.floats(allow_nan=False)),
        st.lists(st.text("abc", min_size=1), min_size=1, max_size=3),
    ),
    max_size=4,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(attrs=ATTRIBUTES)
def test_attributes_of_any_kind_come_back(tmp_path, suffix, attrs):
    dataset = xr.Dataset({"a": ("x", [1.0], attrs)}, attrs=attrs)
    again = read_dataset(write_dataset(dataset, tmp_path / f"a{suffix}"))
    xr.testing.assert_identical(again, dataset)
    assert {key: np.shape(value) for key, value in again.attrs.items()} == {
        key: np.shape(value) for key, value in attrs.items()
    }


def test_attributes_that_xarray_uses_itself_come_back_as_words(tmp_path, suffix):
    attrs = {"scale_factor": 2.0, "_FillValue": 1.0, "coordinates": "y", "calendar": "none"}
    dataset = xr.Dataset({"a": ("x", [1.0, 3.0], attrs)})
    xr.testing.assert_identical(
        read_dataset(write_dataset(dataset, tmp_path / f"a{suffix}")), dataset
    )


def test_what_netcdf_cannot_hold_takes_a_form_that_it_can(tmp_path, suffix):
    dataset = xr.Dataset(attrs={"flag": True, "nothing": None, "nested": {"a": [1, 2]}})
    again = read_dataset(write_dataset(dataset, tmp_path / f"a{suffix}"))
    assert again.attrs == {"flag": 1, "nested": '{"a": [1, 2]}'}


def test_a_dataset_that_was_read_can_be_written_again(tmp_path, suffix):
    path = write_dataset(model_like(), tmp_path / f"a{suffix}")
    write_dataset(read_dataset(path), path)
    xr.testing.assert_identical(read_dataset(path), model_like())


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be .nc \(NetCDF\) or .zarr.*: a.nc"):
        write_dataset(xr.Dataset(), tmp_path / "a.h5")


def test_folders_are_made(tmp_path, suffix):
    path = write_dataset(model_like(), tmp_path / "derivatives" / "sub-01" / f"a{suffix}")
    assert path.exists()


def test_a_file_that_is_no_netcdf_is_named(tmp_path):
    path = tmp_path / "a.nc"
    path.write_text("no", encoding="utf-8")
    with pytest.raises(OSError, match=r"a\.nc cannot be read as NetCDF"):
        read_dataset(path)
    with pytest.raises(FileNotFoundError, match=r"b\.nc"):
        read_dataset(tmp_path / "b.nc")


def test_a_folder_that_is_no_store_is_named(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(OSError, match=r"a\.zarr"):
        read_dataset(tmp_path / "a.zarr")


def test_zarr_without_its_package_names_the_command(tmp_path, monkeypatch):
    pytest.importorskip("zarr")
    path = partita.io.save_recording(
        xr.DataArray(np.zeros((3, 2)), dims=("time", "x")), tmp_path / "a.zarr"
    )
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "partita\[zarr\]"'):
        partita.load(path)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "partita\[zarr\]"'):
        partita.io.save_recording(xr.DataArray(np.zeros((3, 2)), dims=("time", "x")), path)
