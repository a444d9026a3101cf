"""Shade what happened during a recording under its time courses, and name it."""

from __future__ import annotations

from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Patch

from partita._labels.events import events_of, require_inside
from partita._labels.time import from_seconds, seconds_of
from partita.plotting.style import Theme
from partita.plotting.traces import Samples

_SHADE = 0.22  # opacity: a course is read through it


class Shades(NamedTuple):
    """Stretches of the horizontal axis by kind of event, and the colour of each kind."""

    spans: dict[str, list[tuple[Any, Any]]]
    colours: dict[str, str]


def shades_of(events: Any, samples: Samples, *, theme: Theme, caller: str) -> Shades:
    """Return events as stretches of the axis on which signals are drawn.

    Parameters
    ----------
    events : Dataset over `event`, DataFrame, or None
        As `partita.io.load_events` gives them; None for nothing.
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
    known = events_of(events, caller=caller)
    coordinate = samples.of
    seconds = None if coordinate is None or samples.starts.size else seconds_of(coordinate)
    if coordinate is None or seconds is None:
        raise ValueError(
            f"{caller} places events by the times of the signals, and these have none that rise "
            "throughout. Assign times in seconds, or draw the runs one by one: "
            "signals.isel(time=slice(0, 121))."
        )
    require_inside(known, seconds, caller=caller)

    seconds = known.ends.ravel()
    drawn_in_seconds = coordinate.dtype.kind == "m"
    places = seconds if drawn_in_seconds else from_seconds(seconds, like=coordinate).values
    spans: dict[str, list[tuple[Any, Any]]] = {kind: [] for kind in known.kinds}
    for kind, span in zip(known.trial_type, places.reshape(-1, 2), strict=True):
        spans[kind].append((span[0], span[1]))
    return Shades(spans, dict(zip(known.kinds, _colours(len(spans), theme), strict=True)))


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
    return (
        list(own[:count])
        if count <= len(own)
        else [to_hex(mpl.colormaps["tab20"](at % 20)) for at in range(count)]
    )
