"""What a fit has found: as numbers, and with its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels import attrs
from partita._labels.stack import Stacker
from partita._labels.weighting import Weights
from partita._solvers.matrices.streamed import Stream
from partita._solvers.problem import normalisation
from partita.decomposition.explained import Explained

Array = np.ndarray[Any, Any]


class Seen(NamedTuple):
    """A recording that has been looked over, as numbers: nothing in it is missing or forbidden.

    The matrix (n_samples, n_features) is dense, sparse, or a stream of what stays on disk.
    """

    stacker: Stacker
    matrix: Any
    weights: Weights | None = None

    @property
    def in_parts(self) -> bool:
        """Whether it is read part by part."""
        return isinstance(self.matrix, Stream)


class Signals(NamedTuple):
    """Signals (n_samples, n_components), and what was taken off each sample, where it was."""

    values: Array
    offset: Array | None = None


class Fit(NamedTuple):
    """What a fit has found, before it is labelled.

    Attributes
    ----------
    signals : Signals
        Of the samples that were fitted.
    maps : numpy.ndarray, (n_components, ..., n_features)
        At unit norm.
    component : numpy.ndarray, (n_components,)
        Labels of the components.
    norm2 : float
        Squared norm of the recording, of which each component's energy is a share.
    error : float
        Norm of what is left over, by the divergence of the fit.
    explained : Explained
        Shares of the recording that are not left over, by squares.
    streams : bool
        Whether the recording was read part by part: then it is rebuilt so, too.
    leading : mapping of str to array
        Dimensions of the maps between components and features, with their labels.
    more : mapping of str to object
        What else is fitted, by attribute: numbers, text, labelled arrays, and tuples, lists and
        mappings of them. What `remembers` names is saved.
    """

    signals: Signals
    maps: Array
    component: Array
    norm2: float
    error: float
    explained: Explained = Explained()
    streams: bool = False
    leading: Mapping[str, Any] = {}
    more: Mapping[str, Any] = {}


def labelled(stacker: Stacker, fit: Fit, *, line: str) -> dict[str, Any]:
    """Return the fitted attributes by name; `line` is what the fit adds to the history."""
    component = _labels_of(fit.component)
    maps = stacker.maps(fit.maps, component=component, **fit.leading)
    maps.name = "maps"
    maps.attrs = {"long_name": "map", "units": "1", **_history(stacker.attrs, line)}
    # A map over lags is one row.
    energies = normalisation.energies(fit.signals.values, fit.maps.reshape(len(fit.maps), -1))
    shares = energies / fit.norm2 if fit.norm2 > 0 else np.zeros(len(energies))
    names = stacker.feature_names()
    return {
        "maps_": maps,
        "signals_": labelled_signals(fit.signals, stacker, component, line=line),
        "energy_": by_component(
            shares, fit.component, name="energy", long_name="share of the recording's energy"
        ),
        "reconstruction_err_": fit.error,
        "explained_": fit.explained.labelled(),
        "n_features_in_": stacker.n_places,
        **({} if names is None else {"feature_names_in_": names}),
        "_norm2": float(fit.norm2),
        "_streamed": fit.streams,
        **fit.more,
    }


def by_component(
    values: Array, component: Array, *, name: str, long_name: str, units: str | None = "1"
) -> xr.DataArray:
    """Return one number a component, a share of something unless it has units, labelled."""
    return xr.DataArray(
        values,
        dims="component",
        coords={"component": _labels_of(component)},
        name=name,
        attrs={"long_name": long_name} | ({} if units is None else {"units": units}),
    )


def labelled_signals(
    signals: Signals,
    stacker: Stacker,
    component: xr.Variable,
    *,
    source: xr.DataArray | None = None,
    line: str,
) -> xr.DataArray:
    """Return signals (sample, component) with the labels of a recording, in its units.

    `source` is another recording than the stacker's own; `line` is added to its history.
    """
    columns = stacker.signals(signals.values, component=component, like=source)
    about = stacker.attrs if source is None else source.attrs
    units = {"units": str(about["units"])} if "units" in about else {}
    columns.name = "signals"
    columns.attrs = {"long_name": "signal", **units, **_history(about, line)}
    if signals.offset is None:
        return columns
    off = (stacker.sample_dim, signals.offset, {"long_name": "mean over voxels", **units})
    return columns.assign_coords(offset=off)


def history_line(name: str, parameters: Mapping[str, Any]) -> str:
    """Return what a fit adds to the history: its parameters, those that are long by their type."""
    # What is only shown, and what was left out, changes no result.
    changed = {
        key: value if _is_short(value) else f"<{type(value).__name__}>"
        for key, value in sorted(parameters.items())
        if value is not None and key != "verbose"
    }
    return attrs.describe_call(name, **changed)


def _is_short(value: Any) -> bool:
    """Tell whether a parameter stands in the history as it is: text and numbers, no address."""
    if isinstance(value, tuple | list):
        return all(map(_is_short, value))
    return isinstance(value, str | bool | int | float | np.generic)


def _history(source: Mapping[Any, Any], line: str) -> dict[str, str]:
    before = source.get("history")
    return {"history": f"{before}\n{line}" if before else line}


def _labels_of(component: Array) -> xr.Variable:
    return xr.Variable("component", component, {"long_name": "component"})
