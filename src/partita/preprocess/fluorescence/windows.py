"""Windows, percentiles and offsets, as a user gives them."""

from __future__ import annotations

from numbers import Real

import numpy as np
import xarray as xr

from partita._labels import checks


def sample_times(recording: xr.DataArray, sample_dim: str, caller: str) -> np.ndarray:
    """Return the times of the samples in seconds, or refuse a recording without."""
    if sample_dim not in recording.coords:
        raise ValueError(
            f"{caller} needs to know the times of the samples, and this recording has no "
            f"coordinate {sample_dim!r}. Assign it in seconds: recording.assign_coords("
            f"{sample_dim}=np.arange({recording.sizes[sample_dim]}) / frame_rate)."
        )
    return checks.seconds(recording[sample_dim], caller=caller)


def require_window(window: object, times: np.ndarray, caller: str) -> float | None:
    """Return the window in seconds, or refuse one that holds too little or too much."""
    if window is None:
        return None
    if isinstance(window, bool) or not isinstance(window, Real) or not 0 < float(window) < np.inf:
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
    if isinstance(percentile, bool) or not isinstance(percentile, Real):
        raise TypeError(f"{caller} needs percentile to be a number, and was given {percentile!r}.")
    if not 0 <= float(percentile) <= 100:
        raise ValueError(
            f"{caller} needs percentile to be between 0 and 100, and was given {percentile!r}. 8 "
            "is usual for calcium imaging."
        )
    return float(percentile)


def require_offset(offset: object) -> float:
    """Return the offset as a number, or refuse it."""
    if isinstance(offset, bool) or not isinstance(offset, Real) or not np.isfinite(float(offset)):
        raise ValueError(
            f"delta_f_over_f needs offset to be a finite number, what the camera reads in the "
            f"dark; it was given {offset!r}."
        )
    return float(offset)
