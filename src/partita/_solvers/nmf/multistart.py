"""Several starts on a sketch of X, solved small, the best handed on for polish.

X ~ Q @ Z costs a few passes; a round on Z costs r / n of one on X, and on a sample of its columns
less again, so that several starts, which end in different minima, are nearly free. What the best
of them ends in is then corrected: the sketch, widened by what X does at that point, has the
gradient of X there, so that the rounds still missing are made on it as well. Where the sketch is
hardly smaller than X, what it leaves out decides which minimum is found: there the starts are made
on samples of X itself, one or two, the second larger.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ..compression.range_finder import Range, find_range
from ..compute.threads import Crew
from ..compute.types import Array
from ..matrices import survey
from ..problem.oriented import Oriented, energy, restricted
from ..problem.start import Start
from ..problem.stopping import Enter, untold
from .block_update import begin_long
from .initialisation import average_columns, fill_zeros, nndsvd
from .sketch import LongSide, Settled, Sketch, settle

# Of X; below, eight starts take many times as long as one, and two half as long again. Of five to
# seven parts of 600 samples of 13 muscles one start ended up to 18 % above the best in 5 of 12
# fits, two in none.
_MANY_ENTRIES, _FEW = 100_000, 2
# The times and losses below are of recordings of benchmarks/recordings.py, of other seeds than
# RESULTS.md reports. Starts on a sketch, and the most of those raced that are tried further:
MOST = 8
# On samples of X itself four starts to sixteen, by the share of the sample: minima are many
# there, and of a set of fMRI-like data the best was the end of two starts in 27.
_FEWEST, _RACE = 4, 0.85
# Columns that starts are tried on, and those of the first of two samples.
SMALLER, _FIRST = 3072, 4096
# Rounds there. They only bring starts near their minima: which of these is low on a sample, after
# twice as many, says less of all columns, and of eight starts on fUSI-like data fewer end well.
_SAMPLE_ROUNDS = 25
ROUNDS = 60
"""Where a start is led to its end: with half of them a few more passes over X follow."""

LARGER = survey.SAMPLE
"""Columns of the second sample, which would be half of X: there one sample is enough."""

# On all columns of a sketch, or on the larger sample, every start goes on for some rounds and the
# best of them for some more: where maps are small, as of cells, a sample of the columns ranks
# starts wrongly, and a few rounds on all of them do not yet rank them either. Twice the rounds, and
# three in place of two, end alike (25 fits of 14 recordings) and take a sixth longer; two rounds of
# all, three of half and 15 of two take a quarter fewer, and one of 30 fits ends 1.6e-3 higher.
_TRIED_ROUNDS, _BEST, _BEST_ROUNDS = 5, 2, 20
_SAME_MINIMUM = 8e-6  # of a loss; half and twice as much end alike
# Of them tried on X: one saves a tenth of the passes, four chose no better. Rounds there, from a
# sketch (four cost a fifth more passes and chose no better), or from a sample of X where there are
# several (six cost a tenth more).
_TRIED_ON_X, _TRIAL_ROUNDS, _LONG_TRIAL_ROUNDS = 2, 2, 3
# How many times smaller than X a sketch must be, lest what it leaves out decide where starts lead.
# Where ten is asked for, ten parts of 500 rows are begun on a sample: half as many passes again.
LEAST_GAIN = 5
SPARE = 10
"""Directions beside the components, as usual (Halko, Martinsson & Tropp 2011)."""


class Explored(NamedTuple):
    """Both factors that the best start led to, and what finding them took."""

    S: Array
    L: Array
    passes: float
    starts: int
    rank: int

    @property
    def report(self) -> dict[str, object]:
        """What a fit reports of it."""
        return {"starts": self.starts, "rank": self.rank}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while starts were tried; `S` is the short factor that the best had led to so far."""

    def __init__(self, S: Array) -> None:
        super().__init__()
        self.S = S


def pays(problem: Oriented, start: Start) -> bool:
    """Say whether a sketch is asked for or, left to us, worth its making."""
    if start.sketch is not None:
        return start.sketch
    if start.n_starts != "auto" and int(start.n_starts) > 1:
        return True
    if start.name != "auto":
        return False
    # Where X is small, several starts need no smaller stand-in for it.
    return not problem.matrix.compact if _is_large(problem) else start.n_starts == "auto"


def _is_large(problem: Oriented) -> bool:
    return math.prod(problem.matrix.shape) >= _MANY_ENTRIES


def explore(
    problem: Oriented,
    k: int,
    *,
    init: str,
    n_starts: int | str,
    columns: Array | None,
    rng: np.random.Generator,
    short: bool,
    enter: Enter = untold,
) -> Explored:
    """Rank several starts, and take the best near the minimum that it leads to.

    More than are tried by default are tried in groups of as many, the first of which is the
    default; where each leads is followed on X itself, so that more starts never end higher.

    Parameters
    ----------
    problem : Oriented
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
    enter : callable
        Called with each phase as it begins.

    Returns
    -------
    Explored
        The factors to polish on X.
    """
    on_sketch = _compresses(problem, k)
    route = _on_sketch if on_sketch else _on_samples
    most = MOST if on_sketch else _affordable(problem)
    usual = most if _is_large(problem) else _FEW
    left = usual if n_starts == "auto" else int(n_starts)
    task = _Task(problem, k, init, columns if short else None, rng, short, enter)
    best = route(task, min(left, most))
    if left <= most:
        return best
    end, passes, rank = settle(problem, best.S, best.L, rounds=ROUNDS), best.passes, best.rank
    passes += end.rounds
    for done in range(most, left, most):
        with _keeping(end.S):
            enter("starts")
            best = route(task._replace(init="random"), min(left - done, most))
            other = settle(problem, best.S, best.L, rounds=ROUNDS)
        passes += best.passes + other.rounds
        end = min(end, other, key=_loss)
    return Explored(end.S, end.L, passes, left, rank)


class _Task(NamedTuple):
    """What starts are wanted of."""

    problem: Oriented
    k: int
    init: str
    columns: Array | None
    rng: np.random.Generator
    short: bool
    enter: Enter = untold


@contextmanager
def _keeping(S: Array) -> Iterator[None]:
    """Hand a short factor on where Ctrl-C ends what goes on from there."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(S) from interrupt


def _starts(task: _Task, problem: Oriented, count: int, rank: int) -> tuple[list[Array], Range]:
    """Return short factors to start from, the first by name, and the directions they lie in."""
    _, k, init, columns, rng, short, _ = task
    found = find_range(problem, rank, rng, short=short)
    columns = columns if problem is task.problem else None
    starts = [average_columns(found, k, rng, columns) for _ in range(count)]
    if init != "random":
        starts[0] = fill_zeros(nndsvd(found, k)[0], variant=init, rng=rng, samples=short)
    return starts, found


def _on_sketch(task: _Task, count: int) -> Explored:
    """Race on some columns of the sketch, go on on all of it, and correct it."""
    problem, k = task.problem, task.k
    sample = _sample(task, SMALLER)
    starts, found = _starts(task, problem, count, ample(k))
    sketch, passes = Sketch(LongSide(problem), found.Q, found.Z), found.passes
    posed = sketch.posed()
    if sample is not None:  # which has its share of what the sketch leaves out
        posed = sketch.posed(left_out2=max(problem.norm2 - energy(posed), 0.0))
    ends = _race(
        _restrict(posed, sample), starts, problem.crew, ROUNDS if sample is None else _SAMPLE_ROUNDS
    )
    with _keeping(ends[0].S):
        ends = (ends if sample is None else _narrowed(posed, ends))[:_TRIED_ON_X]
        best = _best_of(problem, [(end.S, end.L) for end in ends], _TRIAL_ROUNDS)
        task.enter("sketch")
        best, corrections = sketch.corrected(best)
    passes += _TRIAL_ROUNDS * len(ends) + corrections
    return Explored(best.S, best.L, passes, count, sketch.Q.shape[1])


def _on_samples(task: _Task, count: int) -> Explored:
    """Race on some columns of X itself, and try the best on more of them or on all."""
    problem = task.problem
    twice = problem.matrix.shape[1] > 2 * LARGER
    sample, larger = _sample(task, _FIRST if twice else SMALLER), _sample(task, LARGER)
    small = _restrict(problem, sample)
    starts, found = _starts(task, small, count, 2 * task.k + SPARE)
    passes, rank = found.passes, found.Q.shape[1]
    del found  # as large as several factors
    ends = _race(small, starts, problem.crew, _SAMPLE_ROUNDS if twice else ROUNDS)
    if sample is None:
        best = ends[0]
        return Explored(best.S, best.L, passes + sum(end.rounds for end in ends), count, rank)
    del small  # a copy of the sample
    with _keeping(ends[0].S):
        if twice:
            more = _restrict(problem, larger)._replace(crew=problem.crew)
            best = _narrowed(more, ends)[0]
            if not best.reached:
                best = settle(more, best.S, best.L, rounds=ROUNDS - best.rounds)
            return Explored(best.S, begin_long(problem, best.S), 0.0, count, rank)
        finalists = _different(ends)[:_TRIED_ON_X]
        rounds = _LONG_TRIAL_ROUNDS if len(finalists) > 1 else 1
        best = _best_of(problem, [(end.S, None) for end in finalists], rounds)
        return Explored(best.S, best.L, rounds * len(finalists), count, rank)


def _race(problem: Oriented, starts: list[Array], crew: Crew, rounds: int) -> list[Settled]:
    """Run all starts for so many rounds, or to where they lead; the best comes first."""
    ended: list[Settled] = []

    def run(S: Array) -> Settled:
        end = settle(problem, S, rounds=rounds)
        ended.append(end)
        return end

    try:
        return _rank_by_loss(crew.map(run, starts))
    except KeyboardInterrupt as interrupt:
        raise Interrupted(_rank_by_loss(ended)[0].S if ended else starts[0]) from interrupt


def _narrowed(problem: Oriented, ends: list[Settled]) -> list[Settled]:
    """Go on from these on more columns, and from the best of them for longer; the best first."""
    tried = [settle(problem, end.S, rounds=_TRIED_ROUNDS) for end in ends[:MOST]]
    best = _different(_rank_by_loss(tried))[:_BEST]
    gone_on = [settle(problem, end.S, end.L, rounds=_BEST_ROUNDS) for end in best]
    return _different(_rank_by_loss(gone_on))


def _different(ends: list[Settled]) -> list[Settled]:
    """Return, of those that ended in one minimum, the best."""
    chosen = ends[:1]
    for end in ends[1:]:
        if end.loss > chosen[-1].loss * (1 + _SAME_MINIMUM):
            chosen.append(end)
    return chosen


def _best_of(problem: Oriented, ends: Sequence[tuple[Array, Array | None]], rounds: int) -> Settled:
    """Go on from each for some rounds on X itself; no more than two long factors are held."""
    best: Settled | None = None
    for S, L in ends:
        settled = settle(problem, S, L, rounds=rounds)
        best = settled if best is None or settled.loss < best.loss else best
    assert best is not None
    return best


def _rank_by_loss(ends: list[Settled]) -> list[Settled]:
    return sorted(ends, key=_loss)


def _loss(end: Settled) -> float:
    return end.loss


def _affordable(problem: Oriented) -> int:
    """Return how many starts cost little beside a fit on X, when raced on samples of it."""
    p = problem.matrix.shape[1]
    size = _FIRST if p > 2 * LARGER else SMALLER
    return int(np.clip(_RACE * (p / size if p > 2 * size else 1), _FEWEST, 2 * MOST))


def ample(k: int) -> int:
    """Return the rank of a sketch on which k parts are solved with little bias."""
    return 4 * (k + SPARE)


def _compresses(problem: Oriented, k: int) -> bool:
    """Say whether the sketch is so much smaller than X that solving on it is worth its bias."""
    n, p = problem.matrix.shape
    return LEAST_GAIN * ample(k) <= n and ample(k) <= p


def _sample(task: _Task, size: int) -> Array | None:
    """Draw some of the columns, evenly along their order; none where they would be most of them.

    Neighbours are alike: so drawn, every map has its share, however small it is.
    """
    p = task.problem.matrix.shape[1]
    if p <= 2 * size:
        return None
    drawn = ((np.arange(size) + task.rng.random(size)) * (p / size)).astype(np.intp)
    return np.asarray(drawn if task.columns is None else task.columns[drawn])


def _restrict(problem: Oriented, chosen: Array | None) -> Oriented:
    """Pose the fit on some of the columns."""
    if chosen is None:
        return problem
    weights = None if problem.L_weights is None else problem.L_weights[chosen]
    share = chosen.size / problem.matrix.shape[1]
    return restricted(problem, problem.matrix.take(chosen), share=share, weights=weights)
