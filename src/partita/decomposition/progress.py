"""What a fit shows while it runs: a progress line, and a state for the user's callback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.stack import Stacker
from partita._progress import progress
from partita._solvers.matrices.dask_cluster import dashboard
from partita._solvers.problem.solution import State

Callback = Callable[["FitState"], Any]

# A fit ends long before max_iter: what is left of that says hours where there are seconds.
_LINE = "{desc}: iteration {n_fmt} of at most {total_fmt}, {elapsed}{postfix}"


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


@contextmanager
def watching(
    name: str,
    *,
    verbose: int,
    callback: Callback | None,
    max_iter: int,
    stacker: Stacker,
    component: Any,
) -> Iterator[Callable[[State], bool] | None]:
    """Give the solver's watcher: it draws one plain line and asks the callback whether to stop."""
    if not (callback is None or callable(callback)):
        raise TypeError(
            f"{name}: callback is called with a state after each iteration, and was given "
            f"{type(callback).__name__}. Give a function of one argument."
        )
    if not verbose and callback is None:
        yield None
        return
    with progress(name, max_iter, layout=_LINE, shown=bool(verbose)) as line:

        def watch(state: State) -> bool:
            text = f"loss {state.loss:.6g}"
            known = np.isfinite(state.residual)
            line.update(text=f"{text}, residual {state.residual:.1e}" if known else text)
            if callback is None:
                return False
            shown = FitState(state.iteration, state.loss, state.residual, state, stacker, component)
            return callback(shown) is True

        yield watch
