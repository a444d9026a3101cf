"""Parameters of estimators: refused in words, and translated for the solvers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from partita._labels.numbers import is_finite, is_number, is_whole
from partita._solvers.penalties.penalty import Penalty
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.penalties.unit_norm import UnitNorm

LOSSES = {"frobenius": 2.0, "kullback-leibler": 1.0, "itakura-saito": 0.0}
SOLVERS = ("auto", "hals", "sketch")
PENALTIES = ("unit-norm", "scikit-learn")


class Objective(NamedTuple):
    """What a non-negative fit minimises: a divergence by its β, penalties, and smoothness."""

    beta: float
    penalty: Penalty
    signals_smoothness: float = 0.0
    maps_smoothness: float = 0.0

    @property
    def is_smooth(self) -> bool:
        """Whether signals or maps are to be smooth."""
        return bool(self.signals_smoothness or self.maps_smoothness)

    @property
    def is_plain(self) -> bool:
        """Whether it is least squares alone."""
        return self.beta == 2.0 and not self.penalty.active and not self.is_smooth


def generator(random_state: Any) -> np.random.Generator:
    """Return random numbers from any state that scikit-learn knows, or numpy's Generator."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    seed = check_random_state(_checked(random_state)).randint(np.iinfo(np.int32).max)
    return np.random.default_rng(seed)


def state_for_sklearn(random_state: Any) -> Any:
    """Return a random state as scikit-learn takes it: a number drawn, where it is a Generator."""
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(np.iinfo(np.int32).max))
    return _checked(random_state)


def _checked(random_state: Any) -> Any:
    try:
        check_random_state(random_state)
    except ValueError:
        raise ValueError(
            "random_state is None, a whole number from 0, a numpy.random.Generator or a "
            f"RandomState, and was given {random_state!r}."
        ) from None
    return random_state


def check_n_components(n_components: Any) -> None:
    """Refuse what is not a positive whole number of components (ValueError)."""
    if not is_whole(n_components) or n_components < 1:
        raise ValueError(
            f"n_components must be a whole number of at least 1, and was given {n_components!r}."
        )


def check_mode(mode: Any, modes: tuple[str, ...]) -> None:
    """Refuse a mode that is none of those of the estimator (ValueError)."""
    if mode not in modes:
        known = " or ".join(repr(one) for one in modes)
        raise ValueError(f"mode is {known}, and was given {mode!r}.")


def objective_of(
    loss: Any,
    kind: Any,
    *,
    maps_l1: Any,
    signals_l1: Any,
    l2: Any,
    signals_smoothness: Any = 0.0,
    maps_smoothness: Any = 0.0,
) -> Objective:
    """Return what is minimised (ValueError where a parameter has no meaning)."""
    penalty = _penalty_of(kind, maps_l1=maps_l1, signals_l1=signals_l1, l2=l2)
    _refuse_negative(signals_smoothness=signals_smoothness, maps_smoothness=maps_smoothness)
    return Objective(_beta_of(loss), penalty, float(signals_smoothness), float(maps_smoothness))


def _beta_of(loss: Any) -> float:
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if is_number(loss) and 0 <= loss <= 2:
        return float(loss)
    raise ValueError(
        f"loss is one of {', '.join(LOSSES)}, or a number from 0 to 2, and was given {loss!r}."
    )


def _penalty_of(kind: Any, *, maps_l1: Any, signals_l1: Any, l2: Any) -> Penalty:
    """Return the solver's penalty; scikit-learn's may have two `l2`, of maps and of signals."""
    _one_of("penalty", kind, PENALTIES)
    pair = isinstance(l2, tuple | list) and len(l2) == 2
    if pair and kind != "scikit-learn":
        raise ValueError(
            f"l2 is one number, for maps and signals together, and was given {l2!r}. A number for "
            "each has a meaning with penalty='scikit-learn' only."
        )
    maps_l2, signals_l2 = l2 if pair else (l2, l2)
    _refuse_negative(maps_l1=maps_l1, signals_l1=signals_l1, l2=maps_l2)
    _refuse_negative(l2=signals_l2)
    if kind == "scikit-learn":
        l2s = float(signals_l2), float(maps_l2)
        return PerEntry(float(signals_l1), float(maps_l1), *l2s)
    return UnitNorm(float(signals_l1), float(maps_l1), float(maps_l2))


def _refuse_negative(**strengths: Any) -> None:
    for name, value in strengths.items():
        if not is_number(value) or not 0 <= value < np.inf:
            raise ValueError(f"{name} is a non-negative number, and was given {value!r}.")


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


def check_rotation(*, fun: Any, known: tuple[str, ...], tol: Any, max_iter: Any) -> None:
    """Refuse settings of a rotation to independence that have no meaning (ValueError)."""
    _one_of("fun", fun, known)
    if not is_finite(tol) or not tol >= 0:
        raise ValueError(f"tol is a non-negative number, and was given {tol!r}.")
    if not (is_whole(max_iter) and max_iter >= 1):
        raise ValueError(f"max_iter is a whole number of at least 1, and was given {max_iter!r}.")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}, and was given {value!r}.")
