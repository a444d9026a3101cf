"""A recording as a matrix and back: the identity inside the mask, whatever the labels."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from partita._labels.packing import pack
from partita._labels.stack import Stacker
from partita._labels.unpacking import unpack

FEATURES = ("sign", "z", "y", "x")


@st.composite
def recordings(draw: st.DrawFn) -> xr.DataArray:
    """Draw a recording with any dimension order, dtype and auxiliary coordinates."""
    features = draw(st.lists(st.sampled_from(FEATURES), min_size=1, max_size=3, unique=True))
    dims = draw(st.permutations(["time", *features]))
    sizes = {dim: draw(st.integers(1, 4)) for dim in dims}
    sizes["time"] = draw(st.integers(2, 5))
    dtype = draw(st.sampled_from(["float32", "float64", "int16", "int64", "uint8"]))
    values = np.arange(np.prod([sizes[d] for d in dims])).reshape([sizes[d] for d in dims])
    array = xr.DataArray(
        values.astype(dtype), dims=dims, name=draw(st.sampled_from([None, "bold"]))
    )
    array.attrs = {"units": "a.u."}
    return _with_coordinates(draw, array, features)


def _with_coordinates(draw: st.DrawFn, array: xr.DataArray, features: list[str]) -> xr.DataArray:
    def over(*dims: str) -> tuple[tuple[str, ...], np.ndarray]:
        shape = [array.sizes[dim] for dim in dims]
        return dims, np.arange(np.prod(shape)).reshape(shape) * 0.5

    candidates = {dim: over(dim) for dim in array.dims} | {
        "subject": "mouse",
        "frame": over("time"),
        "depth": over(features[0]),
        "area": over(*features),
        "slice_time": over("time", features[-1]),
    }
    names = draw(st.lists(st.sampled_from(sorted(candidates)), unique=True))
    return array.assign_coords({name: candidates[name] for name in names})


@st.composite
def masks(draw: st.DrawFn, recording: xr.DataArray) -> xr.DataArray | None:
    """Draw a mask over some of the features, in any order, with at least one voxel inside."""
    if draw(st.booleans()):
        return None
    features = [dim for dim in recording.dims if dim != "time"]
    dims = draw(st.lists(st.sampled_from(features), min_size=1, unique=True))
    shape = [recording.sizes[dim] for dim in dims]
    bits = draw(st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    values = np.array(bits).reshape(shape)
    values.flat[0] = True
    coords = {dim: recording[dim] for dim in dims if dim in recording.coords}
    return xr.DataArray(values, dims=dims, coords=coords)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_there_and_back_is_the_identity_inside_and_nan_outside(data: st.DataObject) -> None:
    recording = data.draw(recordings())
    mask = data.draw(masks(recording))
    chunked = recording.chunk(2) if data.draw(st.booleans()) else recording
    stacker = Stacker.of(chunked, mask=mask)
    back = stacker.recording(stacker.matrix(chunked.compute()))
    promoted = recording.astype(stacker.dtype)
    expected = promoted if mask is None else promoted.where(mask)
    xr.testing.assert_identical(back, expected.rename(recording.name))


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_stacker_that_was_packed_rebuilds_the_same_recording(data: st.DataObject) -> None:
    recording = data.draw(recordings())
    stacker = Stacker.of(recording, mask=data.draw(masks(recording)))
    again = Stacker(**unpack(*pack(vars(stacker), "stacker")))
    matrix = stacker.matrix(recording)
    xr.testing.assert_identical(again.recording(matrix), stacker.recording(matrix))


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_maps_over_lags_return_to_the_rows_they_came_from(data: st.DataObject) -> None:
    recording = data.draw(recordings())
    stacker = Stacker.of(recording, mask=data.draw(masks(recording)))
    rows = np.arange(6 * stacker.n_features).reshape(2, 3, -1).astype(stacker.dtype)
    lags = data.draw(st.sampled_from([None, np.arange(3) * 0.1]))
    maps = stacker.maps(rows, component=np.arange(2), lag=lags)
    assert maps.dims == ("component", "lag", *stacker.feature_dims)
    assert ("lag" in maps.coords) == (lags is not None)
    turned = maps.transpose(*data.draw(st.permutations(maps.dims)))
    back = stacker.flat_maps(turned, caller="maps", leading=("component", "lag"))
    np.testing.assert_array_equal(back, rows)


@pytest.mark.parametrize("dims", [(), ("time",), ("x",), ("time", "x")])
def test_a_coordinate_named_as_the_factors_own_returns_with_the_recording(dims) -> None:
    recording = recording_of()
    shape = [recording.sizes[dim] for dim in dims]
    recording = recording.assign_coords(component=(dims, np.full(shape, 7)))
    stacker = Stacker.of(recording)
    maps = stacker.maps(np.ones((2, 12)), component=[0, 1])
    signals = stacker.signals(np.ones((5, 2)), component=[0, 1])
    for factor in (
        maps,
        signals,
        stacker.signals(np.ones((5, 2)), component=[0, 1], like=recording),
    ):
        assert factor["component"].values.tolist() == [0, 1]
    back = stacker.recording(stacker.matrix(recording), like=signals.isel(component=0, drop=True))
    xr.testing.assert_identical(back, recording)


def test_another_recording_has_its_own_times_on_these_places() -> None:
    recording = recording_of()
    stacker = Stacker.of(recording, mask=recording["x"] > 0.05)
    later = recording.isel(time=[1, 2], x=[3, 1, 0, 2]).assign_coords(time=[8.0, 9.0])
    own, aligned = stacker.at(later + 1, caller="transform")
    assert own.n_samples == 2
    assert own.place(1, 0) == "time 9, y 0, x 0.1"
    np.testing.assert_array_equal(own.matrix(aligned), stacker.matrix(recording)[1:3] + 1)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_maps_return_to_the_rows_they_came_from(data: st.DataObject) -> None:
    recording = data.draw(recordings())
    stacker = Stacker.of(recording, mask=data.draw(masks(recording)))
    rows = np.arange(3 * stacker.n_features).reshape(3, -1).astype(stacker.dtype)
    maps = stacker.maps(rows, component=np.arange(3))
    shuffled = maps.transpose(*reversed(maps.dims))
    np.testing.assert_array_equal(stacker.flat_maps(shuffled, caller="maps"), rows)


def recording_of(shape: tuple[int, ...] = (5, 3, 4), dims: str = "time y x") -> xr.DataArray:
    names = dims.split()
    coords = {d: np.arange(n) * 0.1 for d, n in zip(names, shape, strict=True)}
    values = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    return xr.DataArray(values, dims=names, coords=coords)


@pytest.mark.parametrize("dims", [("time", "y", "x"), ("y", "x", "time")])
def test_the_matrix_is_a_view_where_time_is_first_or_last(dims: tuple[str, ...]) -> None:
    recording = recording_of().transpose(*dims).copy()
    recording = recording.copy(data=np.ascontiguousarray(recording.values))
    matrix = Stacker.of(recording).matrix(recording)
    assert matrix.shape == (5, 12)
    assert np.shares_memory(matrix, recording.values)


def test_coordinates_of_time_go_to_signals_and_those_of_space_to_maps() -> None:
    recording = recording_of().assign_coords(
        run=("time", list("aabbb")), area=(("y", "x"), np.ones((3, 4))), subject="S1"
    )
    recording = recording.assign_coords(both=(("time", "x"), np.ones((5, 4))))
    stacker = Stacker.of(recording)
    maps = stacker.maps(np.ones((2, 12)), component=np.arange(2))
    signals = stacker.signals(np.ones((5, 2)), component=np.arange(2))
    assert set(maps.coords) == {"component", "y", "x", "area", "subject"}
    assert set(signals.coords) == {"component", "time", "run", "subject"}
    assert "both" in stacker.recording(stacker.matrix(recording)).coords


def test_another_recording_is_matched_by_label() -> None:
    recording = recording_of()
    stacker = Stacker.of(recording)
    shuffled = recording.isel(x=[2, 0, 3, 1], y=[1, 2, 0]).transpose("x", "time", "y")
    aligned = stacker.aligned(shuffled, caller="transform")
    np.testing.assert_array_equal(stacker.matrix(aligned), stacker.matrix(recording))


def test_a_larger_recording_is_cropped_to_the_grid() -> None:
    recording = recording_of()
    stacker = Stacker.of(recording.isel(x=slice(1, 3)))
    aligned = stacker.aligned(recording, caller="transform")
    xr.testing.assert_identical(aligned, recording.isel(x=slice(1, 3)))


def test_rounding_of_coordinates_is_no_other_grid() -> None:
    recording = recording_of()
    nudged = recording.assign_coords(x=recording["x"] + 2e-5)
    Stacker.of(recording).aligned(nudged, caller="transform")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.assign_coords(x=r["x"] + 0.03), "lies on another grid: 4 of 4 positions"),
        (lambda r: r.isel(x=slice(3)), "lies on another grid: 1 of 4 positions along 'x'"),
        (lambda r: r.drop_vars("x"), "no coordinate 'x'"),
        (lambda r: r.rename(x="lateral"), "has the dimensions"),
        (lambda r: r.assign_coords(x=r["x"].assign_attrs(units="m")), "'x' in m, and needs mm"),
    ],
)
def test_another_grid_is_refused(change, message: str) -> None:
    recording = recording_of()
    recording["x"].attrs["units"] = "mm"
    with pytest.raises(ValueError, match=message):
        Stacker.of(recording).aligned(change(recording), caller="transform")


def test_another_length_without_coordinates_is_refused() -> None:
    bare = recording_of().drop_vars(["y", "x"])
    with pytest.raises(ValueError, match="has 3 places along 'x', and needs 4"):
        Stacker.of(bare).aligned(bare.isel(x=slice(3)), caller="transform")


def test_labels_that_are_words_are_matched_too() -> None:
    names = ["AVA", "AVB", "RIM", "AIB"]
    recording = recording_of().isel(y=0, drop=True).rename(x="neuron").assign_coords(neuron=names)
    stacker = Stacker.of(recording)
    aligned = stacker.aligned(recording.sel(neuron=names[::-1]), caller="transform")
    np.testing.assert_array_equal(aligned["neuron"], names)
    with pytest.raises(ValueError, match="first is AVA"):
        stacker.aligned(recording.assign_coords(neuron=list("abcd")), caller="transform")


def test_a_permuted_mask_is_matched_by_label() -> None:
    recording = recording_of()
    mask = recording["x"] > 0.15
    stacker = Stacker.of(recording, mask=mask.isel(x=[3, 1, 0, 2]))
    np.testing.assert_array_equal(stacker.inside_mask().isel(y=0), mask)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.ones((3, 4), bool), TypeError, "boolean DataArray"),
        (xr.DataArray(np.ones(4), dims="x"), TypeError, "given: DataArray of float64"),
        (xr.DataArray(np.ones(4, bool), dims="depth"), ValueError, "dimensions \\['depth'\\]"),
        (
            xr.DataArray(np.zeros(4, bool), dims="x", coords={"x": np.arange(4) * 0.1}),
            ValueError,
            "mask is empty",
        ),
        (
            xr.DataArray(np.ones(4, bool), dims="x", coords={"x": np.arange(4) * 0.2}),
            ValueError,
            "another grid",
        ),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask, error, message: str) -> None:
    with pytest.raises(error, match=message):
        Stacker.of(recording_of(), mask=mask)


def test_leaving_everything_out_is_refused() -> None:
    recording = recording_of()
    stacker = Stacker.of(recording)
    with pytest.raises(ValueError, match="NaN at all times"):
        stacker.without(stacker.matrix(recording), np.ones(12, bool))


def test_weights_over_time_alone_stay_rank_one() -> None:
    recording = recording_of()
    weights = xr.DataArray([1.0, 0, 1, 1, 2], dims="time", coords={"time": recording["time"]})
    rows, columns = Stacker.of(recording).weights(weights)
    np.testing.assert_array_equal(rows, weights)
    np.testing.assert_array_equal(columns, np.ones(12))


def test_weights_over_some_of_space_are_broadcast_inside_the_mask() -> None:
    recording = recording_of()
    weights = xr.DataArray([1.0, 2, 3, 4], dims="x", coords={"x": recording["x"]})
    stacker = Stacker.of(recording, mask=recording["x"] > 0.05)
    rows, columns = stacker.weights(weights)
    np.testing.assert_array_equal(rows, np.ones(5))
    np.testing.assert_array_equal(columns, np.tile([2.0, 3, 4], 3))


def test_entrywise_weights_become_a_matrix() -> None:
    recording = recording_of()
    weights = recording.notnull().isel(y=0, drop=True)
    assert Stacker.of(recording).weights(weights).shape == (5, 12)


@pytest.mark.parametrize("dims", [("time", "y", "x"), ("time", "x"), ("y", "x"), ("time",)])
def test_weights_may_be_lazy_as_the_recording_they_are_made_of_is(dims) -> None:
    recording = recording_of()
    left_out = {dim: 0 for dim in recording.dims if dim not in dims}
    over = recording.notnull().isel(left_out, drop=True)
    stacker = Stacker.of(recording)
    for lazy, loaded in zip(stacker.weights(over.chunk()), stacker.weights(over), strict=True):
        assert isinstance(lazy, np.ndarray)
        np.testing.assert_array_equal(lazy, loaded)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: -w, "must be non-negative; 5 of 5"),
        (lambda w: w * np.nan, "must be finite"),
        (lambda w: w * 0, "zero everywhere"),
        (lambda w: w.rename(time="epoch"), "which the recording lacks"),
    ],
)
def test_weights_without_meaning_are_refused(change, message: str) -> None:
    recording = recording_of()
    weights = xr.ones_like(recording["time"])
    with pytest.raises(ValueError, match=message):
        Stacker.of(recording).weights(change(weights))


def test_maps_with_holes_inside_the_mask_are_refused() -> None:
    recording = recording_of()
    stacker = Stacker.of(recording)
    maps = stacker.maps(np.full((1, 12), np.nan), component=np.arange(1))
    with pytest.raises(ValueError, match="must be finite inside the mask; 12 of 12"):
        stacker.flat_maps(maps, caller="init")


def test_signals_of_other_samples_are_refused_as_a_start() -> None:
    recording = recording_of()
    stacker = Stacker.of(recording)
    signals = stacker.signals(np.ones((5, 2)), component=np.arange(2))
    with pytest.raises(ValueError, match="has other samples along 'time'"):
        stacker.flat_signals(signals.isel(time=slice(3)), component=[0, 1], caller="init")
    with pytest.raises(ValueError, match="no signals for the components \\[7\\]"):
        stacker.flat_signals(signals, component=[0, 7], caller="init")
    with pytest.raises(ValueError, match="must be finite"):
        stacker.flat_signals(signals * np.nan, component=[0, 1], caller="init")


def test_a_sparse_recording_stays_sparse() -> None:
    sparse = pytest.importorskip("sparse")
    dense = recording_of() * (recording_of() % 3 == 0)
    counts = dense.copy(data=sparse.COO.from_numpy(dense.values))
    stacker = Stacker.of(counts, mask=dense["x"] > 0.05)
    matrix = stacker.matrix(counts)
    assert matrix.format == "csr"
    np.testing.assert_array_equal(
        matrix.toarray(), Stacker.of(dense, mask=dense["x"] > 0.05).matrix(dense)
    )
