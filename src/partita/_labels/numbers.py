"""What counts as a number where an argument has to be one: Python's and numpy's, never a bool."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np


def is_number(value: object) -> TypeGuard[float]:
    """Say whether a value is a real number; NaN and the infinite are."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int]:
    """Say whether a value is an integer."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
