"""Quantiles of traces, whole or in windows."""

from __future__ import annotations

import numpy as np

from ..compute.types import Array

NORMAL_QUARTILE = 0.6744897501960817
"""How far below its mean the lower quartile of a normal variable lies, in standard deviations."""


def quantile_of(traces: Array, share: float | Array) -> Array:
    r"""Return a quantile of every trace at a share of its order, 0 to 1; one a trace, or for all.

    .. math:: q = (1 - a) x_{(k)} + a x_{(k + 1)}, \quad k + a = s (n - 1),

    with the values of traces (n_voxels, n) in rising order from :math:`x_{(0)}`, as numpy has it
    by default. float64.
    """
    # All are sorted: numpy does that in vectors, and selects two ranks by the slower scalar way.
    ranked = np.sort(traces, axis=1)
    last = ranked.shape[1] - 1
    at = np.asarray(share) * last
    k = at.astype(np.int64)
    rows = np.arange(len(ranked))
    low = ranked[rows, k].astype(np.float64)
    return np.asarray(low + (at - k) * (ranked[rows, np.minimum(k + 1, last)] - low))


def running_quantiles(traces: Array, spans: Array, share: float | Array) -> Array:
    """Return quantiles of traces (n_voxels, n_times) in spans of samples: (n_spans, n_voxels)."""
    return np.stack([quantile_of(traces[:, first:last], share) for first, last in spans])
