"""Draw signals as stacked traces."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes

from partita._labels import checks
from partita._labels.numbers import is_number
from partita.plotting.parts import find_components
from partita.plotting.sheets import open_page
from partita.plotting.style import (
    Theme,
    axis_label,
    choose_theme,
    dress,
    round_length,
)
from partita.plotting.traces import draw_samples, samples_of

# Room between neighbouring traces, and the least of it that a label needs: shares of the tallest.
_ROOM, _LEAST = 0.08, 0.3


class Stack(NamedTuple):
    """Traces on one scale, each at its own height."""

    values: np.ndarray[Any, Any]
    heights: np.ndarray[Any, Any]
    tallest: float
    ends: tuple[float, float]


def plot_signals(
    signals: xr.DataArray,
    *,
    ax: Axes | None = None,
    components: Hashable | Sequence[Hashable] | None = None,
    stacked: bool = True,
    offset: float | None = None,
    limits: str = "shared",
    title: str | None = None,
    theme: str | None = None,
) -> Axes:
    """Draw signals against time: stacked one above the other, or on one another.

    Stacked traces share one scale, which a bar at the right gives in the signals' units; the first
    component is on top. A component has the same colour whichever others are chosen.

    Parameters
    ----------
    signals : xarray.DataArray, (time, component) in any order, or (time)
        Such as ``model.signals_``, in any units. Times may be numbers, datetimes or timedeltas;
        where they fall or repeat (concatenated runs) samples are counted. NaN breaks a line.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    components : label or sequence of labels, optional
        The components to draw, in that order; all by default.
    stacked : bool
        Whether traces are stacked; if not, they share a vertical axis and a legend names them.
    offset : float, optional
        The distance between stacked traces, in the signals' units; by default as close as they
        come without touching.
    limits : {"shared", "each"}
        "each" stretches every stacked trace to the same height, and leaves out the scale bar.
    title : str, optional
        Nothing by default.
    theme : {"light", "dark"}, optional
        "light" by default; on given axes as suits their page.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError
        If `signals` is not a DataArray of numbers.
    ValueError
        If it has other dimensions, a component is not known, `offset` is no number, or a choice is
        not one of those named.

    Examples
    --------
    >>> time = xr.DataArray([0.0, 0.5, 1.0], dims="time", attrs={"units": "s"})
    >>> signals = xr.DataArray(np.eye(3), dims=("time", "component"), coords={"time": time})
    >>> ax = partita.plotting.plot_signals(signals, components=[0, 2])
    >>> ax.get_xlabel()
    'time [s]'
    """
    chosen = choose_theme(theme, ax=ax)
    if limits not in ("shared", "each"):
        raise ValueError(f"limits must be 'shared' or 'each'; given: {limits!r}.")
    _require_offset(offset)
    table = _table(signals)
    shown = find_components(table, components)
    names = [f"Component {label}" for label in table["component"].values[shown]]
    colours = [chosen.lines[at % len(chosen.lines)] for at in shown]
    samples = samples_of(table, str(table.dims[0]))
    values = np.asarray(table.values[:, shown], dtype=float)
    axes = _new_axes(len(shown) if stacked else 4, theme=chosen) if ax is None else ax
    with rc_context(chosen.rc):
        dress(axes, chosen)
        if stacked:
            _draw_stack(axes, samples.at, _stack(values, offset, limits), names, colours)
            _name_scale(axes, table, _stack(values, offset, limits), limits=limits, theme=chosen)
        else:
            _draw_together(axes, samples.at, values, names, colours)
            axes.set_ylabel(axis_label(table))
        draw_samples(axes, samples, theme=chosen)
        axes.set_title(title or "", fontsize=chosen.letters.title, color=chosen.ink, loc="left")
    return axes


def _table(signals: Any) -> xr.DataArray:
    checks.require_array(signals, caller="plot_signals")
    table = signals if "component" in signals.dims else signals.expand_dims("component")
    if table.ndim != 2 or table.size == 0:
        raise ValueError(
            "plot_signals needs signals with a dimension of samples and the dimension 'component'; "
            f"given: {dict(signals.sizes)}. Select from what is beside them: signals.isel(...)."
        )
    return table.transpose(..., "component")


def _require_offset(offset: Any) -> None:
    if offset is not None and not (is_number(offset) and np.isfinite(offset)):
        raise ValueError(
            f"offset is a number in the signals' units; given: {offset!r}. Leave it out for traces "
            "as close as they come without touching."
        )


def _stack(values: np.ndarray[Any, Any], offset: float | None, limits: str) -> Stack:
    """Place each trace below the one before, as close as they come without touching."""
    filled = np.where(np.isfinite(values), values, np.nan)
    empty = ~np.isfinite(filled).any(axis=0)
    lows = np.where(empty, 0, np.min(filled, axis=0, initial=np.inf, where=~np.isnan(filled)))
    highs = np.where(empty, 0, np.max(filled, axis=0, initial=-np.inf, where=~np.isnan(filled)))
    if limits == "each":
        spans = np.where(highs > lows, highs - lows, 1)
        filled, lows, highs = (filled - lows) / spans, lows * 0, (highs > lows) * 1.0
    tallest = float((highs - lows).max()) or 1.0
    # Every trace hangs about its own middle: its zero may lie far away.
    middles, halves = (highs + lows) / 2, (highs - lows) / 2
    steps = np.maximum(halves[1:] + halves[:-1] + _ROOM * tallest, _LEAST * tallest)
    if offset is not None:
        steps = np.full(steps.size, float(offset))
    heights = -np.concatenate([[0.0], np.cumsum(steps)])
    rest = _LEAST / 2 * tallest
    ends = heights[-1] - max(halves[-1], rest), max(halves[0], rest)
    return Stack(filled - middles + heights, heights, tallest, (float(ends[0]), float(ends[1])))


def _draw_stack(
    ax: Axes, at: np.ndarray[Any, Any], stack: Stack, names: list[str], colours: list[str]
) -> None:
    for trace, colour, name in zip(stack.values.T, colours, names, strict=True):
        ax.plot(at, trace, color=colour, linewidth=0.9, label=name)
    room = _ROOM * stack.tallest
    ax.set_ylim(stack.ends[0] - room, stack.ends[1] + room)
    ax.set_yticks(stack.heights, names)
    ax.tick_params(axis="y", length=0)
    for tick, colour in zip(ax.get_yticklabels(), colours, strict=True):
        tick.set_color(colour)
    ax.spines["left"].set_visible(False)


def _name_scale(
    ax: Axes, signals: xr.DataArray, stack: Stack, *, limits: str, theme: Theme
) -> None:
    """Say how large the traces are: a bar with units, or that each has a scale of its own."""
    if limits == "each":
        ax.set_ylabel(f"{axis_label(signals)}, each stretched")
        return
    length = round_length(0.6 * stack.tallest)
    low = stack.ends[0]
    across = ax.get_yaxis_transform()
    ax.plot(
        [1.015, 1.015], [low, low + length], transform=across, color=theme.ink, linewidth=1.5,
        clip_on=False, solid_capstyle="butt", label="_scale",
    )  # fmt: skip
    units = str(signals.attrs.get("units", ""))
    ax.text(
        1.025, low + length / 2, f"{length:g} {units if units != '1' else ''}".rstrip(),
        transform=across, ha="left", va="center", fontsize=theme.letters.tick, color=theme.ink,
    )  # fmt: skip


def _draw_together(
    ax: Axes,
    at: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any],
    names: list[str],
    colours: list[str],
) -> None:
    styles = ("-", "--", "-.", ":")
    for number, (trace, colour, name) in enumerate(zip(values.T, colours, names, strict=True)):
        style = styles[number // len(set(colours)) % len(styles)]
        ax.plot(at, trace, color=colour, linewidth=0.9, linestyle=style, label=name)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=1 + (len(names) - 1) // 12)


def _new_axes(traces: int, *, theme: Theme) -> Axes:
    height = min(0.8 + 0.5 * traces, 60.0) if traces > 1 else 2.0
    return open_page(7.5, height, colour=theme.page, layout="constrained").add_subplot()
