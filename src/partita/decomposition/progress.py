"""What a fit shows while it runs: how it goes, in words, and a state for the user's callback."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.stack import Stacker
from partita._progress import ProgressLine, progress
from partita._solvers.matrices.dask_cluster import dashboard
from partita._solvers.problem.solution import Solution, State
from partita._solvers.problem.stopping import Watcher

Callback = Callable[["FitState"], Any]


@dataclass(frozen=True)
class FitState:
    """What a callback sees after an iteration.

    Attributes
    ----------
    iteration : int
        Counts from 1.
    loss : float
        The objective, penalties included.
    residual : float
        The optimality residual; NaN in iterations that do not evaluate it.
    """

    iteration: int
    loss: float
    residual: float
    _state: State = field(repr=False)
    _stacker: Stacker = field(repr=False)
    _component: Any = field(repr=False)

    @property
    def maps(self) -> xr.DataArray:
        """The maps as they stand (component, *features), not yet scaled or ordered."""
        return self._stacker.maps(np.array(self._state.H), component=self._component)

    @property
    def signals(self) -> xr.DataArray:
        """The signals as they stand (time, component)."""
        return self._stacker.signals(np.array(self._state.W), component=self._component)


def name_dashboard(name: str) -> None:
    """Say on stderr where the cluster that a fit streams on can be watched, if it can."""
    link = dashboard()
    if link is not None:
        from tqdm import tqdm

        tqdm.write(f"{name} on a cluster: {link}", file=sys.stderr)


def nearing(residual: float, tol: float) -> str:
    """Say in words how far a residual is from where it ends; nothing where it is not known."""
    if math.isnan(residual):
        return ""
    return f", residual {residual:.1e}" + (f" -> {tol:.1e}" if tol else "")


def certificate_of(residual: float, tol: float) -> str:
    """Say in words what a fit is certified at; nothing where it is not."""
    return "" if math.isnan(residual) else f", certificate: residual {residual:.1e}, tol {tol:.1e}"


class Watching:
    """Shows the way of a solver: `watch` sees each iteration, `enter` each phase.

    Nothing is foretold by `max_iter`: a fit ends long before, and what is left of that says hours
    where there are seconds.
    """

    def __init__(self, line: ProgressLine, tol: float, tell: Watcher | None, *, sees: bool) -> None:
        self._line, self._tol, self._tell = line, tol, tell
        self._iteration, self._residual = 0, math.nan
        self.watch = self._see if sees else None  # a solver measures more where it is watched

    def _see(self, state: State) -> bool:
        self._iteration = state.iteration
        if math.isfinite(state.residual):
            self._residual = state.residual
        self._line.say(f"iteration {state.iteration}{nearing(self._residual, self._tol)}")
        return self._tell is not None and self._tell(state) is True

    def enter(self, phase: str) -> None:
        """Show a phase; the certificate, which more iterations may follow, belongs to these."""
        if phase == "certificate":
            self._line.say(f"iteration {self._iteration}, certificate")
        else:
            self._line.enter(phase)

    def ended(self, solution: Solution) -> Solution:
        """Show how a fit ended."""
        certificate = certificate_of(solution.certificate.residual, self._tol)
        self._line.say(f"iteration {solution.n_iter}{certificate}")
        return solution


@contextmanager
def watching(
    name: str,
    *,
    verbose: int,
    callback: Callback | None,
    tol: float,
    stacker: Stacker,
    component: Any,
) -> Iterator[Watching]:
    """Give what shows the way of a solver, and asks the callback whether to stop."""
    if not (callback is None or callable(callback)):
        raise TypeError(
            f"{name}: callback is called with a state after each iteration, and was given "
            f"{type(callback).__name__}. Give a function of one argument."
        )

    def tell(state: State) -> Any:
        assert callback is not None
        return callback(
            FitState(state.iteration, state.loss, state.residual, state, stacker, component)
        )

    tells = None if callback is None else tell
    with progress(name, shown=bool(verbose)) as line:
        yield Watching(line, tol, tells, sees=bool(verbose) or callback is not None)
