"""What a fit shows while it runs and answers with.

Everywhere X is (n, p) with n samples and p features, W (n, k) holds the signals and H (k, p)
the maps, X ~ W @ H.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..compute.types import Array
from ..penalties.penalty import NONE, Penalty


class State(NamedTuple):
    """What a watcher sees after each iteration, in the units of X."""

    iteration: int
    loss: float
    residual: float
    W: Array
    H: Array


class Certificate(NamedTuple):
    """How far each factor is from its optimum while the other stays.

    `W_residual` and `H_residual` are projected gradients in the metric of the Hessian's diagonal,
    relative to the misfit; `W_decrease` and `H_decrease` the largest relative decrease of the
    loss that changing this factor alone could still bring.
    """

    W_residual: float
    H_residual: float
    W_decrease: float
    H_decrease: float

    @property
    def residual(self) -> float:
        """Both residuals in one number: the root of the sum of their squares."""
        return math.hypot(self.W_residual, self.H_residual)


class Solution(NamedTuple):
    """What a fit answers with; entry i of `losses` is the loss after iteration i + 1.

    Where the data could not be read to the end, `failure` says why and nothing is certified.
    `norm2` is that of X, unweighted, and `misfit` the norm of the residual, where a fit came by
    them. `penalty` is what is left of the penalty for the signals of new samples.
    """

    W: Array
    H: Array
    losses: npt.NDArray[np.float64]
    n_iter: int
    converged: bool
    interrupted: bool
    certificate: Certificate
    report: dict[str, object]
    failure: OSError | None = None
    norm2: float | None = None
    misfit: float | None = None
    penalty: Penalty = NONE

    @property
    def is_whole(self) -> bool:
        """Whether the fit came to an end of its own."""
        return not self.interrupted and self.failure is None

    def reraise(self) -> None:
        """Raise what kept the fit from its end, if anything did (OSError, KeyboardInterrupt)."""
        if self.failure is not None:
            raise self.failure
        if self.interrupted:
            raise KeyboardInterrupt


def nothing_to_explain(X: Any, k: int, H: Array | None) -> Solution:
    """Answer all-zero data: signals of zero explain it exactly, whatever the maps (k, p) are."""
    n, p = X.shape
    maps = np.zeros((k, p), X.dtype)
    if H is not None:
        maps[: len(H)] = H
    certificate = Certificate(0.0, 0.0, 0.0, 0.0)
    report: dict[str, object] = {"route": "none", "passes": 1, "starts": 0, "seconds": {}}
    signals = np.zeros((n, k), X.dtype)
    return Solution(signals, maps, np.zeros(1), 0, True, False, certificate, report)
