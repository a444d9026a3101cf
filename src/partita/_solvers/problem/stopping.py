"""When a fit ends, and who watches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from .solution import State

Watcher = Callable[[State], bool | None]
Enter = Callable[[str], object]


def untold(phase: str) -> None:
    """Keep the phase that a fit begins from everybody."""


class Keeper(Protocol):
    """Keeps the state of a fit somewhere, and has it again when the fit is repeated."""

    def recall(self) -> Any:
        """Return what was kept of this fit; None where nothing was."""
        ...

    def is_due(self) -> bool:
        """Tell whether it is time to keep the state."""
        ...

    def keep(self, saved: Any) -> None:
        """Keep a state in place of the one before."""
        ...


class Stopping(NamedTuple):
    """Parameters of the end of a fit.

    Parameters
    ----------
    tol : float
        Bound on the residual of the certificate; 0 goes on to `max_iter`.
    max_iter : int
        Iterations on X at most.
    watch : callable, optional
        Called with a State after each iteration; True ends the fit.
    keeper : Keeper, optional
        Is handed the state now and then, and asked for it at the start. Frobenius without
        entrywise weights only.
    enter : callable
        Called with each phase as it begins: "starts", "sketch", "iterations", "certificate".
    """

    tol: float = 1e-3
    max_iter: int = 500
    watch: Watcher | None = None
    keeper: Keeper | None = None
    enter: Enter = untold
