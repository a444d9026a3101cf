"""Whole and part shifts at the highest point of the cross-correlation."""

from __future__ import annotations

import numpy as np

from partita._solvers.registration.coarse_shift import find_shifts, prepare_correlator


def test_cross_correlation_finds_whole_and_part_shifts():
    rng = np.random.default_rng(2)
    spectrum = np.exp(
        -0.5 * (np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64))) / 0.1) ** 2
    )
    base = np.fft.fft2(rng.standard_normal((64, 64))) * spectrum
    shift = np.array([[0, 0], [3, -7], [2.5, 0.25]])
    y, x = np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)
    moved = [np.fft.ifft2(base * np.exp(-2j * np.pi * (y * a + x * b))).real for a, b in shift]
    correlator = prepare_correlator(moved[0], reach=(10, 10))
    found = find_shifts(np.array(moved, np.float32), correlator)
    np.testing.assert_allclose(found, shift, atol=0.15)


def test_no_shift_is_looked_for_beyond_the_reach():
    rng = np.random.default_rng(0)
    scene = rng.standard_normal((32, 32))
    frames = np.roll(scene, (9, 0), axis=(0, 1))[None].astype(np.float32)
    found = find_shifts(frames, prepare_correlator(scene, reach=(4, 2)))
    assert (np.abs(found) <= [4, 2]).all()


def test_volumes_are_found_along_three_axes_and_gain_does_not_matter():
    scene = np.random.default_rng(1).standard_normal((12, 24, 28))
    shifts = [(0, 0, 0), (2, -3, 5), (-1, 4, 0)]
    frames = np.stack([np.roll(scene, shift, axis=(0, 1, 2)) for shift in shifts])
    correlator = prepare_correlator(scene, reach=(3, 6, 6))
    for gain in (1, 40):
        found = find_shifts((gain * frames).astype(np.float32), correlator)
        np.testing.assert_allclose(found, shifts, atol=0.2)
