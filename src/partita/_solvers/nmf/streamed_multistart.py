"""NMF of a matrix that is read part by part: few passes, and no more in memory than the factors.

One pass looks the data over and keeps a sample. Several starts are solved on the sample; from
where the best of them leads, X is compressed on the directions that matter there (one pass), the
rest of the way is made on that sketch, the sketch is corrected twice (two passes each), and a few
rounds on X itself end it.
"""

from __future__ import annotations

import numpy as np

from ..compression.range_finder import complement, find_range
from ..compute.types import Array
from ..matrices.in_memory import Compressed, Dense
from ..matrices.streamed import Stream
from ..problem.oriented import Oriented, products_of, project, restricted
from .hals import Descent, descend
from .multistart import MOST, Explored, Interrupted, explore

_ROUNDS, _TOL = 60, 1e-3
SPARE = 4
_CORRECTIONS, _CORRECTED_ROUNDS, _CORRECTED_TOL = 2, 40, 1e-4


def explore_stream(
    problem: Oriented,
    k: int,
    *,
    init: str,
    n_starts: int | str,
    rng: np.random.Generator,
) -> Explored:
    """Find both factors near the minimum that the best of several starts leads to.

    Parameters
    ----------
    problem : Oriented
        Data, a stream that `survey` has read.
    k : int
        Components.
    init, n_starts
        As of `explore`.
    rng : Generator
        Random numbers.

    Returns
    -------
    Explored
        The factors to polish on X.
    """
    stream = problem.matrix
    assert isinstance(stream, Stream)
    sample: Array = stream.sample
    short = stream.order.size >= stream.n_samples  # the samples are the short side
    along = short is not stream.by_samples  # X is streamed along its long side
    taken = Dense(sample if short else sample.T)
    share = taken.shape[1] / max(stream.shape)
    small = restricted(_as_short(problem, along), taken, share=share)
    small = small._replace(crew=problem.crew)
    before = stream.passes
    count = MOST if n_starts == "auto" else n_starts  # cheap beside a pass
    try:
        best = explore(small, k, init=init, n_starts=count, columns=None, rng=rng, short=short)
    except Interrupted:  # what a start led to on the sample is no use without another pass
        raise KeyboardInterrupt from None
    descent = Descent(small, best.S, best.L)
    descend(descent, tol=_TOL, max_iter=_ROUNDS)
    S = descent.S.old
    del descent
    found = find_range(small, k + SPARE, rng, short=short).Q
    del small, sample
    stream.sample = None  # makes room
    Q = np.concatenate([found, complement(found, S.T)], axis=1)
    Z = np.empty((Q.shape[1] + 2 * k, max(stream.shape)), stream.dtype)
    Z[: Q.shape[1]] = _onto_long(problem, Q.T, along)
    S, L, _ = _descended(problem, along, Q, Z[: Q.shape[1]], S, None)
    for _ in range(_CORRECTIONS):
        new = complement(Q, np.concatenate([S, _onto_short(problem, L, along)]).T)
        wide = np.concatenate([Q, new], axis=1)
        Z[Q.shape[1] : wide.shape[1]] = _onto_long(problem, new.T, along)
        S, L, reached = _descended(problem, along, wide, Z[: wide.shape[1]], S, L)
        if reached:
            break
    report: dict[str, object] = {"starts": best.report["starts"], "rank": Q.shape[1] + 2 * k}
    S, L = (S, L) if along else (L, S)
    return Explored(S, L, stream.passes - before, report)


def _as_short(problem: Oriented, along: bool) -> Oriented:
    """Return the problem turned so that its long side is the long side of X."""
    if along:
        return problem
    return problem._replace(
        penalty=problem.penalty.turned, S_free=problem.L_free, L_free=problem.S_free
    )


def _descended(
    problem: Oriented, along: bool, Q: Array, Z: Array, S: Array, L: Array | None
) -> tuple[Array, Array, bool]:
    sketch = _as_short(problem, along)._replace(matrix=Compressed(Q, Z), scale=1.0)
    long = np.zeros((S.shape[0], Z.shape[1]), Z.dtype) if L is None else L
    descent = Descent(sketch, S.copy(), long)
    reached = descend(descent, tol=_CORRECTED_TOL, max_iter=_CORRECTED_ROUNDS)
    return descent.S.old, descent.L.ahead, reached


def _onto_long(problem: Oriented, rows: Array, along: bool) -> Array:
    """Multiply rows over the short side of X by X, in one pass and in the inner scale."""
    return project(problem, rows) if along else products_of(problem, rows).A


def _onto_short(problem: Oriented, rows: Array, along: bool) -> Array:
    """Multiply rows over the long side of X by X, in one pass and in the inner scale."""
    return products_of(problem, rows).A if along else project(problem, rows)
