"""NetCDF and Zarr give back recordings as they were saved."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import partita
from partita.io import save_recording, write_dataset


def test_a_damaged_netcdf_file_is_named(tmp_path, naming):
    path = write_dataset(xr.Dataset({"a": ("time", np.zeros(5000))}), tmp_path / "a.nc")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(OSError, match=naming(path, "damaged, truncated or of another format")):
        partita.load(path)


def test_a_netcdf_file_without_variables_is_refused(tmp_path, naming):
    path = write_dataset(xr.Dataset(), tmp_path / "a.nc")
    with pytest.raises(ValueError, match=naming(path, "holds no variable.*copy or download it")):
        partita.load(path)


def test_a_netcdf_file_of_several_variables_is_refused(tmp_path):
    both = xr.Dataset({"a": ("time", np.zeros(5)), "b": ("time", np.zeros(5))})
    with pytest.raises(ValueError, match=r"2 variables \['a', 'b'\].*Choose it"):
        partita.load(write_dataset(both, tmp_path / "a.nc"))
    model = both.assign_attrs(partita_model="{}")
    with pytest.raises(ValueError, match=r"a saved model.*partita.load_model"):
        partita.load(write_dataset(model, tmp_path / "b.nc"))


@pytest.fixture(params=[".nc", ".zarr"])
def suffix(request):
    if request.param == ".zarr":
        pytest.importorskip("zarr")
    return request.param


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
    save_recording(partita.load(path, chunks=5) * 2, path, overwrite=True)
    np.testing.assert_array_equal(partita.load(path).values, recording_of().values * 2)


def test_another_variable_is_refused_with_those_there_are(tmp_path, suffix):
    path = save_recording(recording_of().rename(None), tmp_path / f"a{suffix}")
    with pytest.raises(ValueError, match=r"no variable 'b'; it holds \['recording'\]. Choose one"):
        partita.load(path, dataset="b")


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
    for wrong in (-3, (2, 2)):  # pieces of several sizes can be loaded, not stored
        with pytest.raises(ValueError, match=r"chunks are whole numbers of at least 1"):
            partita.save(recording, tmp_path / "a.nc", chunks={"time": wrong})
    with pytest.raises(ValueError, match=r"chunks names \['w'\]"):
        partita.save(recording, tmp_path / "a.nc", chunks={"w": 3})
    model = partita.PCA(n_components=1).fit(recording + np.arange(4).reshape(4, 1, 1, 1))
    with pytest.raises(ValueError, match="given for PCA"):
        partita.save(model, tmp_path / "a.nc", chunks=2)


def test_numbers_too_long_for_zarr_are_refused_in_words(tmp_path):
    pytest.importorskip("zarr")
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("the longest numbers of this machine have 64 bits")
    recording = xr.DataArray(np.ones((2, 3), np.longdouble), dims=("time", "x"))
    with pytest.raises(TypeError, match=r"up to 64 bits.*a\.nc"):
        partita.save(recording, tmp_path / "a.zarr")
