"""From what was asked to a pair of factors to descend from."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

import numpy as np

from ..compression.range_finder import find_range
from ..compute.types import Array
from ..penalties.penalty import NONE
from ..problem.oriented import Oriented, products_of
from ..problem.start import Start
from ..problem.stopping import Enter, untold
from .block_update import UNTIL_FLAT, Side, begin_long, solve_short, visit
from .initialisation import draw_random, fill_zeros, mix_samples, nndsvd
from .multistart import Interrupted, explore, pays
from .streamed_multistart import explore_stream

# Directions beside the components: NNDSVD uses the leading ones alone. With two and with ten,
# twelve fits of four recordings end within 5e-4 of the same losses.
_SPARE = 5


class Asked(NamedTuple):
    """A start as it is asked for, which way X was turned, and the order that sampling follows.

    `enter` is told the phases.
    """

    start: Start
    signals_short: bool
    columns: Array | None
    enter: Enter = untold

    @property
    def gives_short(self) -> bool:
        """Whether the start is the short factor: the one that is not solved first."""
        return (self.start.first == "H") == self.signals_short


class Begun(NamedTuple):
    """Factors to descend from, what they cost, and whether Ctrl-C cut the starts short."""

    S: Array
    L: Array
    passes: float
    seconds: dict[str, float]
    report: dict[str, object]
    cut_short: bool = False


def begin(problem: Oriented, k: int, asked: Asked, rng: np.random.Generator) -> Begun:
    """Find factors to descend from: given, by name, or the best of several on a sketch.

    Parameters
    ----------
    problem : Oriented
        Data.
    k : int
        Components.
    asked : Asked
        What was asked.
    rng : Generator
        Random numbers.

    Returns
    -------
    Begun
        Both factors, and a report of the route.
    """
    clock, start = perf_counter(), asked.start
    asked.enter("starts")
    if start.given:
        S, L, passes = _warm(problem, k, asked, rng)
        return _begun(S, L, passes, clock, "warm")
    if not pays(problem, start):
        S, L, passes = _named(problem, k, asked, rng)
        return _begun(S, L, passes, clock, "hals", starts=1)
    if problem.matrix.read_anew:
        best = explore_stream(
            problem, k, init=start.name, n_starts=start.n_starts, rng=rng, enter=asked.enter
        )
        return _begun(best.S, best.L, best.passes, clock, "stream", **best.report)
    try:
        best = explore(
            problem, k, init=start.name, n_starts=start.n_starts, columns=asked.columns,
            rng=rng, short=asked.signals_short, enter=asked.enter,
        )  # fmt: skip
    except Interrupted as cut:
        begun = _begun(cut.S, begin_long(problem, cut.S), 0.0, clock, "sketch")
        return begun._replace(cut_short=True)
    return _begun(best.S, best.L, best.passes, clock, "sketch", **best.report)


def _begun(S: Array, L: Array, passes: float, clock: float, name: str, **report: object) -> Begun:
    seconds = {"start": perf_counter() - clock}
    return Begun(S, L, passes, seconds, {"route": name, **report})


def _named(
    problem: Oriented, k: int, asked: Asked, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    short = asked.signals_short
    if asked.start.name == "random":
        draw = draw_random if asked.gives_short == short else mix_samples
        given = draw(problem, k, rng, short=short)
        S, L = (given, None) if asked.gives_short else (None, given)
        return (*_complete(problem, S, L), 0.5)
    found = find_range(problem, k + _SPARE, rng, short=short)
    S, L = nndsvd(found, k)
    variant = asked.start.name
    if asked.gives_short:
        S = fill_zeros(S, variant=variant, rng=rng, samples=short)
        return (*_complete(problem, S, None), found.passes)
    L = fill_zeros(L, variant=variant, rng=rng, samples=not short)
    return (*_complete(problem, None, L), found.passes + 0.5)


def _warm(
    problem: Oriented, k: int, asked: Asked, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    """Take factors as given, signals brought to the inner scale; what is missing is solved."""
    dtype, start = problem.matrix.dtype, asked.start
    W = None if start.W is None else (start.W.T / problem.scale).astype(dtype)
    H = None if start.H is None else np.array(start.H, dtype, order="C")
    S, L = (W, H) if asked.signals_short else (H, W)
    both = S is not None and L is not None
    count = max(len(factor) for factor in (S, L) if factor is not None)
    given = _first_components(problem, count)
    if S is not None and L is not None:
        S, L = np.ascontiguousarray(S), np.ascontiguousarray(L)
    else:
        S, L = _complete(given, S, L)
    if S.shape[0] == k:
        return S, L, 0.0 if both else 0.5
    visit(given._replace(penalty=NONE), S, side := Side(L), UNTIL_FLAT)
    return _followed(problem, k, S, side.ahead, asked, rng)


def _first_components(problem: Oriented, count: int) -> Oriented:
    """Return the problem of the first components alone."""
    S_free, L_free = problem.S_free, problem.L_free
    return problem._replace(S_free=S_free[S_free < count], L_free=L_free[L_free < count])


def _followed(
    problem: Oriented, k: int, S: Array, L: Array, asked: Asked, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    """Let new components follow the given ones, started on what those leave over."""
    rest = asked.start.name
    short, missing, dtype = asked.signals_short, k - S.shape[0], problem.matrix.dtype
    if rest == "random":
        drawn = draw_random(problem, missing, rng, short=short)
        mixed = mix_samples(problem, missing, rng, short=short)
        new_S, new_L = (drawn, mixed) if short else (mixed, drawn)
        passes = 1.0
    else:
        found = find_range(problem, k + _SPARE, rng, short=short)
        left = found._replace(Z=(found.Z - (found.Q.T @ S.T) @ L).astype(dtype))
        new_S, new_L = nndsvd(left, missing)
        new_S = fill_zeros(new_S, variant=rest, rng=rng, samples=short)
        new_L = fill_zeros(new_L, variant=rest, rng=rng, samples=not short)
        passes = found.passes
    S, L = np.concatenate([S, new_S]), np.concatenate([L, new_L])
    return S.astype(dtype), L.astype(dtype), passes + 1.0


def _complete(problem: Oriented, S: Array | None, L: Array | None) -> tuple[Array, Array]:
    """Solve the factor that is missing, without penalty: one that starts at zero would stay."""
    if S is None:
        assert L is not None
        plain = problem._replace(penalty=NONE)
        L = np.ascontiguousarray(L)
        empty = Side(np.zeros((L.shape[0], problem.matrix.shape[0]), L.dtype))
        solve_short(plain, empty, products_of(problem, L), L, UNTIL_FLAT)
        return empty.ahead, L
    S = np.ascontiguousarray(S)
    return S, begin_long(problem, S)
