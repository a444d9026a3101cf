"""Anything labelled comes back as it was, whatever its names, through NetCDF too."""

from __future__ import annotations

import datetime
import io
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from partita._labels.boxes import Boxes
from partita._labels.packing import pack, refuse_unstorable
from partita._labels.unpacking import unpack

NAMES = (
    "maps", "signals", "energy", "losses", "inside", "iteration", "factor", "component", "offset",
    "time", "y", "values", "maps_", "a b", "a/b", "é", "x.1", "x:0", "recipe", "", "right",
    "of_more_letters_than_a_file_may_have_" * 8,
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=("C",)), max_size=5)


def there_and_back(value: object) -> object:
    """Pack a value, write it as NetCDF does, and unpack it."""
    variables, recipe = pack(value, "thing_")
    held = io.BytesIO()
    xr.Dataset(variables).to_netcdf(held, engine="h5netcdf")
    with xr.open_dataset(io.BytesIO(held.getvalue()), engine="h5netcdf") as stored:
        return unpack(stored.load().variables, json.loads(json.dumps(recipe)))


def labels(draw: st.DrawFn, size: int) -> object:
    """Draw labels of one kind."""
    kinds = {
        "floats": np.arange(size) * 0.25,
        "float16": np.arange(size).astype(np.float16),
        "big-endian": np.arange(size).astype(">f4"),
        "complex": np.arange(size) * 1j,
        "text": np.array([f"n{i}é" for i in range(size)]),
        "variable text": np.array([f"n{i}" for i in range(size)], np.dtypes.StringDType()),
        "text objects": np.array([f"n{i}" for i in range(size)], object),
        "bytes": np.array([b"%d" % i for i in range(size)]),
        "mixed": np.array([None, 1, "a", (1, "b"), np.nan][:size], object),
        "datetimes": np.arange(size).astype("M8[ns]"),
        "durations": np.arange(size).astype("m8[ms]"),
        "bools": np.arange(size) % 2 == 0,
        "categorical": pd.Categorical([f"c{i % 2}" for i in range(size)], ordered=True),
        "nullable": pd.array([None, *range(size - 1)], dtype="Int16"),
        "nullable bools": pd.array([None, *[True] * (size - 1)], dtype="boolean"),
        "intervals": pd.arrays.IntervalArray.from_breaks(np.arange(size + 1.0), closed="left"),
    }
    return kinds[draw(st.sampled_from(sorted(kinds)))]


@st.composite
def attributes(draw: st.DrawFn) -> dict[str, object]:
    """Draw attributes of every kind that is kept."""
    values = (
        None, True, 3, 0.5, float("nan"), "µV", "days since 2000-01-01", np.float32(1.5),
        np.int64(2), np.dtype("float32"), pd.NaT, pd.Timedelta("3s"), datetime.timedelta(1, 2),
        np.array(["a", "b"]), np.arange(3), np.array([1.0]), ["a", "b"], ("a", 1), {"a": [1, {}]},
        np.datetime64("2020-01-01"), datetime.datetime(2020, 1, 2), pd.Timestamp("2020-01-01"),
        pd.NA, pd.Interval(0, 1), pd.array([1, None], dtype="Int64"), b"raw\xff",
        datetime.date(2020, 1, 2), datetime.time(3, 4),
    )  # fmt: skip
    keys = st.sampled_from(["units", "_FillValue", "scale_factor", "coordinates", "a/b"])
    return draw(st.dictionaries(keys | TEXT, st.sampled_from(values), max_size=3))


@st.composite
def arrays(draw: st.DrawFn) -> xr.DataArray:
    """Draw an array whose dimensions and coordinates may be called anything."""
    dims = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    sizes = {dim: draw(st.integers(2, 4)) for dim in dims}
    values = np.arange(np.prod(list(sizes.values()))).reshape(tuple(sizes.values()))
    array = xr.DataArray(values.astype("float32"), dims=dims, attrs=draw(attributes()))
    array.name = draw(st.sampled_from([None, *NAMES]))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True)):
        dim = name if name in dims else draw(st.sampled_from([None, *dims]))
        if dim is None:
            array = array.assign_coords({name: ((), 3.0, draw(attributes()))})
        else:
            array = array.assign_coords({name: (dim, labels(draw, sizes[dim]), draw(attributes()))})
    return array


def assert_same(back: object, value: object) -> None:
    """Assert that two things are the same in type and value, all the way down."""
    assert type(back) is type(value)
    if isinstance(value, xr.DataArray | xr.Dataset):
        _assert_same_labels(back, value)
    elif isinstance(value, dict):
        assert list(back) == list(value)
        for key in value:
            assert_same(back[key], value[key])
    elif isinstance(value, tuple | list):
        assert len(back) == len(value)
        for one, other in zip(back, value, strict=True):
            assert_same(one, other)
    elif isinstance(value, np.ndarray | np.generic):
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)
    elif isinstance(value, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(back, value)
    else:
        assert repr(back) == repr(value)


def _assert_same_labels(back, value) -> None:
    parts = {n: (back[n].variable, value[n].variable) for n in value.coords}
    if isinstance(value, xr.DataArray):
        parts[None] = back.variable, value.variable
        assert back.name == value.name
    else:
        parts |= {n: (back[n].variable, value[n].variable) for n in value.data_vars}
        assert_same(back.attrs, value.attrs)
    assert list(back.coords) == list(value.coords)
    for one, other in parts.values():
        assert one.dims == other.dims
        assert_same(one.data, other.data)
        assert_same(one.attrs, other.attrs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`pandas.Index` does not support the `float16`")
@settings(deadline=None, max_examples=100)
@given(arrays())
def test_an_array_comes_back_whatever_its_names_and_labels(array: xr.DataArray) -> None:
    assert_same(there_and_back(array), array)
    refuse_unstorable(array, caller="NMF", what="a recording")


@pytest.mark.filterwarnings("ignore:`pandas.Index` does not support the `float16`")
@settings(deadline=None, max_examples=50)
@given(
    st.recursive(
        arrays() | st.integers() | st.floats() | TEXT,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(TEXT, inner, max_size=3)
            | st.tuples(inner, inner)
        ),
        max_leaves=4,
    )
)
def test_lists_tuples_and_mappings_come_back(value: object) -> None:
    assert_same(there_and_back(value), value)


def test_names_are_no_longer_than_those_of_files_may_be() -> None:
    long = {"é" * 150: ("x", [1.0, 2.0]), "e" * 300: ("x", pd.array([None, 1], dtype="Int16"))}
    array = xr.DataArray([1.0, 2.0], long, "x")
    names = pack(array, "thing_").variables
    assert max(len(name.encode()) for name in names) < 200
    assert all(name.startswith("thing_") for name in names)
    assert_same(there_and_back(array), array)


def test_a_dataset_comes_back() -> None:
    data = xr.Dataset(
        {"a/b": ("x", [1.0, 2.0], {"units": "s"}), "inside": ((), True)},
        {"x": list("ab"), "maps": ("x", [1, 2])},
        {"nested": {"a": (1, 2)}},
    )
    assert_same(there_and_back(data), data)


def test_stacked_coordinates_come_back_stacked() -> None:
    table = xr.DataArray(np.arange(12.0).reshape(2, 2, 3), dims=("time", "y", "x"))
    table = table.assign_coords(y=[0.5, 1.0], x=("x", list("abc"), {"long_name": "column"}))
    stacked = table.stack(voxel=("y", "x"))
    stacked["voxel"].attrs["units"] = "1"
    back = there_and_back(stacked)
    xr.testing.assert_identical(back, stacked)
    xr.testing.assert_identical(back.unstack("voxel"), stacked.unstack("voxel"))


def test_large_rows_that_are_mostly_empty_are_stored_by_their_boxes() -> None:
    maps = np.zeros((30, 100, 150), np.float32)
    for i, row in enumerate(maps):
        row[i : i + 9, 2 * i : 2 * i + 7] = 1 + i
    maps[:, :, 140:] = np.nan
    labelled = xr.DataArray(maps, dims=("component", "y", "x"), name="maps")
    assert sum(v.nbytes for v in pack(labelled, "m").variables.values()) < 0.05 * maps.nbytes
    assert_same(there_and_back(labelled), labelled)
    full = labelled.fillna(0) + 1
    assert "m" in pack(full, "m").variables


def test_boxes_come_back() -> None:
    boxes = Boxes.of(np.eye(3)[:, None])
    back = there_and_back({"maps": boxes})["maps"]
    assert_same(list(back), list(boxes))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"attrs": {"made by": object()}}, r"\['attrs'\]\['made by'\] is of type object"),
        (xr.DataArray([1, 2], attrs={"a": {1}}), r"\.attrs\['a'\] is of type set"),
        (
            xr.DataArray([1, 2], {"x": pd.period_range("2000", periods=2, freq="M")}, "x"),
            "coordinate 'x' is an array of period",
        ),
        (xr.DataArray([1], {"x": ("x", np.array([print], object))}, "x"), "is of type builtin_"),
        (np.zeros(2, [("a", int)]), "an array of .*'a'"),
        (pd.Timestamp("2020", tz="UTC"), "a time with a time zone"),
    ],
)
def test_what_no_file_holds_is_refused_with_its_place(value: object, words: str) -> None:
    with pytest.raises(TypeError, match=f"NMF was given a thing that no file could.*{words}.*drop"):
        refuse_unstorable(value, caller="NMF", what="a thing")
    with pytest.raises(TypeError, match="no file can hold"):
        pack(value, "a")


def test_sparse_values_are_named_with_their_place() -> None:
    sparse = pytest.importorskip("sparse")
    counts = xr.DataArray(sparse.COO.from_numpy(np.eye(3)), dims=("time", "neuron"))
    with pytest.raises(TypeError, match="a sparse array"):
        pack({"counts": counts}, "fitted_")
