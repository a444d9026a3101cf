"""NetCDF and Zarr give back what they were given, and are whole or not there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import partita
from partita.io import atomic, read_dataset, save_recording, write_dataset


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
    path.write_text("no")
    with pytest.raises(OSError, match=r"a\.nc cannot be read as NetCDF"):
        read_dataset(path)
    with pytest.raises(FileNotFoundError, match=r"b\.nc"):
        read_dataset(tmp_path / "b.nc")


def test_a_folder_that_is_no_store_is_named(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(OSError, match=r"a\.zarr"):
        read_dataset(tmp_path / "a.zarr")


# Recordings


def recording_of(*, lazy=False):
    values = np.random.default_rng(0).normal(size=(20, 2, 3, 4)).astype(np.float32)
    return xr.DataArray(
        da.from_array(values, chunks=((7, 6, 7), (2,), (3,), (4,))) if lazy else values,
        dims=("time", "sign", "y", "x"),
        coords={
            "time": ("time", 0.3 * np.arange(20), {"units": "s"}),
            "sign": ["positive", "negative"],
            "run": ("time", np.repeat(["a", "b"], 10)),
            "depth": (("y", "x"), np.arange(12.0).reshape(3, 4)),
        },
        name="pwd",
        attrs={"units": "1", "history": "zscore(ddof=0)"},
    )


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("name", ["pwd", None, "time", "power Doppler / dB"])
def test_a_recording_comes_back_identical_and_lazy(tmp_path, suffix, lazy, name):
    recording = recording_of(lazy=lazy).rename(name)
    path = save_recording(recording, tmp_path / f"a{suffix}")
    again = partita.load(path)
    assert isinstance(again.data, da.Array)
    assert all(coordinate.chunks is None for coordinate in again.coords.values())
    xr.testing.assert_identical(again.compute(), recording.compute())
    eager = partita.load(path, chunks=None)
    assert isinstance(eager.data, np.ndarray)
    xr.testing.assert_identical(eager, recording.compute())


def test_chunks_may_be_asked_for(tmp_path, suffix):
    path = save_recording(recording_of(), tmp_path / f"a{suffix}")
    assert partita.load(path, chunks=10).chunks == ((10, 10), (2,), (3,), (4,))
    assert partita.load(path, chunks={"y": 1}).chunks == ((20,), (2,), (1, 1, 1), (4,))


def test_the_only_variable_of_a_foreign_file_is_the_recording(tmp_path):
    recording = recording_of()
    recording.rename("dff").to_dataset().to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    loaded = partita.load(tmp_path / "a.nc")
    assert loaded.name == "dff"
    np.testing.assert_array_equal(loaded.values, recording.values)
    numbers = recording.drop_vars(["sign", "run"]).rename("dff")
    numbers.to_netcdf(tmp_path / "classic.nc", engine="scipy")
    np.testing.assert_array_equal(partita.load(tmp_path / "classic.nc").values, recording.values)


def test_a_recording_can_be_saved_onto_its_own_file(tmp_path, suffix):
    path = save_recording(recording_of(), tmp_path / f"a{suffix}")
    save_recording(partita.load(path, chunks=5) * 2, path)
    np.testing.assert_array_equal(partita.load(path).values, recording_of().values * 2)


def test_another_variable_is_refused_with_those_there_are(tmp_path, suffix):
    path = save_recording(recording_of().rename(None), tmp_path / f"a{suffix}")
    with pytest.raises(ValueError, match=r"no variable 'b'; it holds \['recording'\]. Choose one"):
        partita.load(path, dataset="b")


# Whole or not there


@pytest.fixture
def two(tmp_path):
    """Return a store in place and what shall replace it."""
    pytest.importorskip("zarr")
    path = save_recording(recording_of(), tmp_path / "a.zarr")
    return path, recording_of() + 1


def names_in(folder):
    return sorted(other.name for other in folder.iterdir())


def crash_at(monkeypatch, number):
    """Let the process die, as it were, at a rename: nothing after it is done, not even tidying."""
    renames = []
    rename = Path.rename

    def dying(self, target):
        renames.append(target)
        if len(renames) >= number:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", dying)
    monkeypatch.setattr(atomic.shutil, "rmtree", lambda *_, **__: None)


def test_a_crash_between_the_renames_leaves_both_stores_whole(two, monkeypatch):
    path, newer = two
    with monkeypatch.context() as patched:
        crash_at(patched, 3)
        with pytest.raises(KeyboardInterrupt):
            save_recording(newer, path)
    assert not path.exists()
    found = f"interrupted.*{re.escape(str(path))}.previous and {re.escape(str(path))}.new"
    for read in (partita.load, read_dataset):
        with pytest.raises(FileNotFoundError, match=found):
            read(path)
    older = partita.load(path.with_name("a.zarr.previous"), chunks=None)
    xr.testing.assert_identical(older, recording_of())
    xr.testing.assert_identical(partita.load(path.with_name("a.zarr.new"), chunks=None), newer)
    # A later save does not take away what was set aside.
    save_recording(newer, path)
    save_recording(recording_of(), path)
    xr.testing.assert_identical(partita.load(path, chunks=None), recording_of())
    xr.testing.assert_identical(
        partita.load(path.with_name("a.zarr.previous"), chunks=None), recording_of()
    )


@pytest.mark.parametrize("number", [1, 2])
def test_a_crash_before_the_swap_leaves_the_old_store(two, monkeypatch, number):
    path, newer = two
    with monkeypatch.context() as patched:
        crash_at(patched, number)
        with pytest.raises(KeyboardInterrupt):
            save_recording(newer, path)
    xr.testing.assert_identical(partita.load(path, chunks=None), recording_of())


def test_a_store_that_cannot_be_moved_into_place_gives_way_to_the_old_one(two, monkeypatch):
    path, newer = two
    rename = Path.rename

    def refusing(self, target):
        if self.name.endswith(".new"):
            raise OSError("refused")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(OSError, match="refused"):
        save_recording(newer, path)
    assert names_in(path.parent) == ["a.zarr"]
    xr.testing.assert_identical(partita.load(path, chunks=None), recording_of())


def test_a_finished_save_leaves_nothing_beside(two):
    path, newer = two
    save_recording(newer, path)
    assert names_in(path.parent) == ["a.zarr"]


def test_what_is_no_store_is_not_replaced_by_one(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="not a Zarr store, so it is not replaced"):
        save_recording(recording_of(), tmp_path / "a.zarr")
    assert (tmp_path / "a.zarr" / "thesis.txt").exists()


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_dataset(model_like(), tmp_path / "a.nc")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_dataset(xr.Dataset(), path)
    assert names_in(tmp_path) == ["a.nc"]
    xr.testing.assert_identical(read_dataset(path), model_like())


def test_chunks_of_a_store_are_multiples_of_the_stored_ones(tmp_path):
    import dask

    pytest.importorskip("zarr")
    recording = recording_of().chunk(time=3)
    path = save_recording(recording, tmp_path / "a.zarr")
    with dask.config.set({"array.chunk-size": f"{7 * 2 * 3 * 4 * 4}B"}):
        assert partita.load(path).chunks[0] == (6, 6, 6, 2)


def test_chunks_say_how_a_recording_is_stored(tmp_path, suffix):
    recording = xr.DataArray(np.random.default_rng(0).random((40, 6, 5)), dims=("time", "y", "x"))
    for chunks, stored in [
        (8, (8, 6, 5)),
        ({"y": 2, "x": 3}, (40, 2, 3)),
        ("auto", (40, 6, 5)),
        ({"time": 64}, (40, 6, 5)),
    ]:
        for thing in (recording, recording.chunk(time=7, y=3)):
            partita.save(thing, tmp_path / f"a{suffix}", chunks=chunks)
            again = partita.load(tmp_path / f"a{suffix}")
            assert tuple(again.encoding["preferred_chunks"].values()) == stored
            np.testing.assert_array_equal(again.values, recording.values)


def test_chunks_are_refused_where_there_are_none(tmp_path):
    recording = xr.DataArray(np.ones((4, 1, 2, 2), np.float32), dims=("time", "z", "y", "x"))
    with pytest.raises(ValueError, match="NIfTI has no chunks"):
        partita.save(recording, tmp_path / "a.nii", chunks=2)
    with pytest.raises(ValueError, match=r"chunks are whole numbers of at least 1"):
        partita.save(recording, tmp_path / "a.nc", chunks={"time": -3})
    with pytest.raises(ValueError, match=r"chunks names \['w'\]"):
        partita.save(recording, tmp_path / "a.nc", chunks={"w": 3})
    model = partita.PCA(n_components=1).fit(recording + np.arange(4).reshape(4, 1, 1, 1))
    with pytest.raises(ValueError, match="given for PCA"):
        partita.save(model, tmp_path / "a.nc", chunks=2)
