"""What happened during a recording, and when: events with onsets and durations in seconds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.time import seconds_of
from partita._labels.warn import warn

Array = np.ndarray[Any, Any]


class Events(NamedTuple):
    """Events as numbers: onsets and durations in s (n_events,), and what each was."""

    onset: Array
    duration: Array
    trial_type: list[str]

    @property
    def kinds(self) -> list[str]:
        """The kinds of events, in the order in which they first come."""
        return list(dict.fromkeys(self.trial_type))

    @property
    def ends(self) -> Array:
        """Where each begins and ends, s, (n_events, 2)."""
        return np.column_stack([self.onset, self.onset + self.duration])


def events_of(events: Any, *, caller: str) -> Events:
    """Return events as numbers, or refuse them.

    Parameters
    ----------
    events : xarray.Dataset over `event`, pandas.DataFrame, or mapping of columns
        With `onset` and `duration`, s (in another unit where the attribute `units` says so), and
        perhaps `trial_type`; as `load_events` gives them.
    caller : str
        Who asks, for the messages.

    Raises
    ------
    TypeError
        If they are no table.
    ValueError
        If a column is missing or holds no numbers, an onset is not known or a duration negative.

    Warns
    -----
    UserWarning
        If durations are not known: those events count as instants.
    """
    columns = _columns_of(events, caller=caller)
    for name in ("onset", "duration"):
        if name not in columns:
            raise ValueError(
                f"{caller} needs events with the columns 'onset' and 'duration' in seconds; these "
                f"have {', '.join(map(repr, columns)) or 'none'}. Rename or add it: a duration of "
                "0 is an instant."
            )
    onset, duration = (
        _seconds(columns[name], name, caller=caller) for name in ("onset", "duration")
    )
    if not np.isfinite(onset).all():
        first = int(np.argmin(np.isfinite(onset)))
        raise ValueError(
            f"{caller} needs an onset for every event; that of event {first} is {onset[first]}. "
            "Leave such events out: events.dropna()."
        )
    unknown = ~np.isfinite(duration)
    if unknown.any():
        warn(
            f"{caller}: the durations of {int(unknown.sum())} of {unknown.size} events are not "
            "known; they count as instants."
        )
        duration = np.where(unknown, 0.0, duration)
    if (duration < 0).any():
        first = int(np.argmax(duration < 0))
        raise ValueError(
            f"{caller} needs durations of 0 or more; that of event {first} is {duration[first]:g} "
            "s. Were ends given in place of durations?"
        )
    kinds = columns.get("trial_type")
    names = ["event"] * onset.size if kinds is None else [str(kind) for kind in np.ravel(kinds)]
    return Events(onset, duration, names)


def require_inside(events: Events, times: Array, *, caller: str) -> None:
    """Refuse events of which none falls into a recording, and warn of those that do not.

    Parameters
    ----------
    events : Events
        In the seconds of the recording.
    times : numpy.ndarray, (n_samples,)
        Of the recording, s.
    """
    step = float(np.median(np.diff(times))) if times.size > 1 else 0.0
    first, last = float(times.min()), float(times.max()) + step
    outside = (events.ends[:, 0] > last) | (events.ends[:, 1] < first)
    if not outside.any():
        return
    reach = f"from {events.ends.min():g} to {events.ends.max():g} s"
    words = (
        f"{caller}: {int(outside.sum())} of {outside.size} events lie outside the recording, which "
        f"runs from {first:g} to {last:g} s; they reach {reach}."
    )
    if outside.all():
        raise ValueError(f"{words} Are they in ms or in frames, or those of another run?")
    warn(words)


def _columns_of(events: Any, *, caller: str) -> Mapping[Hashable, Any]:
    if isinstance(events, xr.Dataset):
        others = [dim for dim in events.dims if dim != "event"]
        if others or "event" not in events.dims:
            raise ValueError(
                f"{caller} needs events over the dimension 'event'; given: {dict(events.sizes)}. "
                'Rename it: events.rename(...="event").'
            )
        return {name: events[name] for name in (*events.data_vars, *events.coords)}
    if isinstance(events, Mapping):
        return events
    if hasattr(events, "columns") and hasattr(events, "to_numpy"):
        return {name: events[name].to_numpy() for name in events.columns}
    raise TypeError(
        f"{caller} needs events as partita.io.load_events gives them, or a DataFrame with the "
        f"columns 'onset', 'duration' and 'trial_type'; given: {type(events).__name__}."
    )


def _seconds(column: Any, name: str, *, caller: str) -> Array:
    if isinstance(column, xr.DataArray):
        seconds = None if column.dtype.kind == "M" else seconds_of(column)
    else:
        values = np.ravel(np.asarray(column))
        seconds = seconds_of(xr.DataArray(values, dims="event"))
    if seconds is None:
        raise ValueError(
            f"{caller} needs numbers in seconds in the column {name!r}; given: {column!r:.200}."
        )
    return np.asarray(seconds, dtype=float)
