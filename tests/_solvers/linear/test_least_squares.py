"""Centring, least squares and signs of the signed decompositions."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.linear.least_squares import centre, eigensolver, least_squares, upright

RNG = np.random.default_rng(0)
X, H = RNG.standard_normal((30, 12)), RNG.standard_normal((3, 12))


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_centred_has_no_mean_and_the_mean_gives_it_back(axis):
    given = (1e4 + X).astype(np.float32)
    centred, mean = centre(given, axis=axis)
    np.testing.assert_allclose(centred.mean(axis=axis), 0, atol=2e-3)
    np.testing.assert_allclose(centred + mean, given, rtol=1e-6)
    assert centred.dtype == mean.dtype == np.float32
    np.testing.assert_array_equal(given, (1e4 + X).astype(np.float32))


def test_what_is_left_is_orthogonal_to_the_rows():
    W = least_squares(X, H)
    np.testing.assert_allclose((X - W @ H) @ H.T, 0, atol=1e-10)


def test_rows_that_depend_on_each_other_get_the_smallest_answer():
    twice = np.concatenate([H, H])
    W = least_squares(X, twice)
    np.testing.assert_allclose(W @ twice, least_squares(X, H) @ H, atol=1e-8)
    np.testing.assert_allclose(W[:, :3], W[:, 3:], atol=1e-8)


def test_the_largest_value_of_a_map_is_upright_and_the_product_stays():
    W = RNG.standard_normal((30, 3))
    turned_W, turned_H = upright(W, H)
    assert (turned_H[np.arange(3), np.abs(turned_H).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(turned_W @ turned_H, W @ H)
    for again, once in zip(upright(turned_W, turned_H), (turned_W, turned_H), strict=True):
        np.testing.assert_array_equal(again, once)


@pytest.mark.parametrize(
    ("shape", "k", "expected"),
    [
        ((2000, 900), 5, "covariance_eigh"),
        ((400, 9000), 5, "full"),
        ((900, 9000), 5, "arpack"),
        ((900, 9000), 900, "full"),
    ],
)
def test_the_solver_is_exact_and_fits_the_shape(shape, k, expected):
    assert eigensolver(shape, k) == expected
