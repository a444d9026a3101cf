"""Shade what happened during a recording under its time courses, and name it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Patch

from partita._labels.events import Events, events_of, require_inside
from partita._labels.time import from_seconds, seconds_of
from partita.plotting.style import Theme
from partita.plotting.traces import Samples, within

_SHADE = 0.22  # opacity: a course is read through it


class Shades(NamedTuple):
    """Stretches of the horizontal axis by kind of event, and the colour of each kind."""

    spans: dict[str, list[tuple[Any, Any]]]
    colours: dict[str, str]


def shades_of(events: Any, samples: Samples, *, theme: Theme, caller: str) -> Shades:
    """Return events as stretches of the axis on which signals are drawn.

    Parameters
    ----------
    events : Dataset over `event`, DataFrame, list or mapping of these, or None
        As `partita.io.load_events` gives them; None for nothing. A list has one table for each run
        in their order, a mapping one by the name of the session; each counts in its run's times.
    samples : Samples
        The axis, whose times count. Where they are dates, onsets count from the first sample.
    theme : Theme
        Whose colours are used.
    caller : str
        Who asks, for the messages.

    Raises
    ------
    TypeError, ValueError
        If the events cannot be used, or the signals have no times, or such as fall or repeat.
    """
    if events is None:
        return Shades({}, {})
    if _are_several(events):
        placed = _in_runs(events, samples, caller=caller)
    else:
        placed = [_in_one(events_of(events, caller=caller), samples, caller=caller)]
    kinds = dict.fromkeys(kind for known, _ in placed for kind in known.kinds)
    spans: dict[str, list[tuple[Any, Any]]] = {kind: [] for kind in kinds}
    for known, places in placed:
        for kind, (start, end), duration in zip(
            known.trial_type, places, known.duration, strict=True
        ):
            if start != end or not duration:  # the rest lies outside its run
                spans[kind].append((start, end))
    return Shades(spans, dict(zip(kinds, _colours(len(spans), theme), strict=True)))


def during(shades: Shades, samples: Samples, signals: xr.DataArray, times: Any) -> Shades:
    """Return stretches of an axis of counts where a part of the samples is drawn.

    Parameters
    ----------
    shades : Shades
        On the axis of all samples.
    samples : Samples
        That axis.
    signals : xarray.DataArray, (time, ...)
        All signals.
    times : (start, stop) or None
        What is drawn of them, as `within` takes it.
    """
    if times is None or not samples.starts.size:
        return shades
    dim = str(signals.dims[0])
    counted = xr.DataArray(samples.at, dims=dim, coords={dim: signals[dim]})
    kept = within(counted, dim, times, caller="events").values
    spans = {
        kind: [
            (start, end)
            for start, end in _counted(np.array(old, dtype=float).reshape(-1, 2), kept, 0)
            if start != end
        ]
        for kind, old in shades.spans.items()
    }
    return shades._replace(spans=spans)


def _are_several(events: Any) -> bool:
    if isinstance(events, list | tuple):
        return True
    tables = events.values() if isinstance(events, Mapping) else ()
    return not isinstance(events, xr.Dataset) and any(
        isinstance(one, xr.Dataset) or hasattr(one, "columns") for one in tables
    )


Placed = tuple[Events, Any]


def _in_runs(events: Any, samples: Samples, *, caller: str) -> list[Placed]:
    """Return the events of each run, and where on the axis they begin and end, (n_events, 2)."""
    runs = _runs_of(samples)
    if not isinstance(events, Mapping):
        if len(events) != len(runs):
            raise ValueError(
                f"{caller} was given {len(events)} tables of events for {len(runs)} runs. Give one "
                "for each, in their order."
            )
        tables = dict(zip(runs, events, strict=True))
    else:
        tables = dict(events)
        foreign = [name for name in tables if name not in runs]
        if foreign:
            raise ValueError(
                f"{caller} was given events of {foreign[0]!r}, and the signals have no such "
                f"session. Theirs: {', '.join(map(str, runs))}."
            )
    return [
        _in_run(events_of(table, caller=caller), samples, runs[name], caller=caller)
        for name, table in tables.items()
    ]


def _runs_of(samples: Samples) -> dict[Hashable, slice]:
    """Return which samples belong to each run: by `session`, else from one start to the next."""
    session = None if samples.of is None else samples.of.coords.get("session")
    if session is None or session.ndim != 1:
        edges = [0, *(int(start + 0.5) for start in samples.starts), len(samples.at)]
        return {number: slice(*edges[number : number + 2]) for number in range(len(edges) - 1)}
    names = session.values.tolist()
    edges = [at for at, name in enumerate(names) if not at or name != names[at - 1]]
    ends = [*edges[1:], len(names)]
    return {names[start]: slice(start, end) for start, end in zip(edges, ends, strict=True)}


def _in_run(known: Events, samples: Samples, run: slice, *, caller: str) -> Placed:
    seconds = None if samples.of is None else seconds_of(samples.of[run])
    if seconds is None or (np.diff(seconds) <= 0).any():
        raise ValueError(
            f"{caller} places events by the times of each run, and these have none that rise "
            "throughout it. Assign times in seconds."
        )
    require_inside(known, seconds, caller=caller)
    if samples.starts.size:
        return known, _counted(known.ends, seconds, run.start)
    assert samples.of is not None
    return known, _on_axis(known, samples.of[run])


def _counted(ends: Any, at: Any, first: int) -> Any:
    """Return places by the count of samples that lie `at`, half a sample beyond them at most."""
    step = float(np.median(np.diff(at))) if len(at) > 1 else 1.0
    edges = [at[0] - step / 2, *at, at[-1] + step / 2]
    return first + np.interp(ends, edges, [-0.5, *range(len(at)), len(at) - 0.5])


def _in_one(known: Events, samples: Samples, *, caller: str) -> Placed:
    coordinate = samples.of
    seconds = None if coordinate is None or samples.starts.size else seconds_of(coordinate)
    if coordinate is None or seconds is None:
        raise ValueError(
            f"{caller} places events by the times of the signals, and these have none that rise "
            "throughout. Assign times in seconds, or give the events of each run: "
            "events=[first, second]."
        )
    require_inside(known, seconds, caller=caller)
    return known, _on_axis(known, coordinate)


def _on_axis(known: Events, coordinate: xr.DataArray) -> Any:
    seconds = known.ends.ravel()
    drawn_in_seconds = coordinate.dtype.kind == "m"
    places = seconds if drawn_in_seconds else from_seconds(seconds, like=coordinate).values
    return places.reshape(-1, 2)


def shade(ax: Axes, shades: Shades) -> None:
    """Draw the stretches below what is drawn on the axes, instants as lines."""
    for kind, spans in shades.spans.items():
        for start, end in spans:
            if start == end:
                ax.axvline(start, color=shades.colours[kind], alpha=0.6, linewidth=1, zorder=0)
            else:
                ax.axvspan(
                    start, end, color=shades.colours[kind], alpha=_SHADE, linewidth=0, zorder=0
                )


def named(shades: Shades) -> list[Patch]:
    """Return what a legend needs to name the kinds of events."""
    return [
        Patch(color=colour, alpha=2 * _SHADE, linewidth=0, label=kind)
        for kind, colour in shades.colours.items()
    ]


def _colours(count: int, theme: Theme) -> list[str]:
    """Return a colour a kind; the first of the theme is that of the courses."""
    own = theme.lines[1:-1]
    if count <= len(own):
        return list(own[:count])
    # Every second of the twenty is the pale twin of the one before: shaded, it would not be seen.
    step = 2 if count <= 10 else 1
    return [to_hex(mpl.colormaps["tab20"](at * step % 20)) for at in range(count)]
