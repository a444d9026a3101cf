"""One scale and one order, and the same product."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.problem.normalisation import canonicalise, energies


@pytest.fixture
def factors():
    rng = np.random.default_rng(0)
    return rng.random((20, 4)), rng.random((4, 30)) * np.array([1e-3, 10, 0, 1])[:, None]


@pytest.mark.parametrize("keep", [0, 2])
def test_maps_have_unit_length_and_the_product_stays(factors, keep):
    W, H = factors
    found = canonicalise(W, H, keep_order=keep)
    np.testing.assert_allclose(found.W @ found.H, W @ H)
    lengths = np.linalg.norm(found.H, axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1)
    strength = energies(found.W, found.H)[keep:]
    assert (np.diff(strength) <= 0).all()
    assert found.order[:keep].tolist() == list(range(keep))
    assert sorted(found.order) == [0, 1, 2, 3]


def test_a_map_of_zeros_has_a_signal_of_zeros_and_comes_last(factors):
    found = canonicalise(*factors)
    assert found.order[-1] == 2
    assert not found.W[:, -1].any()
    assert not found.H[-1].any()


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_lengths_neither_overflow_nor_vanish_in_float32(factors, size):
    W, H = factors
    H = (size * H).astype(np.float32)
    found = canonicalise(W.astype(np.float32), H)
    assert found.H.dtype == np.float32
    expected = np.linalg.norm(H.astype(float), axis=1)
    np.testing.assert_allclose(found.lengths, expected, rtol=1e-6)


def test_energies_are_the_squares_of_each_part(factors):
    W, H = factors
    parts = [np.square(np.outer(w, h)).sum() for w, h in zip(W.T, H, strict=True)]
    np.testing.assert_allclose(energies(W, H), parts)
