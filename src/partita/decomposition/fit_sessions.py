"""One fit of many sessions: one in memory at a time, all of them certified together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.stack import Stacker
from partita._progress import ProgressLine, progress
from partita._solvers.matrices import products
from partita._solvers.matrices.spread import Moments, moments
from partita._solvers.nmf import online
from partita._solvers.nmf.online import Statistics
from partita._solvers.optimality.certificate import Slack, certify, scale_of, together
from partita._solvers.problem import normalisation
from partita._solvers.problem.solution import Certificate
from partita._solvers.signals import solve_signals
from partita.decomposition import sessions
from partita.decomposition.convergence import by_iteration, certified
from partita.decomposition.explained import Explained
from partita.decomposition.fit import Array, Fit, Seen, Signals
from partita.decomposition.partial_fit import ROUNDS, Ledger, visited
from partita.decomposition.progress import certificate_of, nearing
from partita.decomposition.sessions import Source


class Begin(NamedTuple):
    """What the fit of the first session gives the others.

    `maps` (n_components, n_features) with their labels `component`: the first `n_held` stay as they
    are, the first `n_kept` where they are.
    """

    stacker: Stacker
    maps: Array
    component: Array
    n_held: int
    n_kept: int


class Outcome(NamedTuple):
    """The factors of all sessions as a fit, whose `more` says how it went.

    `interrupted` says that they are the best so far at Ctrl-C.
    """

    stacker: Stacker
    fit: Fit
    certificate: Certificate
    interrupted: bool


def fit_jointly(
    sources: Mapping[Any, Source],
    begin: Begin,
    *,
    tol: float,
    n_passes: int,
    rng: np.random.Generator,
    verbose: bool,
    caller: str,
) -> Outcome | None:
    """Fit one set of maps to sessions that are loaded one by one.

    Parameters
    ----------
    sources : mapping of xarray.DataArray or path
        By name.
    begin : Begin
        From the fit of the first of them.
    tol : float
        Residual of the joint certificate at which it ends.
    n_passes : int
        Passes at most.
    rng : numpy.random.Generator
        Random numbers.
    verbose : bool
        Whether a line of progress is drawn.
    caller : str
        Who asks, for the messages.

    Returns
    -------
    Outcome or None
        None where Ctrl-C came before the first session was folded in.
    """
    joint = _Joint(sources, begin, tol=tol, rng=rng, caller=caller)
    try:
        end = _passes(joint, n_passes, verbose=verbose)
    except KeyboardInterrupt:
        so_far = joint.so_far()
        return None if so_far is None else joint.outcome(so_far, interrupted=True)
    return joint.outcome(end, interrupted=False)


def _passes(joint: _Joint, n_passes: int, *, verbose: bool) -> _End:
    """Go over the sessions until the joint fit is certified, or as often as is allowed."""
    with progress("NMF.fit_sessions", shown=verbose) as line:
        joint.first_pass(line)
        end = joint.last_look(line) if n_passes == 1 else None
        for _ in range(1, n_passes):
            joint.descend(line)
            end = joint.last_look(line)
            if end.certificate.residual <= joint.tol:
                break
        end = joint.last_look(line) if end is None else end
        certificate = certificate_of(end.certificate.residual, joint.tol)
        line.say(f"pass {joint.n_passes} over {len(joint.sources)} sessions{certificate}")
        return end


class _Look(NamedTuple):
    """What the last look at one session found."""

    piece: xr.DataArray
    key: str
    error2: float
    slack: Slack


class _End(NamedTuple):
    """What is known of the sessions at some maps: their signals, and how good both are.

    `keys` are fingerprints of the sessions; there are none before the first last look.
    """

    maps: Array
    signals: dict[Any, Array]
    pieces: list[xr.DataArray]
    keys: list[str]
    statistics: Statistics
    error2: float
    certificate: Certificate


class _Joint:
    """A joint fit under way: the maps, and the signals and statistics of the sessions seen."""

    def __init__(
        self,
        sources: Mapping[Any, Source],
        begin: Begin,
        *,
        tol: float,
        rng: np.random.Generator,
        caller: str,
    ) -> None:
        self.sources, self.begin, self.tol, self.caller = sources, begin, tol, caller
        self.stacker = begin.stacker
        self.maps = begin.maps.astype(np.float64)
        self.free = np.arange(begin.n_held, len(self.maps))
        self.directions = online.directions(
            self.maps.shape[1], len(self.maps), rng=rng, dtype=self.stacker.dtype
        )
        self.signals: dict[Any, Array] = {}
        self.folded = self.maps  # those that `signals` and `statistics` belong to
        self.stackers: dict[Any, Stacker] = {}
        self.looked: _End | None = None
        self.drawn: dict[Any, Array] = {}
        self.linear: dict[Any, Array] = {}
        self.statistics: Statistics | None = None
        self.losses: list[float] = []
        self.moments = Moments.none(self.maps.shape[1])
        self.n_visits, self.n_passes = 0, 1

    def _visit(self, name: Any, line: ProgressLine, work: str) -> Seen:
        place = self.n_visits % len(self.sources) + 1  # whatever the work, each is visited once
        residual = math.nan if self.looked is None else self.looked.certificate.residual
        line.say(
            f"pass {self.n_passes}, {work}, session {place} of {len(self.sources)}"
            f"{nearing(residual, self.tol)}"
        )
        recording = sessions.opened(self.sources[name], caller=self.caller)
        seen = visited(self.stacker, recording, caller=f"{self.caller}, session {name!r},")
        self.n_visits += 1
        self.stackers[name] = seen.stacker
        return seen

    def first_pass(self, line: ProgressLine) -> None:
        """Fold the sessions in one after the other, and note what a sketch is to span."""
        for name in self.sources:
            self._fold_in(name, line)

    def _fold_in(self, name: Any, line: ProgressLine) -> None:
        matrix = self._visit(name, line, "starts").matrix
        self.moments = self.moments.plus(moments(matrix))
        folded = online.fold(matrix, self.maps, self.statistics, free=self.free, n_rounds=ROUNDS)
        self.signals[name], self.maps, self.statistics = folded
        self.folded = self.maps
        self.drawn[name] = products.times(matrix, self.directions)
        self.linear[name] = products.times(matrix, self.maps.T.astype(matrix.dtype))

    def descend(self, line: ProgressLine) -> None:
        """Visit each session for its share of a sketch of all, and go on from there on that."""
        assert self.statistics is not None
        self.n_passes += 1
        signals, *others = (
            np.concatenate([part[name] for name in self.sources])
            for part in (self.signals, self.linear, self.drawn)
        )
        basis = online.basis(np.hstack([signals, *others]))
        Z, first = np.zeros((basis.shape[1], self.maps.shape[1])), 0
        for name in self.sources:
            rows = basis[first : first + len(self.signals[name])]
            Z += products.t_times(self._visit(name, line, "sketch").matrix, rows).T
            first += len(rows)
        line.say(f"pass {self.n_passes}, iterations on the sketch")
        self.maps = online.descend_sketch(
            basis,
            Z,
            signals,
            self.maps,
            norm2=self.statistics.norm2,
            free=self.free,
            tol=self.tol / 10,
        )

    def last_look(self, line: ProgressLine) -> _End:
        """Solve all signals for the maps as they stand, and measure both factors there."""
        maps = self.maps.astype(self.stacker.dtype)
        looks, signals = [], {}
        whole: Statistics | None = None
        for name in self.sources:
            look, own, signals[name] = self._look_at(name, maps, line)
            whole = own if whole is None else whole.plus(own)
            looks.append(look)
        assert whole is not None
        self.signals, self.statistics = signals, whole
        error2 = math.fsum(look.error2 for look in looks)
        self.losses.append(0.5 * error2)
        certificate = certify(
            together(look.slack for look in looks),
            online.slack(whole.B, whole.A, self.maps, free=self.free),
            loss=0.5 * error2,
            scale=scale_of(whole.norm2, maps.dtype, rows=len(maps)),
        )
        pieces, keys = [look.piece for look in looks], [look.key for look in looks]
        self.looked = _End(self.maps, signals, pieces, keys, whole, error2, certificate)
        return self.looked

    def so_far(self) -> _End | None:
        """Return the factors of the latest whole look, else of the sessions folded in so far."""
        if self.looked is not None or self.statistics is None:
            return self.looked
        pieces = [
            sessions.signals_of(self.stackers[name], columns, self.begin.component, name)
            for name, columns in self.signals.items()
        ]
        error2 = 2 * self.statistics.loss(self.folded)
        unknown = Certificate(math.nan, math.nan, math.nan, math.nan)
        return _End(self.folded, dict(self.signals), pieces, [], self.statistics, error2, unknown)

    def _look_at(
        self, name: Any, maps: Array, line: ProgressLine
    ) -> tuple[_Look, Statistics, Array]:
        stacker, matrix, _ = self._visit(name, line, "certificate")
        columns, linear = solve_signals(matrix, maps), products.times(matrix, maps.T)
        self.linear[name] = linear
        gram, every = self.maps @ self.maps.T, np.arange(len(maps))
        look = _Look(
            sessions.signals_of(stacker, columns, self.begin.component, name),
            online.fingerprint(matrix),
            products.residual_norm2(matrix, columns, maps),
            online.slack(gram, linear.T, columns.T, free=every),
        )
        return look, online.gather(matrix, columns), columns

    def outcome(self, end: _End, *, interrupted: bool) -> Outcome:
        """Return the factors of all sessions in the order of the components, and how it went."""
        joined = sessions.joined(end.pieces, sample_dim=self.stacker.sample_dim)
        maps = end.maps.astype(self.stacker.dtype)
        signals, unit, order, _ = normalisation.canonicalise(
            joined.values, maps, keep_order=self.begin.n_kept
        )
        report = {
            "route": "sessions",
            "sessions": len(end.signals),
            "visits": self.n_visits + 1,
        }
        more = {
            "losses_": by_iteration(self.losses or [0.5 * end.error2]),
            "n_iter_": len(self.losses),
            "converged_": bool(end.certificate.residual <= self.tol and not interrupted),
            "optimality_": certified(end.certificate),
            "n_sessions_": len(end.signals),
            "fit_report_": report,
            "_ledger": _ledger(end, order),
        }
        fit = Fit(
            Signals(signals),
            unit,
            self.begin.component,
            norm2=end.statistics.norm2,
            error=math.sqrt(end.error2),
            explained=Explained.of(self.moments.spread, end.error2),
            more=more,
        )
        stacker = sessions.stacker_of_all(self.stacker, joined)
        return Outcome(stacker, fit, end.certificate, interrupted)


def _ledger(end: _End, order: Array) -> Ledger | None:
    """Return what is kept of the sessions, for maps at unit norm in their order."""
    if not end.keys:
        return None
    lengths = np.linalg.norm(end.maps, axis=1)
    scaled = end.statistics.scaled(lengths)
    ordered = Statistics(scaled.A[order], scaled.B[np.ix_(order, order)], end.statistics.norm2)
    kept = zip(end.keys, end.signals.values(), strict=True)
    return Ledger(
        ordered,
        {key: (columns * lengths.astype(columns.dtype))[:, order] for key, columns in kept},
    )
