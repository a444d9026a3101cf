"""Rigid alignment finds a known motion, to the noise, from far off and over gaps."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.compute.threads import Crew
from partita._solvers.registration import rigid, rotations
from partita._solvers.registration.rigid_template import Field
from partita._solvers.registration.template import adopt_template, build_template

PLANE, VOLUME = (40, 48), (10, 28, 30)


def field_of(shape, spacing=None, *, turning=True, limit=0.25):
    step = np.ones(len(shape)) if spacing is None else np.array(spacing)
    return Field(shape, step, turning, np.abs(step) * (np.array(shape) * limit + 2))


def draw(shape, *, n=12, reach=1.5, turn=1.0, seed=0):
    rng = np.random.default_rng(seed)
    d = len(shape)
    shift = rng.uniform(-reach, reach, (n, d))
    angles = np.deg2rad(rng.uniform(-turn, turn, (n, 1 if d == 2 else 3)))
    shift[0], angles[0] = 0, 0
    return shift, angles


def follow(frames, image, field, *, threads=1, roots=False):
    with Crew(threads) as crew:
        expected = adopt_template(image, frames, field, roots=roots, crew=crew)
        return rigid.follow(
            frames,
            expected.template,
            field,
            roots=roots,
            wide=expected.wide,
            trusted=expected.trusted,
            crew=crew,
        )


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [(PLANE, None), (PLANE, (0.05, 0.1)), (PLANE, (0.1, -0.04)), (VOLUME, (0.4, 0.2, 0.2))],
)
def test_a_known_motion_is_found_in_physical_coordinates(moving_blobs, shape, spacing):
    shift, angles = draw(shape)
    frames = moving_blobs(shape, shift, angles, spacing=spacing)
    found = follow(frames, frames[0], field_of(shape, spacing))
    step = np.ones(len(shape)) if spacing is None else np.array(spacing)
    assert found.converged.all()
    thin = len(shape) == 3
    np.testing.assert_allclose(found.shift / step, shift, atol=0.06 if thin else 0.003)
    np.testing.assert_allclose(rotations.to_angles(found.turn), angles, atol=3e-3 if thin else 3e-4)
    assert found.similarity.min() > 0.97


def test_without_turning_the_angles_stay_exactly_zero(moving_blobs):
    shift, angles = draw(PLANE, turn=0.0)
    found = follow(
        moving_blobs(PLANE, shift, angles),
        moving_blobs(PLANE, shift[:1], angles[:1])[0],
        field_of(PLANE, turning=False),
    )
    np.testing.assert_array_equal(found.turn, np.tile(np.eye(2), (12, 1, 1)))
    np.testing.assert_allclose(found.shift, shift, atol=0.003)


def test_shifts_of_a_quarter_of_the_field_and_large_turns_are_found(moving_blobs):
    shift = np.array([[0, 0], [10, 0], [0, -12], [-10, 12], [3, 4.0]])
    angles = np.deg2rad([[0.0], [0.0], [2.0], [0.0], [8.0]])
    frames = moving_blobs(PLANE, shift, angles, noise=2.0)
    found = follow(frames, frames[0], field_of(PLANE))
    np.testing.assert_allclose(found.shift, shift, atol=0.15)
    np.testing.assert_allclose(rotations.to_angles(found.turn), angles, atol=0.01)


def test_threads_change_nothing(moving_blobs):
    shift, angles = draw((64, 64), n=160)
    frames = moving_blobs((64, 64), shift, angles, noise=3.0)
    alone, together = (
        follow(frames, frames[0], field_of((64, 64)), threads=threads) for threads in (1, 2)
    )
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_frame_is_followed_as_if_it_were_alone(moving_blobs):
    shift, angles = draw(PLANE)
    frames = moving_blobs(PLANE, shift, angles, noise=3.0)
    field = field_of(PLANE)
    with Crew(1) as crew:
        expected = build_template(frames, field, roots=False, crew=crew)
        settings = {"roots": False, "wide": False, "trusted": expected.trusted, "crew": crew}
        together = rigid.follow(frames, expected.template, field, **settings)
        alone = rigid.follow(frames[5:6], expected.template, field, **settings)
    np.testing.assert_allclose(alone.shift[0], together.shift[5], atol=1e-4)


def test_stripes_leave_the_shift_along_them_unknown_and_unconverged():
    waves = np.sin(np.arange(40) / 3)[:, None] * np.ones(48)
    frames = np.stack([np.roll(waves, k, axis=0) for k in range(4)]).astype(np.float32)
    assert not follow(frames, frames[0], field_of(PLANE)).converged.any()
