"""Calls of the solvers of NMF: what is posed, solved for and measured, in memory or streamed."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from partita._labels.neighbours import neighbouring_features, steps_between_samples
from partita._solvers import peak_memory
from partita._solvers.factorise import factorise
from partita._solvers.matrices import products
from partita._solvers.matrices.lanes import threads_here
from partita._solvers.matrices.spread import spread
from partita._solvers.optimality import reconstruction_error
from partita._solvers.peak_memory import Budget, Size
from partita._solvers.penalties.penalty import Penalty, Separable, Together, for_unit_maps
from partita._solvers.penalties.smoothness import Graph, Smoothness, chain
from partita._solvers.problem import normalisation
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.solution import Solution
from partita._solvers.problem.stopping import Enter, Stopping, untold
from partita._solvers.signals import solve_signals
from partita.decomposition import out_of_core
from partita.decomposition.convergence import by_iteration, certified
from partita.decomposition.explained import Explained
from partita.decomposition.fit import Array, Fit, Seen, Signals
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
    enter: Enter = untold,
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
    enter : callable
        Is told each phase.
    """
    problem = Problem(
        seen.matrix,
        settings.n_components,
        loss=objective.beta,
        penalty=_penalty_on(seen, objective),
        weights=seen.weights,
        held=given.held,
        # Samples are drawn in an order that no order of dimensions changes.
        columns=seen.stacker.canonical_columns(),
    )
    start = given.start._replace(
        n_starts=settings.n_starts,
        sketch=None if settings.solver == "auto" else settings.solver == "sketch",
        first=settings.first,
    )
    stopping = Stopping(settings.tol, settings.max_iter, watch, keeper, enter)
    return factorise(problem, start, stopping, rng=rng)


def _penalty_on(seen: Seen, objective: Objective) -> Penalty:
    """Return all penalties, those of smoothness along the samples and the grid of a recording."""
    if not objective.is_smooth:
        return objective.penalty
    parts = [objective.penalty]
    if objective.signals_smoothness:
        parts.append(_smooth_signals(seen, objective.signals_smoothness))
    if objective.maps_smoothness:
        if seen.in_parts:
            raise ValueError(
                "maps_smoothness ties voxels that are read in different parts of this recording. "
                "Bring it into memory, recording.compute(), or leave maps_smoothness=0."
            )
        pairs = neighbouring_features(seen.stacker, caller="maps_smoothness")
        graph = Graph(*pairs, seen.stacker.n_features)
        parts.append(Smoothness.along(graph, objective.maps_smoothness, signals=False))
    return Together(tuple(parts))


def _smooth_signals(seen: Seen, strength: float) -> Penalty:
    return Smoothness.along(chain(steps_between_samples(seen.stacker)), strength)


class Left(NamedTuple):
    """What is left of the penalties of a fit for the signals of new samples, for unit maps.

    `terms` are arrays that every sample has; `smoothness` ties each to the next.
    """

    terms: list[dict[str, Any]]
    smoothness: float

    @classmethod
    def of(cls, penalty: Penalty, order: Array, lengths: Array) -> Left:
        """Return it of the penalty that a solution leaves.

        Parameters
        ----------
        penalty : Penalty
            As a solution leaves it.
        order, lengths : numpy.ndarray, (n_components,)
            Where each component came from, and the lengths of the old maps.
        """
        left = for_unit_maps(penalty, order, lengths)
        assert isinstance(left, Together)
        terms = [vars(part) for part in left.parts if isinstance(part, Separable)]
        smooth = sum(part.strength for part in left.parts if isinstance(part, Smoothness))
        return cls(terms, float(smooth))

    def on(self, seen: Seen) -> Penalty:
        """Return it as a penalty on the signals of a recording."""
        parts: list[Penalty] = [Separable(**terms) for terms in self.terms]
        if self.smoothness:
            parts.append(_smooth_signals(seen, self.smoothness))
        return Together(tuple(parts))


NOTHING_LEFT: tuple[list[dict[str, Any]], float] = ([], 0.0)


def signals_of(
    seen: Seen, maps: Array, left: tuple[list[dict[str, Any]], float], *, beta: float = 2.0
) -> Signals:
    """Return the signals (n_samples, n_components) that are best for maps."""
    penalty = Left(*left).on(seen)
    return Signals(
        solve_signals(seen.matrix, maps, penalty=penalty, weights=seen.weights, loss=beta)
    )


def fit_of(
    seen: Seen,
    objective: Objective,
    solution: Solution,
    component: Array,
    *,
    tol: float,
    n_kept: int = 0,
) -> Fit:
    """Return a solution as a fit: unit maps, by energy but for the first `n_kept`, certified."""
    signals, maps, order, lengths = normalisation.canonicalise(
        solution.W, solution.H, keep_order=n_kept
    )
    error = error_of(seen, solution, signals, maps, objective)
    plain = objective.beta == 2.0 or math.isnan(error)
    left2 = error**2 if plain else products.residual_norm2(seen.matrix, signals, maps, seen.weights)
    return Fit(
        Signals(signals),
        maps,
        component,
        norm2=norm2_of(seen, solution),
        error=error,
        explained=Explained.of(spread(seen.matrix, seen.weights), left2),
        streams=seen.in_parts,
        more={
            "n_iter_": solution.n_iter,
            "converged_": solution.is_whole and bool(solution.certificate.residual <= tol),
            "fit_report_": out_of_core.with_passes(solution.report, seen.matrix),
            "optimality_": certified(solution.certificate),
            "losses_": by_iteration(solution.losses),
            # As plain arrays: a file holds no penalties.
            "_left": tuple(Left.of(solution.penalty, order, lengths)),
        },
    )


def norm2_of(seen: Seen, solution: Solution) -> float:
    """Return the squared norm of a recording, which a solution may have come by."""
    return products.norm2(seen.matrix) if solution.norm2 is None else solution.norm2


def error_of(
    seen: Seen, solution: Solution, signals: Array, maps: Array, objective: Objective
) -> float:
    """Return the root of twice the divergence of the factors from a recording."""
    # What could not be read to the end cannot be measured either.
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
    # A weight of its own for every entry leads to the solver of the divergences.
    plain = objective.beta == 2.0 and not entrywise
    budget = peak_memory.of_nmf(size) if plain else peak_memory.of_divergence(size)
    return peak_memory.with_smoothness(budget, size) if objective.is_smooth else budget
