"""Contrasts answer with a value and its slope, and end a rotation after so many iterations."""

from __future__ import annotations

import numpy as np
import pytest

from partita._solvers.linear.contrasts import CONTRASTS, Counted, Unsettled

SOURCES = np.random.default_rng(0).standard_normal((3, 200))


@pytest.mark.parametrize("name", CONTRASTS)
def test_the_second_answer_is_the_mean_slope_of_the_first(name: str) -> None:
    contrast, step = CONTRASTS[name], 1e-6
    rise = (contrast(SOURCES + step)[0] - contrast(SOURCES - step)[0]) / (2 * step)
    np.testing.assert_allclose(contrast(SOURCES)[1], rise.mean(axis=1), atol=1e-8)


def test_a_rotation_ends_after_its_last_iteration_where_it_stands() -> None:
    counted = Counted(CONTRASTS["cube"], 2)
    for _ in range(2):
        counted(SOURCES)
    with pytest.raises(Unsettled) as ended:
        counted(SOURCES + 1)
    np.testing.assert_array_equal(ended.value.sources, SOURCES + 1)
