"""Sessions on one grid, one after the other: what is kept of them, and one more folded in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.stack import Stacker
from partita._solvers.matrices import products
from partita._solvers.matrices.spread import spread
from partita._solvers.nmf import online
from partita._solvers.nmf.online import Statistics
from partita._solvers.problem import normalisation
from partita.decomposition.explained import Explained
from partita.decomposition.fit import Array, Fit, Seen, Signals

ROUNDS = 3
# Parameters that say which maps are looked for, and over what.
_DEFINING = ("n_components", "mode", "mask", "fixed_maps", "init", "sample_dim")


@dataclass
class Ledger:
    """What is kept of the sessions seen: their statistics, and the signals of each by fingerprint.

    `n_unknown` counts the session of an ordinary fit, which is known by its maps and signals only.
    """

    statistics: Statistics
    signals: dict[str, Array] = field(default_factory=dict)
    n_unknown: int = 0

    @property
    def n_sessions(self) -> int:
        """How many sessions the maps rest on."""
        return len(self.signals) + self.n_unknown


class Folded(NamedTuple):
    """A session folded in: the factors as a fit, and what is kept of all sessions."""

    fit: Fit
    ledger: Ledger


def opened(seen: Seen, signals: Array) -> Ledger:
    """Return what is kept of the first session."""
    key = online.fingerprint(seen.matrix)
    return Ledger(online.gather(seen.matrix, signals), {key: signals})


def folded(
    seen: Seen,
    maps: xr.DataArray,
    *,
    ledger: Ledger | None,
    signals: xr.DataArray,
    n_held: int,
) -> Folded:
    """Fold one more session into the maps.

    Parameters
    ----------
    seen : Seen
        The session.
    maps : xarray.DataArray, (component, ...features)
        As they are before; the first `n_held` stay so.
    ledger : Ledger or None
        Of the sessions before; None where `maps` are known with `signals` only.
    signals : xarray.DataArray, (time, component)
        Those that belong to the maps.
    n_held : int
        How many maps stay.
    """
    rows = seen.stacker.flat_maps(maps, caller="maps_").astype(np.float64)
    if ledger is None:
        ledger = Ledger(online.settled(rows, signals.values), n_unknown=1)
    key = online.fingerprint(seen.matrix)
    rest = ledger.statistics
    # A session that comes again takes the place of what is known of it.
    if key in ledger.signals:
        rest = rest.minus(online.gather(seen.matrix, ledger.signals[key]))
    free = np.arange(n_held, len(rows))
    new = online.fold(seen.matrix, rows, rest, free=free, n_rounds=ROUNDS)
    columns, unit, *_ = normalisation.canonicalise(new.W, new.H, keep_order=len(rows))
    # What is kept belongs to maps of unit length, as they are stored.
    lengths = np.linalg.norm(new.H, axis=1)
    unit = unit.astype(seen.stacker.dtype)
    kept = {**ledger.signals, key: new.W}
    squares, left2 = spread(seen.matrix), products.residual_norm2(seen.matrix, columns, unit)
    fit = Fit(
        Signals(columns),
        unit,
        maps["component"].values,
        norm2=squares.total,
        error=math.sqrt(left2),
        explained=Explained.of(squares, left2),
    )
    return Folded(
        fit,
        Ledger(
            new.statistics.scaled(lengths),
            {name: old * lengths.astype(old.dtype) for name, old in kept.items()},
            ledger.n_unknown,
        ),
    )


def in_memory(recording: Any) -> Any:
    """Return a session loaded, so that a fit of it reads it once and does not stream it."""
    lazy = isinstance(recording, xr.DataArray) and recording.chunks is not None
    return recording.compute() if lazy else recording


def visited(stacker: Stacker, recording: xr.DataArray, *, caller: str) -> Seen:
    """Load a session on the grid of the maps, or refuse it."""
    sample_dim = stacker.sample_dim
    checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
    checks.require_samples(recording, sample_dim=sample_dim, caller=caller)
    own, aligned = stacker.at(recording, caller=caller)
    matrix = own.matrix(aligned.compute())
    empty = checks.missing_throughout(matrix)
    if empty is not None:
        raise ValueError(
            f"{caller} met {int(empty.sum())} of {empty.size} voxels that are NaN at all times in "
            "this session and hold values in the first. Give a mask of the voxels that all "
            "sessions have: mask=recording.notnull().all('time'), combined with &."
        )
    checks.refuse_isolated(matrix, place=own.place, caller=caller)
    checks.refuse_negative(matrix, place=own.place, caller=caller)
    return Seen(own, matrix)


def refuse_more_than_products(model: Any, *, caller: str) -> None:
    """Refuse an objective for which products of the data do not suffice (ValueError)."""
    if model._objective().is_plain:
        return
    names = ("maps_l1", "signals_l1", "l2", "signals_smoothness", "maps_smoothness")
    given = ", ".join(f"{name}={getattr(model, name)!r}" for name in ("loss", *names))
    raise ValueError(
        f"{caller} keeps products of the data, which suffice for loss='frobenius' without "
        f"penalties only; given: {given}. Leave these at their defaults, or fit the "
        "sessions joined along time: xarray.concat(recordings, 'time')."
    )


def refuse_changed(before: dict[str, Any], now: dict[str, Any], *, caller: str) -> None:
    """Refuse parameters set since the first session, which would be ignored (ValueError)."""
    changed = [name for name in _DEFINING if not _alike(before[name], now[name])]
    if changed:
        raise ValueError(
            f"{caller} folds a session into maps that were fitted with other parameters: "
            f"{', '.join(changed)} changed since. Set them back, or fit anew: fit_sessions, or "
            "clone(model) and all sessions again."
        )


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, xr.DataArray) and isinstance(other, xr.DataArray):
        return one.identical(other)
    return one is other or (type(one) is type(other) and bool(one == other))
