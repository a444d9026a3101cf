"""Signals of a streamed matrix are those of the matrix in memory."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from partita._solvers.linear.least_squares import centre, least_squares
from partita._solvers.linear.streamed_signals import signals_for
from partita._solvers.matrices.streamed import open_stream


@pytest.mark.parametrize("chunks", [(7, -1), (-1, 5), (10, 8)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_row_is_solved_by_least_squares_less_its_mean(chunks, axis: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    X = (50 + rng.standard_normal((40, 16))).astype(dtype)
    H = rng.standard_normal((3, 16)).astype(dtype)
    inside = np.arange(16) % 5 != 0
    centred, mean = centre(X[:, inside], axis=axis)
    stream = open_stream(da.from_array(X, chunks=chunks), inside=inside, dtype=dtype)
    W, means = signals_for(stream, H[:, inside], mean=mean[0] if axis == 0 else None)
    assert W.dtype == means.dtype == dtype
    np.testing.assert_allclose(W, least_squares(centred, H[:, inside]), atol=1e-4)
    expected = mean[:, 0] if axis == 1 else centred.mean(axis=1)
    np.testing.assert_allclose(means, expected, atol=1e-5)
    assert stream.passes == 1
