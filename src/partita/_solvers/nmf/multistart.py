"""Several starts on a sketch of X, solved small, the best handed on for polish.

X ~ Q @ Z costs a few passes; a round on Z costs r / n of one on X, and on a sample of its columns
less again, so that several starts, which end in different minima, are nearly free. What the best
of them ends in is then corrected: the sketch, widened by what X does at that point, has the
gradient of X there, so that the rounds still missing are made on it as well. Where the sketch is
hardly smaller than X, what it leaves out decides which minimum is found: there the starts are made
on samples of X itself, one or two, the second larger.
"""

from __future__ import annotations

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
from .block_update import begin_long
from .initialisation import draw_within, fill_zeros, nndsvd
from .sketch import LongSide, Settled, Sketch, settle

# The times and losses below are of recordings of benchmarks/recordings.py, cut to about half, two
# seeds each: fUSI-like with ten parts (on the sketch) and thirty (on a sample), fMRI-like (on two).
_WORTH_ENTRIES = 100_000  # of X; below, one start on X takes as long as looking for a better one
# Starts. When four went on from the sketch, two of twenty seeds of the fUSI-like set ended 3.4e-4
# higher; sixteen take half as long again and end no lower.
MOST = 8
# On a sample of X itself four starts to eight, by its share of X: twice as many take half as long
# again and end no lower.
_FEWEST, _RACE = 4, 0.7
# Columns that starts are tried on. With half of them thirty parts ended 1e-4 higher; with twice as
# many they ended 1e-4 lower, and a fit of ten parts took twice as long.
SAMPLE = 3072
ROUNDS = 60
"""On a sample: with half of them a few more passes over X follow, twice as many change nothing."""

# Where there are columns enough for two samples: columns of the first, where half and twice as many
# end alike, and rounds there (half save a fifth of the time; where minima are many they misrank).
_FIRST, _FIRST_ROUNDS = 4096, 50
LARGER = survey.SAMPLE
"""Columns of the second sample, which would be half of X: there one sample is enough."""

_TRIED_ON_LARGER, _LARGER_TRIAL_ROUNDS = 4, 10  # half save a fifth and a tenth of the time
_SAME_MINIMUM = 8e-6  # of a loss; half and twice as much end alike
# Finalists settled on the whole sketch, and rounds there: two, or five rounds, leave 3 to 6 % more
# passes to do; twenty rounds chose no better.
_SETTLED, _SKETCH_ROUNDS = 3, 10
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
    report: dict[str, object]


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
    n, p = problem.matrix.shape
    return start.name == "auto" and n * p >= _WORTH_ENTRIES and not problem.matrix.compact


def explore(
    problem: Oriented,
    k: int,
    *,
    init: str,
    n_starts: int | str,
    columns: Array | None,
    rng: np.random.Generator,
    short: bool,
) -> Explored:
    """Rank several starts on a sample, and take the best near the minimum that it leads to.

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

    Returns
    -------
    Explored
        The factors to polish on X.
    """
    route = _on_sketch if _compresses(problem, k) else _on_samples
    return route(problem, k, init, n_starts, columns if short else None, rng, short)


@contextmanager
def _keeping(S: Array) -> Iterator[None]:
    """Hand a short factor on where Ctrl-C ends what goes on from there."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(S) from interrupt


def _starts(
    problem: Oriented,
    k: int,
    init: str,
    count: int,
    rank: int,
    rng: np.random.Generator,
    short: bool,
) -> tuple[list[Array], Range]:
    """Return short factors to start from, one by name and the others random, and directions."""
    found = find_range(problem, rank, rng, short=short)
    others = [draw_within(found, k, rng, short=short) for _ in range(count - 1)]
    return [_first(found, k, init, rng, short), *others], found


def _on_sketch(
    problem: Oriented,
    k: int,
    init: str,
    n_starts: int | str,
    columns: Array | None,
    rng: np.random.Generator,
    short: bool,
) -> Explored:
    """Race on some columns of the sketch, settle on all of it, and correct it."""
    sample = _sample(problem, SAMPLE, columns, rng)
    count = MOST if n_starts == "auto" else int(n_starts)
    starts, found = _starts(problem, k, init, count, ample(k), rng, short)
    sketch, passes = Sketch(LongSide(problem), found.Q, found.Z, k), found.passes
    del found  # as large as several factors
    posed = sketch.posed()
    if sample is not None:  # which has its share of what the sketch leaves out
        posed = sketch.posed(left_out2=max(problem.norm2 - energy(posed), 0.0))
    finalists = _different(_race(_restrict(posed, sample), starts, problem.crew, ROUNDS))
    with _keeping(finalists[0].S):
        ends = [settle(posed, end.S, rounds=_SKETCH_ROUNDS) for end in finalists[:_SETTLED]]
        ends = _rank_by_loss(ends)[:_TRIED_ON_X]
        best = _best_of(problem, [(end.S, end.L) for end in ends], _TRIAL_ROUNDS)
        best, corrections = sketch.corrected(best)
    passes += _TRIAL_ROUNDS * len(ends) + corrections
    return Explored(best.S, best.L, passes, {"starts": count, "rank": sketch.Q.shape[1]})


def _on_samples(
    problem: Oriented,
    k: int,
    init: str,
    n_starts: int | str,
    columns: Array | None,
    rng: np.random.Generator,
    short: bool,
) -> Explored:
    """Race on some columns of X itself, and try the best on more of them or on all."""
    twice = problem.matrix.shape[1] > 2 * LARGER
    sample = _sample(problem, _FIRST if twice else SAMPLE, columns, rng)
    small = _restrict(problem, sample)
    share = small.matrix.shape[1] / problem.matrix.shape[1]
    count = int(np.clip(_RACE / share, _FEWEST, MOST)) if n_starts == "auto" else int(n_starts)
    starts, found = _starts(small, k, init, count, 2 * k + SPARE, rng, short)
    report: dict[str, object] = {"starts": count, "rank": found.Q.shape[1]}
    passes = found.passes
    del found  # as large as several factors
    ends = _race(small, starts, problem.crew, _FIRST_ROUNDS if twice else ROUNDS)
    if sample is None:
        best = ends[0]
        return Explored(best.S, best.L, passes + sum(end.rounds for end in ends), report)
    finalists = [end.S for end in _different(ends)]
    del small, ends  # a copy of the sample
    with _keeping(finalists[0]):
        if twice:
            larger = _sample(problem, LARGER, columns, rng)
            finalists = finalists[:_TRIED_ON_LARGER]
            S = _refined(_restrict(problem, larger), finalists, problem.crew)
            return Explored(S, begin_long(problem, S), 0.0, report)
        finalists = finalists[:_TRIED_ON_X]
        rounds = _LONG_TRIAL_ROUNDS if len(finalists) > 1 else 1
        best = _best_of(problem, [(S, None) for S in finalists], rounds)
        return Explored(best.S, best.L, rounds * len(finalists), report)


def _race(problem: Oriented, starts: list[Array], crew: Crew, rounds: int) -> list[Settled]:
    """Run all starts to where they lead; the best comes first.

    How good a start looks on the way tells nothing of that: after twenty rounds the rank
    correlation with the end is near zero.
    """
    ended: list[Settled] = []

    def run(S: Array) -> Settled:
        end = settle(problem, S, rounds=rounds)
        ended.append(end)
        return end

    try:
        return _rank_by_loss(crew.map(run, starts))
    except KeyboardInterrupt as interrupt:
        raise Interrupted(_rank_by_loss(ended)[0].S if ended else starts[0]) from interrupt


def _refined(problem: Oriented, finalists: list[Array], crew: Crew) -> Array:
    """Try all on a larger sample, and return where the best of them leads there."""
    ends = crew.map(lambda S: settle(problem, S, rounds=_LARGER_TRIAL_ROUNDS), finalists)
    best = _rank_by_loss(ends)[0]
    if best.reached:
        return best.S
    rounds = ROUNDS - best.rounds
    return settle(problem._replace(crew=crew), best.S, best.L, rounds=rounds).S


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
    return sorted(ends, key=lambda end: end.loss)


def ample(k: int) -> int:
    """Return the rank of a sketch on which k parts are solved with little bias."""
    return 4 * (k + SPARE)


def _compresses(problem: Oriented, k: int) -> bool:
    """Say whether the sketch is so much smaller than X that solving on it is worth its bias."""
    n, p = problem.matrix.shape
    return LEAST_GAIN * ample(k) <= n and ample(k) <= p


def _first(found: Range, k: int, init: str, rng: np.random.Generator, short: bool) -> Array:
    if init == "random":
        return draw_within(found, k, rng, short=short)
    return fill_zeros(nndsvd(found, k)[0], variant=init, rng=rng, samples=short)


def _sample(
    problem: Oriented, size: int, columns: Array | None, rng: np.random.Generator
) -> Array | None:
    """Draw some of the columns; none where they would be most of them."""
    p = problem.matrix.shape[1]
    if p <= 2 * size:
        return None
    drawn = rng.choice(p, size, replace=False)
    return np.asarray(drawn if columns is None else columns[drawn])


def _restrict(problem: Oriented, chosen: Array | None) -> Oriented:
    """Pose the fit on some of the columns."""
    if chosen is None:
        return problem
    weights = None if problem.L_weights is None else problem.L_weights[chosen]
    share = chosen.size / problem.matrix.shape[1]
    return restricted(problem, problem.matrix.take(chosen), share=share, weights=weights)
