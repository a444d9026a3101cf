"""Any X is laid so that its short side comes first, and maps find their way back."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from partita._solvers.matrices.convert import lay
from partita._solvers.matrices.in_memory import Dense, Sparse


def test_the_short_side_comes_first(laid_out, X):
    wide, tall = lay(laid_out), lay(laid_out.T)
    assert wide.matrix.shape == tall.matrix.shape == X.shape
    assert (wide.signals_short, tall.signals_short) == (True, False)
    kind = Sparse if scipy.sparse.issparse(laid_out) else Dense
    assert isinstance(wide.matrix, kind)
    block = wide.matrix.groups[0][0]
    np.testing.assert_array_equal(wide.matrix.values(block), X[:, block])
    np.testing.assert_array_equal(tall.matrix.values(block), X[:, block])


def test_a_stream_lies_as_its_parts_do(stream):
    laid = lay(stream)
    assert laid.matrix is stream
    assert laid.signals_short is not stream.by_samples


def test_maps_go_to_the_order_of_the_parts_and_back(stream):
    laid, H = lay(stream), np.random.default_rng(0).random((3, 700))
    there = laid.as_laid(H)
    np.testing.assert_array_equal(laid.as_given(there), H)
    if not stream.by_samples:
        np.testing.assert_array_equal(there, H[:, stream.order])


def test_in_memory_maps_stay_in_their_order(X):
    H = np.ones((2, 700))
    assert lay(X).as_laid(H) is H
    assert lay(X).as_given(H) is H


@pytest.mark.parametrize(("shape", "expected"), [((20, 30), "float64"), ((1100, 1000), "float32")])
def test_what_is_small_is_worked_on_in_double_precision_and_what_is_large_as_it_is(shape, expected):
    given = np.ones(shape, np.float32)
    laid = lay(given)
    assert laid.matrix.dtype == expected
    assert np.shares_memory(laid.matrix.X, given) is (expected == "float32")
