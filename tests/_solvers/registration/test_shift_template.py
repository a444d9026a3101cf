"""A template of frames that only shift: crisp, at the median place, of what resembles it."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.compute.threads import Crew
from partita._solvers.registration.shift_template import build_picture, require_contrast
from partita._solvers.registration.template import NoContrastError

PLANE = (60, 72)
REACH = np.array([17.0, 20.0])


def build(frames):
    with Crew(1) as crew:
        return build_picture(frames, max_shift=REACH, crew=crew)


def alike(one, other):
    known = np.isfinite(one) & np.isfinite(other)
    return np.corrcoef(one[known], other[known])[0, 1]


@pytest.fixture
def scene(moving_blobs):
    """Make noisy frames that shift by up to 8 voxels, and the tissue at their median place."""
    shift = np.random.default_rng(0).uniform(-8, 8, (25, 2))
    frames = moving_blobs(PLANE, shift, np.zeros((25, 1)), noise=4.0)
    still = moving_blobs(PLANE, np.median(shift, axis=0)[None], np.zeros((1, 1)))[0]
    return frames, still


def test_the_picture_is_crisp_and_lies_at_the_median_place(scene):
    frames, still = scene
    found = build(frames)
    assert found.shape == PLANE
    assert alike(found, still) > 0.98 > alike(frames.mean(axis=0), still) + 0.1


def test_odd_blank_and_broken_frames_do_not_enter(scene):
    frames, still = scene
    frames[4] = np.random.default_rng(1).permutation(frames[4].ravel()).reshape(PLANE)
    frames[7], frames[9] = 0.0, 1e6 * np.random.default_rng(2).random(PLANE)
    frames[11, :40] = np.nan
    assert alike(build(frames), still) > 0.98


def test_values_that_are_missing_are_left_out_of_the_mean(scene):
    frames, still = scene
    frames[np.random.default_rng(0).random(frames.shape) < 0.1] = np.nan
    frames[:, :3] = np.nan
    found = build(frames)
    assert alike(found, still) > 0.97
    assert np.isfinite(found[20:40]).all()


def test_whole_numbers_and_two_frames_are_enough(scene):
    frames, _ = scene
    found = build(frames[:2].astype(np.int16))
    assert alike(found, frames[0]) > alike(frames[1], frames[0])


def test_one_frame_that_shows_anything_is_its_own_picture(scene):
    frames, _ = scene
    frames[1:] = 3.0
    np.testing.assert_allclose(build(frames), frames[0], atol=1e-4)


def test_noise_of_a_frame_in_the_mean_does_not_hold_it(moving_blobs):
    shift = np.random.default_rng(3).uniform(-2, 2, (8, 2))
    frames = moving_blobs(PLANE, shift, np.zeros((8, 1)), noise=40.0)
    still = moving_blobs(PLANE, np.median(shift, axis=0)[None], np.zeros((1, 1)))[0]
    assert alike(build(frames), still) > alike(frames.mean(axis=0), still)


def test_no_contrast_is_refused():
    with pytest.raises(NoContrastError, match="every frame is constant"):
        build(np.full((5, *PLANE), 3.0, np.float32))
    with pytest.raises(NoContrastError, match="the reference is constant"):
        require_contrast(np.full((1, *PLANE), np.nan), "the reference")
