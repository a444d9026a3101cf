"""Parameters of NMF: refused in words, and translated for the solver."""

from __future__ import annotations

from typing import Any

import numpy as np

from partita._labels.numbers import is_number, is_whole
from partita._solvers.penalties.penalty import Penalty
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.unit_norm import UnitNorm

LOSSES = {"frobenius": 2.0, "kullback-leibler": 1.0, "itakura-saito": 0.0}
SOLVERS = ("auto", "hals", "sketch")
PENALTIES = ("unit-norm", "scikit-learn")


def beta_of(loss: Any) -> float:
    """Return the β of a loss given by name or number (ValueError where there is none)."""
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if is_number(loss) and 0 <= loss <= 2:
        return float(loss)
    raise ValueError(
        f"loss is one of {', '.join(LOSSES)}, or a number from 0 to 2, and was given {loss!r}."
    )


def penalty_of(kind: Any, *, maps_l1: Any, signals_l1: Any, l2: Any) -> Penalty:
    """Return the solver's penalty (ValueError where a strength is negative or no number).

    `l2` is one number or, with scikit-learn's penalty, those of maps and of signals.
    """
    _one_of("penalty", kind, PENALTIES)
    pair = isinstance(l2, tuple | list) and len(l2) == 2
    if pair and kind != "scikit-learn":
        raise ValueError(
            f"l2 is one number, for maps and signals together, and was given {l2!r}. A number for "
            "each has a meaning with penalty='scikit-learn' only."
        )
    maps_l2, signals_l2 = l2 if pair else (l2, l2)
    given = [("maps_l1", maps_l1), ("signals_l1", signals_l1), ("l2", maps_l2), ("l2", signals_l2)]
    for name, value in given:
        if not is_number(value) or not 0 <= value < np.inf:
            raise ValueError(f"{name} is a non-negative number, and was given {value!r}.")
    if kind == "scikit-learn":
        l2s = float(signals_l2), float(maps_l2)
        return PerEntry(float(signals_l1), float(maps_l1), *l2s)
    return UnitNorm(float(signals_l1), float(maps_l1), float(maps_l2))


def check_solver(*, solver: Any, n_starts: Any, beta: float, tol: Any, max_iter: Any) -> None:
    """Refuse settings of the solver that have no meaning, or none together (ValueError)."""
    _one_of("solver", solver, SOLVERS)
    if n_starts != "auto" and not (is_whole(n_starts) and n_starts >= 1):
        raise ValueError(
            f"n_starts is 'auto' or a whole number of at least 1, and was given {n_starts!r}."
        )
    if n_starts != "auto" and n_starts > 1 and (solver == "hals" or beta != 2.0):
        raise ValueError(
            f"n_starts={n_starts}: several starts are compared on a compressed recording, for "
            "which solver is 'auto' or 'sketch' and loss is 'frobenius'. Fit with several "
            "random_state instead, and keep the model of the lowest losses_[-1]."
        )
    if not is_number(tol) or not 0 <= tol <= 1:
        raise ValueError(
            f"tol bounds the optimality residual: a number from 0 to 1, and was given {tol!r}."
        )
    if not (is_whole(max_iter) and max_iter >= 1):
        raise ValueError(f"max_iter is a whole number of at least 1, and was given {max_iter!r}.")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}, and was given {value!r}.")
