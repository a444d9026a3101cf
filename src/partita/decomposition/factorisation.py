"""Calls of the solvers of NMF: what is posed, solved for and measured, in memory or streamed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from partita._solvers import peak_memory
from partita._solvers.factorise import factorise
from partita._solvers.matrices import products
from partita._solvers.matrices.streamed import threads_here
from partita._solvers.optimality import reconstruction_error
from partita._solvers.peak_memory import Budget, Size
from partita._solvers.penalties.penalty import Penalty, Separable, Together, for_unit_maps
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.solution import Solution
from partita._solvers.problem.stopping import Stopping
from partita._solvers.signals import solve_signals
from partita.decomposition._base import Array, Seen
from partita.decomposition.parameters import Objective
from partita.decomposition.warm_start import Given


class Settings(NamedTuple):
    """How a factorisation is looked for, and when it ends (see `NMF`)."""

    n_components: int
    first: str
    solver: str
    n_starts: int | str
    tol: float
    max_iter: int


def factorised(
    seen: Seen,
    objective: Objective,
    given: Given,
    settings: Settings,
    *,
    rng: np.random.Generator,
    watch: Any = None,
    keeper: Any = None,
) -> Solution:
    """Pose the problem of a recording, and solve it.

    Parameters
    ----------
    seen : Seen
        The recording.
    objective : Objective
        What is minimised.
    given : Given
        What the fit begins from.
    settings : Settings
        How it goes on, and when it ends.
    rng : numpy.random.Generator
        Random numbers.
    watch : callable, optional
        Is shown each iteration.
    keeper : Checkpoint, optional
        Keeps the state.
    """
    problem = Problem(
        seen.matrix,
        settings.n_components,
        loss=objective.beta,
        penalty=objective.penalty,
        weights=seen.weights,
        held=given.held,
        columns=seen.stacker.canonical_columns(),
    )
    start = given.start._replace(
        n_starts=settings.n_starts,
        sketch=None if settings.solver == "auto" else settings.solver == "sketch",
        first=settings.first,
    )
    stopping = Stopping(settings.tol, settings.max_iter, watch, keeper)
    return factorise(problem, start, stopping, rng=rng)


def left_of_penalty(penalty: Penalty, order: Array, lengths: Array) -> list[dict[str, Any]]:
    """Return what is left of a penalty for new signals of unit maps, as arrays that are saved.

    Parameters
    ----------
    penalty : Penalty
        As a solution leaves it.
    order, lengths : numpy.ndarray, (n_components,)
        Where each component came from, and the lengths of the old maps.
    """
    left = for_unit_maps(penalty, order, lengths)
    assert isinstance(left, Together)
    return [vars(part) for part in left.parts if isinstance(part, Separable)]


def signals_of(seen: Seen, maps: Array, beta: float, left: list[dict[str, Any]]) -> Array:
    """Return the signals (n_samples, n_components) that are best for maps.

    `left` is what `left_of_penalty` returned of the fit.
    """
    penalty = Together(tuple(Separable(**terms) for terms in left))
    return solve_signals(seen.matrix, maps, penalty=penalty, weights=seen.weights, loss=beta)


def norm2_of(seen: Seen, solution: Solution) -> float:
    """Return the squared norm of a recording, which a solution may have come by."""
    return products.norm2(seen.matrix) if solution.norm2 is None else solution.norm2


def error_of(
    seen: Seen, solution: Solution, signals: Array, maps: Array, objective: Objective
) -> float:
    """Return the root of twice the divergence of the factors from a recording."""
    if solution.failure is not None:
        return float("nan")
    if solution.misfit is not None:
        return solution.misfit
    return reconstruction_error.error(
        seen.matrix, signals, maps, loss=objective.beta, weights=seen.weights
    )


def peak_memory_of(size: Size, objective: Objective, *, chunks: Any, entrywise: bool) -> Budget:
    """Return what a fit takes beside the recording (see `Decomposition._peak_memory`)."""
    if chunks is not None:
        return peak_memory.of_streamed(size, chunks, threads=threads_here(), linear=False)
    if objective.beta == 2.0 and not entrywise:
        return peak_memory.of_nmf(size)
    return peak_memory.of_divergence(size)
