"""Windows, percentiles and offsets, as a user gives them."""

from __future__ import annotations

import numpy as np

from partita._labels.numbers import is_finite, is_number, is_positive


def require_window(window: object, times: np.ndarray, caller: str) -> float | None:
    """Return the window in seconds, or refuse one that holds too little or too much."""
    if window is None:
        return None
    if not is_positive(window):
        raise ValueError(
            f"{caller} needs a window in seconds, above 0, or None for the whole recording; it "
            f"was given {window!r}."
        )
    step = float(np.median(np.diff(times)))
    if float(window) < 2 * step * (1 - 1e-6):
        raise ValueError(
            f"{caller} needs a window of at least two samples, {2 * step:g} s; it was given "
            f"{window:g} s. Windows are in seconds by the time coordinate: is its unit right?"
        )
    duration = float(times[-1] - times[0]) + step
    if float(window) > duration * (1 + 1e-6):
        raise ValueError(
            f"{caller} was given a window of {window:g} s, longer than the recording, "
            f"{duration:g} s. Shorten it, or set window=None to use the whole recording. Windows "
            "are in seconds by the time coordinate: is its unit right?"
        )
    return float(window)


def require_percentile(percentile: object, caller: str) -> float:
    """Return the percentile as a number, or refuse it."""
    if not is_number(percentile):
        raise TypeError(f"{caller} needs percentile to be a number, and was given {percentile!r}.")
    if not 0 <= float(percentile) <= 100:
        raise ValueError(
            f"{caller} needs percentile to be between 0 and 100, and was given {percentile!r}. 8 "
            "is usual for calcium imaging."
        )
    return float(percentile)


def require_offset(offset: object) -> float:
    """Return the offset as a number, or refuse it."""
    if not is_finite(offset):
        raise ValueError(
            f"delta_f_over_f needs offset to be a finite number, what the camera reads in the "
            f"dark; it was given {offset!r}."
        )
    return float(offset)
