"""What the parameters of a simulation must be, said in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def require_counts(caller: str, *, minimum: int = 1, **counts: object) -> None:
    """Refuse what is not a whole number of at least `minimum`."""
    for name, value in counts.items():
        if isinstance(value, int | np.integer) and value >= minimum:
            continue
        raise ValueError(
            f"{caller} needs {name} to be a whole number of at least {minimum}; got {value!r}."
        )


def require_amounts(caller: str, **amounts: float) -> None:
    """Refuse what is negative or not finite."""
    for name, value in amounts.items():
        if np.isfinite(value) and value >= 0:
            continue
        raise ValueError(f"{caller} needs {name} to be finite and not negative; got {value!r}.")


def require_positive(caller: str, **amounts: float) -> None:
    """Refuse what is not above zero and finite."""
    for name, value in amounts.items():
        if np.isfinite(value) and value > 0:
            continue
        raise ValueError(f"{caller} needs {name} to be finite and above 0; got {value!r}.")


def require_shape(
    caller: str, shape: Sequence[int], *, n_axes: Sequence[int], axes: str
) -> tuple[int, ...]:
    """Return a shape as integers, or refuse it."""
    counts: tuple[object, ...] = tuple(shape)
    whole = all(isinstance(n, int | np.integer) and n > 0 for n in counts)
    if len(counts) in n_axes and whole:
        return tuple(int(n) for n in shape)
    raise ValueError(f"{caller} needs shape to be whole numbers above 0 along {axes}; got {shape}.")


def require_floating(caller: str, dtype: npt.DTypeLike) -> np.dtype[np.floating]:
    """Return the dtype, or refuse what is neither float32 nor float64."""
    kind = np.dtype(dtype)
    for known in (np.dtype(np.float32), np.dtype(np.float64)):
        if kind == known:
            return known
    raise ValueError(f"{caller} makes float32 or float64; got dtype={kind}.")
