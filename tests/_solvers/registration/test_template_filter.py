"""Slow brightness off, soft windows, and the share of signal in a template."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from scipy import ndimage

from partita._solvers.registration.template_filter import (
    high_pass,
    low_pass_response,
    rise,
    soft_window,
    spread_profile,
    wiener_profile,
    window_image,
)


def texture(shape, width=1.5):
    noise = np.random.default_rng(0).standard_normal(shape)
    return ndimage.gaussian_filter(noise, width, mode="wrap")


def test_what_is_slow_goes_and_what_is_fine_stays():
    fine = texture((64, 80), 0.5)
    slow = 50 * np.cos(np.pi * (np.arange(80) + 0.5) / 80)
    width = np.array([4.0, 4.0])
    np.testing.assert_allclose(high_pass(np.full((64, 80), 7.0), width), 0, atol=1e-9)
    left = high_pass(slow + np.zeros((64, 1)), width)
    assert np.abs(left).max() < 0.02 * 50
    assert np.std(high_pass(fine, width) - fine) < 0.2 * fine.std()


def test_the_blur_is_the_gaussian_of_scipy_mirrored():
    image, width = texture((48, 60)), np.array([3.0, 5.0])
    expected = image - ndimage.gaussian_filter(image, width, mode="reflect", truncate=8)
    np.testing.assert_allclose(high_pass(image, width), expected, atol=1e-3 * image.std())


def test_gaps_are_zero_and_do_not_darken_what_lies_around_them():
    image = 100 + texture((48, 60))
    image[10:20, 10:20] = np.nan
    sharp = high_pass(image, np.array([4.0, 4.0]))
    np.testing.assert_array_equal(sharp[10:20, 10:20], 0)
    assert np.abs(sharp).max() < 5


def test_windows_rise_from_the_border_of_what_is_inside():
    inside = np.zeros((40, 50), bool)
    inside[5:35, 5:45] = True
    window = soft_window(inside, np.array([6.0, 6.0]))
    assert (window[~inside] == 0).all()
    np.testing.assert_allclose(window[11:29, 11:39], 1)
    assert (np.diff(window[5:12, 25]) >= 0).all()
    np.testing.assert_allclose(rise(np.array([-1.0, 0.0, 0.5, 1.0, 9.0])), [0, 0, 0.5, 1, 1])


def test_an_image_under_a_window_has_no_mean():
    image, window = 5 + texture((32, 32)), soft_window(np.ones((32, 32), bool), np.full(2, 8.0))
    seen = window_image(image, window)
    assert seen.sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(window_image(image + 100, window), seen, atol=1e-9)


def test_the_share_of_signal_is_wieners():
    scene, sigma = texture((128, 128), 2.0), 0.02
    noisy = scene + sigma * np.random.default_rng(1).standard_normal(scene.shape)
    share = wiener_profile(scipy.fft.rfftn(noisy), scene.shape)
    assert share[1:4].min() > 0.9
    assert share[-4:].max() < 0.3
    assert wiener_profile(scipy.fft.rfftn(scene), scene.shape)[:20].min() > 0.99


def test_half_spectra_count_as_often_as_they_stand_for():
    image = texture((24, 30))
    image -= image.mean()
    weights = spread_profile(np.ones(8), image.shape)
    kept = scipy.fft.rfftn(image)
    kept[weights == 0] = 0
    back = scipy.fft.irfftn(kept, image.shape)
    power = (weights * np.abs(kept) ** 2).sum() / image.size
    assert power == pytest.approx((back**2).sum())


def test_the_response_of_a_blur_is_one_at_rest_and_falls():
    response = low_pass_response((32, 40), 0.1)
    assert response[0, 0] == 1
    assert (np.diff(response[0]) <= 0).all()
    blurred = ndimage.gaussian_filter(texture((32, 40)), (3.2, 4.0), mode="wrap", truncate=8)
    spectrum = scipy.fft.rfftn(texture((32, 40))) * response
    np.testing.assert_allclose(scipy.fft.irfftn(spectrum, (32, 40)), blurred, atol=1e-3)
