"""A start tells whether factors are given, and whether they are whole."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.problem.start import Start

W, H = np.ones((5, 3)), np.ones((3, 7))


@pytest.mark.parametrize(
    ("start", "given", "whole"),
    [
        (Start(), False, False),
        (Start("nndsvd"), False, False),
        (Start(W=W), True, False),
        (Start(H=H), True, False),
        (Start(W=W, H=H), True, True),
        (Start(W=W[:, :2], H=H[:2]), True, False),
    ],
)
def test_factors_are_given_whole_in_part_or_not(start, given, whole):
    assert start.given is given
    assert start.is_whole(3) is whole
