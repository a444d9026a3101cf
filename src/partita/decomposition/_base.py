"""What all decompositions share: check, stack, label, remember, rebuild."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from partita._labels import attrs, checks
from partita._labels.numbers import is_whole
from partita._labels.stack import Stacker
from partita._solvers.matrices import products, streamed
from partita._solvers.problem import normalisation

Array = np.ndarray[Any, Any]

MODES = ("temporal", "spatial")


class Decomposition(TransformerMixin, BaseEstimator):
    """A recording as a sum of parts, each a map times a signal.

    A subclass sets ``maps_``, ``signals_`` and what else it knows in `fit`, through `_remember`.
    """

    # Given by the subclass's __init__.
    n_components: int
    sample_dim: str
    mask: xr.DataArray | None

    maps_: xr.DataArray
    signals_: xr.DataArray
    energy_: xr.DataArray
    reconstruction_err_: float
    _stacker: Stacker
    _lazily: bool = False  # whether the fit read its recording part by part

    # Fitted attributes that `save` writes beside maps_ and signals_, where they are there.
    _saved: ClassVar[tuple[str, ...]] = ("energy_", "reconstruction_err_")

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

    def transform(self, recording: xr.DataArray) -> xr.DataArray:
        """Return the signals of a recording for the fitted maps.

        Parameters
        ----------
        recording : xarray.DataArray, (time, ...), any order
            On the grid of the fit: places are matched by label, times may be new. Voxels that are
            NaN at all its times are passed over.

        Returns
        -------
        xarray.DataArray, (time, component)
            Signals, in the units of the recording, with its time coordinates.

        Raises
        ------
        ValueError
            If the recording lies on another grid, or holds isolated NaN or infinite values.
        """
        check_is_fitted(self, "maps_")
        caller = f"{type(self).__name__}.transform"
        checks.require_recording(recording, sample_dim=self._stacker.sample_dim, caller=caller)
        aligned = self._stacker.aligned(recording, caller=caller)
        streamed = self._project_stream(aligned)
        if streamed is not None:
            return self._labelled_signals(streamed, like=recording)
        matrix = self._stacker.matrix(aligned.compute())
        rows = self._stacker.flat_maps(self.maps_, caller="maps_")
        present = self._refuse_bad(matrix, caller=caller)
        if present is not None:
            matrix, rows = matrix[:, present], rows[:, present]
        return self._labelled_signals(*self._project(matrix, rows, present), like=recording)

    def _project_stream(self, aligned: xr.DataArray) -> Array | None:
        """Return the signals of a recording that is read part by part; None where it is not."""
        return None

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
            If the signals are no DataArray over time and component, or name unknown components.
        """
        check_is_fitted(self, "maps_")
        signals = self.signals_ if signals is None else signals
        maps = self._maps_of(signals)
        rows = self._stacker.flat_maps(maps, caller="maps_")
        ordered = signals.transpose(self._stacker.sample_dim, "component")
        times = streamed.times if self._lazily else products.times
        matrix = self._rebuilt(ordered, times(ordered.values, rows))
        bare = ordered.isel(component=0, drop=True)
        rebuilt = self._stacker.recording(matrix, like=bare.drop_vars("offset", errors="ignore"))
        return attrs.append_history(rebuilt, f"{type(self).__name__}.inverse_transform()")

    def _maps_of(self, signals: Any) -> xr.DataArray:
        caller = f"{type(self).__name__}.inverse_transform"
        checks.require_array(signals, caller=caller)
        wanted = {self._stacker.sample_dim, "component"}
        if set(signals.dims) != wanted or "component" not in signals.coords:
            raise ValueError(
                f"{caller} needs signals over {sorted(wanted)} with their component labels, and "
                f"was given {tuple(signals.dims)}. Select with a list: signals.sel(component=[0])."
            )
        labels = signals["component"].values
        known = self.maps_["component"].values
        unknown = [label for label in labels.tolist() if label not in known.tolist()]
        if unknown:
            raise ValueError(
                f"{caller} does not know the components {unknown}; fitted: {known.tolist()}."
            )
        return self.maps_.sel(component=labels)

    # What a subclass may say otherwise

    def _project(self, matrix: Any, rows: Array, present: Array | None) -> tuple[Any, ...]:
        """Return (signals,) or (signals, offset) of a matrix for the maps in `rows`."""
        raise NotImplementedError

    def _rebuilt(self, signals: xr.DataArray, parts: Array) -> Array:
        """Return the matrix of a recording from the sum of its parts."""
        return parts

    def _refuse_bad(self, matrix: Any, *, caller: str) -> Array | None:
        """Refuse values that cannot be used; return which columns hold something, or None."""
        empty = checks.missing_throughout(matrix)
        kept = matrix if empty is None else matrix[:, ~empty]
        checks.refuse_isolated(kept, place=self._stacker.place, caller=caller)
        return None if empty is None else ~empty

    # The steps of a fit

    def _stacked(
        self, recording: xr.DataArray, *, mask: xr.DataArray | None
    ) -> tuple[Stacker, Any]:
        """Check a recording and return its stacker and matrix, all-NaN voxels left out."""
        sample_dim = self._check(recording)
        loaded = recording.compute()
        stacker = Stacker.of(loaded, sample_dim=sample_dim, mask=mask)
        matrix = stacker.matrix(loaded)
        empty = checks.missing_throughout(matrix)
        return (stacker, matrix) if empty is None else stacker.without(matrix, empty)

    def _check(self, recording: xr.DataArray) -> str:
        """Refuse what no fit can use; return the sample dimension."""
        caller = type(self).__name__
        sample_dim = str(self.sample_dim)
        checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
        checks.require_features(recording, sample_dim=sample_dim, caller=caller)
        checks.require_samples(recording, sample_dim=sample_dim, caller=caller)
        return sample_dim

    def _remember(
        self, stacker: Stacker, signals: Array, maps: Array, *, component: Array, norm2: float
    ) -> Self:
        """Label the factors and keep them; `norm2` is the recording's squared norm."""
        self._stacker = stacker
        line = self._history_line()
        labelled = stacker.maps(maps, component=component)
        labelled["component"].attrs["long_name"] = "component"
        labelled.name = "maps"
        labelled.attrs = {"long_name": "map", "units": "1", **_history(stacker.attrs, line)}
        self.maps_ = labelled
        self.signals_ = self._labelled_signals(signals, line=line)
        shares = (
            normalisation.energies(signals, maps) / norm2 if norm2 > 0 else np.zeros(len(component))
        )
        self.energy_ = xr.DataArray(
            shares,
            dims="component",
            coords={"component": self.maps_["component"].variable},
            name="energy",
            attrs={"long_name": "share of the recording's energy", "units": "1"},
        )
        return self

    def _labelled_signals(
        self,
        signals: Array,
        offset: Array | None = None,
        *,
        like: xr.DataArray | None = None,
        line: str | None = None,
    ) -> xr.DataArray:
        component = self.maps_["component"]
        labelled = self._stacker.signals(signals, component=component.variable, like=like)
        source = self._stacker.attrs if like is None else like.attrs
        units = {"units": str(source["units"])} if "units" in source else {}
        line = self._history_line() if line is None else line
        labelled.name = "signals"
        labelled.attrs = {"long_name": "signal", **units, **_history(source, line)}
        if offset is None:
            return labelled
        about = {"long_name": "mean over voxels", **units}
        return labelled.assign_coords(offset=(self._stacker.sample_dim, offset, about))

    def _history_line(self) -> str:
        changed = {
            name: f"<{type(value).__name__}>"
            if isinstance(value, xr.DataArray | xr.Dataset)
            else value
            for name, value in sorted(self.get_params().items())
            if value is not None and name != "verbose"
        }
        return attrs.describe_call(type(self).__name__, **changed)


def _history(source: dict[Any, Any], line: str) -> dict[str, str]:
    before = source.get("history")
    return {"history": f"{before}\n{line}" if before else line}


def check_mode(mode: str) -> None:
    """Refuse a mode that is neither temporal nor spatial (ValueError)."""
    if mode not in MODES:
        raise ValueError(f"mode is 'temporal' or 'spatial', and was given {mode!r}.")


def check_n_components(n_components: Any) -> None:
    """Refuse what is not a positive whole number of components."""
    if not is_whole(n_components) or n_components < 1:
        raise ValueError(
            f"n_components must be a whole number of at least 1, and was given {n_components!r}."
        )


def warn_unconverged(name: str, *, n_iter: int, state: str, remedy: str) -> None:
    """Warn once that a fit ended at its limit of iterations."""
    warnings.warn(
        f"{name} stopped after {n_iter} iterations before it converged: {state}. {remedy}",
        ConvergenceWarning,
        stacklevel=3,
    )
