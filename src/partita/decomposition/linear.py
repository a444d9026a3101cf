"""Signed parts: PCA and FastICA under the same contract as NMF."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from sklearn import decomposition as sk
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from partita._labels.stack import Stacker
from partita._solvers.linear import least_squares
from partita._solvers.linear.principal_components import Principal, principal
from partita._solvers.matrices import products
from partita._solvers.problem import normalisation
from partita.decomposition import _base, _lazy
from partita.decomposition._base import Array, Decomposition
from partita.decomposition.memory import warn_if_too_large


class _Linear(Decomposition):
    """Centring, least squares and signs, which PCA and FastICA share."""

    # Given by the subclass's __init__.
    mode: str
    random_state: Any

    def _fit_linear(self, recording: xr.DataArray) -> tuple[Stacker, Array, Any]:
        """Check and centre; return the stacker, the centred matrix and what was taken off."""
        stacker, matrix = self._stacked(recording, mask=self.mask)
        matrix = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
        self._stacker = stacker
        self._refuse_bad(matrix, caller=type(self).__name__)
        self._refuse_rank(matrix.shape)
        centred, centre = least_squares.centre(matrix, axis=0 if self.mode == "temporal" else 1)
        return stacker, centred, centre

    def _fit_streamed(self, recording: xr.DataArray) -> tuple[Stacker, Principal]:
        """Check a lazy recording; return its stacker and its leading singular vectors."""
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        rng = np.random.default_rng(seed)
        stacker, stream = _lazy.surveyed(
            recording, sample_dim=self._check(recording), mask=self.mask, rng=rng,
            caller=type(self).__name__, signed=True,
        )  # fmt: skip
        self._refuse_rank((stacker.n_samples, stacker.n_features))
        axis = 0 if self.mode == "temporal" else 1
        return stacker, principal(stream, self.n_components, axis=axis, rng=rng)

    def _keep_streamed(
        self, stacker: Stacker, found: Principal, signals: Array, maps: Array
    ) -> Self:
        self._lazily = True
        left = found.norm2 - float(np.square(found.s, dtype=np.float64).sum())
        error = float(np.sqrt(max(left, 0.0)))
        norm2 = found.norm2 + found.mean_norm2
        return self._label(stacker, found.mean, signals, maps, norm2=norm2, error=error)

    def _check_parameters(self) -> None:
        _base.check_mode(self.mode)
        _base.check_n_components(self.n_components)

    def _refuse_rank(self, shape: tuple[int, int]) -> None:
        if self.n_components > min(shape):
            raise ValueError(
                f"{type(self).__name__} can find at most min(samples, voxels) = {min(shape)} "
                f"components in {shape[0]} samples of {shape[1]} voxels; n_components is "
                f"{self.n_components}. Ask for fewer."
            )

    def _keep(
        self, stacker: Stacker, centred: Array, centre: Array, signals: Array, maps: Array
    ) -> Self:
        """Canonicalise, label and remember the factors of the centred matrix."""
        # Centring splits the energy: what was taken off is orthogonal to what is left.
        norm2 = products.norm2(centred) + products.norm2(np.broadcast_to(centre, centred.shape))
        error = float(np.sqrt(products.residual_norm2(centred, signals, maps)))
        self._lazily = False
        return self._label(stacker, centre, signals, maps, norm2=norm2, error=error)

    def _label(
        self,
        stacker: Stacker,
        centre: Array,
        signals: Array,
        maps: Array,
        *,
        norm2: float,
        error: float,
    ) -> Self:
        signals, maps, *_ = normalisation.canonicalise(*least_squares.upright(signals, maps))
        self._norm2 = norm2
        self._remember(stacker, signals, maps, component=np.arange(len(maps)), norm2=norm2)
        self.reconstruction_err_ = error
        if self.mode == "spatial":
            self.signals_ = self._labelled_signals(signals, centre[:, 0])
            return self
        units = {k: v for k, v in self.signals_.attrs.items() if k == "units"}
        mean = stacker.feature_map(centre[0]).rename("mean")
        self.mean_ = mean.assign_attrs(long_name="mean over time", **units)
        return self

    def _project(self, matrix: Array, rows: Array, present: Array | None) -> tuple[Array, ...]:
        if not isinstance(matrix, np.ndarray):
            matrix = matrix.toarray()
        if self.mode == "spatial":
            centred, offset = least_squares.centre(matrix, axis=1)
            return least_squares.least_squares(centred, rows), offset[:, 0]
        mean = self._mean_row()
        mean = mean if present is None else mean[:, present]
        return (least_squares.least_squares(matrix - mean, rows),)

    def _mean_row(self) -> Array:
        return self._stacker.flat_maps(self.mean_.expand_dims("component"), caller="mean_")

    def _rebuilt(self, signals: xr.DataArray, parts: Array) -> Array:
        if self.mode == "temporal":
            return parts + self._mean_row()
        if "offset" not in signals.coords:
            raise ValueError(
                f"{type(self).__name__}(mode='spatial').inverse_transform needs each time point's "
                "mean, the coordinate 'offset' that fit_transform and transform put on the "
                "signals, and it is missing. Assign it: "
                "signals.assign_coords(offset=('time', ...))."
            )
        return parts + signals["offset"].values[:, None]


class PCA(_Linear):
    r"""Principal components: the orthogonal parts that keep the most of a recording's variance.

    Minimises :math:`\|X - M - SH\|_F^2` over rank ``n_components`` (Pearson, 1901; Hotelling,
    1933), where M holds each voxel's mean over time (``mode="temporal"``: the signals come out
    uncorrelated) or each time point's mean over voxels (``mode="spatial"``: the maps do). Computed
    by `sklearn.decomposition.PCA`.

    Parameters
    ----------
    n_components : int
        How many parts.
    mode : {"temporal", "spatial"}
        What is centred, and what is uncorrelated.
    mask : xarray.DataArray of bool, optional
        Voxels to use, matched by label.
    sample_dim : str
        The dimension of samples.
    random_state : int, numpy.random.RandomState or None
        Start of the iterative eigensolver that large recordings need.

    Attributes
    ----------
    maps_ : xarray.DataArray, (component, ...)
        Unit Euclidean norm; the largest value of each is positive.
    signals_ : xarray.DataArray, (time, component)
        In the recording's units; in spatial mode with the coordinate ``offset`` (time).
    energy_ : xarray.DataArray, (component,)
        Share of the recording's energy in each part.
    explained_variance_ratio_ : xarray.DataArray, (component,)
        Share of the centred recording's energy in each part.
    mean_ : xarray.DataArray, (...)
        Each voxel's mean over time (temporal mode only).
    reconstruction_err_ : float
        :math:`\|X - \hat X\|_F` inside the mask.

    See Also
    --------
    NMF : Parts that are non-negative.

    Examples
    --------
    >>> recording = partita.datasets.load_sample()
    >>> signals = partita.PCA(n_components=3).fit_transform(recording)
    >>> signals.sizes["component"]
    3
    """

    explained_variance_ratio_: xr.DataArray
    mean_: xr.DataArray
    _saved: ClassVar = (*Decomposition._saved, "explained_variance_ratio_", "mean_")

    def __init__(
        self,
        n_components: int = 10,
        *,
        mode: str = "temporal",
        mask: xr.DataArray | None = None,
        sample_dim: str = "time",
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.mode = mode
        self.mask = mask
        self.sample_dim = sample_dim
        self.random_state = random_state

    def fit(self, recording: xr.DataArray, y: None = None) -> Self:
        """Find the principal components of a recording.

        Parameters
        ----------
        recording : xarray.DataArray, (time, ...), any order
            Integers up to 16 bits are worked on as float32, larger ones as float64.
        y : None
            Ignored.

        Returns
        -------
        PCA
            Itself.

        Raises
        ------
        TypeError, ValueError
            If the recording cannot be used, or has fewer samples or voxels than ``n_components``.

        Warns
        -----
        UserWarning
            If the fit needs more memory than there is.
        """
        self._check_parameters()
        warn_if_too_large(recording, self)
        total = self._fit_lazily(recording) if _lazy.is_large(recording) else self._fit(recording)
        ratio = self.energy_ * (self._norm2 / total) if total > 0 else self.energy_
        self.explained_variance_ratio_ = ratio.rename("explained_variance_ratio").assign_attrs(
            long_name="share of the variance", units="1"
        )
        return self

    def _fit(self, recording: xr.DataArray) -> float:
        stacker, centred, centre = self._fit_linear(recording)
        temporal = self.mode == "temporal"
        samples = centred if temporal else centred.T
        solver = least_squares.eigensolver(samples.shape, self.n_components)
        model = sk.PCA(self.n_components, svd_solver=solver, random_state=self.random_state)
        scores = model.fit_transform(samples)
        signals, maps = (scores, model.components_) if temporal else (model.components_.T, scores.T)
        self._keep(stacker, centred, centre, signals, maps)
        return products.norm2(centred)

    def _fit_lazily(self, recording: xr.DataArray) -> float:
        stacker, found = self._fit_streamed(recording)
        self._keep_streamed(stacker, found, found.U * found.s, found.V)
        return found.norm2


class FastICA(_Linear):
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
    mask : xarray.DataArray of bool, optional
        Voxels to use, matched by label.
    sample_dim : str
        The dimension of samples.
    random_state : int, numpy.random.RandomState or None
        The rotation to start from.

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

    n_iter_: int
    converged_: bool
    mean_: xr.DataArray
    _saved: ClassVar = (*Decomposition._saved, "n_iter_", "converged_", "mean_")

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
    ) -> None:
        self.n_components = n_components
        self.mode = mode
        self.fun = fun
        self.tol = tol
        self.max_iter = max_iter
        self.mask = mask
        self.sample_dim = sample_dim
        self.random_state = random_state

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
            If the recording cannot be used, or has fewer samples or voxels than ``n_components``.

        Warns
        -----
        UserWarning
            If the fit needs more memory than there is.
        """
        self._check_parameters()
        warn_if_too_large(recording, self)
        if _lazy.is_large(recording):
            return self._fit_lazily(recording)
        stacker, centred, centre = self._fit_linear(recording)
        temporal = self.mode == "temporal"
        samples = centred if temporal else centred.T
        # Whitened once, exactly, so that the rotation works on n_components columns alone.
        solver = least_squares.eigensolver(samples.shape, self.n_components)
        whitening = sk.PCA(
            self.n_components, whiten=True, svd_solver=solver, random_state=self.random_state
        )
        white = whitening.fit_transform(samples)
        sources = self._rotated(white)
        mixing = least_squares.least_squares(samples.T, sources.T)
        signals, maps = (sources, mixing.T) if temporal else (mixing, sources.T)
        return self._keep(stacker, centred, centre, signals, maps)

    def _fit_lazily(self, recording: xr.DataArray) -> Self:
        """Rotate the principal components, which hold all that whitening would leave."""
        stacker, found = self._fit_streamed(recording)
        temporal = self.mode == "temporal"
        of_samples, of_features = found.U, found.V.T
        white, other = (of_samples, of_features) if temporal else (of_features, of_samples)
        sources = self._rotated(white * np.sqrt(len(white) - 1).astype(white.dtype))
        mixing = (other * found.s) @ least_squares.least_squares(white.T, sources.T)
        signals, maps = (sources, mixing.T) if temporal else (mixing, sources.T)
        return self._keep_streamed(stacker, found, signals, maps)

    def _rotated(self, white: Array) -> Array:
        """Return white scores (n, k) rotated to independence."""
        model = sk.FastICA(
            whiten=False,
            fun=self.fun,
            tol=self.tol,
            max_iter=self.max_iter,
            random_state=self.random_state,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            sources: Array = model.fit_transform(white)
        self.n_iter_ = int(model.n_iter_)
        self.converged_ = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
        if not self.converged_:
            _base.warn_unconverged(
                "FastICA",
                n_iter=self.n_iter_,
                state=f"the rotation still changes by more than tol={self.tol:g}",
                remedy="Raise max_iter, loosen tol, or ask for fewer components.",
            )
        return sources
