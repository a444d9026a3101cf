"""The steps of an NMF fit: check, prepare, solve, keep."""

from __future__ import annotations

import math
import warnings
from os import PathLike
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import checks, weighting
from partita._labels.stack import Stacker
from partita._labels.weighting import Weights
from partita._solvers.factorise import factorise
from partita._solvers.matrices import products
from partita._solvers.nnls.streamed import signals_for
from partita._solvers.optimality import reconstruction_error
from partita._solvers.penalties.penalty import NONE, Penalty, for_unit_maps
from partita._solvers.problem import normalisation
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.solution import Solution
from partita._solvers.problem.stopping import Stopping
from partita._solvers.signals import solve_signals
from partita.decomposition import _base, _lazy, _parameters, _sessions
from partita.decomposition._base import Array, Decomposition
from partita.decomposition._outcome import labelled_certificate, labelled_losses
from partita.decomposition._start import Given
from partita.decomposition._watch import Callback, name_dashboard, watching
from partita.decomposition.checkpoints import Checkpoint, fingerprint


class NMFSteps(Decomposition):
    """What `NMF.fit` does one after the other; the parameters and their meaning are NMF's."""

    # Given by the subclass's __init__.
    mode: str
    loss: str | float
    solver: str
    n_starts: int | str
    tol: float
    max_iter: int
    maps_l1: float
    signals_l1: float
    l2: float | tuple[float, float]
    penalty: str
    verbose: int

    optimality_: xr.Dataset
    losses_: xr.DataArray
    n_iter_: int
    converged_: bool
    fit_report_: dict[str, Any]
    n_sessions_: int
    _left: Penalty = NONE
    _ledger: _sessions.Ledger

    def _keeper(
        self,
        checkpoint: str | PathLike[str] | None,
        stacker: Stacker,
        matrix: Any,
        weights: Weights | None,
    ) -> Checkpoint | None:
        if checkpoint is None:
            return None
        if self._objective()[0] != 2.0 or isinstance(weights, np.ndarray):
            raise ValueError(
                "checkpoint= keeps the state of the Frobenius solver, and this fit has "
                f"{'entrywise weights' if weights is not None else f'loss={self.loss!r}'}, which "
                "another one solves. Leave checkpoint=None."
            )
        facts = fingerprint(self.get_params(), stacker, matrix, weights)
        return Checkpoint(checkpoint, facts)

    def _check_parameters(self) -> None:
        _base.check_mode(self.mode)
        _base.check_n_components(self.n_components)
        _parameters.check_solver(
            solver=self.solver,
            n_starts=self.n_starts,
            beta=self._objective()[0],
            tol=self.tol,
            max_iter=self.max_iter,
        )

    def _objective(self) -> tuple[float, Penalty]:
        penalty = _parameters.penalty_of(
            self.penalty, maps_l1=self.maps_l1, signals_l1=self.signals_l1, l2=self.l2
        )
        return _parameters.beta_of(self.loss), penalty

    def _prepared(
        self, recording: xr.DataArray, weights: xr.DataArray | None, rng: np.random.Generator
    ) -> tuple[Stacker, Any, Weights | None]:
        """Check a recording; return its stacker, its matrix, and the weights as numbers."""
        if self._streams(recording, weights):
            sample_dim = self._check(recording)
            if self.verbose:
                name_dashboard("NMF")
            stacker, matrix = _lazy.surveyed(
                recording, sample_dim=sample_dim, mask=self.mask, rng=rng, caller="NMF"
            )
            self._warn_of_surplus(matrix)
            return stacker, matrix, None
        stacker, matrix = self._stacked(recording, mask=self.mask)
        numbers: Weights | None = None
        if weights is not None:
            numbers = stacker.weights(weights)
            empty = weighting.columns_without(numbers)
            if empty is not None:
                stacker, matrix = stacker.without(matrix, empty)
                numbers = stacker.weights(weights)
            matrix = weighting.silenced(matrix, numbers)
        checks.refuse_isolated(matrix, place=stacker.place, caller="NMF")
        checks.refuse_negative(matrix, place=stacker.place, caller="NMF")
        self._warn_of_surplus(matrix)
        return stacker, matrix, numbers

    def _streams(self, recording: xr.DataArray, weights: xr.DataArray | None) -> bool:
        """Say whether a fit reads the recording part by part."""
        return _lazy.is_large(recording) and weights is None and self._objective()[0] == 2.0

    def _warn_of_surplus(self, matrix: Any) -> None:
        if self.n_components > min(matrix.shape):
            warnings.warn(
                f"n_components={self.n_components} is more than min(samples, voxels) = "
                f"{min(matrix.shape)}: the surplus explains nothing that fewer would not.",
                UserWarning,
                stacklevel=4,
            )

    def _solve(
        self,
        stacker: Stacker,
        matrix: Any,
        given: Given,
        weights: Weights | None,
        callback: Callback | None,
        rng: np.random.Generator,
        keeper: Checkpoint | None,
    ) -> Solution:
        beta, penalty = self._objective()
        with watching(
            "NMF",
            verbose=self.verbose,
            callback=callback,
            max_iter=self.max_iter,
            stacker=stacker,
            component=given.component,
        ) as watch:
            problem = Problem(
                matrix,
                int(self.n_components),
                loss=beta,
                penalty=penalty,
                weights=weights,
                held=given.held,
                columns=stacker.canonical_columns(),
            )
            start = given.start._replace(
                n_starts=self.n_starts,
                sketch=None if self.solver == "auto" else self.solver == "sketch",
                first="W" if self.mode == "temporal" else "H",
            )
            stopping = Stopping(float(self.tol), int(self.max_iter), watch, keeper)
            return factorise(problem, start, stopping, rng=rng)

    def _keep(
        self,
        stacker: Stacker,
        matrix: Any,
        given: Given,
        weights: Weights | None,
        solution: Solution,
    ) -> None:
        signals, maps, order, lengths = normalisation.canonicalise(
            solution.W, solution.H, keep_order=given.n_kept
        )
        self._left = for_unit_maps(solution.penalty, order, lengths)
        norm2 = products.norm2(matrix) if solution.norm2 is None else solution.norm2
        self._remember(stacker, signals, maps, component=given.component, norm2=norm2)
        if solution.failure is not None:
            self.reconstruction_err_ = math.nan
        elif solution.misfit is not None:
            self.reconstruction_err_ = solution.misfit
        else:
            self.reconstruction_err_ = reconstruction_error.error(
                matrix, signals, maps, loss=self._objective()[0], weights=weights
            )
        self.n_iter_, self.converged_ = solution.n_iter, solution.converged
        self.fit_report_ = _lazy.with_passes(solution.report, matrix)
        self.optimality_ = labelled_certificate(solution.certificate)
        self.losses_ = labelled_losses(solution.losses)

    def _warn_if_unconverged(self, solution: Solution) -> None:
        if self.converged_ or self.tol == 0 or self.n_iter_ < self.max_iter:
            return
        residual = solution.certificate.residual
        _base.warn_unconverged(
            "NMF",
            n_iter=self.n_iter_,
            state=f"the optimality residual is {residual:.1e}, and tol is {self.tol:.1e}",
            remedy="Raise max_iter, or standardise the recording first (zscore and split_sign).",
        )

    def _project(self, matrix: Any, rows: Array, present: Array | None) -> tuple[Array, ...]:
        checks.refuse_negative(matrix, place=self._stacker.place, caller="NMF.transform")
        return (solve_signals(matrix, rows, penalty=self._left, loss=self._objective()[0]),)

    def _project_stream(self, aligned: xr.DataArray) -> Array | None:
        beta, penalty = self._objective()
        if beta != 2.0 or penalty.active or not _lazy.is_large(aligned):
            return None
        stacker, stream = _lazy.surveyed(
            aligned.astype(self._stacker.dtype),
            sample_dim=self._stacker.sample_dim,
            mask=self._stacker.inside_mask(),
            rng=np.random.default_rng(0),
            caller="NMF.transform",
            fits=False,
        )
        return signals_for(stream, stacker.flat_maps(self.maps_, caller="maps_"))
