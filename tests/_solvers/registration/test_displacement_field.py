"""A smooth field through what patches measure, filled in where they know nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from partita._solvers.registration.displacement_field import DisplacementField, field_basis
from partita._solvers.registration.patches import PatchLayout, PatchTemplate


@pytest.fixture(scope="module")
def patches():
    noise = np.random.default_rng(0).standard_normal((160, 192))
    image = ndimage.gaussian_filter(noise, 1.5)
    layout = PatchLayout.over(image.shape, (64, 64), (32, 32))
    return PatchTemplate(image, layout, max_deviation=5.0)


@pytest.fixture(scope="module")
def field(patches):
    return DisplacementField.of(patches, (160, 192))


def sure(count, information=1e6):
    return np.broadcast_to(information * np.eye(2), (1, count, 2, 2)).copy()


def test_the_field_goes_through_its_centres_and_on_straight():
    centres = np.array([10.0, 20.0, 35.0, 50.0])
    values = np.array([1.0, -2.0, 0.5, 3.0])
    line = field_basis(centres, 64) @ values
    np.testing.assert_allclose(line[[10, 20, 35, 50]], values, atol=1e-12)
    for end in (line[:11], line[50:]):
        np.testing.assert_allclose(np.diff(end, 2), 0, atol=1e-12)
    straight = field_basis(centres, 64) @ (3 - 0.2 * centres)
    np.testing.assert_allclose(straight, 3 - 0.2 * np.arange(64), atol=1e-12)
    np.testing.assert_array_equal(field_basis(np.array([7.0]), 5), 1)


def test_patches_see_the_mean_of_the_field_over_their_structure(patches, field):
    rng = np.random.default_rng(1)
    at_centres = rng.standard_normal(patches.layout.grid)
    rows, columns = (
        field_basis(centres, count)
        for centres, count in zip(patches.layout.centres(), (160, 192), strict=True)
    )
    dense = rows @ at_centres @ columns.T
    seen = [
        (weights * dense[y : y + 64, x : x + 64]).sum()
        for weights, (y, x) in zip(
            patches.weights,
            [(y, x) for y in patches.layout.starts[0] for x in patches.layout.starts[1]],
            strict=True,
        )
    ]
    np.testing.assert_allclose(field.means @ at_centres.ravel(), seen)


def test_a_field_that_patches_are_sure_of_is_the_one_that_they_saw(field):
    count = len(field.means)
    true = np.random.default_rng(2).standard_normal((1, 2, count))
    found = field.fit(true @ field.means.T, sure(count))
    np.testing.assert_allclose(found @ field.means.T, true @ field.means.T, atol=0.02)


def test_a_patch_that_knows_nothing_follows_its_neighbours(field):
    count = len(field.means)
    information = sure(count, 1e4)
    information[0, count // 2] = 0
    moved = np.full((1, 2, count), 1.5)
    moved[0, :, count // 2] = -40
    np.testing.assert_allclose(field.fit(moved, information), 1.5, atol=0.05)


def test_nothing_known_is_no_displacement(field):
    count = len(field.means)
    assert np.abs(field.fit(np.full((1, 2, count), 3.0), sure(count, 0.0))).max() == 0
