"""Principal components of a labelled recording, under the same contract as NMF."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from sklearn import decomposition as sk

from partita._solvers.linear import least_squares
from partita._solvers.peak_memory import Budget, Size
from partita._solvers.problem import normalisation
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
from partita.decomposition.fit import Array, Fit, Seen, Signals, by_component


class PCA(Decomposition):
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
    mask : xarray.DataArray of bool, (some feature dimensions), optional
        Voxels to use, matched by label.
    sample_dim : str
        The dimension of samples.
    random_state : int, numpy.random.Generator, RandomState or None
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
    explained_ : xarray.Dataset
        ``r2``, the share of each voxel's variance over time that is explained, and ``vaf``, the
        share of the squares (variance accounted for, not centred).

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

    modes: ClassVar = MODES
    streams: ClassVar = True
    signal_coords: ClassVar = ("offset",)
    remembers: ClassVar = (*Decomposition.remembers, "explained_variance_ratio_", "mean_")

    explained_variance_ratio_: xr.DataArray
    mean_: xr.DataArray

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
        seen, found = look_over(self, recording)
        signals, maps = self._principal(found)
        fit = fit_of(seen, found, signals, maps)
        return self._remember(seen.stacker, self._with_ratio(fit, found))

    def _principal(self, found: Centred) -> tuple[Array, Array]:
        """Return the signals and maps that keep the most of what is left."""
        if found.singular is not None:
            U, s, V = found.singular
            return U * s, V
        temporal = self.mode == "temporal"
        samples = found.matrix if temporal else found.matrix.T
        solver = least_squares.eigensolver(samples.shape, self.n_components)
        state = parameters.state_for_sklearn(self.random_state)
        model = sk.PCA(self.n_components, svd_solver=solver, random_state=state)
        with np.errstate(invalid="ignore"):  # shares of a recording of zeros, which are not read
            scores = model.fit_transform(samples)
        return (scores, model.components_) if temporal else (model.components_.T, scores.T)

    def _with_ratio(self, fit: Fit, found: Centred) -> Fit:
        energies = normalisation.energies(fit.signals.values, fit.maps)
        ratio = by_component(
            energies / found.norm2 if found.norm2 > 0 else energies,
            fit.component,
            name="explained_variance_ratio",
            long_name="share of the variance",
        )
        return fit._replace(more={**fit.more, "explained_variance_ratio_": ratio})

    def _signals_for(self, seen: Seen, maps: Array) -> Signals:
        return signals_for(seen, maps, getattr(self, "mean_", None))

    def _compose(self, signals: xr.DataArray, maps: Array) -> Any:
        parts, mean = super()._compose(signals, maps), getattr(self, "mean_", None)
        return with_mean(parts, signals, mean, self._stacker, caller=type(self).__name__)

    def _peak_memory(self, size: Size, *, chunks: Any, entrywise: bool) -> Budget:
        return peak_memory_of(size, mode=self.mode, chunks=chunks)
