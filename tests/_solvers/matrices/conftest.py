"""One matrix in every form in which a solver may be given it."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import scipy.sparse

from partita._solvers.compute.threads import Crew
from partita._solvers.matrices.streamed import open_stream

N, P = 30, 700


@pytest.fixture
def crew():
    with Crew(2) as crew:
        yield crew


@pytest.fixture
def X():
    """Return a matrix (n, p) of rank four, a half of it zeros."""
    rng = np.random.default_rng(0)
    return rng.gamma(1.0, size=(N, 4)) @ (rng.random((4, P)) * (rng.random((4, P)) < 0.2))


@pytest.fixture(params=["by samples", "by features", "by corners"])
def stream(request, X):
    """Return the matrix read part by part, cut along its samples, its features, or a grid."""
    if request.param == "by samples":
        return open_stream(da.from_array(X, chunks=(7, -1)), inside=None, dtype=X.dtype)
    if request.param == "by features":
        return open_stream(da.from_array(X, chunks=(-1, 90)), inside=None, dtype=X.dtype)
    cube = da.from_array(X.reshape(N, 28, 25), chunks=(-1, 10, 9))
    return open_stream(cube, inside=None, dtype=X.dtype)


LAYOUTS = {
    "C order": np.ascontiguousarray,
    "F order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
}


@pytest.fixture(params=LAYOUTS)
def laid_out(request, X):
    """Return the matrix in every layout in memory."""
    return LAYOUTS[request.param](X)
