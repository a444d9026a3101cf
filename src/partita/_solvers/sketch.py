"""Several starts on a sketch of X, solved small, the best handed on for polish.

X ~ Q @ Z costs a few passes; a round on Z costs r / n of one on X, and on a sample of its columns
less again, so that several starts, which end in different minima, are nearly free.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from .hals import Descent, descend
from .matrices import Compressed, Sparse
from .objective import Array, Penalty, Start
from .problem import Problem, Side, Sweeps, visit
from .starts import Range, draw_within, fill_zeros, find_range, nndsvd
from .threads import Crew

_WORTH_ENTRIES = 100_000
_STARTS = 6
_SAMPLE, _SAMPLE_ROUNDS = 4096, 60
_FINALISTS, _SAME_MINIMUM = 3, 8e-6
_SKETCH_ROUNDS, _SKETCH_TOL = 20, 1e-3
_TRIALS, _TRIAL_ROUNDS = 2, 2


class Explored(NamedTuple):
    """The short factor of the best start, and what finding it took."""

    S: Array
    passes: float
    report: dict[str, object]


def pays(problem: Problem, k: int, solver: str, init: str | Start, n_starts: int | str) -> bool:
    """Say whether a sketch is asked for or, left to us, worth its making."""
    if solver != "auto":
        return solver == "sketch"
    if isinstance(n_starts, int) and n_starts > 1:
        return True
    n, p = problem.blocks.shape
    large = n * p >= _WORTH_ENTRIES and _rank(problem, k) >= 2 * k
    return init == "auto" and large and not isinstance(problem.blocks, Sparse)


def explore(
    problem: Problem,
    k: int,
    *,
    init: str,
    n_starts: int | str,
    columns: Array | None,
    rng: np.random.Generator,
    short: bool,
) -> Explored:
    """Rank several starts on a sample of a sketch, and solve the best on all of it.

    Parameters
    ----------
    problem : Problem
        Data.
    k : int
        Components.
    init : str
        The first start, by name; the others are random.
    n_starts : int or "auto"
        Starts in all.
    columns : ndarray of int, (p,), optional
        The order of the features which sampling follows.
    rng : Generator
        Random numbers.
    short : bool
        Whether the samples are the short side.

    Returns
    -------
    Explored
        The short factor to polish on X.
    """
    found = find_range(problem, max(_rank(problem, k), k + 1), rng, short=short)
    n_starts = _STARTS if n_starts == "auto" else int(n_starts)
    starts = [_first(found, k, init, rng, short)]
    starts += [draw_within(found, k, rng, short=short) for _ in range(n_starts - 1)]
    chosen = _sample(problem, columns if short else None, rng)
    finalists = _race(_restrict(problem, found, chosen), starts, problem.crew)
    whole = _restrict(problem, found, None)
    ends = _rank_by_loss([_settle(whole, S, rounds=_SKETCH_ROUNDS) for S in finalists])[:_TRIALS]
    trials = (
        ends if len(ends) == 1 else [_settle(problem, end.S, rounds=_TRIAL_ROUNDS) for end in ends]
    )
    passes = found.passes + (0 if len(ends) == 1 else _TRIAL_ROUNDS * len(ends))
    report = {"starts": n_starts, "rank": found.Q.shape[1], "finalists": len(finalists)}
    return Explored(_rank_by_loss(trials)[0].S, passes, report)


class _Settled(NamedTuple):
    loss: float
    S: Array


def _race(problem: Problem, starts: list[Array], crew: Crew) -> list[Array]:
    """Run all starts on the sample and give the best few that end in different minima."""
    run = partial(_settle, problem, rounds=_SAMPLE_ROUNDS)
    ends = _rank_by_loss(crew.map(run, starts))
    chosen = ends[:1]
    for end in ends[1:]:
        if end.loss > chosen[-1].loss * (1 + _SAME_MINIMUM):
            chosen.append(end)
    return [end.S for end in chosen[:_FINALISTS]]


def _rank_by_loss(ends: list[_Settled]) -> list[_Settled]:
    return sorted(ends, key=lambda end: end.loss)


def _rank(problem: Problem, k: int) -> int:
    """Return the rank of the sketch: all of a short side that would hardly shrink."""
    n, p = problem.blocks.shape
    wanted = 4 * (k + 10)
    return n if n <= 2 * wanted else min(wanted, p)


def _first(found: Range, k: int, init: str, rng: np.random.Generator, short: bool) -> Array:
    if init == "random":
        return draw_within(found, k, rng, short=short)
    return fill_zeros(nndsvd(found, k)[0], variant=init, rng=rng, samples=short)


def _sample(problem: Problem, columns: Array | None, rng: np.random.Generator) -> Array | None:
    p = problem.blocks.shape[1]
    if p <= 2 * _SAMPLE:
        return None
    drawn = rng.choice(p, _SAMPLE, replace=False)
    return np.asarray(drawn if columns is None else columns[drawn])


def _restrict(problem: Problem, found: Range, chosen: Array | None) -> Problem:
    """Pose the fit on the sketch, or on some of its columns, with the energy that X has there."""
    missing = max(problem.norm2 - _norm2(found.Z), 0.0)
    if chosen is None:
        blocks, weights, crew = Compressed(found.Q, found.Z), problem.L_weights, problem.crew
    else:
        part = np.ascontiguousarray(found.Z[:, chosen])
        blocks, crew = Compressed(found.Q, part), Crew(1)
        weights = None if problem.L_weights is None else problem.L_weights[chosen]
    share = blocks.Z.shape[1] / found.Z.shape[1]
    norm2 = _norm2(blocks.Z) + missing * share
    return problem._replace(blocks=blocks, norm2=norm2, scale=1.0, L_weights=weights, crew=crew)


def _norm2(Z: Array) -> float:
    return float(np.einsum("ij,ij->", Z, Z, dtype=np.float64))


def _settle(problem: Problem, S: Array, *, rounds: int) -> _Settled:
    descent = _descent(problem, S)
    descend(descent, tol=_SKETCH_TOL, max_iter=rounds)
    return _Settled(descent.losses[-1], descent.S.old)


def _descent(problem: Problem, S: Array) -> Descent:
    L = np.zeros((S.shape[0], problem.blocks.shape[1]), S.dtype)
    if problem.penalty.active:
        plain = problem._replace(penalty=Penalty())
        side = Side(L)
        visit(plain, S, side, Sweeps(most=20, gather=False))
        L = side.ahead
    return Descent(problem, S.copy(), L)
