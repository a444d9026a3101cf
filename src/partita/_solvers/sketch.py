"""Several starts on a sketch of X, solved small, the best handed on for polish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .objective import Array, Start
from .problem import Problem

if TYPE_CHECKING:
    from .routes import Route


def pays(problem: Problem, k: int, solver: str, init: str | Start) -> bool:
    """Say whether a sketch is worth its making."""
    return False


def explore(
    problem: Problem, k: int, route: Route, rng: np.random.Generator
) -> tuple[Array, Array, float, dict[str, object]]:
    """Find the best of several starts on a sketch."""
    raise NotImplementedError
