"""Patches cover the field, and tell their displacement where they have structure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.registration.patches import PatchLayout, PatchTemplate
from partita._solvers.registration.translation import centre_frames


@pytest.fixture(scope="module")
def scene():
    noise = np.random.default_rng(0).standard_normal((160, 144))
    return ndimage.gaussian_filter(noise, 1.5, mode="wrap") + 3


@pytest.fixture(scope="module")
def patches(scene):
    layout = PatchLayout.over(scene[16:-16, 16:-16].shape, (64, 64), (32, 32))
    return PatchTemplate(scene[16:-16, 16:-16], layout, max_deviation=4.0)


def centred(image):
    return centre_frames(image[None])[0][0]


def test_patches_cover_the_field_and_overlap_as_asked():
    layout = PatchLayout.over((200, 64), (64, 64), (32, 20))
    assert layout.grid == (6, 1)
    starts = layout.starts[0]
    assert (starts[0], starts[-1] + 64) == (0, 200)
    assert (np.diff(starts) <= 32).all()
    np.testing.assert_allclose(layout.centres()[0], starts + 31.5)


def test_a_patch_cut_beyond_the_image_is_zero_there():
    layout = PatchLayout.over((20, 20), (10, 10), (0, 0))
    image = np.arange(400.0).reshape(20, 20) + 1
    moved = layout.cut(image, np.array([-3, 4]))
    np.testing.assert_array_equal(moved[0, :3], 0)
    np.testing.assert_array_equal(moved[0, 3:], image[:7, 4:14])
    np.testing.assert_array_equal(moved[3, :, 6:], 0)
    still = layout.cut(image, np.zeros(2, np.int64))
    np.testing.assert_array_equal(still[3], image[10:, 10:])


def test_the_template_itself_has_not_moved_and_is_surely_alike(scene, patches):
    found = patches.measure(centred(scene[16:-16, 16:-16]), np.zeros(2))
    np.testing.assert_allclose(found.moved, 0, atol=0.02)
    assert found.confidence.min() > 20
    assert found.similarity == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("shift", [(0, 0), (5, -3)])
def test_every_patch_tells_what_it_moved_beyond_the_frame(scene, patches, shift):
    beyond = np.array([1.5, -0.75])
    moved = ndimage.shift(scene, np.add(shift, beyond), order=5, mode="grid-wrap")[16:-16, 16:-16]
    found = patches.measure(centred(moved), np.array(shift, float))
    assert np.abs(found.moved - beyond[:, None]).max() < 0.15


def test_weights_of_structure_sum_to_one_in_every_patch(patches):
    np.testing.assert_allclose(patches.weights.sum(axis=(1, 2)), 1)
    assert (patches.weights >= 0).all()
