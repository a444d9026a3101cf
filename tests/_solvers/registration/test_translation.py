"""Translations: exact where shifts are whole, at the noise's bound where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.compute.threads import Crew
from partita._solvers.registration.translation import TranslationTemplate
from partita.datasets import simulate_two_photon

PIXEL = 0.001


@pytest.fixture(scope="module")
def crew():
    with Crew(2) as threads:
        yield threads


@pytest.fixture(scope="module")
def moving():
    return simulate_two_photon(
        n_times=40, shape=(128, 160), spacing=PIXEL, motion=0.003, random_state=0
    )


def estimate_translation(frames, template, *, crew, **options):
    return TranslationTemplate(template, **options).estimate(frames, crew=crew)


def texture(shape, seed=0, width=1.5):
    noise = np.random.default_rng(seed).standard_normal(shape)
    return ndimage.gaussian_filter(noise, width, mode="wrap")


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def cramer_rao(reference, sigma):
    """Bound on the standard deviation along each axis, from slopes and noise alone."""
    stencil = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60
    slopes = [ndimage.correlate1d(reference.astype(float), stencil, axis=axis) for axis in (0, 1)]
    slopes = np.stack([slope.ravel() for slope in slopes])
    return sigma * np.sqrt(np.diag(np.linalg.inv(slopes @ slopes.T)))


def test_the_template_itself_has_no_shift_and_similarity_one(crew):
    template = texture((96, 80)) + 3
    answer = estimate_translation(template[None], template, crew=crew)
    np.testing.assert_allclose(answer.shifts, 0, atol=2e-3)
    np.testing.assert_allclose(answer.similarity, 1, atol=1e-3)


def test_whole_shifts_of_a_wider_scene_are_found_up_to_a_quarter_of_the_field(crew):
    scene = texture((256, 256), width=2.0)
    where = np.array([[0, 0], [5, -3], [-24, 31], [32, 32], [-32, 1], [13, -32]])
    window = slice(64, 192)
    frames = np.stack([np.roll(scene, shift, axis=(0, 1))[window, window] for shift in where])
    answer = estimate_translation(frames, scene[window, window], crew=crew)
    np.testing.assert_allclose(answer.shifts, where, atol=0.02)


def test_white_texture_without_any_smoothness_is_found_too(crew):
    template = np.random.default_rng(1).standard_normal((64, 64))
    frames = np.stack([np.roll(template, shift, axis=(0, 1)) for shift in [(3, -2), (0, 7)]])
    answer = estimate_translation(frames, template, crew=crew)
    np.testing.assert_allclose(answer.shifts, [(3, -2), (0, 7)], atol=0.1)


@pytest.mark.parametrize("snr", [0.5, 1.3, 4.0])
def test_errors_stay_at_the_bound_that_the_noise_sets(moving, crew, snr):
    reference = moving.reference.values
    sigma = reference.std() / snr
    noise = np.random.default_rng(2).standard_normal(moving.recording.shape)
    answer = estimate_translation(moving.recording.values + sigma * noise, reference, crew=crew)
    errors = answer.shifts - moving.translation.values / PIXEL
    bound = cramer_rao(reference, sigma)
    # Forty frames know their own rms to a tenth; a few pixels of every frame left the field.
    assert (np.sqrt((errors**2).mean(axis=0)) <= 1.35 * bound + 0.01).all()


def test_without_noise_nothing_but_a_hundredth_of_a_pixel_remains(moving, crew):
    answer = estimate_translation(moving.recording.values, moving.reference.values, crew=crew)
    errors = answer.shifts - moving.translation.values / PIXEL
    assert rms(errors) < 0.01
    assert np.abs(errors).max() < 0.03


def test_large_shifts_are_as_exact_as_small_ones(crew):
    truth = simulate_two_photon(
        n_times=30, shape=(160, 160), spacing=PIXEL, motion=0.015, random_state=1
    )
    shifts = truth.translation.values / PIXEL
    assert np.abs(shifts).max() > 20
    answer = estimate_translation(truth.recording.values, truth.reference.values, crew=crew)
    assert rms(answer.shifts - shifts) < 0.01


def test_gain_and_offset_change_nothing(moving, crew):
    frames, reference = moving.recording.values, moving.reference.values
    plain = estimate_translation(frames, reference, crew=crew)
    gains = np.linspace(0.01, 1e6, len(frames))[:, None, None]
    changed = estimate_translation(gains * (frames + 700.0), 3 * reference - 50, crew=crew)
    np.testing.assert_allclose(changed.shifts, plain.shifts, atol=2e-3)
    np.testing.assert_allclose(changed.similarity, plain.similarity, atol=2e-3)


def test_slow_brightness_added_to_a_frame_moves_nothing(moving, crew):
    frames, reference = moving.recording.values, moving.reference.values
    down, right = np.linspace(-1, 1, 128)[:, None], np.linspace(-1, 1, 160)
    ramp = reference.std() * (2 * down + right)
    plain = estimate_translation(frames, reference, crew=crew)
    tilted = estimate_translation(frames + ramp, reference, crew=crew)
    np.testing.assert_allclose(tilted.shifts, plain.shifts, atol=0.05)


def test_unsigned_integers_count_as_what_they_say(moving, crew):
    counts = np.round(100 * moving.recording.values[:6]).astype(np.uint16)
    answer = estimate_translation(counts, moving.reference.values, crew=crew)
    np.testing.assert_allclose(answer.shifts, moving.translation.values[:6] / PIXEL, atol=0.03)


def test_neither_threads_nor_blocks_change_the_answer(moving, crew):
    frames, reference = moving.recording.values, moving.reference.values
    with Crew(1) as alone:
        one = estimate_translation(frames, reference, crew=alone)
    two = estimate_translation(frames, reference, crew=crew)
    np.testing.assert_allclose(two.shifts, one.shifts, atol=1e-4)
    prepared = TranslationTemplate(reference)
    parts = [prepared.estimate(frames[k : k + 7], crew=crew).shifts for k in range(0, 40, 7)]
    np.testing.assert_allclose(np.concatenate(parts), one.shifts, atol=1e-4)


def test_broken_frames_leave_their_neighbours_alone(moving, crew):
    frames, reference = moving.recording.values[:8].copy(), moving.reference.values
    sound = estimate_translation(frames, reference, crew=crew)
    frames[1] = 0
    frames[3] = np.nan
    frames[4] = 65535
    frames[6, 10:20, 30:50] = np.nan
    answer = estimate_translation(frames, reference, crew=crew)
    kept = [0, 2, 5, 7]
    np.testing.assert_array_equal(answer.shifts[kept], sound.shifts[kept])
    np.testing.assert_array_equal(answer.shifts[[1, 3, 4]], 0)
    assert np.isnan(answer.similarity[[1, 3, 4]]).all()
    np.testing.assert_allclose(answer.shifts[6], sound.shifts[6], atol=0.1)


def test_a_border_of_nan_does_not_hold_the_frames_in_place(moving, crew):
    frames, reference = moving.recording.values.copy(), moving.reference.values.copy()
    for image in (frames, reference):
        image[..., :12, :] = np.nan
        image[..., -9:] = np.nan
    answer = estimate_translation(frames, reference, crew=crew)
    assert rms(answer.shifts - moving.translation.values / PIXEL) < 0.05


def test_a_frame_of_noise_has_a_low_similarity(moving, crew):
    noise = np.random.default_rng(0).standard_normal((3, 128, 160))
    answer = estimate_translation(noise, moving.reference.values, crew=crew)
    assert (np.abs(answer.similarity) < 0.3).all()
    assert (np.abs(answer.shifts) <= [32, 40]).all()


def test_no_shift_is_larger_than_allowed(moving, crew):
    answer = estimate_translation(
        moving.recording.values, moving.reference.values, max_shift=(1.5, 0.5), crew=crew
    )
    assert (np.abs(answer.shifts) <= [1.5, 0.5]).all()


def test_a_template_without_contrast_tells_nothing(crew):
    answer = estimate_translation(texture((2, 32, 32)), np.ones((32, 32)), crew=crew)
    np.testing.assert_array_equal(answer.shifts, 0)
    assert np.isnan(answer.similarity).all()


def test_no_frames_have_no_shifts(moving, crew):
    answer = estimate_translation(np.empty((0, 128, 160)), moving.reference.values, crew=crew)
    assert answer.shifts.shape == (0, 2)
    assert answer.similarity.shape == (0,)


def test_volumes_move_along_three_axes(crew):
    scene = texture((40, 72, 80), width=2.0)
    where = np.array([[2.0, -4.5, 3.25], [-3.0, 0.0, 6.75]])
    moved = [ndimage.shift(scene, shift, order=5, mode="grid-wrap") for shift in where]
    inner = (slice(8, 32), slice(12, 60), slice(12, 68))
    frames = np.stack([one[inner] for one in moved])
    answer = estimate_translation(frames, scene[inner], crew=crew)
    np.testing.assert_allclose(answer.shifts, where, atol=0.05)


def test_a_template_that_holds_the_frames_noise_hardly_draws_them(moving, crew):
    """The mean of the frames holds their noise, yet a frame goes where its content says."""
    frames, reference = moving.recording.values, moving.reference.values
    noise = np.random.default_rng(5).standard_normal(frames.shape) * reference.std()
    truth = moving.translation.values / PIXEL
    clean = estimate_translation(frames + noise, reference, crew=crew)
    drawn = estimate_translation(frames + noise, reference + noise.mean(axis=0), crew=crew)
    assert rms(drawn.shifts - truth) < 1.5 * rms(clean.shifts - truth)


@pytest.mark.realdata
def test_the_first_frame_of_a_real_recording_is_displaced_by_seven_pixels(real_data, crew):
    h5py = pytest.importorskip("h5py")
    with h5py.File(real_data / "movies" / "example.h5") as file:
        frames = np.moveaxis(file["imaging"][...].squeeze(), -1, 0)
    assert frames.shape == (20, 128, 256)
    answer = estimate_translation(frames, frames[8:].mean(axis=0), crew=crew)
    assert abs(answer.shifts[0, 1]) == pytest.approx(7, abs=1.5)
    assert (np.abs(answer.shifts[8:, 1]) < 0.5).all()
