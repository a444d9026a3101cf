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
from ..matrices.in_memory import Dense
from ..matrices.streamed import Stream
from ..problem.oriented import Oriented, restricted
from ..problem.stopping import Enter
from .multistart import MOST, ROUNDS, Explored, Interrupted, explore
from .sketch import CORRECTED_ROUNDS, CORRECTED_TOL, LongSide, Sketch, settle

SPARE = 4
"""Directions beside the components: of the sample, whose own directions are not those of X."""


def explore_stream(
    problem: Oriented,
    k: int,
    *,
    init: str,
    n_starts: int | str,
    rng: np.random.Generator,
    enter: Enter,
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
    enter : callable
        Called with each phase as it begins.

    Returns
    -------
    Explored
        The factors to polish on X.
    """
    stream = problem.matrix
    assert isinstance(stream, Stream)
    before = stream.passes
    short = stream.order.size >= stream.n_samples  # the samples are the short side
    fit = LongSide(problem, across=short is stream.by_samples)
    count = MOST if n_starts == "auto" else int(n_starts)  # cheap beside a pass
    Q, S = _on_sample(fit.turned, stream, k, init, count, rng, short)
    enter("sketch")
    sketch = Sketch(fit, Q, fit.onto_long(Q.T))
    at, _ = sketch.corrected(
        settle(sketch.posed(), S, rounds=CORRECTED_ROUNDS, tol=CORRECTED_TOL)
    )  # which is let go as it is corrected
    S, L = (at.L, at.S) if fit.across else (at.S, at.L)
    return Explored(S, L, stream.passes - before, count, Q.shape[1] + 2 * k)


def _on_sample(
    turned: Oriented,
    stream: Stream,
    k: int,
    init: str,
    count: int,
    rng: np.random.Generator,
    short: bool,
) -> tuple[Array, Array]:
    """Return the directions that matter where the best start leads on the sample, and S there.

    Of the sample nothing is left, which makes room.
    """
    taken = Dense(stream.sample if short else stream.sample.T)
    small = restricted(turned, taken, share=taken.shape[1] / max(stream.shape))
    small = small._replace(crew=turned.crew)
    stream.sample = None
    try:
        best = explore(small, k, init=init, n_starts=count, columns=None, rng=rng, short=short)
    except Interrupted:  # what a start led to on the sample is no use without another pass
        raise KeyboardInterrupt from None
    S = settle(small, best.S, best.L, rounds=ROUNDS).S
    found = find_range(small, k + SPARE, rng, short=short).Q
    return np.concatenate([found, complement(found, S.T)], axis=1), S
