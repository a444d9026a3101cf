"""What counts as a number where an argument has to be one: Python's and numpy's, never a bool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt


def is_number(value: object) -> TypeGuard[float]:
    """Say whether a value is a real number; NaN and the infinite are."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int]:
    """Say whether a value is an integer."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_finite(value: object) -> TypeGuard[float]:
    """Say whether a value is a real number, neither NaN nor infinite."""
    return is_number(value) and bool(np.isfinite(value))


def is_positive(value: object) -> TypeGuard[float]:
    """Say whether a value is a finite number above 0."""
    return is_finite(value) and bool(value > 0)


def require_counts(caller: str, *, minimum: int = 1, **counts: object) -> None:
    """Refuse what is not a whole number of at least `minimum` (ValueError)."""
    for name, value in counts.items():
        if not is_whole(value) or value < minimum:
            raise ValueError(
                f"{caller} needs {name} to be a whole number of at least {minimum}; got {value!r}."
            )


def require_amounts(caller: str, **amounts: object) -> None:
    """Refuse what is no number, negative or not finite (ValueError)."""
    for name, value in amounts.items():
        if not is_finite(value) or value < 0:
            raise ValueError(f"{caller} needs {name} to be finite and not negative; got {value!r}.")


def require_positive(caller: str, **amounts: object) -> None:
    """Refuse what is no finite number above zero (ValueError)."""
    for name, value in amounts.items():
        if not is_positive(value):
            raise ValueError(f"{caller} needs {name} to be finite and above 0; got {value!r}.")


def require_shape(caller: str, shape: Any, *, n_axes: Sequence[int], axes: str) -> tuple[int, ...]:
    """Return a shape as integers, or refuse it (ValueError)."""
    counts = tuple(shape) if isinstance(shape, Sequence | np.ndarray) else (shape,)
    if len(counts) in n_axes and all(is_whole(n) and n > 0 for n in counts):
        return tuple(int(n) for n in counts)
    raise ValueError(f"{caller} needs shape to be whole numbers above 0 along {axes}; got {shape}.")


def require_floating(caller: str, dtype: npt.DTypeLike) -> np.dtype[np.floating]:
    """Return the dtype, or refuse what is neither float32 nor float64 (ValueError)."""
    kind = np.dtype(dtype)
    for known in (np.dtype(np.float32), np.dtype(np.float64)):
        if kind == known:
            return known
    raise ValueError(f"{caller} makes float32 or float64; got dtype={kind}.")
