"""Non-negative matrix factorisation: from a matrix to certified factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array, RankOne
from ..matrices import products
from ..matrices.blocks import as_blocks
from ..matrices.streamed import Stream
from ..penalties.penalty import NONE, Penalty
from ..problem.problem import Problem
from ..problem.solution import Certificate, Solution, State
from ..problem.start import Start
from .block_update import penalty_of
from .dead_components import revive
from .finish import Finish, finish, unfinished
from .hals import Descent, Kept, descend
from .start import Route, begin

Watcher = Callable[[State], bool | None]


class Saved(NamedTuple):
    """All that a fit between two rounds needs to go on to the same end."""

    kept: Kept
    aim: float
    revived: tuple[int, ...]
    passes: float
    report: dict[str, Any]


class Keeper(Protocol):
    """Keeps the state of a fit somewhere, and has it again when the fit is repeated."""

    def recall(self) -> Saved | None:
        """Return what was kept of this fit; None where nothing was."""
        ...

    def is_due(self) -> bool:
        """Tell whether it is time to keep the state."""
        ...

    def keep(self, saved: Saved) -> None:
        """Keep a state in place of the one before."""
        ...


_TIGHTEN = 0.7
_SMALL = 1_000_000
_FLOORS = {np.dtype(np.float32): 1e-3}


def factorise_least_squares(
    X: Any,
    n_components: int,
    *,
    solver: str = "auto",
    init: str | Start = "auto",
    n_starts: int | str = "auto",
    tol: float = 1e-3,
    max_iter: int = 500,
    penalty: Penalty = NONE,
    weights: RankOne | None = None,
    held: Array | None = None,
    first: str = "W",
    rng: np.random.Generator,
    columns: Array | None = None,
    watch: Watcher | None = None,
    threads: int | None = None,
    keeper: Keeper | None = None,
) -> Solution:
    """Minimise ``|X - W @ H|^2 / 2`` plus penalties over W, H >= 0 (see `factorise.factorise`)."""
    if isinstance(X, Stream):
        init, watch = _in_order_of_parts(X, init, watch)
    free = np.ones(n_components, bool) if held is None else ~np.asarray(held, bool)
    norm2 = products.norm2(X, weights)
    if norm2 == 0.0:
        return _nothing_to_explain(X, n_components, init)
    dtype = X.dtype
    if isinstance(X, Stream):
        short = not X.by_samples
    else:
        short = X.shape[0] <= X.shape[1]
        X = X.astype(np.float64) if math.prod(X.shape) <= _SMALL else X  # noise-free, no slower
    with single_blas(), Crew(threads) as crew:
        problem = pose(X, norm2, penalty, weights, free, short=short, crew=crew)
        problem = problem._replace(floor_share=_FLOORS.get(dtype, 1e-6))
        route = Route(solver, init, n_starts, first, max_iter, short, columns)
        solution = _run(problem, n_components, route, tol=tol, rng=rng, watch=watch, keeper=keeper)
    H = _in_own_order(X, solution.H) if isinstance(X, Stream) else solution.H
    solution = solution._replace(norm2=norm2 if weights is None else None)
    return solution._replace(W=solution.W.astype(dtype, copy=False), H=H.astype(dtype, copy=False))


def pose(
    X: Any,
    norm2: float,
    penalty: Penalty,
    weights: RankOne | None,
    free: Array,
    *,
    short: bool,
    crew: Crew,
) -> Problem:
    """Turn a fit so that the short side of X comes first, and bring it to a scale near one."""
    row, column = (None, None) if weights is None else weights
    turned = X if short or isinstance(X, Stream) else X.T
    total = X.shape[0] * X.shape[1] if weights is None else float(row.sum() * column.sum())  # type: ignore[union-attr]
    rms = math.sqrt(norm2 / total)
    scale = 2.0 ** math.floor(math.log2(rms))
    everything, some = np.arange(free.size), np.flatnonzero(free)
    penalty = penalty.divided(scale)
    if not short:
        row, column, penalty = column, row, penalty.turned
    return Problem(
        as_blocks(turned), norm2 / scale**2, scale, rms / scale,
        penalty, everything if short else some, some if short else everything,
        None if row is None else np.asarray(row, X.dtype),
        None if column is None else np.asarray(column, X.dtype), crew, 1e-6,
    )  # fmt: skip


def _in_order_of_parts(
    stream: Stream, init: str | Start, watch: Watcher | None
) -> tuple[str | Start, Watcher | None]:
    """Bring given maps into the order of a stream's features, and back for a watcher."""
    if isinstance(init, Start) and init.H is not None:
        init = init._replace(H=init.H[:, stream.order])
    if watch is None:
        return init, None

    def watcher(state: State) -> bool | None:
        assert watch is not None
        return watch(state._replace(H=_in_own_order(stream, state.H)))

    return init, watcher


def _in_own_order(stream: Stream, H: Array) -> Array:
    if stream.by_samples:
        return H
    own = np.empty_like(H)
    own[:, stream.order] = H
    return own


def _run(
    problem: Problem,
    k: int,
    route: Route,
    *,
    tol: float,
    rng: np.random.Generator,
    watch: Watcher | None,
    keeper: Keeper | None,
) -> Solution:
    """Start, descend until the certificate holds, and turn the answer back."""
    descent, saved, seconds, cut_short = _begun_or_resumed(problem, k, route, tol, rng, keeper)
    max_iter = 1 if cut_short else route.max_iter
    watcher = _in_units(problem, route.signals_short, watch)
    state = "going"
    failure: OSError | None = None
    while state == "going":
        clock = perf_counter()
        keeping = None if keeper is None else partial(_keep_if_due, keeper, descent, saved)
        try:
            state = _descend(descent, saved.aim, max_iter, watcher, keeping)
            state = "interrupted" if cut_short else state
            seconds["iterations"] += perf_counter() - clock
            clock = perf_counter()
            if state == "interrupted" and isinstance(problem.blocks, Stream):
                end = unfinished(descent)  # who interrupts does not wait for further passes
                break
            end = finish(descent, signals_short=route.signals_short)
        except OSError as error:
            if not descent.losses:
                raise
            descent.recover()
            end, failure = unfinished(descent), error
            break
        except KeyboardInterrupt:
            descent.recover()
            end, state = unfinished(descent), "interrupted"
            break
        seconds["certificate"] += perf_counter() - clock
        if state == "going" and not saved.revived:
            revived = revive(descent)
            if revived.size:
                saved = saved._replace(revived=tuple(revived.tolist()))
                continue
        if end.certificate.residual <= tol:
            break
        saved = saved._replace(aim=saved.aim * _TIGHTEN)
    passes = saved.passes + len(descent.losses) + (0 if math.isnan(end.certificate.residual) else 2)
    report = {**saved.report, "passes": passes,
              "seconds": seconds, "revived": list(saved.revived)}  # fmt: skip
    answer = _answer(descent, end, route, tol, state == "interrupted", report)
    return answer._replace(failure=failure)


def _begun_or_resumed(
    problem: Problem,
    k: int,
    route: Route,
    tol: float,
    rng: np.random.Generator,
    keeper: Keeper | None,
) -> tuple[Descent, Saved, dict[str, float], bool]:
    """Return a descent, what is kept beside its state, seconds, and whether Ctrl-C cut it short."""
    saved = None if keeper is None else keeper.recall()
    cut_short = False
    if saved is None:
        begun = begin(problem, k, route, rng)
        descent, seconds = Descent(problem, begun.S, begun.L), dict(begun.seconds)
        saved = Saved(descent.state(), tol, (), begun.passes, dict(begun.report))
        cut_short = begun.cut_short
        if keeper is not None and not cut_short:
            keeper.keep(saved)
    else:
        descent, seconds = Descent.resumed(problem, saved.kept), {"start": 0.0}
    saved = saved._replace(kept=None)  # type: ignore[arg-type]
    return descent, saved, seconds | {"iterations": 0.0, "certificate": 0.0}, cut_short


def _keep_if_due(keeper: Keeper, descent: Descent, saved: Saved) -> None:
    if keeper.is_due():
        keeper.keep(saved._replace(kept=descent.state()))


def _descend(
    descent: Descent,
    aim: float,
    max_iter: int,
    watch: Callable[..., bool] | None,
    keeping: Callable[[], None] | None,
) -> str:
    def after_each(*seen: Any) -> bool:
        if keeping is not None:
            keeping()
        return watch is not None and watch(*seen)

    watching = None if watch is None and keeping is None else after_each
    try:
        reached = descend(descent, tol=aim, max_iter=max_iter, watch=watching, settle=True)
    except KeyboardInterrupt:
        descent.recover()
        return "interrupted"
    return "going" if reached else "ended"


def _in_units(
    problem: Problem, signals_short: bool, watch: Watcher | None
) -> Callable[..., bool] | None:
    if watch is None:
        return None

    def watcher(iteration: int, loss: float, residual: float, S: Array, L: Array) -> bool:
        W, H = _turn_back(problem, S, L, signals_short)
        return watch(State(iteration, loss * problem.scale**2, residual, W, H)) is True

    return watcher


def _turn_back(problem: Problem, S: Array, L: Array, signals_short: bool) -> tuple[Array, Array]:
    W, H = (S, L) if signals_short else (L, S)
    return np.ascontiguousarray(W.T) * W.dtype.type(problem.scale), H.copy()


def _answer(
    descent: Descent,
    end: Finish,
    route: Route,
    tol: float,
    interrupted: bool,
    report: dict[str, object],
) -> Solution:
    scale = descent.problem.scale
    W, H = _turn_back(descent.problem, descent.S.ahead, descent.L.ahead, route.signals_short)
    losses = np.array(descent.losses or [end.loss]) * scale**2
    losses[-1] = end.loss * scale**2
    converged = end.certificate.residual <= tol and not interrupted
    problem, misfit = descent.problem, None
    exact = problem.at_hand and end.loss > 0.5 * problem.floor**2  # else rounding of W, H counts
    if exact or (interrupted and isinstance(problem.blocks, Stream)):  # which is not read again
        penalty = penalty_of(problem, descent.S.ahead, descent.L.ahead)
        misfit = math.sqrt(2 * (end.loss - penalty)) * scale
    return Solution(
        W, H, losses, len(descent.losses), converged, interrupted, end.certificate, report,
        misfit=misfit,
    )  # fmt: skip


def _nothing_to_explain(X: Any, k: int, init: str | Start) -> Solution:
    """Answer all-zero data: signals of zero explain it exactly."""
    n, p = X.shape
    given = init.H if isinstance(init, Start) else None
    H = np.zeros((k, p), X.dtype) if given is None else np.array(given, X.dtype)
    certificate = Certificate(0.0, 0.0, 0.0, 0.0)
    report: dict[str, object] = {"route": "none", "passes": 1, "starts": 0, "seconds": {}}
    return Solution(np.zeros((n, k), X.dtype), H, np.zeros(1), 0, True, False, certificate, report)
