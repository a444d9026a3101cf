"""Correlations as sums of few waves: their values, derivatives and peaks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from scipy import ndimage

from partita._solvers.registration.band_correlation import Band

SHAPE = (48, 60)


def texture(shape=SHAPE, width=2.0, seed=0):
    noise = np.random.default_rng(seed).standard_normal(shape)
    image = ndimage.gaussian_filter(noise, width, mode="wrap")
    return image - image.mean()


@pytest.fixture
def band():
    return Band.of(np.abs(scipy.fft.rfftn(texture())) ** 2, SHAPE)


def products_of(band, shifts):
    template = band.transform(texture().astype(np.float32))
    weights = np.where(band.waves[-1] == 0, 1.0, 2.0).astype(np.float32)
    frames = np.stack(
        [ndimage.shift(texture(), s, order=5, mode="grid-wrap") for s in shifts]
    ).astype(np.float32)
    return band.transform(frames) * np.conj(template) * weights


def test_a_band_holds_the_frequencies_that_tell_about_position(band):
    kept = np.prod([len(index) for index in band.kept])
    assert kept < 0.3 * SHAPE[0] * (SHAPE[1] // 2 + 1)
    white = Band.of(np.ones((48, 31)), SHAPE)
    assert len(white.kept[0]) > 0.9 * 48
    half = band.lower_half()
    assert np.abs(half.waves[0]).max() <= np.abs(band.waves[0]).max() / 2


def test_the_block_of_a_spectrum_is_that_of_the_whole_spectrum(band):
    image = texture(seed=1).astype(np.float32)
    np.testing.assert_allclose(
        band.transform(image[None])[0], band.cut(scipy.fft.rfftn(image)), rtol=1e-3, atol=1e-3
    )


def test_derivatives_are_differences_of_the_values(band):
    products = products_of(band, [(3.0, -4.0)])
    at, step = np.array([[2.2, -3.1]]), 1e-2
    found = band.evaluate(products, at)[0]
    scale = np.abs(found).max()

    def value(y, x):
        return band.evaluate(products, at + step * np.array([[y, x]]))[0, 0, 0]

    slope = [(value(1, 0) - value(-1, 0)), (value(0, 1) - value(0, -1))]
    np.testing.assert_allclose(
        [found[1, 0], found[0, 1]], np.divide(slope, 2 * step), atol=0.01 * scale
    )


def test_the_peak_is_searched_on_a_grid_and_climbed_to_its_top(band):
    shifts = np.array([(0.0, 0.0), (3.0, -4.0), (-6.25, 7.5)])
    products = products_of(band, shifts)
    start = band.search(products, np.array([12.0, 15.0]))
    assert np.abs(start - shifts).max() < 1.5
    places, heights = band.climb(products, start, settled=1e-4)
    np.testing.assert_allclose(places, shifts, atol=0.02)
    np.testing.assert_allclose(heights, heights[0], rtol=0.01)


def test_no_peak_is_searched_beyond_the_limits(band):
    products = products_of(band, [(9.0, 0.0)])
    assert (np.abs(band.search(products, np.array([4.0, 4.0]))) <= 4).all()
