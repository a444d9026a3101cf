"""How a fit went, as it is kept on the model and as it is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from sklearn.exceptions import ConvergenceWarning

from partita._labels.warn import warn
from partita._solvers.problem.solution import Certificate


def certified(certificate: Certificate) -> xr.Dataset:
    """Return the certificate over (factor), maps first."""
    values = {
        "residual": [certificate.H_residual, certificate.W_residual],
        "possible_decrease": [certificate.H_decrease, certificate.W_decrease],
    }
    names = {
        "residual": "optimality residual",
        "possible_decrease": "largest relative decrease of the loss still possible",
    }
    return xr.Dataset(
        {
            key: ("factor", np.array(pair), {"long_name": names[key], "units": "1"})
            for key, pair in values.items()
        },
        coords={"factor": ["maps", "signals"]},
    )


def by_iteration(losses: Any) -> xr.DataArray:
    """Return the losses over (iteration), counted from 1."""
    return xr.DataArray(
        losses,
        dims="iteration",
        coords={"iteration": np.arange(1, len(losses) + 1)},
        name="losses",
        attrs={"long_name": "objective"},
    )


def warn_unconverged(name: str, *, n_iter: int, state: str, remedy: str) -> None:
    """Warn once that a fit ended at its limit of iterations."""
    warn(
        f"{name} stopped after {n_iter} iterations before it converged: {state}. {remedy}",
        ConvergenceWarning,
    )


def warn_if_above_tol(
    model: Any,
    certificate: Certificate,
    *,
    remedy: str,
    name: str | None = None,
    most: int | None = None,
) -> None:
    """Warn if a fit ended at its limit of iterations with the residual above ``tol``.

    The limit is ``max_iter``, or `most`.
    """
    limit = model.max_iter if most is None else most
    if model.converged_ or model.tol == 0 or model.n_iter_ < limit:
        return
    warn_unconverged(
        name or type(model).__name__,
        n_iter=model.n_iter_,
        state=f"the optimality residual is {certificate.residual:.1e}, and tol is {model.tol:.1e}",
        remedy=remedy,
    )
