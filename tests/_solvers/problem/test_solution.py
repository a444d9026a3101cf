"""What a fit answers with: one residual of two, and the answer to data without anything."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.problem.solution import Certificate, nothing_to_explain


def test_both_residuals_are_one_number():
    assert Certificate(3.0, 4.0, 0.0, 0.0).residual == 5.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_zero_data_are_explained_by_signals_of_zero_under_given_maps(dtype):
    maps = np.ones((2, 7), dtype)
    solution = nothing_to_explain(np.zeros((5, 7), dtype), 3, maps)
    assert solution.converged
    assert not solution.W.any()
    assert solution.W.shape == (5, 3)
    assert solution.W.dtype == solution.H.dtype == dtype
    np.testing.assert_array_equal(solution.H[:2], maps)
    assert solution.certificate.residual == 0.0
    assert solution.losses.tolist() == [0.0]
