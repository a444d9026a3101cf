"""Independent components of a labelled recording, under the same contract as NMF."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import xarray as xr
from sklearn import decomposition as sk

from partita._progress import progress
from partita._solvers.linear import least_squares
from partita._solvers.linear.contrasts import CONTRASTS, Counted, Unsettled
from partita._solvers.peak_memory import Budget, Size
from partita.decomposition import parameters
from partita.decomposition._base import Decomposition
from partita.decomposition.centred import (
    MODES,
    Centred,
    fit_of,
    look_over,
    peak_memory_of,
    signals_for,
    with_mean,
)
from partita.decomposition.convergence import warn_unconverged
from partita.decomposition.fit import Array, Seen, Signals


class Rotated(NamedTuple):
    """White scores rotated to independence, and how that went."""

    sources: Array
    n_iter: int
    converged: bool


class FastICA(Decomposition):
    r"""Independent components: the parts whose signals, or maps, depend least on one another.

    Whitens to ``n_components`` dimensions and rotates to the largest non-Gaussianity (Hyvärinen &
    Oja, 2000). ``mode="temporal"`` centres each voxel over time and makes the signals
    independent; ``mode="spatial"`` centres each time point over voxels and makes the maps so.
    Computed by `sklearn.decomposition.FastICA`.

    Parameters
    ----------
    n_components : int
        How many parts.
    mode : {"temporal", "spatial"}
        What is centred, and what is independent.
    fun : {"logcosh", "exp", "cube"}
        The contrast.
    tol : float
        Largest change of the rotation at which it stops.
    max_iter : int
        Most iterations.
    mask : xarray.DataArray of bool, (some feature dimensions), optional
        Voxels to use, matched by label.
    sample_dim : str
        The dimension of samples.
    random_state : int, numpy.random.Generator, RandomState or None
        The rotation to start from.
    verbose : int
        1 shows on stderr what the fit is at (see `NMF`).

    Attributes
    ----------
    maps_ : xarray.DataArray, (component, ...)
        Unit Euclidean norm; the largest value of each is positive.
    signals_ : xarray.DataArray, (time, component)
        In the recording's units; in spatial mode with the coordinate ``offset`` (time).
    energy_ : xarray.DataArray, (component,)
        Share of the recording's energy in each part, largest first.
    mean_ : xarray.DataArray, (...)
        Each voxel's mean over time (temporal mode only).
    reconstruction_err_ : float
        :math:`\|X - \hat X\|_F` inside the mask.
    explained_ : xarray.Dataset
        ``r2``, the share of each voxel's variance over time that is explained, and ``vaf``, the
        share of the squares (variance accounted for, not centred).
    n_features_in_ : int
        How many features the recording has, those outside the mask included.
    feature_names_in_ : numpy.ndarray of object, (n_features,)
        Their labels, where there is one feature dimension and its labels are text.
    n_iter_ : int
        Iterations done.
    converged_ : bool
        Whether the rotation settled within ``tol``.

    See Also
    --------
    NMF : Parts that are non-negative.

    Examples
    --------
    >>> recording = partita.datasets.load_sample()
    >>> ica = partita.FastICA(n_components=3, mode="spatial", random_state=0).fit(recording)
    >>> ica.maps_.sizes["component"]
    3
    """

    modes: ClassVar = MODES
    iterative: ClassVar = True
    streams: ClassVar = True
    signal_coords: ClassVar = ("offset",)
    remembers: ClassVar = (*Decomposition.remembers, "n_iter_", "converged_", "mean_")

    n_iter_: int
    converged_: bool
    mean_: xr.DataArray

    def __init__(
        self,
        n_components: int = 10,
        *,
        mode: str = "temporal",
        fun: str = "logcosh",
        tol: float = 1e-4,
        max_iter: int = 500,
        mask: xr.DataArray | None = None,
        sample_dim: str = "time",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.mode = mode
        self.fun = fun
        self.tol = tol
        self.max_iter = max_iter
        self.mask = mask
        self.sample_dim = sample_dim
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, recording: xr.DataArray, y: None = None) -> Self:
        """Find the independent components of a recording.

        Parameters
        ----------
        recording : xarray.DataArray, (time, ...), any order
            Integers up to 16 bits are worked on as float32, larger ones as float64.
        y : None
            Ignored.

        Returns
        -------
        FastICA
            Itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the recording cannot be used, or the recording has fewer samples or
            voxels than ``n_components``.

        Warns
        -----
        UserWarning
            If the fit needs more memory than there is.
        """
        parameters.check_rotation(
            fun=self.fun, known=tuple(CONTRASTS), tol=self.tol, max_iter=self.max_iter
        )
        with progress("FastICA", shown=bool(self.verbose)) as line:
            line.enter("means")
            seen, found = look_over(self, recording)
            state = parameters.state_for_sklearn(self.random_state)
            line.enter("rotation")
            signals, maps, rotated = self._independent(found, state)
            line.enter("shares")
            fit = fit_of(seen, found, signals, maps)
            line.say(f"iteration {rotated.n_iter}")
        about = {"n_iter_": rotated.n_iter, "converged_": rotated.converged}
        self._remember(seen.stacker, fit._replace(more={**fit.more, **about}))
        self._warn_if_unconverged()
        return self

    def _independent(self, found: Centred, state: Any) -> tuple[Array, Array, Rotated]:
        """Whiten once, exactly, so that the rotation works on n_components columns alone."""
        temporal = self.mode == "temporal"
        if found.singular is not None:
            U, s, V = found.singular
            white, other = (U, V.T) if temporal else (V.T, U)
            rotated = self._rotated(white * np.sqrt(len(white) - 1).astype(white.dtype), state)
            mixing = (other * s) @ least_squares.least_squares(white.T, rotated.sources.T)
        else:
            samples = found.matrix if temporal else found.matrix.T
            solver = least_squares.eigensolver(samples.shape, self.n_components)
            whitening = sk.PCA(
                self.n_components, whiten=True, svd_solver=solver, random_state=state
            )
            with np.errstate(invalid="ignore"):  # as in PCA
                white = whitening.fit_transform(samples)
            rotated = self._rotated(white, state)
            mixing = least_squares.least_squares(samples.T, rotated.sources.T)
        pair = (rotated.sources, mixing.T) if temporal else (mixing, rotated.sources.T)
        return *pair, rotated

    def _rotated(self, white: Array, state: Any) -> Rotated:
        """Rotate white scores (n, k) to independence."""
        max_iter = int(self.max_iter)
        contrast = Counted(CONTRASTS[self.fun], max_iter)
        model = sk.FastICA(
            whiten=False, fun=contrast, tol=self.tol, max_iter=max_iter + 1, random_state=state
        )
        try:
            sources: Array = model.fit_transform(white)
        except Unsettled as end:
            return Rotated(end.sources.T, max_iter, False)
        return Rotated(sources, int(model.n_iter_), True)

    def _warn_if_unconverged(self) -> None:
        if self.converged_:
            return
        warn_unconverged(
            "FastICA",
            n_iter=self.n_iter_,
            state=f"the rotation still changes by more than tol={self.tol:g}",
            remedy="Raise max_iter, loosen tol, or ask for fewer components.",
        )

    def _signals_for(self, seen: Seen, maps: Array) -> Signals:
        return signals_for(seen, maps, getattr(self, "mean_", None))

    def _compose(self, signals: xr.DataArray, maps: Array) -> Any:
        parts, mean = super()._compose(signals, maps), getattr(self, "mean_", None)
        return with_mean(parts, signals, mean, self._stacker, caller=type(self).__name__)

    def _peak_memory(self, size: Size, *, chunks: Any, entrywise: bool) -> Budget:
        return peak_memory_of(size, mode=self.mode, chunks=chunks)
