"""Fits of plain arrays from one set of options, for the tests of the solvers."""

from __future__ import annotations

import dask.array
import numpy as np

from partita._solvers.compute.threads import Crew
from partita._solvers.factorise import factorise
from partita._solvers.matrices.streamed import open_stream
from partita._solvers.matrices.survey import survey
from partita._solvers.penalties.penalty import NONE, Extent
from partita._solvers.problem.oriented import Oriented, energy
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.start import Start
from partita._solvers.problem.stopping import Stopping


def fit(X, k=4, seed=0, *, init="auto", rng=None, threads=None, **options):
    """Factorise X, options as of `Problem`, `Start` and `Stopping`."""
    start = init if isinstance(init, Start) else Start(init)
    of_start = {
        name: options.pop(name) for name in ("n_starts", "sketch", "first") if name in options
    }
    of_end = {name: options.pop(name) for name in Stopping._fields if name in options}
    rng = np.random.default_rng(seed) if rng is None else rng
    problem = Problem(X, k, **options)
    return factorise(
        problem, start._replace(**of_start), Stopping(**of_end), rng=rng, threads=threads
    )


def measured(penalty, X, beta=2.0, weights=None):
    """Return a penalty with the strengths that it has against X."""
    M = np.ones(X.shape) if weights is None else weights
    rms = float(np.sqrt((M * X**2).sum() / M.sum()))
    return penalty.against(Extent(*X.shape, rms, beta))


def fit_from(X, W, H, *, solve, beta, first="W", penalty=NONE, weights=None, held=None, **stopping):
    """Go on from whole factors with one solver of the divergences."""
    problem = Problem(X, len(H), beta, penalty, weights, held)
    return solve(problem, Start(W=W, H=H, first=first), Stopping(**stopping))


def posed(matrix, k=1, *, scale=1.0, rows=None, columns=None, penalty=NONE):
    """Pose a fit on a matrix of any kind as solvers see it inside, with weights of both sides."""
    every = np.arange(k)
    problem = Oriented(matrix, 1.0, scale, 1.0, penalty, every, every, rows, columns, Crew(1), 1e-6)
    return problem._replace(norm2=energy(problem))


def stream_of(X, *, chunks, by_samples=False):
    """Return X (n, p) as a surveyed stream along p, which counts samples or features."""
    array = dask.array.from_array(X.T if by_samples else X, chunks=chunks)
    stream = open_stream(array, inside=None, dtype=X.dtype)
    survey(stream, np.arange(stream.order.size), np.random.default_rng(0))
    assert stream.by_samples is by_samples
    return stream
