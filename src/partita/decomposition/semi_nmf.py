"""Semi-non-negative matrix factorisation: signals without signs, maps with them."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr

from partita._solvers.nmf.semi import factorise_semi
from partita._solvers.peak_memory import Budget, Size
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.solution import Solution
from partita._solvers.problem.start import Start
from partita._solvers.problem.stopping import Stopping
from partita.decomposition import factorisation, parameters
from partita.decomposition._base import Decomposition
from partita.decomposition.convergence import warn_if_above_tol
from partita.decomposition.fit import Array, Seen, Signals
from partita.decomposition.parameters import Objective
from partita.decomposition.progress import Callback, name_dashboard, watching


class SemiNMF(Decomposition):
    r"""Parts that only ever add up, of maps that rise in some places and fall in others.

    Minimises over non-negative signals :math:`s_k` and maps :math:`m_k` of either sign

    .. math::

        \tfrac12 \Big\|X - \sum_k s_k m_k^\top\Big\|_F^2
        + \tfrac{1}{2} \lambda_2 \sum_k \|m_k\|^2 \|s_k\|^2

    with :math:`\lambda_2` = ``l2`` (Ding, Li & Jordan, 2010, doi:10.1109/TPAMI.2008.277; theirs
    is ``l2=0``). A recording with signs, such as a z-scored one, is taken as it is: a part is a
    pattern over space, and its signal says when and how strongly the pattern is there. Solved by
    alternating exact non-negative least squares for the signals and exact least squares for the
    maps, extrapolated, from several starts on a sketch, and certified.

    Parameters
    ----------
    n_components : int
        How many parts.
    l2 : float
        Shrinkage of each part. Parts with signs can cancel each other: without it the maps of many
        recordings grow ever larger and more alike, of centred ones (zscore) without end. Every
        signal comes out about ``l2 / (1 + l2)`` smaller.
    n_starts : int or "auto"
        How many starts are tried, eight by default; the best goes on. One is made of the halves of
        the singular vectors, the others of time points drawn at random.
    tol : float in 0..1
        The fit ends when the optimality residual falls below it. 0 runs to `max_iter`, without a
        warning.
    max_iter : int
        Most iterations on the full recording.
    mask : xarray.DataArray of bool, (some feature dimensions), optional
        Voxels to use, matched by label.
    sample_dim : str
        The dimension of samples.
    random_state : int, numpy.random.Generator, RandomState or None
        Of the starts and the sketch.
    verbose : int
        1 shows on stderr what the fit is at and how its residual nears `tol`, and before it the
        link to the dashboard of the cluster that it streams on (see `NMF`).

    Attributes
    ----------
    maps_ : xarray.DataArray, (component, ...)
        Of either sign, unit Euclidean norm, NaN outside the mask; largest energy first.
    signals_ : xarray.DataArray, (time, component)
        Non-negative, in the recording's units.
    energy_ : xarray.DataArray, (component,)
        Share :math:`\|s_k m_k^\top\|^2 / \|X\|^2` of each part.
    reconstruction_err_ : float
        :math:`\|X - \hat X\|_F` inside the mask.
    explained_ : xarray.Dataset
        ``r2``, the share of each voxel's variance over time that is explained, and ``vaf``, the
        share of the squares (variance accounted for, not centred).
    n_features_in_ : int
        How many features the recording has, those outside the mask included.
    feature_names_in_ : numpy.ndarray of object, (n_features,)
        Their labels, where there is one feature dimension and its labels are text.
    optimality_ : xarray.Dataset, (factor,)
        ``residual`` and ``possible_decrease``, as of `NMF`. The signals are exact for the maps;
        ``maps`` says how far these are from their least-squares answer.
    losses_ : xarray.DataArray, (iteration,)
        The objective after each iteration on the full recording.
    n_iter_ : int
        Iterations on the full recording.
    converged_ : bool
        Whether the residual fell below `tol`.
    fit_report_ : dict
        The route taken and seconds by phase; of a fit that streams, passes over the recording.

    See Also
    --------
    NMF : Maps without signs, too; a recording with signs is split before (`split_sign`).
    PCA, FastICA : Signals with signs.

    Notes
    -----
    There is one way to count samples, so no ``mode``: time points are what signals without signs
    are over, and exchanging them for voxels would be another model.

    Examples
    --------
    >>> recording = partita.datasets.load_sample()
    >>> semi = partita.SemiNMF(n_components=3, random_state=0)
    >>> signals = semi.fit_transform(partita.preprocess.zscore(recording))
    >>> bool((signals >= 0).all()), bool((semi.maps_ < 0).any())
    (True, True)
    """

    non_negative: ClassVar = ("signals",)
    iterative: ClassVar = True
    streams: ClassVar = True
    keeps_sparse: ClassVar = True
    remembers: ClassVar = (
        *Decomposition.remembers, "optimality_", "losses_", "n_iter_", "converged_", "fit_report_",
        "_left",
    )  # fmt: skip

    optimality_: xr.Dataset
    losses_: xr.DataArray
    n_iter_: int
    converged_: bool
    fit_report_: dict[str, Any]
    _left: tuple[list[dict[str, Any]], float]

    def __init__(
        self,
        n_components: int = 10,
        *,
        l2: float = 0.1,
        n_starts: int | str = "auto",
        tol: float = 1e-3,
        max_iter: int = 500,
        mask: xr.DataArray | None = None,
        sample_dim: str = "time",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.l2 = l2
        self.n_starts = n_starts
        self.tol = tol
        self.max_iter = max_iter
        self.mask = mask
        self.sample_dim = sample_dim
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, recording: xr.DataArray, y: None = None, *, callback: Callback | None = None
    ) -> Self:
        """Find the parts of a recording.

        Parameters
        ----------
        recording : xarray.DataArray, (time, ...), any order
            Of either sign. Integers up to 16 bits are worked on as float32, larger ones as
            float64. Voxels that are NaN at all times are left out, and NaN on the maps.
        y : None
            Ignored.
        callback : callable, optional
            Called with a state after each iteration: ``iteration``, ``loss``, ``residual``, and
            on demand ``maps`` and ``signals``. Returning True ends the fit.

        Returns
        -------
        SemiNMF
            Itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the recording cannot be used.
        OSError
            If a block cannot be read any more.
        KeyboardInterrupt
            After Ctrl-C. Of this and the above, once the starts are done, the factors so far are
            stored before, with ``converged_`` False and no certificate.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If it ends at `max_iter` with the residual above `tol`.
        UserWarning
            If the fit needs more memory than there is.
        """
        self.check_parameters()
        objective = self._objective()
        rng = parameters.generator(self.random_state)
        if self.verbose and self._in_parts(recording, None):
            name_dashboard("SemiNMF")
        seen = self._look_over(recording, rng=rng)
        solution = self._solved(seen, objective, rng, callback)
        fit = factorisation.fit_of(
            seen, objective, solution, np.arange(int(self.n_components)), tol=self.tol
        )
        self._remember(seen.stacker, fit)
        solution.reraise()
        warn_if_above_tol(
            self,
            solution.certificate,
            remedy="Raise max_iter, or l2: parts that cancel each other take long to settle.",
        )
        return self

    def check_parameters(self) -> None:
        """Refuse parameters that have no meaning; no recording is needed (ValueError)."""
        super().check_parameters()
        parameters.check_solver(
            solver="auto", n_starts=self.n_starts, beta=2.0, tol=self.tol, max_iter=self.max_iter
        )

    def _objective(self) -> Objective:
        return parameters.objective_of(
            "frobenius", "unit-norm", maps_l1=0.0, signals_l1=0.0, l2=self.l2
        )

    def _solved(
        self, seen: Seen, objective: Objective, rng: np.random.Generator, callback: Callback | None
    ) -> Solution:
        k, max_iter = int(self.n_components), int(self.max_iter)
        n_starts = self.n_starts if self.n_starts == "auto" else int(self.n_starts)
        with watching(
            "SemiNMF",
            verbose=self.verbose,
            callback=callback,
            tol=float(self.tol),
            stacker=seen.stacker,
            component=np.arange(k),
        ) as shown:
            return shown.ended(
                factorise_semi(
                    Problem(seen.matrix, k, penalty=objective.penalty),
                    Start(n_starts=n_starts),
                    Stopping(float(self.tol), max_iter, shown.watch, enter=shown.enter),
                    rng=rng,
                )
            )

    def _signals_for(self, seen: Seen, maps: Array) -> Signals:
        return factorisation.signals_of(seen, maps, self._left)

    def _peak_memory(self, size: Size, *, chunks: Any, entrywise: bool) -> Budget:
        return factorisation.peak_memory_of(
            size, self._objective(), chunks=chunks, entrywise=entrywise
        )
