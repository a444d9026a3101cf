"""Contrasts of independent component analysis: a value and its mean slope for each component."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Contrast = Callable[[Array], tuple[Array, Array]]


class Unsettled(Exception):
    """Ends a rotation after its last iteration; `sources` (n_components, n) are as it left them."""

    def __init__(self, sources: Array) -> None:
        self.sources = sources
        super().__init__()


class Counted:
    """A contrast that is asked once an iteration, and ends the rotation after `max_iter` of them.

    Whoever rotates need not warn then, and no filter of warnings, which all threads share, need be
    touched to keep it from that.
    """

    def __init__(self, contrast: Contrast, max_iter: int) -> None:
        self.contrast, self.left = contrast, max_iter

    def __call__(self, sources: Array) -> tuple[Array, Array]:
        """Return the value (n_components, n) and the mean slope (n_components,) at sources."""
        if not self.left:
            raise Unsettled(sources)
        self.left -= 1
        return self.contrast(sources)


def _logcosh(sources: Array) -> tuple[Array, Array]:
    values = np.tanh(sources)
    return values, np.array([(1 - row**2).mean() for row in values], sources.dtype)


def _exp(sources: Array) -> tuple[Array, Array]:
    weights = np.exp(-(sources**2) / 2)
    return sources * weights, ((1 - sources**2) * weights).mean(axis=-1)


def _cube(sources: Array) -> tuple[Array, Array]:
    return sources**3, (3 * sources**2).mean(axis=-1)


# As scikit-learn has them (Hyvärinen & Oja, 2000).
CONTRASTS: dict[str, Contrast] = {"logcosh": _logcosh, "exp": _exp, "cube": _cube}
