"""Positive and negative parts: there and back is the identity."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import partita
from partita.preprocess import merge_sign, rectify, split_sign

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def scores(*, dtype: str = "float32") -> xr.DataArray:
    """Return a signed recording with labels over time, space and both."""
    rng = np.random.default_rng(2)
    return xr.DataArray(
        (100 * rng.standard_normal((12, 3, 4))).astype(dtype),
        dims=("time", "y", "x"),
        coords={
            "time": ("time", 0.5 * np.arange(12), {"units": "s"}),
            "x": ("x", 0.1 * np.arange(4), {"units": "mm"}),
            "region": ("x", ["V1", "V1", "S1", "S1"]),
            "motion": (("time", "y"), rng.random((12, 3))),
            "grid": ((), 0, {"sform_code": 1}),
        },
        attrs={"units": "1", "long_name": "z-score", "history": "zscore(ddof=0)"},
        name="scores",
    )


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=FLOATS)
)
def test_positive_less_negative_is_the_recording_exactly(values):
    recording = xr.DataArray(values, dims=("time", "a", "b", "c")[: values.ndim])
    signed = split_sign(recording)
    assert not (signed < 0).any()
    assert not np.signbit(signed.values[~np.isnan(signed.values)]).any()
    merged = merge_sign(signed)
    np.testing.assert_array_equal(merged.values, values)
    assert merged.dims == recording.dims


def test_sign_comes_right_after_time_and_the_matrix_is_a_view():
    signed = split_sign(scores())
    assert signed.dims == ("time", "sign", "y", "x")
    assert list(signed["sign"].values) == ["positive", "negative"]
    assert signed.data.flags.c_contiguous
    assert np.shares_memory(signed.data, signed.data.reshape(12, -1))


def test_time_moves_to_the_front():
    turned = scores().transpose("x", "time", "y")
    signed = split_sign(turned)
    assert signed.dims == ("time", "sign", "x", "y")
    assert signed.data.flags.c_contiguous
    xr.testing.assert_equal(merge_sign(signed).transpose(*turned.dims), turned)


def test_every_label_is_kept():
    recording = scores()
    before = recording.copy(deep=True)
    signed = split_sign(recording)
    merged = merge_sign(signed)
    for array in (signed, merged, rectify(recording)):
        xr.testing.assert_identical(
            array.coords.to_dataset().drop_vars("sign", errors="ignore"),
            recording.coords.to_dataset(),
        )
        assert (array.name, array.attrs["units"]) == ("scores", "1")
        assert array.attrs["long_name"] == "z-score"
    assert signed.attrs["history"] == "zscore(ddof=0)\nsplit_sign()"
    assert merged.attrs["history"] == "zscore(ddof=0)\nsplit_sign()\nmerge_sign()"
    assert rectify(recording).attrs["history"] == "zscore(ddof=0)\nrectify()"
    xr.testing.assert_identical(recording, before)


@pytest.mark.parametrize("chunks", [{"time": 5}, {"time": 1, "y": 2}, {"x": 3}])
def test_lazy_recordings_stay_lazy_and_give_the_same(chunks):
    recording = scores()
    lazy = recording.chunk(chunks)
    signed = split_sign(lazy)
    assert signed.chunks == (lazy.chunks[0], (2,), *lazy.chunks[1:])
    xr.testing.assert_identical(signed.compute(), split_sign(recording))
    merged = merge_sign(signed)
    assert merged.chunks == lazy.chunks
    xr.testing.assert_equal(merged.compute(), recording)
    assert rectify(lazy).chunks == lazy.chunks
    xr.testing.assert_identical(rectify(lazy).compute(), rectify(recording))


def test_both_signs_come_from_one_read_of_the_block():
    reads = []

    def read(block):
        reads.append(block.size)
        return block

    lazy = scores().chunk(time=4)
    lazy = lazy.copy(data=lazy.data.map_blocks(read, meta=lazy.data._meta))
    split_sign(lazy).compute(scheduler="synchronous")
    assert sum(reads) == lazy.size


@pytest.mark.parametrize("place", range(4))
def test_signs_merge_wherever_the_dimension_is_and_in_either_order(place):
    recording = scores()
    signed = split_sign(recording).isel(sign=[1, 0])
    order = [dim for dim in signed.dims if dim != "sign"]
    order.insert(place, "sign")
    xr.testing.assert_equal(merge_sign(signed.transpose(*order)), recording)


def test_maps_merge_to_signed_maps():
    maps = xr.DataArray(
        np.array([[[3.0, 0.0]], [[0.5, 2.0]]]).transpose(1, 0, 2),
        dims=("component", "sign", "x"),
        coords={"component": [7], "sign": ["positive", "negative"]},
        attrs={"units": "1"},
    )
    merged = merge_sign(maps)
    assert merged.dims == ("component", "x")
    assert merged["component"].values.tolist() == [7]
    np.testing.assert_array_equal(merged, [[2.5, -2.0]])


@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [("int16", "float32"), ("int64", "float64"), ("float64", "float64")],
)
def test_integers_are_promoted_so_that_no_value_overflows(given_dtype, expected):
    recording = scores(dtype=given_dtype)
    if given_dtype == "int16":
        recording[0, 0, 0] = -32768
    signed = split_sign(recording)
    assert (signed.dtype, rectify(recording).dtype) == (expected, expected)
    assert split_sign(recording.chunk(time=3)).dtype == expected
    np.testing.assert_array_equal(merge_sign(signed), recording)


def test_unsigned_parts_are_merged_without_wrapping_round():
    signed = split_sign(scores()).astype("uint16")
    assert float(merge_sign(signed).min()) < 0


def test_rectify_leaves_positive_values_and_nan_and_makes_the_rest_zero():
    recording = xr.DataArray(np.array([[1.5, -2.0, -0.0, np.nan, np.inf, -np.inf]]))
    values = rectify(recording).values
    np.testing.assert_array_equal(values, [[1.5, 0, 0, np.nan, np.inf, 0]])
    assert not np.signbit(values[0, 1:3]).any()


def test_missing_voxels_are_missing_in_both_signs():
    recording = scores()
    recording[:, 1, 1] = np.nan
    assert split_sign(recording)[:, :, 1, 1].isnull().all()


def test_signs_split_already_are_refused():
    signed = split_sign(scores())
    with pytest.raises(ValueError, match="its signs have been split"):
        split_sign(signed)
    with pytest.raises(ValueError, match="its signs have been split"):
        split_sign(signed.sel(sign="positive"))


def test_unsigned_integers_are_refused():
    with pytest.raises(TypeError, match="split_sign needs signed values, and was given uint16"):
        split_sign(abs(scores()).astype("uint16"))


def test_an_array_without_signs_is_refused():
    with pytest.raises(ValueError, match=r"needs the dimension 'sign', and was given \('time'"):
        merge_sign(scores())


@pytest.mark.parametrize("labels", [["up", "down"], ["positive", "positive"], [0, 1]])
def test_other_labels_of_sign_are_refused(labels):
    signed = split_sign(scores()).assign_coords(sign=labels)
    with pytest.raises(ValueError, match="in either order, and was given"):
        merge_sign(signed)


def test_one_sign_alone_and_unlabelled_signs_are_refused():
    signed = split_sign(scores())
    with pytest.raises(ValueError, match=r"was given \['positive'\]"):
        merge_sign(signed.sel(sign=["positive"]))
    with pytest.raises(ValueError, match=r"was given \['0', '1'\]"):
        merge_sign(signed.drop_vars("sign"))


@pytest.mark.parametrize("function", [split_sign, merge_sign, rectify])
@pytest.mark.parametrize("bad", [np.zeros((3, 2)), scores().to_dataset(), scores() > 0])
def test_what_is_no_array_of_numbers_is_refused(function, bad):
    with pytest.raises(TypeError, match=f"{function.__name__} needs"):
        function(bad)


def test_splitting_needs_the_sample_dimension():
    with pytest.raises(ValueError, match="sample dimension 'frame'"):
        split_sign(scores(), sample_dim="frame")
    assert split_sign(scores().rename(time="frame"), sample_dim="frame").dims[0] == "frame"


@pytest.mark.parametrize("function", [split_sign, rectify])
def test_sparse_recordings_are_refused(function):
    sparse = pytest.importorskip("sparse")
    recording = xr.DataArray(sparse.COO(np.eye(4)), dims=("time", "neuron"))
    with pytest.raises(TypeError, match="needs a dense recording"):
        function(recording)


def test_the_room_names_its_functions_and_nothing_else():
    assert set(partita.preprocess.__all__) <= set(dir(partita.preprocess))
    with pytest.raises(AttributeError, match=r"partita\.preprocess .*nothing"):
        partita.preprocess.nothing  # noqa: B018
