"""Which files a name stands for, in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import partita
from partita.io.paths import natural_key


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path, frames):
    np.save(tmp_path / "a[1].npy", frames)
    np.testing.assert_array_equal(partita.load(tmp_path / "a[1].npy", frame_rate=1), frames)


def test_names_are_ordered_as_people_count():
    names = ["b.tif", "frame10.tif", "Frame2.tif", "frame1_10.tif", "frame1_9.tif", "a.tif"]
    ordered = sorted(map(Path, names), key=natural_key)
    assert [path.name for path in ordered] == [
        "a.tif", "b.tif", "frame1_9.tif", "frame1_10.tif", "Frame2.tif", "frame10.tif",
    ]  # fmt: skip


def test_a_missing_file_is_named(tmp_path, naming):
    with pytest.raises(FileNotFoundError, match=naming(tmp_path / "no.nii", "Check the name")):
        partita.load(tmp_path / "no.nii")
    with pytest.raises(FileNotFoundError, match="no folder"):
        partita.load(tmp_path / "none" / "no.nii")


@pytest.mark.parametrize("several", [False, True])
def test_what_an_interrupted_save_has_left_is_refused(tmp_path, several, naming):
    saved = partita.io.save_recording(
        xr.DataArray(np.zeros((3, 2)), dims=("time", "x")), tmp_path / "a.nc"
    )
    left = saved.rename(tmp_path / ".unfinished-0a1b2c3d-a.nc")
    with pytest.raises(
        ValueError, match=naming(left, "was interrupted.*Delete it, and save again")
    ):
        partita.load([left] if several else left)


def test_a_folder_is_named_with_what_it_holds(tmp_path, naming):
    with pytest.raises(IsADirectoryError, match=naming(tmp_path, "It holds no recording")):
        partita.load(tmp_path)
    (tmp_path / "a.nii").touch()
    with pytest.raises(IsADirectoryError, match=r"It holds a\.nii"):
        partita.load(str(tmp_path))
