"""What the user may say of a movie, and what is no answer."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import partita


@pytest.fixture
def path(tmp_path, frames):
    np.save(tmp_path / "a.npy", frames)
    return tmp_path / "a.npy"


@pytest.mark.parametrize("size", [0.5, (0.5, 0.5), [0.5, 0.25], np.array([0.5, 0.25])])
def test_a_pixel_size_is_one_number_or_a_pair(path, size):
    recording = partita.load(path, frame_rate=30, pixel_size=size)
    y, x = np.broadcast_to(size, 2)
    np.testing.assert_allclose(recording.y, y * np.arange(8))
    np.testing.assert_allclose(recording.x, x * np.arange(6))
    assert recording.x.attrs == {"units": "mm", "long_name": "x", "step": x}


@pytest.mark.parametrize("size", [0, -1, (1, 2, 3), (1,), "2", (1, "2"), np.nan, (1, 0), True])
def test_what_is_no_pixel_size_is_refused(path, size):
    with pytest.raises(ValueError, match=r"pixel_size is in mm, .* pixel_size=0\.002"):
        partita.load(path, frame_rate=1, pixel_size=size)


@pytest.mark.parametrize("rate", [0, -3, "30", np.inf, True, [30]])
def test_what_is_no_frame_rate_is_refused(path, rate):
    with pytest.raises(ValueError, match="frame_rate is in Hz, a number above 0; given"):
        partita.load(path, frame_rate=rate)


@pytest.mark.parametrize("dims", ["tyx", 3, ("time", "y", ""), ("time", 2, "x")])
def test_what_names_no_axes_is_refused(path, dims):
    with pytest.raises(ValueError, match=r"dims is a name for each axis.*dims=\('y', 'x', 'time'"):
        partita.load(path, dims=dims)


def test_names_of_axes_must_fit(path, naming):
    with pytest.raises(ValueError, match=naming("dims names 2 axes", f"{path.name} has 3")):
        partita.load(path, dims=("time", "y"))
    with pytest.raises(ValueError, match="names an axis twice"):
        partita.load(path, dims=("time", "y", "y"))
    with pytest.raises(ValueError, match="names an axis twice"):
        partita.load(path, dims=("time", "t", "y"))


def test_a_dataset_is_text(path):
    with pytest.raises(TypeError, match="dataset names what to read, as text; given: 3"):
        partita.load(path, dataset=3)


def test_a_dataset_is_refused_where_there_is_one_movie(path, naming):
    with pytest.raises(ValueError, match=naming(path, "holds one movie, and dataset='a' chooses")):
        partita.load(path, dataset="a")


def test_options_for_dimensions_that_are_not_there_are_refused(path, naming):
    with pytest.raises(ValueError, match=naming("pixel_size", "no dimension y")):
        partita.load(path, frame_rate=1, dims=("time", "neuron", "x"), pixel_size=1)
    with pytest.raises(ValueError, match=naming("frame_rate", "no dimension time")):
        partita.load(path, dims=("z", "y", "x"), frame_rate=1)


def test_options_are_refused_by_what_says_it_itself(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 3, 2, 5), np.float32), np.eye(4))
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(ValueError, match=r"a\.nii is NIfTI.*what dataset and pixel_size"):
        partita.load(tmp_path / "a.nii", frame_rate=1, dataset="a", pixel_size=1)
    with pytest.raises(ValueError, match=r"The image is NIfTI.*what dims would"):
        partita.load(image, dims=("x", "y", "z", "time"))


def test_dimensions_of_any_name_come_after_time_and_before_space(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4, 5, 6)))
    recording = partita.load(
        tmp_path / "a.npy", dims=("x", "trial", "y", "whisker", "time"), frame_rate=1
    )
    assert recording.dims == ("time", "trial", "whisker", "y", "x")


def test_chunks_are_by_dimension_too(path):
    recording = partita.load(path, frame_rate=1, chunks={"time": 5, "y": 4})
    assert recording.chunks == ((5, 5, 2), (4, 4), (6,))
    assert partita.load(path, frame_rate=1, chunks=None).chunks is None
    with pytest.raises(ValueError, match=r"chunks names \['z'\]"):
        partita.load(path, frame_rate=1, chunks={"z": 5})


@pytest.mark.parametrize("chunks", [0, -3, np.int64(0), {"time": 0}, {"time": 4, "y": -2}])
def test_chunks_that_hold_nothing_are_refused(path, chunks):
    with pytest.raises(ValueError, match="chunks are whole numbers of at least 1, or -1 for all"):
        partita.load(path, frame_rate=1, chunks=chunks)


def test_the_time_between_frames_given_as_a_rate_is_doubted(path):
    with pytest.warns(UserWarning, match=r"0.033 Hz are 30.3 s a frame.*frame_rate=30.3"):
        partita.load(path, frame_rate=0.033)
