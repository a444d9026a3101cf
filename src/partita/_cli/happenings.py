"""What `partita run` is told of events, and which component follows each kind of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import xarray as xr

    from partita.decomposition import NMF


class Follower(NamedTuple):
    """The component whose signal follows a kind of event best: its correlation and its lag in s."""

    component: Any
    r: float
    lag: float


def load_each(paths: Sequence[str], names: Sequence[str]) -> dict[str, xr.Dataset]:
    """Return the events of each recording by its name; none where no paths are given.

    Raises
    ------
    ValueError
        If there are not as many tables as recordings.
    """
    from partita.io import load_events

    if paths and len(paths) != len(names):
        recordings = f"{len(names)} recording{'s' * (len(names) > 1)}"
        raise ValueError(
            f"--events names {len(paths)} table{'s' * (len(paths) > 1)} for {recordings}. Give one "
            "for each, in the order of the recordings."
        )
    return {name: load_events(path) for name, path in zip(names, paths, strict=False)}


def refuse_outside(events: Mapping[str, xr.Dataset], recordings: Mapping[str, Any]) -> None:
    """Refuse, before there is work to lose, events of which none falls into their recording.

    Raises
    ------
    ValueError
        If so, or if a recording has no times in seconds.
    """
    from partita._labels.events import events_of, require_inside
    from partita._labels.time import sample_times

    for name, table in events.items():
        times = sample_times(recordings[name], sample_dim="time", caller="--events")
        require_inside(events_of(table, caller="--events"), times, caller="--events")


def for_plots(events: Mapping[str, xr.Dataset]) -> Any:
    """Return events as plots take them: one table, or one by the name of each session."""
    if len(events) < 2:
        return next(iter(events.values()), None)
    return dict(events)


def followers(model: NMF, events: Mapping[str, xr.Dataset]) -> dict[str, Follower]:
    """Return which component follows each kind of event best, and how far behind.

    What is recorded follows what happens: calcium within a second, blood in about five. So the
    boxcar of the events is looked for from 0 to 10 s later.
    """
    from partita.inference import correlate_events

    if not events:
        return {}
    found = correlate_events(model.signals_, list(events.values()))
    return {str(kind): _best(found.sel(trial_type=kind)) for kind in found["trial_type"].values}


def _best(of_kind: xr.Dataset) -> Follower:
    at = int(of_kind["lagged_correlation"].fillna(-1).argmax("component"))
    best = of_kind.isel(component=at)
    r, lag = float(best["lagged_correlation"]), float(best["lag"])
    return Follower(best["component"].item(), r, lag)


def describe(written: Sequence[Path], found: Mapping[str, Follower]) -> None:
    """Add what follows which events to the description beside the maps."""
    from partita.io.atomic import replacing

    for path in written:
        if not found or not path.name.endswith("_decomposition.json"):
            continue
        about = json.loads(path.read_text(encoding="utf-8"))
        about["Events"] = {
            kind: {"Component": one.component, "Correlation": one.r, "Lag": one.lag}
            for kind, one in found.items()
        }
        with replacing(path) as (temporary,):
            text = json.dumps(about, indent=2, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
