"""A template that no single frame decides lies at the median place of the tissue."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.compute.threads import Crew
from partita._solvers.registration.rigid_template import Field
from partita._solvers.registration.template import (
    NoContrastError,
    adopt_template,
    build_template,
    threshold,
)

PLANE = (40, 48)


def field_of(shape):
    return Field(shape, np.ones(len(shape)), True, np.array(shape) * 0.25 + 2)


def test_the_built_template_lies_at_the_median_place(moving_blobs):
    rng = np.random.default_rng(0)
    shift, angles = rng.uniform(-1.5, 1.5, (31, 2)), np.deg2rad(rng.uniform(-1, 1, (31, 1)))
    shift += [4.0, -5.0]
    frames = moving_blobs(PLANE, shift, angles, noise=2.0)
    with Crew(1) as crew:
        motion = build_template(frames, field_of(PLANE), roots=False, crew=crew).motion
    np.testing.assert_allclose(np.median(motion.shift, axis=0), 0, atol=0.05)
    error = motion.shift - shift
    assert (error - np.median(error, axis=0)).std() < 0.1


def test_no_contrast_is_refused():
    constant = np.full((5, *PLANE), 3.0, np.float32)
    textured = np.random.default_rng(0).random((5, *PLANE), dtype=np.float32)
    with Crew(1) as crew:
        with pytest.raises(NoContrastError, match="every frame is constant"):
            build_template(constant, field_of(PLANE), roots=True, crew=crew)
        with pytest.raises(NoContrastError, match="the reference is constant"):
            adopt_template(constant[0], textured, field_of(PLANE), roots=True, crew=crew)
        with pytest.raises(NoContrastError, match="every frame is constant"):
            adopt_template(textured[0], constant, field_of(PLANE), roots=True, crew=crew)


def test_what_lies_far_below_the_others_is_out_of_the_ordinary():
    similarity = np.array([0.9, 0.91, 0.89, 0.9, 0.92, 0.3])
    least = threshold(similarity)
    assert (similarity < least).tolist() == [False] * 5 + [True]
    assert threshold(np.full(7, 0.5)) < 0.5


def test_odd_frames_do_not_enter_the_template(moving_blobs):
    rng = np.random.default_rng(0)
    shift, angles = rng.uniform(-1, 1, (24, 2)), np.zeros((24, 1))
    frames = moving_blobs(PLANE, shift, angles, noise=2.0)
    with Crew(1) as crew:
        sound = build_template(frames, field_of(PLANE), roots=False, crew=crew).template.image
        frames[5] = rng.permutation(frames[5].ravel()).reshape(PLANE)
        found = build_template(frames, field_of(PLANE), roots=False, crew=crew).template.image
    known = np.isfinite(sound) & np.isfinite(found)
    assert np.corrcoef(sound[known], found[known])[0, 1] > 0.995
