"""Several recordings of the same samples as one matrix, and each one's own back."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from partita._labels.joined import Joined

FEATURES = {"brain": ("z", "y", "x"), "muscles": ("muscle",), "spikes": ("neuron", "sign")}


@st.composite
def sets(draw: st.DrawFn) -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray]]:
    """Draw recordings over the same samples, in any order of dimensions, and masks for some."""
    n_times = draw(st.integers(2, 4))
    names = draw(st.lists(st.sampled_from(sorted(FEATURES)), min_size=1, unique=True))
    recordings, masks = {}, {}
    for name in names:
        features = draw(st.lists(st.sampled_from(FEATURES[name]), min_size=1, unique=True))
        dims = draw(st.permutations(["time", *features]))
        sizes = {dim: n_times if dim == "time" else draw(st.integers(1, 3)) for dim in dims}
        shape = tuple(sizes.values())
        dtype = draw(st.sampled_from(["float32", "float64", "int16"]))
        array = xr.DataArray(np.arange(np.prod(shape)).reshape(shape).astype(dtype), dims=dims)
        recordings[name] = array.assign_coords(time=np.arange(n_times) * 0.5)
        if draw(st.booleans()):
            mask = xr.ones_like(array.isel(time=0), bool)
            mask.values.flat[draw(st.integers(0, mask.size - 1))] = mask.size == 1
            masks[name] = mask
    return recordings, masks


@settings(deadline=None, max_examples=80)
@given(sets())
def test_there_and_back_is_the_identity_inside_and_nan_outside(drawn) -> None:
    recordings, masks = drawn
    joined = Joined.of(recordings, masks=masks, caller="JointNMF")
    matrix = joined.matrix(recordings)
    assert matrix.shape[1] == joined.n_features
    back = joined.recordings(matrix)
    assert list(back) == list(recordings)
    for name, recording in recordings.items():
        expected = recording.astype(matrix.dtype)
        expected = expected.where(masks[name]) if name in masks else expected
        xr.testing.assert_identical(back[name], expected.transpose(*recording.dims))


@settings(deadline=None, max_examples=40)
@given(sets())
def test_maps_of_all_return_to_the_rows_they_came_from(drawn) -> None:
    recordings, masks = drawn
    joined = Joined.of(recordings, masks=masks, caller="JointNMF")
    rows = np.arange(2.0 * joined.n_features).reshape(2, -1)
    maps = joined.maps(rows, component=[0, 1])
    assert set(maps) == set(recordings)
    turned = {name: part.transpose(*reversed(part.dims)) for name, part in maps.items()}
    np.testing.assert_array_equal(joined.flat_maps(turned, caller="maps"), rows)


def two() -> dict[str, xr.DataArray]:
    times = {"time": [0.0, 1.0]}
    return {
        "a": xr.DataArray(np.ones((2, 3), "f4"), times, ("time", "x")),
        "b": xr.DataArray(np.ones((2, 2)), times, ("time", "muscle")),
    }


def test_the_widest_type_is_worked_on_and_signals_carry_the_samples() -> None:
    joined = Joined.of(two(), caller="JointNMF")
    assert joined.matrix(two()).dtype == np.float64
    signals = joined.signals(np.ones((2, 1)), component=[0])
    assert signals.dims == ("time", "component")
    assert signals["time"].values.tolist() == [0.0, 1.0]


def test_sparse_recordings_stay_sparse_together() -> None:
    sparse = pytest.importorskip("sparse")
    dense = two()
    lean = {n: r.copy(data=sparse.COO.from_numpy(r.values)) for n, r in dense.items()}
    matrix = Joined.of(lean, caller="JointNMF").matrix(lean)
    expected = Joined.of(dense, caller="JointNMF").matrix(dense)
    np.testing.assert_array_equal(matrix.toarray(), expected)
    mixed = {"a": dense["a"], "b": lean["b"]}
    np.testing.assert_array_equal(Joined.of(mixed, caller="JointNMF").matrix(mixed), expected)


@pytest.mark.parametrize(
    "change", [lambda b: b.isel(time=[0]), lambda b: b.assign_coords(time=[0.0, 2.0])]
)
def test_other_samples_are_refused(change) -> None:
    recordings = two()
    recordings["b"] = change(recordings["b"])
    with pytest.raises(ValueError, match="recordings of the same samples; 'b' and 'a' differ"):
        Joined.of(recordings, caller="JointNMF")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="at least one recording"):
        Joined.of({}, caller="JointNMF")
    joined = Joined.of(two(), caller="JointNMF")
    maps = joined.maps(np.ones((1, 5)), component=[0])
    with pytest.raises(ValueError, match=r"init has no maps for the recordings \['b'\]"):
        joined.flat_maps({"a": maps["a"]}, caller="init")
    with pytest.raises(ValueError, match=r"init\['b'\] has the dimensions"):
        joined.flat_maps({"a": maps["a"], "b": maps["a"]}, caller="init")
