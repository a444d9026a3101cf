"""What all decompositions share: check, stack, label, remember, rebuild."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, TransformerMixin

from partita._labels import attrs, checks
from partita._labels.stack import Stacker
from partita._solvers import peak_memory
from partita._solvers.linear.least_squares import least_squares
from partita._solvers.matrices import products, streamed
from partita._solvers.matrices.spread import spread
from partita._solvers.peak_memory import Budget, Size
from partita._solvers.problem import normalisation
from partita.decomposition import memory_estimate, out_of_core, parameters, registry, validation
from partita.decomposition.explained import Explained
from partita.decomposition.fit import (
    Array,
    Fit,
    Seen,
    Signals,
    history_line,
    labelled,
    labelled_signals,
)


class Decomposition(TransformerMixin, BaseEstimator):
    """A recording as a sum of parts, each a map times a signal.

    A subclass stores its parameters in ``__init__`` and says below what it can do. Its `fit` looks
    a recording over (`_look_over`), solves, and hands a `Fit` to `_remember`. Where its parts are
    no plain product, or its signals no least squares, it says so in `_compose` and `_signals_for`;
    what its parameters may be, in `check_parameters`.
    It is known by its name from where it is defined, and saved and loaded without more.

    Attributes
    ----------
    modes : tuple of str
        What its parameter `mode` may be; none where it has none.
    non_negative : tuple of str
        What is: among "recording", "maps" and "signals".
    iterative : bool
        Whether it has ``n_iter_`` and ``converged_``, and parameters `tol` and `max_iter`.
    streams : bool
        Whether it reads a large dask-backed recording part by part.
    transforms : bool
        Whether it finds signals of new recordings.
    weighted : bool
        Whether `fit` and `transform` take weights.
    several_recordings : bool
        Whether `fit` takes a mapping of recordings.
    keeps_sparse : bool
        Whether it works on a sparse recording as it is.
    map_dims : tuple of str
        The dimensions of its maps before the features.
    signal_coords : tuple of str
        Coordinates of its own on the signals.
    remembers : tuple of str
        The attributes that a fit may leave, and that are saved.

    Examples
    --------
    >>> import numpy as np
    >>> from partita.decomposition import Decomposition, Fit, Signals
    >>> class Loudest(Decomposition):
    ...     '''The voxels that vary most, each a part of its own.'''
    ...
    ...     def __init__(self, n_components=2, *, mask=None, sample_dim="time"):
    ...         self.n_components, self.mask, self.sample_dim = n_components, mask, sample_dim
    ...
    ...     def fit(self, recording, y=None):
    ...         seen = self._look_over(recording)
    ...         loudest = np.argsort(-seen.matrix.var(axis=0))[: self.n_components]
    ...         maps = np.eye(seen.matrix.shape[1], dtype=seen.matrix.dtype)[loudest]
    ...         return self._remember(seen.stacker, self._fit(seen, seen.matrix[:, loudest], maps))
    >>> model = Loudest(3).fit(partita.datasets.load_sample())
    >>> model.maps_.sizes["component"], model.transform(model.inverse_transform()).dims
    (3, ('time', 'component'))
    """

    modes: ClassVar[tuple[str, ...]] = ()
    non_negative: ClassVar[tuple[str, ...]] = ()
    iterative: ClassVar[bool] = False
    streams: ClassVar[bool] = False
    transforms: ClassVar[bool] = True
    weighted: ClassVar[bool] = False
    several_recordings: ClassVar[bool] = False
    keeps_sparse: ClassVar[bool] = False
    map_dims: ClassVar[tuple[str, ...]] = ("component",)
    signal_coords: ClassVar[tuple[str, ...]] = ()
    remembers: ClassVar[tuple[str, ...]] = (
        "maps_", "signals_", "energy_", "reconstruction_err_", "explained_", "n_features_in_",
        "feature_names_in_", "_norm2", "_streamed",
    )  # fmt: skip

    # Given by the subclass's __init__.
    n_components: int
    mode: str
    sample_dim: str
    mask: xr.DataArray | None

    maps_: xr.DataArray
    signals_: xr.DataArray
    energy_: xr.DataArray
    reconstruction_err_: float
    explained_: xr.Dataset
    n_features_in_: int
    feature_names_in_: Array  # where texts label the one dimension of the features
    _stacker: Stacker
    _norm2: float
    _streamed: bool
    _asked: dict[str, Any]  # the parameters of that fit
    _fitted: tuple[str, ...] = ()  # the attributes that the latest fit has left

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        registry.register(cls)

    def __repr__(self, N_CHAR_MAX: int = 400) -> str:
        return str(super().__repr__(N_CHAR_MAX=N_CHAR_MAX))

    def fit(self, recording: xr.DataArray, y: None = None) -> Self:
        """Fit the parts of a recording."""
        raise NotImplementedError

    def fit_transform(
        self, recording: xr.DataArray, y: None = None, **fit_params: Any
    ) -> xr.DataArray:
        """Fit, and return the signals.

        Parameters
        ----------
        recording : xarray.DataArray, (time, ...), any order
            What `fit` takes.
        y : None
            Ignored.
        **fit_params
            Passed on to `fit`.

        Returns
        -------
        xarray.DataArray, (time, component)
            ``signals_``, in the units of the recording.
        """
        return self.fit(recording, y, **fit_params).signals_

    def transform(
        self, recording: xr.DataArray, weights: xr.DataArray | None = None
    ) -> xr.DataArray:
        """Return the signals of a recording for the fitted maps.

        Parameters
        ----------
        recording : xarray.DataArray, (time, ...), any order
            On the grid of the fit: places are matched by label, times may be new. Voxels that are
            NaN at all its times are passed over.
        weights : xarray.DataArray, (dimensions among the recording's), optional
            As `fit` takes them, for models whose `fit` does. Entries of weight 0 are missing.

        Returns
        -------
        xarray.DataArray, (time, component)
            Signals, in the units of the recording, with its time coordinates.

        Raises
        ------
        TypeError
            If this kind of model has no signals for new recordings.
        ValueError
            If the recording lies on another grid, or holds isolated NaN or infinite values.
        """
        if not self.transforms:
            raise TypeError(
                f"{type(self).__name__} has no signals for new recordings. Fit it to them: "
                "fit(recording)."
            )
        validation.require_fitted(self)
        caller = f"{type(self).__name__}.transform"
        self._refuse_weights(weights, caller=caller)
        checks.require_recording(recording, sample_dim=self._stacker.sample_dim, caller=caller)
        seen = self._seen_again(recording, weights, caller=caller)
        rows = seen.stacker.flat_maps(self.maps_, caller="maps_", leading=self.map_dims)
        return labelled_signals(
            self._signals_for(seen, rows),
            self._stacker,
            self.maps_["component"].variable,
            source=recording,
            line=self._history_line(),
        )

    def inverse_transform(self, signals: xr.DataArray | None = None) -> xr.DataArray:
        """Rebuild a recording from signals and the fitted maps.

        Parameters
        ----------
        signals : xarray.DataArray, (time, component), optional
            By default ``signals_``. Components are matched by label; where only some are given,
            the recording is rebuilt from those alone.

        Returns
        -------
        xarray.DataArray
            The dimensions of the fitted recording in its order, NaN outside the mask; lazy, in
            blocks of time, after a fit that read its recording part by part.

        Raises
        ------
        TypeError, ValueError
            If the signals are no DataArray over time and component, name unknown components, or
            one of them twice.
        """
        validation.require_fitted(self)
        signals = self.signals_ if signals is None else signals
        caller = f"{type(self).__name__}.inverse_transform"
        maps = validation.maps_of(
            signals, self.maps_, sample_dim=self._stacker.sample_dim, caller=caller
        )
        rows = self._stacker.flat_maps(maps, caller="maps_", leading=self.map_dims)
        ordered = signals.transpose(self._stacker.sample_dim, "component")
        matrix = self._compose(ordered, rows)
        bare = ordered.isel(component=0, drop=True)
        rebuilt = self._stacker.recording(matrix, like=bare)
        return attrs.append_history(rebuilt, f"{caller}()")

    # What a subclass may say otherwise

    def _compose(self, signals: xr.DataArray, maps: Array) -> Any:
        """Return the matrix of a recording that signals (sample, component) and maps make."""
        times = streamed.times if self._streamed else products.times
        return times(signals.values, maps)

    def _signals_for(self, seen: Seen, maps: Array) -> Signals:
        """Return the signals of a recording for maps (n_components, n_features): least squares."""
        return Signals(least_squares(validation.dense(seen.matrix), maps))

    def check_parameters(self) -> None:
        """Refuse parameters that have no meaning; no recording is needed (ValueError)."""
        parameters.check_n_components(self.n_components)
        if self.modes:
            parameters.check_mode(self.mode, self.modes)

    def _in_parts(self, recording: Any, weights: xr.DataArray | None) -> bool:
        """Say whether a fit reads a recording part by part."""
        return self.streams and weights is None and out_of_core.is_large(recording)

    def _transforms_in_parts(self, recording: Any, weights: xr.DataArray | None) -> bool:
        """Say whether `transform` reads a recording part by part."""
        return self._in_parts(recording, weights)

    def _peak_memory(self, size: Size, *, chunks: Any, entrywise: bool) -> Budget:
        """Return what a fit takes beside the recording.

        Parameters
        ----------
        size : Size
            Of the matrix.
        chunks : tuple of tuple of int, or None
            Of a recording that is read part by part, samples first.
        entrywise : bool
            Whether every entry has a weight of its own.
        """
        return peak_memory.of_divergence(size)

    # The steps of a fit

    def _look_over(
        self,
        recording: xr.DataArray,
        *,
        weights: xr.DataArray | None = None,
        rng: np.random.Generator | None = None,
    ) -> Seen:
        """Refuse what no fit can use, and return the rest as numbers, all-NaN voxels left out."""
        caller = type(self).__name__
        self.check_parameters()
        self._refuse_weights(weights, caller=caller)
        sample_dim = str(self.sample_dim)
        validation.require_samples_of_features(recording, sample_dim=sample_dim, caller=caller)
        validation.refuse_surplus(self.n_components, recording, sample_dim, caller=caller)
        validation.refuse_names(
            recording, map_dims=self.map_dims, signal_coords=self.signal_coords,
            sample_dim=sample_dim, caller=caller,
        )  # fmt: skip
        validation.refuse_unstorable(recording, self._stored_parameters(), caller=caller)
        memory_estimate.warn_if_too_large(recording, self, weights=weights)
        if self._in_parts(recording, weights):
            rng = np.random.default_rng(0) if rng is None else rng
            return self._surveyed(recording, rng, mask=self.mask, caller=caller)
        loaded = recording.compute()
        stacker = Stacker.of(loaded, sample_dim=sample_dim, mask=self.mask, taken=self._taken())
        return self._usable(stacker, stacker.matrix(loaded), weights, caller=caller)

    def _seen_again(
        self, recording: xr.DataArray, weights: xr.DataArray | None, *, caller: str
    ) -> Seen:
        """Return another recording as numbers, on the grid of the fit."""
        stacker, aligned = self._stacker.at(recording, caller=f"The recording given to {caller}")
        if self._transforms_in_parts(recording, weights):
            aligned = aligned.astype(self._stacker.dtype)
            inside, rng = self._stacker.inside_mask(), np.random.default_rng(0)
            return self._surveyed(aligned, rng, mask=inside, caller=caller)
        return self._usable(stacker, stacker.matrix(aligned.compute()), weights, caller=caller)

    def _usable(
        self, stacker: Stacker, matrix: Any, weights: xr.DataArray | None, *, caller: str
    ) -> Seen:
        return validation.usable(
            stacker, matrix, weights, signed=self._signed, keeps_sparse=self.keeps_sparse,
            caller=caller,
        )  # fmt: skip

    def _surveyed(
        self,
        recording: xr.DataArray,
        rng: np.random.Generator,
        *,
        mask: xr.DataArray | None,
        caller: str,
    ) -> Seen:
        stacker, stream = out_of_core.surveyed(
            recording, sample_dim=str(self.sample_dim), mask=mask, rng=rng, caller=caller,
            taken=self._taken(), signed=self._signed,
        )  # fmt: skip
        return Seen(stacker, stream)

    def _refuse_weights(self, weights: Any, *, caller: str) -> None:
        if weights is not None and not self.weighted:
            raise ValueError(
                f"{caller} takes no weights: {type(self).__name__} has none in its objective. "
                "Interpolate what is missing, or use NMF."
            )

    def _stored_parameters(self) -> dict[str, Any]:
        """Return the parameters that are saved: no random states, nor what can be called."""
        moment = np.random.Generator | np.random.RandomState
        return {
            name: value
            for name, value in self.get_params(deep=False).items()
            if not isinstance(value, moment) and not callable(value)
        }

    @property
    def _signed(self) -> bool:
        return "recording" not in self.non_negative

    def _taken(self) -> tuple[str, ...]:
        return (*self.map_dims, *self.signal_coords)

    def _fit(self, seen: Seen, signals: Array, maps: Array) -> Fit:
        """Return plain factors of a recording in memory as a fit: unit maps, by energy."""
        signals, maps, *_ = normalisation.canonicalise(signals, maps)
        squares, left2 = spread(seen.matrix), products.residual_norm2(seen.matrix, signals, maps)
        return Fit(
            Signals(signals),
            maps,
            np.arange(len(maps)),
            norm2=squares.total,
            error=float(np.sqrt(left2)),
            explained=Explained.of(squares, left2),
        )

    def _remember(self, stacker: Stacker, fit: Fit) -> Self:
        """Label what a fit has found and keep it, in place of all that an earlier fit has left."""
        return self._restored(stacker, labelled(stacker, fit, line=self._history_line()))

    def _restored(self, stacker: Stacker, fitted: dict[str, Any]) -> Self:
        """Set fitted attributes, those of a file too, in place of all that there were before."""
        for name in self._fitted:
            self.__dict__.pop(name, None)
        asked = self.get_params(deep=False)
        fitted = {**fitted, "_stacker": stacker, "_asked": asked}
        self.__dict__.update(fitted, _fitted=tuple(fitted))
        return self

    def _history_line(self) -> str:
        return history_line(type(self).__name__, self.get_params())
