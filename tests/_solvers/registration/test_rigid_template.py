"""A template made ready: its derivatives are those of the motion."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.registration.frame_normalisation import shading
from partita._solvers.registration.rigid_template import Field, make_template

PLANE, VOLUME = (40, 48), (18, 28, 30)


def field_of(shape, *, turning=True):
    return Field(shape, np.ones(len(shape)), turning, np.full(len(shape), 5.0))


@pytest.mark.parametrize("shape", [PLANE, VOLUME])
def test_regressors_are_the_image_a_constant_and_its_derivatives(moving_blobs, shape):
    d, n_angles = len(shape), 1 if len(shape) == 2 else 3
    step = 1e-2
    shift, angles = np.zeros((2 * (d + n_angles), d)), np.zeros((2 * (d + n_angles), n_angles))
    for k in range(d):
        shift[2 * k : 2 * k + 2, k] = step, -step
    for k in range(n_angles):
        angles[2 * (d + k) : 2 * (d + k) + 2, k] = step, -step
    still = moving_blobs(shape, np.zeros((1, d)), np.zeros((1, n_angles)))[0]
    moved = moving_blobs(shape, shift, angles).astype(float)
    regressors = make_template(still, field_of(shape)).regressors
    core = (slice(3, -3),) * d
    np.testing.assert_allclose(regressors[0], still - still.mean(), atol=1e-3)
    np.testing.assert_array_equal(regressors[1], 1)
    for k in range(d + n_angles):
        slope = -(moved[2 * k] - moved[2 * k + 1]) / (2 * step)
        error = (regressors[2 + k] - slope)[core]
        assert np.sqrt((error**2).mean()) < 0.05 * np.abs(slope).max()


def test_instruments_are_blind_to_shading(moving_blobs):
    still = moving_blobs(PLANE, np.zeros((1, 2)), np.zeros((1, 1)))[0]
    template = make_template(still, field_of(PLANE))
    used = (template.fine[0][1] != 0).ravel()
    waves = shading(PLANE)[:, used].astype(float)
    for left, full in (template.fine, template.coarse):
        flat = left.reshape(len(left), -1).astype(float)
        scale = np.linalg.norm(flat[2:], axis=1)[:, None]
        np.testing.assert_allclose(flat[2:][:, used] @ waves.T / scale, 0, atol=1e-4)
        regressors = template.regressors.reshape(len(left), -1).astype(float)
        np.testing.assert_allclose(full, flat @ regressors.T, rtol=1e-5, atol=1e-2)


def test_what_is_unknown_has_no_say(moving_blobs):
    still = moving_blobs(PLANE, np.zeros((1, 2)), np.zeros((1, 1)))[0]
    still[10:15, 20:26] = np.nan
    template = make_template(still, field_of(PLANE))
    assert np.isnan(template.image[10:15, 20:26]).all()
    for left, _ in (template.fine, template.coarse):
        assert np.isfinite(left).all()
        np.testing.assert_array_equal(left[:, 10:15, 20:26], 0)


@pytest.mark.parametrize(("shape", "count"), [(PLANE, 1), (VOLUME, 3)])
def test_angles_are_free_only_where_frames_may_turn(shape, count):
    assert len(field_of(shape).planes) == count
    assert len(field_of(shape, turning=False).planes) == 0
