"""Bending: known fields recovered, dim patches filled in, frames straightened."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.compute.threads import Crew
from partita._solvers.registration.displacement_field import field_basis
from partita._solvers.registration.piecewise import PiecewiseTemplate
from partita._solvers.registration.warping import unbend
from partita.datasets import simulate_two_photon

pytestmark = pytest.mark.xdist_group("piecewise_registration")

PIXEL = 0.002


@pytest.fixture(scope="module")
def crew():
    with Crew(2) as threads:
        yield threads


def bend(photons=None, seed=0, **options):
    settings = {"n_times": 16, "shape": (256, 256), "motion": 0.004, "warp": 0.004}
    return simulate_two_photon(**{**settings, **options}, photons=photons, random_state=seed)


@pytest.fixture(scope="module")
def bending():
    return bend()


def estimate(truth, crew, **options):
    shifts = truth.translation.values / PIXEL
    template = PiecewiseTemplate(truth.reference.values, **options)
    return template.estimate(truth.recording.values, shifts=shifts, crew=crew)


def dense(answer, shape):
    rows, columns = field_basis(answer.centres_y, shape[0]), field_basis(answer.centres_x, shape[1])
    return rows @ answer.displacement @ columns.T


def straighten(frames, displacement, centres_y, centres_x, crew):
    options = {"order": 3, "nan_outside": False, "crew": crew}
    return unbend(frames, displacement, centres_y, centres_x, **options)


def field_error(answer, truth):
    error = dense(answer, truth.reference.shape) - truth.displacement.values / PIXEL
    return float(np.sqrt(np.mean((error - error.mean(axis=(0, 2, 3), keepdims=True)) ** 2)))


def test_a_known_field_is_recovered_at_five_photons(crew):
    truth = bend(photons=5)
    assert field_error(estimate(truth, crew), truth) < 0.12


def test_without_noise_the_field_is_closer_still(bending, crew):
    assert field_error(estimate(bending, crew), bending) < 0.08


def test_warping_back_straightens_the_frames(bending, crew):
    answer = estimate(bending, crew)
    frames, reference = bending.recording.values, bending.reference.values
    straight = straighten(frames, answer.displacement, answer.centres_y, answer.centres_x, crew)
    inside = (slice(None), slice(24, -24), slice(24, -24))
    before = np.std((frames - reference)[inside])
    after = np.std((straight - reference)[inside])
    assert after < 0.12 * before


def test_the_true_field_undoes_the_simulated_warp(bending, crew):
    """The displacement of the content is what a frame is pulled back by."""
    every = np.arange(0, 256, 15.0)
    displacement = bending.displacement.values / PIXEL
    field = displacement[:, :, ::15, ::15]
    straight = straighten(bending.recording.values, field, every, every, crew)
    inside = (slice(None), slice(12, -12), slice(12, -12))
    misfit = np.abs(straight - bending.reference.values)[inside].max()
    assert misfit < 0.02 * np.ptp(bending.reference.values)


def test_a_frame_that_does_not_bend_is_displaced_alike_everywhere(crew):
    truth = bend(warp=0.0)
    answer = estimate(truth, crew)
    shifts = truth.translation.values / PIXEL
    np.testing.assert_allclose(
        answer.displacement, np.broadcast_to(shifts[:, :, None, None], answer.displacement.shape),
        atol=0.06,
    )  # fmt: skip
    assert (answer.similarity > 0.95).all()


def test_a_patch_that_knows_nothing_is_filled_from_its_neighbours(crew):
    truth = bend(photons=20, warp=0.003)
    hidden = truth.copy(deep=True)
    hidden["reference"].values[84:176, 84:176] = np.nan
    answer = estimate(hidden, crew)
    assert (answer.confidence[:, 3, 3] == 0).all()
    assert np.median(answer.confidence) > 20
    true = truth.displacement.values[:, :, 128, 128] / PIXEL
    error = answer.displacement[:, :, 3, 3] - true
    assert np.sqrt((error**2).mean()) < 0.3 * np.sqrt((true**2).mean())


def test_a_patch_that_shows_only_noise_in_a_frame_has_no_say(bending, crew):
    noisy = bending.copy(deep=True)
    rng = np.random.default_rng(0)
    noisy["recording"].values[4, 80:180, 80:180] = rng.normal(100, 60, (100, 100))
    answer, sound = estimate(noisy, crew), estimate(bending, crew)
    assert answer.confidence[4, 3, 3] < 6
    assert sound.confidence[4, 3, 3] > 50
    change = answer.displacement[4, :, 3, 3] - sound.displacement[4, :, 3, 3]
    assert np.abs(change).max() < 1


def test_gain_and_offset_change_nothing(bending, crew):
    plain = estimate(bending, crew)
    changed = bending.copy()
    changed["recording"] = 37 * bending.recording + 1000
    again = estimate(changed, crew)
    np.testing.assert_allclose(again.displacement, plain.displacement, atol=5e-3)
    np.testing.assert_allclose(again.similarity, plain.similarity, atol=1e-3)


def test_neither_threads_nor_blocks_change_the_answer(bending, crew):
    frames, shifts = bending.recording.values, bending.translation.values / PIXEL
    with Crew(1) as alone:
        one = estimate(bending, alone)
    two = estimate(bending, crew)
    np.testing.assert_allclose(two.displacement, one.displacement, atol=1e-3)
    prepared = PiecewiseTemplate(bending.reference.values)
    parts = [
        prepared.estimate(frames[k : k + 5], shifts=shifts[k : k + 5], crew=crew).displacement
        for k in range(0, 16, 5)
    ]
    np.testing.assert_allclose(np.concatenate(parts), one.displacement, atol=1e-3)


def test_blank_frames_go_with_their_shift_and_leave_the_others_alone(bending, crew):
    broken = bending.copy(deep=True)
    broken["recording"].values[2] = 7
    broken["recording"].values[3] = np.nan
    sound, answer = estimate(bending, crew), estimate(broken, crew)
    others = [0, 1, *range(4, 16)]
    np.testing.assert_allclose(answer.displacement[others], sound.displacement[others], atol=1e-3)
    for number in (2, 3):
        shift = bending.translation.values[number] / PIXEL
        np.testing.assert_allclose(answer.displacement[number].mean(axis=(1, 2)), shift)
        assert np.isnan(answer.similarity[number])
        assert (answer.confidence[number] == 0).all()


def test_no_patch_strays_further_than_allowed(bending, crew):
    answer = estimate(bending, crew, max_deviation=1.0)
    strayed = answer.displacement - bending.translation.values[:, :, None, None] / PIXEL
    assert np.abs(strayed).max() <= 1 + 1e-9


def test_a_template_without_contrast_bends_nothing(crew):
    frames = np.random.default_rng(0).standard_normal((2, 64, 64))
    template = PiecewiseTemplate(np.ones((64, 64)))
    answer = template.estimate(frames, shifts=np.array([[1.0, 2.0], [np.nan, 0]]), crew=crew)
    np.testing.assert_allclose(answer.displacement[0, 0], 1)
    np.testing.assert_allclose(answer.displacement[1], 0)
    assert np.isnan(answer.similarity).all()


def test_no_frames_have_no_fields(bending, crew):
    answer = estimate(bending.isel(time=slice(0)), crew)
    assert answer.displacement.shape == (0, 2, 7, 7)
    centres = answer.centres_y, answer.centres_x
    empty = np.empty((0, 256, 256))
    assert straighten(empty, answer.displacement, *centres, crew).shape == empty.shape


def test_fields_smaller_than_a_patch_have_one(crew):
    truth = bend(shape=(40, 48), warp=0.0, motion=0.002)
    answer = estimate(truth, crew)
    assert answer.displacement.shape == (16, 2, 1, 1)
    error = answer.displacement[..., 0, 0] - truth.translation.values / PIXEL
    assert np.sqrt((error**2).mean()) < 0.1
