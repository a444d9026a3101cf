"""Non-negative matrix factorisation of a labelled recording."""

from __future__ import annotations

from os import PathLike
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import xarray as xr

from partita._labels.warn import warn
from partita._solvers.peak_memory import Budget, Size
from partita._solvers.problem.solution import Solution
from partita.decomposition import checkpoints, factorisation, parameters, partial_fit, sessions
from partita.decomposition._base import Decomposition
from partita.decomposition.checkpoints import Checkpoint
from partita.decomposition.convergence import warn_if_above_tol
from partita.decomposition.factorisation import NOTHING_LEFT, Settings
from partita.decomposition.fit import Array, Fit, Seen, Signals
from partita.decomposition.fit_sessions import Begin, Outcome, fit_jointly
from partita.decomposition.parameters import Objective
from partita.decomposition.progress import Callback, name_dashboard, watching
from partita.decomposition.warm_start import Given, gather

MODES = ("temporal", "spatial")


class _Found(NamedTuple):
    """What a fit has found, and what it began from."""

    seen: Seen
    given: Given
    solution: Solution
    fit: Fit


class NMF(Decomposition):
    r"""Non-negative parts: maps and signals that only ever add up.

    Minimises over non-negative signals :math:`s_k` and maps :math:`m_k`

    .. math::

        \begin{split}
        & D\Big(X \,\Big|\, \sum_k s_k m_k^\top\Big)
        + r \Big(\lambda_m \sum_k \|s_k\| \|m_k\|_1 + \lambda_s \sum_k \|m_k\| \|s_k\|_1\Big) \\
        & + \tfrac{1}{2} \lambda_2 \sum_k \|m_k\|^2 \|s_k\|^2
        + \tfrac{1}{2} \lambda_t \sum_k \|m_k\|^2
          \sum_i \frac{\bar\Delta}{\Delta_i} (s_{k,i+1} - s_{k,i})^2 \\
        & + \tfrac{1}{2} \lambda_v \sum_k \|s_k\|^2
          \sum_{v \sim w} \frac{\bar\Delta}{\Delta_{vw}} (m_{k,v} - m_{k,w})^2
        \end{split}

    with :math:`D = \tfrac12 \|X - \hat X\|_F^2` by default, r the root mean square of X,
    :math:`\lambda_m` = ``maps_l1``, :math:`\lambda_s` = ``signals_l1``, :math:`\lambda_2` =
    ``l2``, :math:`\lambda_t` = ``signals_smoothness`` over the steps :math:`\Delta_i` between
    samples (:math:`\bar\Delta` their median) and :math:`\lambda_v` = ``maps_smoothness`` over
    neighbouring voxels (Paatero & Tapper, 1994; Lee & Seung, 1999; Cai et al., 2011). Rescaling X
    or a component changes nothing; for other divergences the penalty is multiplied by
    :math:`r^{\beta - 2}` to that end.
    Solved by extrapolated hierarchical alternating least squares (Cichocki & Phan, 2009; Gillis &
    Glineur, 2012; Ang & Gillis, 2019), started from several points on a random sketch, and
    certified: `optimality_` says how far the answer is from a stationary point.

    Parameters
    ----------
    n_components : int
        How many parts.
    mode : {"temporal", "spatial"}
        Whether time points or voxels count as samples. The minima are the same; "temporal" starts
        from maps and solves the signals first, "spatial" the other way round.
    loss : {"frobenius", "kullback-leibler", "itakura-saito"} or float in 0..2
        The divergence D, a number being the β of the β-divergence (Févotte & Idier, 2011):
        2 is Frobenius (Gaussian noise), 1 Kullback–Leibler (counts), 0 Itakura–Saito
        (multiplicative noise). For Itakura–Saito, where D of a zero is infinite, zeros are
        read as a thousandth of the smallest positive value.
    solver : {"auto", "hals", "sketch"}
        Whether a compressed recording is factorised first and polished on the full one. "auto"
        decides by size. Frobenius only.
    init : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar"}, DataArray or Dataset
        A start by name (NNDSVD: Boutsidis & Gallopoulos, 2008), or labelled maps (component,
        ...), or a Dataset of ``maps`` and ``signals``; from a fitted model
        ``init=model.maps_``. Labels and order of given components are kept.
    n_starts : int or "auto"
        How many starts are tried on the compressed recording or on a sample of it; the best by
        loss goes on. "auto" tries eight on the first and four to sixteen on the second, by what
        they cost; more than "auto" never end higher. Other losses than Frobenius, and
        ``solver="hals"``, have one.
    tol : float in 0..1
        The fit ends when the optimality residual of both factors together falls below it. 0 runs
        to `max_iter`, without a warning.
    max_iter : int
        Most iterations on the full recording.
    maps_l1, signals_l1 : float
        Sparseness of maps and of signals: 0.01 is gentle, 0.3 strong.
    l2 : float, or pair of float
        Shrinkage of each part. With scikit-learn's penalty also one for maps and one for signals.
    penalty : {"unit-norm", "scikit-learn"}
        The penalty above, or scikit-learn's formula for comparison: ``signals_l1`` and
        ``maps_l1`` then stand for ``alpha_W`` and ``alpha_H`` times ``l1_ratio``, and ``l2`` for
        either times ``1 - l1_ratio``; where those two differ,
        ``l2=(alpha_H * (1 - l1_ratio), alpha_W * (1 - l1_ratio))``.
    signals_smoothness : float
        How strongly each sample of a signal is tied to the next, more where they are near in time:
        what is faster than about its square root in samples is smoothed away, so 1 is gentle and
        10 strong. Where times fall or repeat another run begins, untied.
    maps_smoothness : float
        The like for voxels that are neighbours on the grid and inside the mask: along x, y and z,
        and along dimensions whose coordinate is a number with units. In memory only.
    mask : xarray.DataArray of bool, (some feature dimensions), optional
        Voxels to use, matched by label.
    fixed_maps : xarray.DataArray, (component, ...), optional
        Known parts: their maps are held while their signals, and the other parts, are learned.
    sample_dim : str
        The dimension of samples.
    random_state : int, numpy.random.Generator, RandomState or None
        Of the starts and the sketch.
    verbose : int
        1 shows on stderr what the fit is at and how its residual nears `tol`, and before it the
        link to the dashboard of the cluster that it streams on. On a terminal it is one line; in
        a notebook or a log, one as a long phase ends, and one at the end.

    Attributes
    ----------
    maps_ : xarray.DataArray, (component, ...)
        Non-negative, unit Euclidean norm, NaN outside the mask; largest energy first.
    signals_ : xarray.DataArray, (time, component)
        Non-negative, in the recording's units.
    energy_ : xarray.DataArray, (component,)
        Share :math:`\|s_k m_k^\top\|^2 / \|X\|^2` of each part.
    reconstruction_err_ : float
        :math:`\sqrt{2 D}`, for Frobenius :math:`\|X - \hat X\|_F`, weights included.
    explained_ : xarray.Dataset
        ``r2``, the share of each voxel's variance over time that is explained, and ``vaf``, the
        share of the squares; weights included.
    n_features_in_ : int
        How many features the recording has, those outside the mask included.
    feature_names_in_ : numpy.ndarray of object, (n_features,)
        Their labels, where there is one feature dimension and its labels are text.
    optimality_ : xarray.Dataset, (factor,)
        ``residual``: the projected gradient of the factor in the metric of the Hessian's
        diagonal, relative to the misfit. ``possible_decrease``: the largest relative decrease of
        the loss that changing this factor alone could still bring.
    losses_ : xarray.DataArray, (iteration,)
        The objective after each iteration on the full recording.
    n_iter_ : int
        Iterations on the full recording.
    converged_ : bool
        Whether the residual fell below `tol`.
    fit_report_ : dict
        The route taken, passes over the recording, seconds by phase.
    n_sessions_ : int
        How many sessions the maps rest on, after `partial_fit` and `fit_sessions` only.

    See Also
    --------
    PCA, FastICA : Parts with signs.

    Notes
    -----
    NMF has many local minima, typically 1e-5 to 3e-4 apart in loss: compare parts over several
    ``random_state`` before you rely on a weak one.

    Examples
    --------
    >>> recording = partita.datasets.load_sample()
    >>> signed = recording.pipe(partita.preprocess.zscore).pipe(partita.preprocess.split_sign)
    >>> nmf = partita.NMF(n_components=3, random_state=0).fit(signed)
    >>> nmf.maps_.dims
    ('component', 'sign', 'z', 'y', 'x')
    >>> bool((nmf.signals_ >= 0).all())
    True
    """

    modes: ClassVar = MODES
    non_negative: ClassVar = ("recording", "maps", "signals")
    iterative: ClassVar = True
    streams: ClassVar = True
    weighted: ClassVar = True
    keeps_sparse: ClassVar = True
    remembers: ClassVar = (
        *Decomposition.remembers,
        "optimality_",
        "losses_",
        "n_iter_",
        "converged_",
        "fit_report_",
        "n_sessions_",
        "_left",
    )

    optimality_: xr.Dataset
    losses_: xr.DataArray
    n_iter_: int
    converged_: bool
    fit_report_: dict[str, Any]
    n_sessions_: int
    _left: tuple[list[dict[str, Any]], float] = NOTHING_LEFT
    _ledger: partial_fit.Ledger | None

    def __init__(
        self,
        n_components: int = 10,
        *,
        mode: str = "temporal",
        loss: str | float = "frobenius",
        solver: str = "auto",
        init: str | xr.DataArray | xr.Dataset = "auto",
        n_starts: int | str = "auto",
        tol: float = 1e-3,
        max_iter: int = 500,
        maps_l1: float = 0.0,
        signals_l1: float = 0.0,
        l2: float | tuple[float, float] = 0.0,
        penalty: str = "unit-norm",
        signals_smoothness: float = 0.0,
        maps_smoothness: float = 0.0,
        mask: xr.DataArray | None = None,
        fixed_maps: xr.DataArray | None = None,
        sample_dim: str = "time",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.mode = mode
        self.loss = loss
        self.solver = solver
        self.init = init
        self.n_starts = n_starts
        self.tol = tol
        self.max_iter = max_iter
        self.maps_l1 = maps_l1
        self.signals_l1 = signals_l1
        self.l2 = l2
        self.penalty = penalty
        self.signals_smoothness = signals_smoothness
        self.maps_smoothness = maps_smoothness
        self.mask = mask
        self.fixed_maps = fixed_maps
        self.sample_dim = sample_dim
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        recording: xr.DataArray,
        y: None = None,
        *,
        weights: xr.DataArray | None = None,
        callback: Callback | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Self:
        """Find the parts of a recording.

        Parameters
        ----------
        recording : xarray.DataArray, (time, ...), any order
            Non-negative. Integers up to 16 bits are worked on as float32, larger ones as float64.
            Voxels that are NaN at all times are left out, and NaN on the maps.
        y : None
            Ignored.
        weights : xarray.DataArray, (dimensions among the recording's), optional
            Non-negative weights of the squared error, broadcast against the recording and matched
            by label. Only their proportions count: the largest is taken as 1. Entries of weight 0
            are missing: their values, NaN included, play no part. Weights over time only or over
            voxels only cost nothing extra.
        callback : callable, optional
            Called with a state after each iteration: ``iteration``, ``loss``, ``residual``, and
            on demand ``maps`` and ``signals``. Returning True ends the fit.
        checkpoint : str or path, optional
            A ``.nc`` in which the state of the fit is kept, at least 5 s apart and for at most 5 %
            of its time. The same call, repeated after the fit was killed, goes on from there to
            the same end (with a higher ``max_iter`` too). Removed at the end of the fit; Ctrl-C
            leaves it. Frobenius loss, without entrywise weights.

        Returns
        -------
        NMF
            Itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the recording cannot be used: negative or isolated missing values,
            no sample dimension, another grid than the mask's or the given maps'; if the checkpoint
            is that of another fit.
        OSError
            If a block cannot be read any more: which one, and of which file. The best factors so
            far, if there are any, are stored with ``converged_`` False and no certificate.
        KeyboardInterrupt
            After Ctrl-C, once the best factors so far are stored with ``converged_`` False: while
            starts are still tried, those that the best of them leads to. There are none before
            that, nor while the starts of a recording that streams are tried; it is not read
            again, and has no certificate then.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If it ends at `max_iter` with the residual above `tol`.
        UserWarning
            If the fit needs more memory than there is; if the checkpoint cannot be written: the
            fit goes on.
        """
        self._kept(recording, weights=weights, callback=callback, checkpoint=checkpoint)
        return self

    def partial_fit(self, recording: xr.DataArray, y: None = None) -> Self:
        """Fold one more session into the maps; of earlier ones products are kept, not the data.

        The first session is an ordinary `fit`. Each later one alternates between its exact
        signals and maps that are best for the statistics of all sessions (Mairal, Bach, Ponce &
        Sapiro, 2010; Lefèvre, Bach & Févotte, 2011), all of them weighted alike. A session that
        comes again, known by its values, takes the place of its first visit: it counts once.

        Parameters
        ----------
        recording : xarray.DataArray, (time, ...), any order
            Non-negative, on the grid of the first session; a dask-backed one is loaded here.
        y : None
            Ignored.

        Returns
        -------
        NMF
            Itself. ``maps_`` keep their order and labels; ``signals_``, ``energy_`` and
            ``reconstruction_err_`` are this session's. ``optimality_``, ``losses_``, ``n_iter_``
            and ``converged_`` are absent: without the earlier sessions nothing can be certified.

        Raises
        ------
        TypeError, ValueError
            As `fit`; if the session lies on another grid or lacks voxels of the first; with
            penalties, or a loss other than Frobenius; if `n_components`, `mode`, the mask,
            `fixed_maps`, `init` or `sample_dim` were set anew since the session before.

        Notes
        -----
        A model that comes from `fit`, or from a file, counts as one session whose best maps are
        its ``maps_`` for its ``signals_``: files do not hold the products of earlier sessions.
        """
        caller = "NMF.partial_fit"
        partial_fit.refuse_more_than_products(self, caller=caller)
        if hasattr(self, "maps_"):
            now = self.get_params(deep=False)
            partial_fit.refuse_changed(self._asked, now, caller=caller)
            seen = partial_fit.visited(self._stacker, recording, caller=caller)
            fit, ledger = partial_fit.folded(
                seen,
                self.maps_,
                ledger=getattr(self, "_ledger", None),
                signals=self.signals_,
                n_held=0 if self.fixed_maps is None else self.fixed_maps.sizes["component"],
            )
        else:
            found = self._kept(partial_fit.in_memory(recording))
            seen, fit = found.seen, found.fit
            ledger = partial_fit.opened(seen, fit.signals.values)
        report = {"route": "incremental", "sessions": ledger.n_sessions}
        more = {"n_sessions_": ledger.n_sessions, "fit_report_": report, "_ledger": ledger}
        return self._remember(seen.stacker, fit._replace(more=more))

    def fit_sessions(self, recordings: sessions.Sources, *, n_passes: int | None = None) -> Self:
        """Fit one set of maps to many sessions, one of which at a time is in memory.

        Starts from the first session and folds the others in as `partial_fit` does: the first
        pass. Each further pass goes on from there on a sketch of all sessions, which has the
        gradient of the joint loss at the maps as they stand; for it each session is read once. A
        last look at each, once a pass, solves the signals exactly for the maps and certifies both.

        Parameters
        ----------
        recordings : list or mapping of xarray.DataArray or path
            Sessions on one grid; what `load` takes is loaded when its turn comes.
        n_passes : int or None
            Passes at most, up to ``max_iter`` by default; they end earlier when the residual falls
            below ``tol``. After n of them each session has been read 2 n - 1 times (twice after
            one), the first once more.

        Returns
        -------
        NMF
            Itself. ``signals_`` are those of all sessions along time, with the coordinate
            ``session``: the keys of the mapping, or numbers from 0. Pairs and longer tuples stay
            one name each: select them by an index,
            ``signals_.set_xindex("session").sel(session=("mouse", 1))``, or by
            ``groupby("session")``; ``==`` takes a tuple apart. All other attributes are
            those of the joint fit; ``losses_`` and ``n_iter_`` count last looks.

        Raises
        ------
        TypeError, ValueError
            As `partial_fit`, naming the session.
        KeyboardInterrupt
            After Ctrl-C, once the best factors so far are stored with ``converged_`` False: those
            of the latest last look, else of the sessions folded in until then.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the passes end with the residual above `tol`.

        Examples
        --------
        >>> recording = partita.datasets.load_sample().clip(min=0)
        >>> halves = {"early": recording[:60], "late": recording[60:]}
        >>> nmf = partita.NMF(n_components=3, random_state=0).fit_sessions(halves)
        >>> late = nmf.signals_[nmf.signals_.session == "late"]
        """
        caller = "NMF.fit_sessions"
        self.check_parameters()
        partial_fit.refuse_more_than_products(self, caller=caller)
        sessions.check_passes(n_passes)
        listed = sessions.listed(recordings, caller=caller)
        first = sessions.opened(next(iter(listed.values())), caller=caller)
        begin = self._found(partial_fit.in_memory(first))
        joint = self._joined(listed, begin, n_passes, caller=caller)
        if joint is None:  # Ctrl-C before there was anything of more than the first session
            unsettled = {**begin.fit.more, "converged_": False}
            self._remember(begin.seen.stacker, begin.fit._replace(more=unsettled))
            raise KeyboardInterrupt
        self._remember(joint.stacker, joint.fit)
        if joint.interrupted:
            raise KeyboardInterrupt
        remedy = "Raise max_iter, which counts passes here, or tol."
        if n_passes is not None:
            remedy = "Leave n_passes out to go on until tol, or raise tol."
        warn_if_above_tol(self, joint.certificate, name=caller, most=n_passes, remedy=remedy)
        return self

    # The steps of a fit

    def _kept(self, recording: xr.DataArray, **how: Any) -> _Found:
        """Keep what is found; then say what kept the fit from its end, if anything did."""
        found = self._found(recording, **how)
        self._remember(found.seen.stacker, found.fit)
        found.solution.reraise()
        warn_if_above_tol(
            self,
            found.solution.certificate,
            remedy="Raise max_iter, or standardise the recording first (zscore and split_sign).",
        )
        return found

    def _found(
        self,
        recording: xr.DataArray,
        *,
        weights: xr.DataArray | None = None,
        callback: Callback | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> _Found:
        """Look a recording over, begin, solve; nothing is kept on the model."""
        self.check_parameters()
        objective, rng = self._objective(), parameters.generator(self.random_state)
        if self.verbose and self._in_parts(recording, weights):
            name_dashboard("NMF")
        seen = self._look_over(recording, weights=weights, rng=rng)
        self._warn_of_surplus(min(seen.matrix.shape))
        given = gather(
            seen.stacker, init=self.init, fixed_maps=self.fixed_maps, n_components=self.n_components
        )
        keeper = None if checkpoint is None else checkpoints.keeper(checkpoint, seen, self)
        solution = self._solved(seen, objective, given, rng, callback, keeper)
        if keeper is not None and solution.is_whole:
            keeper.remove()
        fit = factorisation.fit_of(
            seen, objective, solution, given.component, tol=self.tol, n_kept=given.n_kept
        )
        return _Found(seen, given, solution, fit)

    def check_parameters(self) -> None:
        """Refuse parameters that have no meaning; no recording is needed (ValueError)."""
        super().check_parameters()
        parameters.check_solver(
            solver=self.solver,
            n_starts=self.n_starts,
            beta=self._objective().beta,
            tol=self.tol,
            max_iter=self.max_iter,
        )

    def _objective(self) -> Objective:
        return parameters.objective_of(
            self.loss,
            self.penalty,
            maps_l1=self.maps_l1,
            signals_l1=self.signals_l1,
            l2=self.l2,
            signals_smoothness=self.signals_smoothness,
            maps_smoothness=self.maps_smoothness,
        )

    def _in_parts(self, recording: Any, weights: xr.DataArray | None) -> bool:
        return super()._in_parts(recording, weights) and self._objective().beta == 2.0

    def _peak_memory(self, size: Size, *, chunks: Any, entrywise: bool) -> Budget:
        return factorisation.peak_memory_of(
            size, self._objective(), chunks=chunks, entrywise=entrywise
        )

    def _signals_for(self, seen: Seen, maps: Array) -> Signals:
        return factorisation.signals_of(seen, maps, self._left, beta=self._objective().beta)

    def _warn_of_surplus(self, most: int) -> None:
        if self.n_components > most:
            warn(
                f"n_components={self.n_components} is more than min(samples, voxels) = {most}: "
                "the surplus explains nothing that fewer would not."
            )

    def _solved(
        self,
        seen: Seen,
        objective: Objective,
        given: Given,
        rng: np.random.Generator,
        callback: Callback | None,
        keeper: Checkpoint | None,
    ) -> Solution:
        settings = Settings(
            n_components=int(self.n_components),
            first="W" if self.mode == "temporal" else "H",
            solver=self.solver,
            n_starts=self.n_starts if self.n_starts == "auto" else int(self.n_starts),
            tol=float(self.tol),
            max_iter=int(self.max_iter),
        )
        with watching(
            "NMF",
            verbose=self.verbose,
            callback=callback,
            tol=settings.tol,
            stacker=seen.stacker,
            component=given.component,
        ) as shown:
            return shown.ended(
                factorisation.factorised(
                    seen,
                    objective,
                    given,
                    settings,
                    rng=rng,
                    watch=shown.watch,
                    keeper=keeper,
                    enter=shown.enter,
                )
            )

    # Sessions

    def _joined(
        self,
        listed: dict[Any, sessions.Source],
        begin: _Found,
        n_passes: int | None,
        *,
        caller: str,
    ) -> Outcome | None:
        """Go on from the fit of the first session; None after Ctrl-C in it, or right after."""
        if begin.solution.interrupted:
            return None
        given = begin.given
        first = Begin(
            begin.seen.stacker, begin.fit.maps, given.component, given.n_held, given.n_kept
        )
        return fit_jointly(
            listed,
            first,
            tol=float(self.tol),
            n_passes=int(self.max_iter if n_passes is None else n_passes),
            rng=parameters.generator(self.random_state),
            verbose=bool(self.verbose),
            caller=caller,
        )
