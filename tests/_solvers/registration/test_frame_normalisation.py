"""Normalised frames forget gain, offset and shading, and tell what they lack."""

from __future__ import annotations

import numpy as np

from partita._solvers.registration.frame_normalisation import normalise_frames, shading

PLANE = (40, 48)


def test_normalised_frames_forget_gain_offset_and_shading(moving_blobs):
    frames = moving_blobs(PLANE, np.zeros((1, 2)), np.zeros((1, 1)))
    wave = shading(PLANE)[4].reshape(PLANE)
    plain, changed = (
        normalise_frames(values, roots=False).values
        for values in (frames, 2.5 * frames - 40 + 300 * wave)
    )
    np.testing.assert_allclose(plain / plain.std(), changed / changed.std(), atol=1e-4)


def test_roots_make_noise_of_counts_even():
    rng = np.random.default_rng(0)
    rate = np.repeat([4.0, 100.0], 800).reshape(1, 40, 40)
    counts = rng.poisson(rate, (200, 40, 40)).astype(np.float32)
    spread = normalise_frames(counts, roots=True).values.std(axis=0)
    assert 0.8 < spread[:18].mean() / spread[22:].mean() < 1.25


def test_blank_and_mostly_missing_frames_are_told():
    frames = np.random.default_rng(0).random((5, *PLANE), dtype=np.float32)
    frames[1] = 0
    frames[2] = 255
    frames[3, 2:] = np.nan
    frames[4, :5] = np.inf
    ready = normalise_frames(frames, roots=True)
    np.testing.assert_array_equal(ready.blank, [False, True, True, True, False])
    assert ready.missing[4, :7].all()
    assert not ready.missing[4, 7:].any()
    assert np.isfinite(ready.coefficients).all()


def test_shading_is_orthonormal_and_holds_no_mean():
    waves = shading((9, 11, 13)).astype(float)
    np.testing.assert_allclose(waves @ waves.T, np.eye(len(waves)), atol=1e-5)
    np.testing.assert_allclose(waves.sum(axis=1), 0, atol=1e-3)


def test_frames_have_mean_zero_and_rms_one_before_their_shading_goes():
    frames = 7 + 3 * np.random.default_rng(0).standard_normal((4, *PLANE))
    ready = normalise_frames(frames, roots=False)
    np.testing.assert_allclose(ready.values.mean(axis=(1, 2)), 0, atol=1e-5)
    assert (ready.values.std(axis=(1, 2)) < 1).all()
    waves = shading(PLANE)
    np.testing.assert_allclose(ready.values.reshape(4, -1) @ waves.T, 0, atol=1e-3)
    assert ready.missing.size == 0
