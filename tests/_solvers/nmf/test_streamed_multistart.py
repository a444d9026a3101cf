"""A fit that streams ends where one in memory ends, in few passes, whichever way its parts lie."""

from __future__ import annotations

import numpy as np
import pytest
from solving import fit, stream_of

from partita._solvers.penalties.penalty import NONE
from partita._solvers.penalties.unit_norm import UnitNorm


@pytest.mark.parametrize("shape", [(70, 1600), (1600, 70)], ids=["wide", "tall"])
@pytest.mark.parametrize("by_samples", [False, True])
@pytest.mark.parametrize("penalty", [NONE, UnitNorm(W_l1=0.05, H_l1=0.05)], ids=["none", "sparse"])
def test_it_ends_where_a_fit_in_memory_ends(shape, by_samples, penalty, monkeypatch):
    monkeypatch.setattr("partita._solvers.matrices.partition.PART_BYTES", 1)
    rng = np.random.default_rng(0)
    n, p = shape
    X = rng.gamma(0.4, 1, (n, 3)) @ rng.gamma(0.4, 1, (3, p)) + 0.1 * rng.random(shape)
    size = max(shape) // 4
    along = by_samples is (n > p)
    pieces = (size if along else 18, -1)
    laid = X.T if by_samples else X
    stream = stream_of(laid, chunks=pieces if by_samples else pieces[::-1], by_samples=by_samples)
    read = fit(stream, 3, penalty=penalty)
    held = fit(X, 3, penalty=penalty)
    assert read.report["route"] == "stream"
    assert read.converged
    assert read.losses[-1] == pytest.approx(held.losses[-1], rel=2e-3)
    if penalty is NONE:
        assert read.report["passes"] <= 20
    assert stream.sample is None
