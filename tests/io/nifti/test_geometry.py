"""Where voxels lie: scanner millimetres, and an affine where the axes are oblique."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import partita


def rotated(degrees=12.0, sizes=(2.0, 3.0, 4.0)):
    angle = np.radians(degrees)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * sizes
    affine[:3, 3] = [-10, 20, 5]
    return affine


def test_axis_coordinates_are_the_scanner_s_millimetres(tmp_path, image_of, frames, saved):
    affine = np.array([[-3.1, 0, 0, 60.45], [0, 3.75, 0, -35.625], [0, 0, 2.0, 7], [0, 0, 0, 1]])
    recording = partita.load(saved(image_of(frames(4, 3, 2, 5), affine), tmp_path / "a.nii"))
    np.testing.assert_array_equal(recording.x, 60.45 - 3.1 * np.arange(4))
    np.testing.assert_array_equal(recording.y, -35.625 + 3.75 * np.arange(3))
    np.testing.assert_array_equal(recording.z, [7, 9])
    assert {recording[name].attrs["units"] for name in "xyz"} == {"mm"}
    assert {recording[name].attrs["long_name"] for name in "xyz"} == set("xyz")
    np.testing.assert_array_equal(recording.grid.attrs["affine"], np.eye(4).ravel())
    assert recording.grid.attrs["sform_code"] == 2


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 1e-3), ("mm", 1)])
def test_space_is_in_millimetres_whatever_the_header_counts_in(
    tmp_path, unit, factor, image_of, frames, saved
):
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    path = saved(image_of(frames(4, 3, 2, 5), affine, units=(unit, "sec")), tmp_path / "a.nii")
    recording = partita.load(path)
    np.testing.assert_allclose(recording.x, 2 * factor * np.arange(4), rtol=1e-15)
    np.testing.assert_allclose(recording.z, 4 * factor * np.arange(2), rtol=1e-15)


@pytest.mark.parametrize("as_qform", [True, False])
def test_an_oblique_affine_is_kept_exactly_and_said(
    tmp_path, as_qform, image_of, frames, saved, world_of, world_by_nibabel
):
    image = image_of(frames(4, 3, 2, 5), rotated())
    if as_qform:
        image.set_qform(rotated(), code=1)
        image.set_sform(None)
    path = saved(image, tmp_path / "tilted.nii")
    with pytest.warns(UserWarning, match=r"tilted.nii: the voxel axes lie up to 12 degrees off"):
        recording = partita.load(path)
    np.testing.assert_allclose(recording.x, 2 * np.arange(4), rtol=1e-6)
    np.testing.assert_allclose(world_of(recording), world_by_nibabel(nib.load(path)), atol=1e-5)


def test_axes_in_another_order_are_oblique_too(
    tmp_path, image_of, frames, saved, world_of, world_by_nibabel
):
    affine = np.array([[0, 0, 2.0, 1], [3, 0, 0, 2], [0, 4, 0, 3], [0, 0, 0, 1]])
    path = saved(image_of(frames(4, 3, 2, 5), affine), tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="the scanner's in another order"):
        recording = partita.load(path)
    np.testing.assert_allclose(world_of(recording), world_by_nibabel(nib.load(path)))


def test_rounding_of_the_header_is_not_taken_for_a_tilt(tmp_path, image_of, frames, saved):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[1, 2] = 1e-7
    recording = partita.load(saved(image_of(frames(4, 3, 2, 5), affine), tmp_path / "a.nii"))
    np.testing.assert_array_equal(recording.grid.attrs["affine"], np.eye(4).ravel())


def test_a_flat_image_keeps_the_place_of_its_slice(tmp_path, image_of, frames, saved):
    affine = np.diag([0.1, 0.05, 0.4, 1.0])
    affine[2, 3] = 7.5
    recording = partita.load(saved(image_of(frames(4, 3), affine), tmp_path / "a.nii"))
    assert float(recording.z) == 7.5
