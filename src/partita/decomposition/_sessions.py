"""Sessions on one grid, visited one by one: what is kept of them, and one more folded in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.stack import Stacker
from partita._solvers.matrices import products
from partita._solvers.nmf import online
from partita._solvers.nmf.online import Statistics
from partita._solvers.problem import normalisation
from partita.decomposition._base import Array

if TYPE_CHECKING:
    from partita.decomposition.nmf import NMF

ROUNDS = 3
_OF_ONE_FIT = (
    "optimality_",
    "losses_",
    "converged_",
    "n_iter_",
    "n_sessions_",
    "_ledger",
    "_lazily",
)


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


class Visited(NamedTuple):
    """A session as numbers, and its geometry."""

    stacker: Stacker
    matrix: Any


def forget(model: NMF) -> None:
    """Drop what an earlier fit left that the next may not set."""
    for name in _OF_ONE_FIT:
        if name in vars(model):
            delattr(model, name)


# One more session


def continue_with(model: NMF, recording: xr.DataArray) -> None:
    """Fit the first session, or fold one more into the maps of a fitted model."""
    caller = "NMF.partial_fit"
    require_plain_loss(model, caller=caller)
    if not hasattr(model, "maps_"):
        recording = in_memory(recording)
        model.fit(recording)
        seen = visited(model._stacker, recording, caller=caller)
        signals = model.signals_.values
        ledger = Ledger(online.gather(seen.matrix, signals))
        ledger.signals[online.fingerprint(seen.matrix)] = signals
    else:
        seen = visited(model._stacker, recording, caller=caller)
        ledger = _folded(model, seen)
    forget(model)
    model._ledger, model.n_sessions_ = ledger, ledger.n_sessions
    model.fit_report_ = {"route": "incremental", "sessions": ledger.n_sessions}


def _folded(model: NMF, seen: Visited) -> Ledger:
    """Fold a session into the maps, keep both on the model, and return the new ledger."""
    maps = model._stacker.flat_maps(model.maps_, caller="maps_").astype(np.float64)
    ledger = getattr(model, "_ledger", None)
    if ledger is None:
        ledger = Ledger(online.settled(maps, model.signals_.values), n_unknown=1)
    key = online.fingerprint(seen.matrix)
    rest = ledger.statistics
    if key in ledger.signals:
        rest = rest.minus(online.gather(seen.matrix, ledger.signals[key]))
    free = np.arange(n_held(model), len(maps))
    folded = online.fold(seen.matrix, maps, rest, free=free, n_rounds=ROUNDS)
    signals, unit, *_ = normalisation.canonicalise(folded.W, folded.H, keep_order=len(maps))
    lengths = np.linalg.norm(folded.H, axis=1)
    component = model.maps_["component"].values
    unit = unit.astype(seen.stacker.dtype)
    norm2 = products.norm2(seen.matrix)
    model._remember(seen.stacker, signals, unit, component=component, norm2=norm2)
    error2 = products.residual_norm2(seen.matrix, signals, unit)
    model.reconstruction_err_ = math.sqrt(error2)
    kept = {**ledger.signals, key: folded.W}
    return Ledger(
        folded.statistics.scaled(lengths),
        {name: columns * lengths.astype(columns.dtype) for name, columns in kept.items()},
        ledger.n_unknown,
    )


# What both do with a session


def in_memory(recording: Any) -> Any:
    """Return a session loaded, so that a fit of it reads it once and does not stream it."""
    lazy = isinstance(recording, xr.DataArray) and recording.chunks is not None
    return recording.compute() if lazy else recording


def visited(stacker: Stacker, recording: xr.DataArray, *, caller: str) -> Visited:
    """Load a session on the grid of the maps, or refuse it."""
    sample_dim = stacker.sample_dim
    checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
    checks.require_samples(recording, sample_dim=sample_dim, caller=caller)
    aligned = stacker.aligned(recording, caller=caller).transpose(*stacker.dims).compute()
    grid = stacker.feature_template().coords
    places = {dim: grid[dim].variable for dim in stacker.feature_dims if dim in grid}
    aligned = aligned.assign_coords(places)
    own = Stacker.of(aligned, sample_dim=sample_dim)
    own = replace(own, inside=stacker.inside, dtype=stacker.dtype)
    matrix = own.matrix(aligned)
    empty = checks.missing_throughout(matrix)
    if empty is not None:
        raise ValueError(
            f"{caller} met {int(empty.sum())} of {empty.size} voxels that are NaN at all times in "
            "this session and hold values in the first. Give a mask of the voxels that all "
            "sessions have: mask=recording.notnull().all('time'), combined with &."
        )
    checks.refuse_isolated(matrix, place=own.place, caller=caller)
    checks.refuse_negative(matrix, place=own.place, caller=caller)
    return Visited(own, matrix)


def require_plain_loss(model: NMF, *, caller: str) -> None:
    beta, penalty = model._objective()
    if beta == 2.0 and not penalty.active:
        return
    raise ValueError(
        f"{caller} keeps products of the data, which suffice for loss='frobenius' without "
        f"penalties only; given: loss={model.loss!r}, maps_l1={model.maps_l1!r}, "
        f"signals_l1={model.signals_l1!r}, l2={model.l2!r}. Leave these at their defaults, or fit "
        "the sessions joined along time: xarray.concat(recordings, 'time')."
    )


def n_held(model: NMF) -> int:
    fixed = model.fixed_maps
    return 0 if fixed is None else fixed.sizes["component"]
