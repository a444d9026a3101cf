"""Which affine of a header is taken, and what is said where one cannot be right."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import partita


def test_a_qform_alone_gives_the_same_places(tmp_path, image_of, frames, saved):
    image = image_of(frames(4, 3, 2, 5))
    affine = np.array([[-0.1, 0, 0, -3.95], [0, 0.05, 0, 2.73], [0, 0, 0.4, 1], [0, 0, 0, 1]])
    image.set_sform(None)
    image.set_qform(affine, code=1)
    recording = partita.load(saved(image, tmp_path / "a.nii"))
    np.testing.assert_array_equal(recording.x, -3.95 - 0.1 * np.arange(4))
    assert recording.grid.attrs["qform_code"] == 1
    assert recording.grid.attrs["sform_code"] == 0


def test_another_qform_is_kept_beside_the_sform(tmp_path, image_of, frames, saved):
    image = image_of(frames(4, 3, 2, 5), np.diag([2.0, 2, 2, 1]))
    shifted = np.diag([2.0, 2, 2, 1])
    shifted[:3, 3] = 30
    image.set_sform(np.diag([2.0, 2, 2, 1]), code=4)
    image.set_qform(shifted, code=1)
    recording = partita.load(saved(image, tmp_path / "a.nii"))
    partita.io.save_recording(recording, tmp_path / "b.nii")
    again = nib.load(tmp_path / "b.nii")
    np.testing.assert_allclose(again.get_qform(), shifted)
    np.testing.assert_allclose(again.get_sform(), np.diag([2.0, 2, 2, 1]))
    assert (int(again.header["qform_code"]), int(again.header["sform_code"])) == (1, 4)


def test_sizes_of_zero_count_as_one(plain_file, spoilt):
    spoilt(plain_file, pixdim={3: 0}, sform_code=0, qform_code=1)
    with pytest.warns(UserWarning, match=r"zero or not finite .*; 1 is used"):
        recording = partita.load(plain_file)
    np.testing.assert_array_equal(recording.z, [0, 1])


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_sform_that_is_not_finite_gives_way_to_the_qform(plain_file, number, spoilt):
    spoilt(plain_file, srow_x={3: number}, qform_code=1, qoffset_x=5)
    with pytest.warns(UserWarning, match=r"the sform of the header is not an affine"):
        recording = partita.load(plain_file)
    np.testing.assert_array_equal(recording.x, 5 + 0.1 * np.arange(4))
    assert recording.grid.attrs["sform_code"] == 0


def test_a_qform_that_is_not_finite_gives_way_to_the_voxel_sizes(plain_file, spoilt):
    spoilt(plain_file, quatern_b=np.nan, qform_code=1, sform_code=0)
    with pytest.warns(UserWarning, match=r"the qform of the header is not an affine"):
        recording = partita.load(plain_file)
    np.testing.assert_allclose(np.diff(recording.y), 0.05)


def test_without_an_affine_places_are_those_of_nibabel(
    plain_file, spoilt, world_of, world_by_nibabel
):
    recording = partita.load(spoilt(plain_file, sform_code=0, qform_code=0))
    by_nibabel = world_by_nibabel(nib.load(plain_file))
    np.testing.assert_allclose(world_of(recording), by_nibabel, atol=1e-6)
