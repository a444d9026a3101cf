"""Draw signals as stacked traces."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes

from partita._labels import checks
from partita._labels.grid import same_grid
from partita._labels.numbers import is_number
from partita.plotting.events import Shades, during, named, shade, shades_of
from partita.plotting.parts import find_components
from partita.plotting.sheets import open_page
from partita.plotting.style import (
    Theme,
    axis_label,
    choose_theme,
    dress,
    round_length,
)
from partita.plotting.traces import draw_samples, samples_of, within

# Room between neighbouring traces, and the least of it that a label needs: shares of the tallest.
_ROOM, _LEAST = 0.08, 0.3


_TALLEST = 11.0  # inches of a new figure: a page, on which many traces come closer


class Stack(NamedTuple):
    """Traces on one scale, each at its own height."""

    values: np.ndarray[Any, Any]
    behind: np.ndarray[Any, Any] | None
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
    limits: Literal["shared", "each"] = "shared",
    times: tuple[Any, Any] | None = None,
    events: Any = None,
    behind: xr.DataArray | None = None,
    title: str | None = None,
    theme: Literal["light", "dark"] | None = None,
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
    times : (start, stop), optional
        The stretch of time to draw, in the units of the time coordinate.
    events : xarray.Dataset over `event`, pandas.DataFrame, or list or mapping of them, optional
        What happened: `onset` and `duration` in s, and `trial_type`, shaded below and named. Of
        several runs one table each, in their order, or by session.
    behind : xarray.DataArray, (time, component) in any order, optional
        A second course of each component, drawn thin behind the first at the same height and scale:
        the raw signals behind the denoised.
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
    checks.require_choice("limits", limits, ("shared", "each"))
    _require_offset(offset)
    table = _table(signals)
    dim = str(table.dims[0])
    whole = samples_of(table, dim)
    shades = shades_of(events, whole, theme=chosen, caller="plot_signals")
    shades = during(shades, whole, table, times)
    behind = None if behind is None else _second(behind, table)
    table = within(table, dim, times, caller="plot_signals")
    shown = find_components(table, components)
    names = [f"Component {label}" for label in table["component"].values[shown]]
    colours = [chosen.lines[at % len(chosen.lines)] for at in shown]
    samples = samples_of(table, dim)
    values = np.asarray(table.values[:, shown], dtype=float)
    second = None
    if behind is not None:
        second = within(behind, dim, times, caller="plot_signals").values[:, shown].astype(float)
    axes = _new_axes(len(shown) if stacked else 4, theme=chosen) if ax is None else ax
    with rc_context(chosen.rc):
        dress(axes, chosen)
        shade(axes, shades)
        if stacked:
            stack = _stack(values, second, offset, limits)
            _draw_stack(axes, samples.at, stack, names, colours)
            _name_scale(axes, table, stack, limits=limits, theme=chosen)
        else:
            _draw_together(axes, samples.at, values, second, names, colours)
            axes.set_ylabel(axis_label(table))
        _name_events(axes, shades)
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


def _second(behind: Any, table: xr.DataArray) -> xr.DataArray:
    """Return the courses that are drawn behind, if they are of the same samples and components."""
    second = _table(behind)
    if second.dims != table.dims or second.shape != table.shape:
        raise ValueError(
            f"behind has the sizes {dict(second.sizes)}, and the signals {dict(table.sizes)}. Give "
            "a course for each of them: behind.sel(component=signals.component)."
        )
    known = [dim for dim in table.dims if dim in table.coords and dim in second.coords]
    other = [dim for dim in known if not same_grid(second[dim], table[dim])]
    if other:
        raise ValueError(
            f"behind has other labels along {other[0]!r} than the signals. Choose those of the "
            f"signals: behind.sel({other[0]}=signals[{str(other[0])!r}])."
        )
    return second


def _stack(
    values: np.ndarray[Any, Any],
    second: np.ndarray[Any, Any] | None,
    offset: float | None,
    limits: str,
) -> Stack:
    """Place each trace below the one before, as close as they come without touching."""
    filled = np.where(np.isfinite(values), values, np.nan)
    every = filled if second is None else np.concatenate([filled, second])
    lows, highs = _reach(every)
    if limits == "each":
        spans = np.where(highs > lows, highs - lows, 1)
        filled = (filled - lows) / spans
        second = None if second is None else (second - lows) / spans
        lows, highs = lows * 0, (highs > lows) * 1.0
    tallest = float((highs - lows).max()) or 1.0
    # Every trace hangs about its own middle: its zero may lie far away.
    middles, halves = (highs + lows) / 2, (highs - lows) / 2
    steps = np.maximum(halves[1:] + halves[:-1] + _ROOM * tallest, _LEAST * tallest)
    if offset is not None:
        steps = np.full(steps.size, float(offset))
    heights = -np.concatenate([[0.0], np.cumsum(steps)])
    rest = _LEAST / 2 * tallest
    ends = heights[-1] - max(halves[-1], rest), max(halves[0], rest)
    lower, upper = float(ends[0]), float(ends[1])
    behind = None if second is None else second - middles + heights
    return Stack(filled - middles + heights, behind, heights, tallest, (lower, upper))


def _reach(values: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the smallest and largest finite value of each trace; 0 of one that has none."""
    finite = np.isfinite(values)
    lows = np.min(values, axis=0, initial=np.inf, where=finite)
    highs = np.max(values, axis=0, initial=-np.inf, where=finite)
    empty = ~finite.any(axis=0)
    return np.where(empty, 0, lows), np.where(empty, 0, highs)


def _draw_stack(
    ax: Axes, at: np.ndarray[Any, Any], stack: Stack, names: list[str], colours: list[str]
) -> None:
    _draw_behind(ax, at, stack.behind, colours)
    for trace, colour, name in zip(stack.values.T, colours, names, strict=True):
        ax.plot(at, trace, color=colour, linewidth=0.9, label=name)
    room = _ROOM * stack.tallest
    ax.set_ylim(stack.ends[0] - room, stack.ends[1] + room)
    ax.set_yticks(stack.heights, names)
    ax.tick_params(axis="y", length=0)
    for tick, colour in zip(ax.get_yticklabels(), colours, strict=True):
        tick.set_color(colour)
    ax.spines["left"].set_visible(False)


def _draw_behind(
    ax: Axes, at: np.ndarray[Any, Any], second: np.ndarray[Any, Any] | None, colours: list[str]
) -> None:
    if second is None:
        return
    for trace, colour in zip(second.T, colours, strict=True):
        ax.plot(at, trace, color=colour, linewidth=0.5, alpha=0.45, label="_behind")


def _name_events(ax: Axes, shades: Shades) -> None:
    """Name kinds of events above the picture, beside whatever other legend there is."""
    if not shades.spans:
        return
    before = ax.get_legend()
    ax.legend(
        handles=named(shades), loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1,
        ncols=min(len(shades.spans), 6), handlelength=1.0, columnspacing=1.0,
    )  # fmt: skip
    if before is not None:
        ax.add_artist(before)
        before.set_clip_on(False)  # it stands beside the axes, and the layout leaves it room


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
    second: np.ndarray[Any, Any] | None,
    names: list[str],
    colours: list[str],
) -> None:
    _draw_behind(ax, at, second, colours)
    styles = ("-", "--", "-.", ":")
    for number, (trace, colour, name) in enumerate(zip(values.T, colours, names, strict=True)):
        style = styles[number // len(set(colours)) % len(styles)]
        ax.plot(at, trace, color=colour, linewidth=0.9, linestyle=style, label=name)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=1 + (len(names) - 1) // 12)


def _new_axes(traces: int, *, theme: Theme) -> Axes:
    height = min(0.8 + 0.5 * traces, _TALLEST) if traces > 1 else 2.0
    return open_page(7.5, height, colour=theme.page, layout="constrained").add_subplot()
