"""What `load` takes at all."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import partita


@pytest.mark.parametrize("given", [np.zeros((3, 3)), xr.DataArray([1.0]), 3])
def test_what_is_neither_path_nor_image_is_refused(given):
    with pytest.raises(TypeError, match=r"a path or a nibabel image.*xr.DataArray\(values"):
        partita.load(given)


def test_history_begins_with_the_files_and_the_options(tmp_path) -> None:
    for name in ("a1.npy", "a2.npy"):
        np.save(tmp_path / name, np.zeros((4, 3, 2)))
    one = partita.load(tmp_path / "a1.npy", frame_rate=30)
    assert one.attrs["history"] == "load('a1.npy', frame_rate=30.0)"
    both = partita.load([tmp_path / "a1.npy", tmp_path / "a2.npy"], frame_rate=30)
    assert both.attrs["history"] == "load(['a1.npy', ..., 'a2.npy'], frame_rate=30.0)"


def test_what_partita_saved_keeps_its_history_and_other_files_add_to_theirs(tmp_path) -> None:
    recording = xr.DataArray(np.ones((3, 2)), {"time": [0.0, 1, 2]}, ("time", "x"), name="a")
    recording.attrs["history"] = "made by hand"
    partita.save(recording, tmp_path / "a.nc")
    assert partita.load(tmp_path / "a.nc").attrs["history"] == "made by hand"
    recording.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    assert partita.load(tmp_path / "b.nc").attrs["history"] == "made by hand\nload('b.nc')"


def test_the_guess_of_axes_is_told(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 3, 2)))
    with pytest.warns(UserWarning, match=r"taken as time, y, x; say dims=\('time', 'y', 'x'\)"):
        partita.load(tmp_path / "a.npy")


def test_other_arrays_of_a_file_are_kept_in_mind_with_the_axes_they_fit(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", movie=np.zeros((9, 3, 2)), speed=np.zeros(9), mask=np.ones((3, 2)))
    recording = partita.load(tmp_path / "a.npz", frame_rate=30)
    assert recording.encoding["others"] == [
        "speed (9, float64), as long as time",
        "mask (3 x 2, float64), as long as y and x",
    ]
