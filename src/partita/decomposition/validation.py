"""What a recording must be to be fitted: refused in words, or returned as numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import xarray as xr
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from partita._labels import checks, packing, weighting
from partita._labels.numbers import is_whole
from partita._labels.stack import Stacker
from partita._labels.weighting import Weights
from partita._solvers.matrices.streamed import Stream
from partita.decomposition.fit import Seen


def usable(
    stacker: Stacker,
    matrix: Any,
    weights: xr.DataArray | None,
    *,
    signed: bool,
    keeps_sparse: bool,
    caller: str,
) -> Seen:
    """Leave out what holds nothing, and refuse what cannot be used (ValueError)."""
    empty = checks.missing_throughout(matrix)
    if empty is not None:
        stacker, matrix = stacker.without(matrix, empty)
    numbers: Weights | None = None
    if weights is not None:
        weights = weighting.proportions(weights)
        numbers = stacker.weights(weights)
        # What has no weight anywhere is left out as what has no values is; elsewhere it may be NaN.
        empty = weighting.columns_without(numbers)
        if empty is not None:
            stacker, matrix = stacker.without(matrix, empty)
            numbers = stacker.weights(weights)
        matrix = weighting.silenced(matrix, numbers)
    checks.refuse_isolated(matrix, place=stacker.place, caller=caller)
    if not signed:
        checks.refuse_negative(matrix, place=stacker.place, caller=caller)
    return Seen(stacker, matrix if keeps_sparse else dense(matrix), numbers)


def require_fitted(model: Any) -> None:
    """Refuse a model that is not fitted yet (sklearn.exceptions.NotFittedError)."""
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise NotFittedError(
            f"This {type(model).__name__} is not fitted yet. Fit it first: model.fit(recording)."
        ) from None


def dense(matrix: Any) -> Any:
    """Return a matrix without a sparse layout; a stream as it is."""
    kept = isinstance(matrix, np.ndarray | Stream)
    return matrix if kept else matrix.toarray()


def require_samples_of_features(recording: Any, *, sample_dim: str, caller: str) -> None:
    """Refuse what is no recording of some samples over some features (TypeError, ValueError)."""
    checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
    checks.require_features(recording, sample_dim=sample_dim, caller=caller)
    checks.require_samples(recording, sample_dim=sample_dim, caller=caller)


def refuse_surplus(
    n_components: Any, recording: xr.DataArray, sample_dim: str, *, caller: str
) -> None:
    """Refuse more components than samples and places, before arrays of them are made."""
    n = recording.sizes[sample_dim]
    # By the longer side: dead components are allowed, arrays without end are not.
    most = max(n, recording.size // n)
    if is_whole(n_components) and n_components > most:
        raise ValueError(
            f"{caller} was asked for {n_components} components of a recording of {n} samples of "
            f"{recording.size // n} values. More than {min(n, recording.size // n)} explain "
            "nothing more; ask for fewer."
        )


def refuse_names(
    recording: xr.DataArray,
    *,
    map_dims: Collection[str],
    signal_coords: Collection[str],
    sample_dim: str,
    caller: str,
) -> None:
    """Refuse names that are no text, or that maps or signals have themselves.

    Raises
    ------
    TypeError, ValueError
        Naming the dimension, and the remedy.
    """
    odd = [name for name in (*recording.dims, *recording.coords) if not isinstance(name, str)]
    if odd:
        raise TypeError(
            f"{caller} needs dimensions and coordinates named by text, and was given {odd}. "
            "Rename them: recording.rename({old: 'new'})."
        )
    # The levels of a stacked dimension cannot give way to a name of ours, as a coordinate can.
    levels = [
        n for i, names in recording.xindexes.group_by_index() if len(names) > 1 for n in names
    ]
    ours = {*map_dims, *(signal_coords if levels else ())}
    taken = [n for n in (*recording.dims, *levels) if n in ours]
    taken += [n for n in signal_coords if n == sample_dim]
    if taken:
        raise ValueError(
            f"{caller} labels its results by {taken[0]!r}, and this recording has a dimension "
            f"of that name. Rename it: recording.rename({taken[0]}='{taken[0]}_before')."
        )


def refuse_unstorable(
    recording: xr.DataArray, parameters: Mapping[str, Any], *, caller: str
) -> None:
    """Refuse labels and parameters that no file could hold (TypeError)."""
    bare = recording.coords.to_dataset().assign_attrs(recording.attrs)
    packing.refuse_unstorable(bare, caller=caller, what="labels")
    packing.refuse_unstorable(parameters, caller=caller, what="parameters")


def maps_of(signals: Any, maps: xr.DataArray, *, sample_dim: str, caller: str) -> xr.DataArray:
    """Return the maps that signals (time, component) belong to, in their order.

    Raises
    ------
    TypeError, ValueError
        If the signals are no DataArray over time and component, name unknown components, or one
        of them twice.
    """
    checks.require_array(signals, caller=caller)
    wanted = {sample_dim, "component"}
    if set(signals.dims) != wanted or "component" not in signals.coords:
        raise ValueError(
            f"{caller} needs signals over {sorted(wanted)} with their component labels, and "
            f"was given {tuple(signals.dims)}. Select with a list: signals.sel(component=[0])."
        )
    known = maps["component"].values.tolist()
    labels = checks.component_labels(signals, caller=caller)
    unknown = [label for label in labels if label not in known]
    if unknown:
        raise ValueError(f"{caller} does not know the components {unknown}; fitted: {known}.")
    return maps.isel(component=[known.index(label) for label in labels])
