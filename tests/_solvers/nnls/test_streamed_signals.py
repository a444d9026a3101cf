"""Signals of a streamed matrix are those of the matrix in memory, in one pass."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from partita._solvers.matrices.streamed import open_stream
from partita._solvers.nnls.solve import solve_least_squares
from partita._solvers.nnls.streamed_signals import signals_for


@pytest.mark.parametrize("chunks", [(7, -1), (-1, 5), (10, 8)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_pass_gives_the_signals_of_memory(chunks, dtype):
    rng = np.random.default_rng(0)
    X, H = rng.random((40, 16)).astype(dtype), rng.random((3, 16)).astype(dtype)
    inside = np.arange(16) % 5 != 0
    stream = open_stream(da.from_array(X, chunks=chunks), inside=inside, dtype=dtype)
    W = signals_for(stream, H[:, inside])
    assert stream.passes == 1
    assert W.dtype == dtype
    expected = solve_least_squares(X[:, inside].astype(float), H[:, inside].astype(float))
    np.testing.assert_allclose(W, expected, atol=1e-5)
