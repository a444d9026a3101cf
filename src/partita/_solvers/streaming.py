"""NMF of a matrix that is read part by part: few passes, and no more in memory than the factors.

One pass looks the data over and keeps a sample. Several starts are solved on the sample; from
where the best of them leads, X is compressed on the directions that matter there (one pass), the
rest of the way is made on that sketch, the sketch is corrected twice (two passes each), and a few
rounds on X itself end it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import nnls, products
from .hals import Descent, descend
from .matrices import Compressed, Dense
from .objective import Array
from .problem import Problem, products_of, project
from .sketch import MOST, Explored, Interrupted, explore, restrict
from .starts import complement, find_range
from .streams import Stream, add

SAMPLE = 12288
_ROUNDS, _TOL = 60, 1e-3
SPARE = 4
_CORRECTIONS, _CORRECTED_ROUNDS, _CORRECTED_TOL = 2, 40, 1e-4


class Survey(NamedTuple):
    """What the first pass finds.

    `empty` (n_features,) marks the features that are NaN in every sample; `bad` counts the other
    NaN and the infinite values, `negative` the negative ones, `least` is the minimum.
    """

    empty: Array
    bad: int
    negative: int
    least: float


def survey(stream: Stream, columns: Array, rng: np.random.Generator) -> Survey:
    """Read X once: what cannot be used is told; the norm and a sample stay with the stream.

    Parameters
    ----------
    stream : Stream
        The data.
    columns : ndarray of int, (n_features,)
        A canonical order of the features, which sampling follows.
    rng : Generator
        Random numbers.

    Returns
    -------
    Survey
        Features in the recording's order.
    """
    n_features, n_samples = stream.order.size, stream.n_samples
    of_features = n_features >= n_samples
    drawn = rng.permutation(n_features if of_features else n_samples)[:SAMPLE]
    chosen = np.zeros(max(n_features, n_samples), bool)
    chosen[columns[drawn] if of_features else drawn] = True
    if of_features:
        chosen = chosen[stream.order]
    along = of_features is not stream.by_samples  # whether the sample is drawn along p
    (norm2, gaps, counts), parts = stream.run(
        _survey_part, None if along else chosen, chosen if along else None
    )
    gaps = gaps if stream.by_samples else np.concatenate([part.gaps for part in parts])
    empty_here = gaps == n_samples
    least = min(part.least for part in parts)
    stream.sample = _joined([part.sample for part in parts], turned=stream.by_samples)
    del parts
    if empty_here.any():
        stream.sample = stream.sample[:, ~(empty_here[chosen] if of_features else empty_here)]
    empty = np.zeros(n_features, bool)
    empty[stream.order] = empty_here
    bad = int(counts[0]) - int(empty.sum()) * n_samples
    stream.norm2 = float(norm2[0])
    return Survey(empty, bad, int(counts[1]), least)


def _joined(pieces: list[Array], *, turned: bool) -> Array:
    """Return pieces side by side, or one below the other where each is `turned`."""
    widths = [piece.shape[1] for piece in pieces]
    shape = (pieces[0].shape[0], sum(widths))
    whole = np.empty(shape[::-1] if turned else shape, pieces[0].dtype)
    start = 0
    for width in widths:
        piece = pieces.pop(0)  # makes room as it goes
        if turned:
            whole[start : start + width] = piece.T
        else:
            whole[:, start : start + width] = piece
        start += width
    return whole


class _Seen(NamedTuple):
    sample: Array
    gaps: Array
    least: float


def _survey_part(
    X: Array, so_far: Any, rows: Array | None, columns: Array | None
) -> tuple[tuple[Array, Array, Array], _Seen]:
    sample = X[rows] if columns is None else X[:, columns]
    least, most = X.min(initial=np.inf), X.max(initial=-np.inf)
    if np.isfinite(least) and np.isfinite(most):
        norm2 = products.norm2(X)
        negative = int((X < 0).sum()) if least < 0 else 0
        sums = np.array([norm2]), np.zeros(X.shape[0], np.int64), np.array([0, negative])
        return add(so_far, sums), _Seen(sample.copy(), np.zeros(X.shape[1], np.int64), float(least))
    finite, missing = np.isfinite(X), np.isnan(X)
    values = np.where(finite, X, 0)
    norm2 = float(np.square(values, dtype=np.float64).sum())
    counts = np.array([int((~finite).sum()), int((values < 0).sum())])
    sums = np.array([norm2]), missing.sum(1), counts
    return add(so_far, sums), _Seen(sample.copy(), missing.sum(0), float(values.min(initial=0)))


def locate(stream: Stream, kind: str) -> tuple[int, int]:
    """Return the first sample and feature whose value is "bad" or "negative": one more pass.

    Features that are NaN in every sample must have been left out of the stream.
    """
    _, parts = stream.run(_locate_part, kind)
    places = []
    for where, found in zip(stream.slices, parts, strict=True):
        for i, j in found:
            along = j + where.start
            sample, place = (along, i) if stream.by_samples else (i, along)
            places.append((int(sample), int(stream.order[place])))
    return min(places)


def _locate_part(X: Array, _: None, kind: str) -> tuple[None, list[tuple[int, int]]]:
    wrong = X < 0 if kind == "negative" else ~np.isfinite(X)
    return None, list(zip(*np.nonzero(wrong), strict=True))


def signals_for(stream: Stream, H: Array) -> Array:
    """Return the signals W >= 0 (n_samples, k) that fit best with maps H, exactly: one pass.

    Parameters
    ----------
    stream : Stream
        The data, without features that are NaN.
    H : ndarray, (k, n_features)
        Non-negative maps, features in the recording's order.

    Returns
    -------
    ndarray, (n_samples, k)
        Signals in the dtype of the stream.
    """
    maps = H[:, stream.order].astype(np.float64)
    if stream.by_samples:
        _, parts = stream.run(_cross_of_samples, maps)
        cross = np.concatenate(parts)
    else:
        (cross,), _ = stream.run(_cross_of_features, None, maps)
    solved = nnls.solve_gram(maps @ maps.T, np.ascontiguousarray(cross.T))
    return np.ascontiguousarray(solved.T, stream.dtype)


def _cross_of_samples(X: Array, _: None, H: Array) -> tuple[None, Array]:
    return None, nnls.Cross(X.T, H, single=False).rows(slice(0, X.shape[1]))


def _cross_of_features(X: Array, so_far: Any, _: None, H: Array) -> tuple[tuple[Array], None]:
    return add(so_far, (nnls.Cross(X, H, single=False).rows(slice(0, X.shape[0])),)), None


def explore_stream(
    problem: Problem,
    k: int,
    *,
    init: str,
    n_starts: int | str,
    rng: np.random.Generator,
) -> Explored:
    """Find both factors near the minimum that the best of several starts leads to.

    Parameters
    ----------
    problem : Problem
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
    stream = problem.blocks
    assert isinstance(stream, Stream)
    sample: Array = stream.sample
    short = stream.order.size >= stream.n_samples  # the samples are the short side
    along = short is not stream.by_samples  # X is streamed along its long side
    small = restrict(_as_short(problem, along), Dense(sample if short else sample.T))
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


def _as_short(problem: Problem, along: bool) -> Problem:
    """Return the problem turned so that its long side is the long side of X."""
    if along:
        return problem
    return problem._replace(
        penalty=problem.penalty.turned, S_free=problem.L_free, L_free=problem.S_free
    )


def _descended(
    problem: Problem, along: bool, Q: Array, Z: Array, S: Array, L: Array | None
) -> tuple[Array, Array, bool]:
    sketch = _as_short(problem, along)._replace(blocks=Compressed(Q, Z), scale=1.0)
    long = np.zeros((S.shape[0], Z.shape[1]), Z.dtype) if L is None else L
    descent = Descent(sketch, S.copy(), long)
    reached = descend(descent, tol=_CORRECTED_TOL, max_iter=_CORRECTED_ROUNDS)
    return descent.S.old, descent.L.ahead, reached


def _onto_long(problem: Problem, rows: Array, along: bool) -> Array:
    """Multiply rows over the short side of X by X, in one pass and in the inner scale."""
    return project(problem, rows) if along else products_of(problem, rows).A


def _onto_short(problem: Problem, rows: Array, along: bool) -> Array:
    """Multiply rows over the long side of X by X, in one pass and in the inner scale."""
    return products_of(problem, rows).A if along else project(problem, rows)
