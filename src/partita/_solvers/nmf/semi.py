"""Semi-non-negative factorisation: signals without signs, maps with them.

For given signals the best maps are a plain least-squares answer, which leaves a loss of the signals
alone. It is lowered by exact non-negative least squares for the best maps, extrapolated (Ang &
Gillis 2019), where the multiplicative rule of Ding, Li & Jordan (2010) takes many small steps.
Several starts are solved on a sketch of X, the best is polished on X.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ..compute.threads import Crew, single_blas
from ..compute.types import Array
from ..matrices import products
from ..matrices.convert import Laid, lay
from ..optimality.certificate import Slack, certify, floor_share, squared_gradient
from ..optimality.stopping import Rule
from ..penalties.penalty import frozen
from ..penalties.unit_norm import UnitNorm
from ..problem import normalisation
from ..problem.problem import Problem
from ..problem.solution import Certificate, Solution, State, nothing_to_explain
from ..problem.start import Start
from ..problem.stopping import Stopping
from .frobenius import orient
from .hals import comparison
from .semi_descent import Data, Descent, gram_of, maps_for, signals_for, signals_gradient2
from .semi_start import begin

_AUTO, _DEFAULT = Start(), Stopping()


def factorise_semi(
    asked: Problem,
    start: Start = _AUTO,
    stopping: Stopping = _DEFAULT,
    *,
    rng: np.random.Generator,
    threads: int | None = None,
) -> Solution:
    """Minimise ``|X - W @ H|^2 / 2 + l2 / 2 * sum_k |w_k|^2 |h_k|^2`` over W >= 0 and any H.

    Parameters
    ----------
    asked : Problem
        Signed data, dense, sparse or a surveyed stream; no weights, nothing held, and of the
        penalties `l2` of `UnitNorm` alone.
    start : Start
        Factors to begin from, or how many starts to try; what it is named plays no part.
    stopping : Stopping
        When to end, and who watches.
    rng : Generator
        Random numbers, drawn over the samples only.
    threads : int, optional
        Threads to use; by default as many as the process may.

    Returns
    -------
    Solution
        Factors in the dtype of X; the signals are exact for the maps.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((30, 2)) @ rng.standard_normal((2, 40))
    >>> solution = factorise_semi(Problem(X, 2), stopping=Stopping(tol=1e-6), rng=rng)
    >>> bool(np.abs(X - solution.W @ solution.H).max() < 1e-3), solution.converged
    (True, True)
    """
    norm2 = products.norm2(asked.X)
    if norm2 == 0.0:
        return nothing_to_explain(asked.X, asked.n_components, start.H)
    shrinkage = asked.penalty.l2 if isinstance(asked.penalty, UnitNorm) else 0.0
    laid, free = lay(asked.X), np.ones(asked.n_components, bool)
    with single_blas(), Crew(threads) as crew:
        problem = orient(laid, norm2, asked.penalty, None, free, crew=crew)
        problem = problem._replace(floor_share=floor_share(asked.X.dtype))
        data = Data(problem, laid.signals_short, shrinkage)
        solution = _run(data, laid, asked, start, stopping, rng)
    return solution._replace(norm2=norm2)


def _run(
    data: Data,
    laid: Laid,
    asked: Problem,
    start: Start,
    stopping: Stopping,
    rng: np.random.Generator,
) -> Solution:
    clock = perf_counter()
    stopping.enter("starts")
    S, report = begin(data, laid, asked.n_components, start, rng)
    seconds = {"start": perf_counter() - clock}
    clock = perf_counter()
    descent = Descent(data, S)
    cut_short: BaseException | None = None
    try:
        end = _certified(descent, laid, stopping)
    except (KeyboardInterrupt, OSError) as error:
        end, cut_short = _unfinished(descent), error
    seconds["iterations"] = perf_counter() - clock
    unit, dtype = data.problem.scale, asked.X.dtype
    losses = np.array([*descent.losses[:-1], end.loss]) * unit**2
    W, H = (end.S.T * unit).astype(dtype), laid.as_given(end.maps).astype(dtype)
    return Solution(
        W,
        H,
        losses,
        len(descent.losses),
        end.certificate.residual <= stopping.tol,
        isinstance(cut_short, KeyboardInterrupt),
        end.certificate,
        {**report, "seconds": seconds},
        failure=cut_short if isinstance(cut_short, OSError) else None,
        misfit=None if cut_short is None else end.misfit(data.shrinkage) * unit,
        penalty=frozen(asked.penalty, W.T, H),
    )


def _certified(descent: Descent, laid: Laid, stopping: Stopping) -> _End:
    """Go on until both factors together are certified, or the fit is to end."""
    rule = Rule(stopping.tol, descent.data.problem.floor)
    while True:
        stopping.enter("iterations")
        ended = _descend(descent, rule.aim, laid, stopping)
        stopping.enter("certificate")
        end = _finish(descent)
        if ended or end.certificate.residual <= stopping.tol:
            return end
        rule = rule.tightened()


def _descend(descent: Descent, tol: float, laid: Laid, stopping: Stopping) -> bool:
    """Go on to a residual of `tol`; say whether the fit is to end wherever it is."""
    while len(descent.losses) < stopping.max_iter:
        descent.step()
        if stopping.watch is not None and stopping.watch(_state(descent, laid)) is True:
            return True
        if descent.at.residual <= tol and tol > 0:
            return False
    return True


def _state(descent: Descent, laid: Laid) -> State:
    at, unit = descent.at, descent.data.problem.scale
    loss, W = at.loss * unit**2, at.S.T * at.S.dtype.type(unit)
    return State(len(descent.losses), loss, at.residual, W, laid.as_given(at.maps))


# The end


class _End(NamedTuple):
    S: Array
    maps: Array
    loss: float
    certificate: Certificate

    def misfit(self, shrinkage: float) -> float:
        """Return the norm of the residual, as the loss has it."""
        energy = float(normalisation.energies(self.S.T, self.maps).sum())
        return math.sqrt(max(2 * self.loss - shrinkage * energy, 0.0))


def _finish(descent: Descent) -> _End:
    """Solve the signals exactly for the maps, and measure how far the maps are from theirs."""
    data, at = descent.data, descent.at
    S, maps = signals_for(at), at.maps.astype(np.float64)
    exact = S.astype(np.float64)
    gram = gram_of(exact, data.shrinkage)
    slopes = gram @ maps - data.onto_features(S)
    linear = float(np.vdot(at.cross, exact))
    bent = float(np.vdot(at.gram @ exact, exact))
    loss = max(0.5 * (data.problem.norm2 + bent) - linear, 0.0)
    decrease = 0.5 * float(np.vdot(maps_for(data, exact, slopes), slopes))
    everywhere, free = np.ones((1, 1)), np.ones(len(S), bool)  # maps are free to move either way
    gradient2 = squared_gradient(slopes.T, np.diag(gram), everywhere, free)
    of_signals = Slack(signals_gradient2(S, at.gram, at.cross), 0.0)
    scale = comparison(data.problem, len(S))
    certificate = certify(of_signals, Slack(gradient2, decrease), loss=loss, scale=scale)
    return _End(S, at.maps, loss, certificate)


def _unfinished(descent: Descent) -> _End:
    """Return what an interrupted fit has: signals for which the maps are best, uncertified."""
    at = descent.at
    return _End(at.S, at.maps, at.loss, Certificate(*(math.nan,) * 4))
