"""The axis of samples, and lines along it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from partita._labels.time import seconds_of
from partita.plotting.style import Theme, axis_label

_MOST_WORDS = 24
_WIDE = 2.5  # inches, on which the name of an axis and its date stand beside each other
Drawn = TypeVar("Drawn", xr.DataArray, xr.Dataset)


class Samples(NamedTuple):
    """Where samples lie along the horizontal axis, where runs begin, and in which words.

    `of` is the coordinate that they come from, where there is one.
    """

    at: np.ndarray[Any, Any]
    label: str
    starts: np.ndarray[Any, Any]
    words: list[str] | None = None
    of: xr.DataArray | None = None


def samples_of(signals: xr.DataArray, dim: str) -> Samples:
    """Return the horizontal axis of signals: their times, or a count where times cannot serve.

    Times that fall or repeat (concatenated runs) are counted, and each run's start is marked.
    """
    counted = np.arange(signals.sizes[dim], dtype=float)
    none = np.array([], dtype=float)
    if dim not in signals.coords:
        return Samples(counted, f"{dim} (sample)", none)
    coordinate = signals[dim]
    values: Any = coordinate.values
    if values.dtype.kind == "m":
        values = seconds_of(coordinate)
    if values.dtype.kind not in "iufM":
        return Samples(
            counted, axis_label(coordinate), none, [str(label) for label in values], coordinate
        )
    zero = np.timedelta64(0, "ns") if values.dtype.kind == "M" else 0
    back = np.flatnonzero(~(np.diff(values) > zero)) + 1
    if not back.size:
        return Samples(values, axis_label(coordinate), none, of=coordinate)
    return Samples(counted, f"{dim} (sample; dotted: a new run)", back - 0.5, of=coordinate)


def within(signals: Drawn, dim: str, times: Any, *, caller: str) -> Drawn:
    """Return the signals of a stretch of time, both ends included; all of them for None.

    Raises
    ------
    ValueError
        If `times` is no pair that rises, or no sample lies between.
    """
    if times is None:
        return signals
    if np.ndim(times) != 1 or len(times) != 2 or not times[0] < times[1]:
        raise ValueError(
            f"times must be a pair (start, stop) in the units of {dim!r}, the start before the "
            f"stop; given: {times!r}."
        )
    if dim not in signals.coords:
        raise ValueError(
            f"{caller} has no times to choose from: the signals have no coordinate {dim!r}. Choose "
            f"by count: signals.isel({dim}=slice(0, 100))."
        )
    values: Any = signals[dim].values
    ends = np.asarray(times, dtype=values.dtype) if values.dtype.kind in "mM" else times
    inside = (values >= ends[0]) & (values <= ends[1])
    if not inside.any():
        raise ValueError(
            f"No sample lies between {times[0]} and {times[1]}: {dim!r} runs from "
            f"{_short(values.min())} to {_short(values.max())}."
        )
    return signals.isel({dim: inside})


def _short(value: Any) -> str:
    return f"{value:g}" if np.asarray(value).dtype.kind in "iuf" else str(value)


def draw_samples(ax: Axes, samples: Samples, *, theme: Theme) -> None:
    """Set limits, ticks and label of the horizontal axis, and mark where runs begin."""
    if samples.at.size > 1:
        ax.set_xlim(samples.at[0], samples.at[-1])
    for start in samples.starts[:200]:
        ax.axvline(start, color=theme.faint, linewidth=0.6, linestyle=":", zorder=0)
    ax.set_xlabel(samples.label)
    if samples.at.dtype.kind == "M":
        locator: Any = AutoDateLocator(maxticks=_most_dates(ax))  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        words: Any = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_formatter(words)
        if ax.get_window_extent().width < _WIDE * ax.figure.dpi:
            ax.set_xlabel("")  # the date stands there
    if samples.words is not None and len(samples.words) <= _MOST_WORDS:
        ax.set_xticks(samples.at, samples.words, rotation=90)


def _most_dates(ax: Axes) -> int:
    """Return how many dates have room, a third of an inch each."""
    return int(np.clip(3 * ax.get_window_extent().width / ax.figure.dpi, 3, 8))


def limits_of(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return limits that hold all finite values with a little room."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room
