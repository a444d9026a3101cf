"""Principal components of a labelled recording, under the same contract as NMF."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from sklearn import decomposition as sk

from partita._labels.stack import Stacker
from partita._progress import progress
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
    verbose : int
        1 shows on stderr what the fit is at (see `NMF`).

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
    explained_variance_ : xarray.DataArray, (component,)
        Variance of each part's scores: over time, or over voxels in spatial mode (n - 1 of them
        are divided by).
    singular_values_ : xarray.DataArray, (component,)
        The largest singular values of the centred recording.
    noise_variance_ : float
        Mean variance of the components that were left out, in squared units of the recording; 0
        where none was (Tipping & Bishop, 1999).
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
    remembers: ClassVar = (
        *Decomposition.remembers, "explained_variance_ratio_", "explained_variance_",
        "singular_values_", "noise_variance_", "mean_",
    )  # fmt: skip

    explained_variance_ratio_: xr.DataArray
    explained_variance_: xr.DataArray
    singular_values_: xr.DataArray
    noise_variance_: float
    mean_: xr.DataArray

    def __init__(
        self,
        n_components: int = 10,
        *,
        mode: str = "temporal",
        mask: xr.DataArray | None = None,
        sample_dim: str = "time",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.mode = mode
        self.mask = mask
        self.sample_dim = sample_dim
        self.random_state = random_state
        self.verbose = verbose

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
        with progress("PCA", shown=bool(self.verbose)) as line:
            line.enter("means")
            seen, found = look_over(self, recording)
            line.enter("components")
            signals, maps = self._principal(found)
            line.enter("shares")
            fit = fit_of(seen, found, signals, maps)
            line.say(f"{len(maps)} components")
        return self._remember(seen.stacker, self._with_variances(fit, seen.stacker, found.norm2))

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

    def _with_variances(self, fit: Fit, stacker: Stacker, norm2: float) -> Fit:
        """Say what the parts keep of a centred recording of squared norm `norm2`."""
        n, p = stacker.n_samples, stacker.n_features
        # One sample alone does not vary, less its mean.
        freedom = max((n if self.mode == "temporal" else p) - 1, 1)
        energies = normalisation.energies(fit.signals.values, fit.maps)
        left_out = min(n, p) - len(energies)
        more = _by_component(
            fit.component,
            stacker.attrs.get("units"),
            ratio=energies / norm2 if norm2 > 0 else energies,
            variance=energies / freedom,
            singular=np.sqrt(energies),
        )
        noise = fit.error**2 / (freedom * left_out) if left_out else 0.0
        return fit._replace(more={**fit.more, **more, "noise_variance_": noise})

    def _signals_for(self, seen: Seen, maps: Array) -> Signals:
        return signals_for(seen, maps, getattr(self, "mean_", None))

    def _compose(self, signals: xr.DataArray, maps: Array) -> Any:
        parts, mean = super()._compose(signals, maps), getattr(self, "mean_", None)
        return with_mean(parts, signals, mean, self._stacker, caller=type(self).__name__)

    def _peak_memory(self, size: Size, *, chunks: Any, entrywise: bool) -> Budget:
        return peak_memory_of(size, mode=self.mode, chunks=chunks)


def _by_component(
    component: Array, units: Any, *, ratio: Array, variance: Array, singular: Array
) -> dict[str, xr.DataArray]:
    """Return three numbers of each component by attribute, labelled, in units of the recording."""
    own = None if units is None else str(units)
    squared = own if own in (None, "1") else f"({own})^2"
    rows = (
        ("explained_variance_ratio", ratio, "share of the variance", "1"),
        ("explained_variance", variance, "variance", squared),
        ("singular_values", singular, "singular value", own),
    )
    return {
        f"{name}_": by_component(values, component, name=name, long_name=long, units=unit)
        for name, values, long, unit in rows
    }
