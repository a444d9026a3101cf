"""Two labelled arrays on one grid: matched by label where they can be, refused where not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.grid import GRID_TOLERANCE, least_spacing, same_grid
from partita._labels.placement import Labelled, placed_like, refuse_other_slice


def to_grid(
    array: xr.DataArray, template: xr.DataArray, *, besides: tuple[str, ...], caller: str
) -> xr.DataArray:
    """Return `array` with its features in the places of `template`.

    Parameters
    ----------
    array : xarray.DataArray, (*besides, *features), any order
        What was given.
    template : xarray.DataArray, (*features)
        The grid, with its coordinates.
    besides : tuple of str
        The dimensions of `array` that the template does not have.
    caller : str
        Who asks, for the message.

    Raises
    ------
    ValueError
        If the dimensions differ, the affines of their coordinates `grid` turn one against the
        other, a position of the template is not among the array's, or labels that repeat do not
        stand in the same order.
    """
    if set(array.dims) != {*besides, *template.dims}:
        raise ValueError(
            f"{caller} has the dimensions {tuple(array.dims)}, and needs "
            f"{(*besides, *template.dims)} in any order."
        )
    return _in_places(array, template, template, caller=caller)


def mask_over(mask: Any, template: xr.DataArray, *, caller: str) -> xr.DataArray:
    """Return a boolean mask broadcast over every dimension of `template`, in its order."""
    if not isinstance(mask, xr.DataArray) or mask.dtype.kind != "b":
        kind = f"{type(mask).__name__} of {getattr(mask, 'dtype', 'no dtype')}"
        raise TypeError(
            f"A mask is a boolean DataArray with the recording's coordinates; given: {kind}. "
            "Compare to make one: image > threshold."
        )
    foreign = [dim for dim in mask.dims if dim not in template.dims]
    if foreign:
        raise ValueError(
            f"The mask has the dimensions {foreign}, which are not among the recording's "
            f"features {tuple(template.dims)}. Reduce it: mask.any({foreign[0]!r})."
        )
    part = template.isel({dim: 0 for dim in template.dims if dim not in mask.dims}, drop=True)
    aligned = _match(mask, part, template, caller=caller)
    return aligned.broadcast_like(template).transpose(*template.dims)


def weights_over(
    weights: Any, coords: xr.Dataset, *, sizes: Mapping[str, int], sample_dim: str
) -> xr.DataArray:
    """Return weights matched by label with a recording's coordinates, or refuse them."""
    checks.require_array(weights.astype(float) if _is_bool(weights) else weights, caller="weights")
    foreign = [dim for dim in weights.dims if dim not in sizes]
    if foreign:
        raise ValueError(
            f"The weights have the dimensions {foreign}, which the recording lacks; it has "
            f"{tuple(sizes)}."
        )
    template = xr.DataArray(
        np.broadcast_to(np.True_, tuple(sizes[str(dim)] for dim in weights.dims)),
        dims=weights.dims,
        coords={dim: coords[dim] for dim in weights.dims if dim in coords},
    )
    aligned = _match(weights, template, coords, caller="weights").compute()
    refuse_bad_weights(aligned, sample_dim=sample_dim)
    return aligned


def refuse_bad_weights(weights: xr.DataArray, *, sample_dim: str) -> None:
    """Refuse weights that are negative, not finite, or zero everywhere."""
    values = weights.data
    lowest = float(values.min())
    if not np.isfinite(lowest) or not np.isfinite(float(values.max())):
        raise ValueError("The weights must be finite. Give missing entries the weight 0.")
    if lowest < 0:
        raise ValueError(
            f"The weights must be non-negative; {int((values < 0).sum())} of {values.size} are "
            f"negative (minimum {lowest:g}). Give missing entries the weight 0."
        )
    if not values.any():
        raise ValueError("The weights are zero everywhere: nothing is left to work on.")


def _is_bool(array: Any) -> bool:
    return isinstance(array, xr.DataArray) and array.dtype.kind == "b"


def _in_places(
    array: xr.DataArray, template: xr.DataArray, space: xr.DataArray | xr.Dataset, *, caller: str
) -> xr.DataArray:
    """Return an array in the places of a template; `space` has all of its coordinates."""
    placed, lay = placed_like(array, space, caller=caller)
    refuse_other_slice(placed, space, caller=caller)
    indexers = {
        dim: _positions(placed, template, dim, caller=caller, lay=lay) for dim in template.dims
    }
    moved = {dim: index for dim, index in indexers.items() if index is not None}
    return placed.isel(moved) if moved else placed


def _match(
    array: xr.DataArray, template: xr.DataArray, space: xr.DataArray | xr.Dataset, *, caller: str
) -> xr.DataArray:
    aligned = _in_places(array, template, space, caller=caller)
    coords = {dim: template.coords[dim] for dim in template.dims if dim in template.coords}
    return aligned.reset_coords(drop=True).assign_coords(coords)


def _positions(
    array: xr.DataArray, template: xr.DataArray, dim: Hashable, *, caller: str, lay: str
) -> np.ndarray[Any, Any] | None:
    """Return where along `dim` of `array` each place of `template` is; None where all stand so."""
    if not comparable(array, template, dim, caller=caller):
        return None
    given, wanted = array[dim], template[dim]
    if same_grid(given, wanted):
        return None
    return _places_of(wanted, given, dim, caller=caller, lay=lay)


def comparable(array: Labelled, template: Labelled, dim: Hashable, *, caller: str) -> bool:
    """Tell whether two have labels along `dim` to be matched by; without, by position.

    Raises
    ------
    ValueError
        If only the template has labels, the units are others, or, without labels, the lengths.
    """
    if dim in template.coords and dim in array.coords:
        refuse_other_units(array[dim], template[dim], dim, caller=caller)
        return True
    _refuse_other_length(array, template, dim, caller=caller)
    return False


def _refuse_other_length(
    array: Labelled, template: Labelled, dim: Hashable, *, caller: str
) -> None:
    if dim in template.coords:
        raise ValueError(
            f"{caller} has no coordinate {dim!r}, so its places cannot be matched by label. "
            f"Assign it: assign_coords({dim}=...)."
        )
    if array.sizes[dim] != template.sizes[dim]:
        raise ValueError(
            f"{caller} has {array.sizes[dim]} places along {dim!r}, and needs "
            f"{template.sizes[dim]}."
        )


def refuse_other_units(
    given: xr.DataArray, wanted: xr.DataArray, dim: Hashable, *, caller: str
) -> None:
    """Refuse a coordinate in other units (ValueError); one without any passes."""
    theirs, ours = given.attrs.get("units"), wanted.attrs.get("units")
    if theirs and ours and theirs != ours:
        raise ValueError(
            f"{caller} has {dim!r} in {theirs}, and needs {ours}. Convert the coordinate and its "
            "units attribute."
        )


def _places_of(
    wanted: xr.DataArray, given: xr.DataArray, dim: Hashable, *, caller: str, lay: str
) -> np.ndarray[Any, Any]:
    ours, theirs = _labels_of(wanted), _labels_of(given)
    if ours.dtype.kind == theirs.dtype.kind and ours.dtype.kind in "mM":  # in one unit
        common = np.promote_types(ours.dtype, theirs.dtype)
        ours, theirs = ours.astype(common), theirs.astype(common)
    numeric = ours.dtype.kind in "iuf" and theirs.dtype.kind in "iuf"
    index, missing = (_nearest if numeric else _equal)(ours, theirs)
    if missing.any():
        first = ours[missing][0]
        how = f" ({lay} by its coordinate 'grid')" if lay else ""
        raise ValueError(
            f"{caller} lies on another grid{how}: {int(missing.sum())} of {wanted.size} positions "
            f"along {dim!r} are not found in it (the first is {first!s}). Bring it onto the same "
            f"grid: interp_like, or select the common part before the fit."
        )
    _refuse_repeats(ours, theirs, dim, numeric=numeric, caller=caller)
    return index


def _labels_of(coordinate: xr.DataArray) -> np.ndarray[Any, Any]:
    """Return labels as an array, times of a time zone as objects that know it."""
    zoned = hasattr(coordinate.dtype, "tz")
    return np.asarray(coordinate.to_index().astype(object) if zoned else coordinate.values)


def _refuse_repeats(
    wanted: np.ndarray[Any, Any],
    given: np.ndarray[Any, Any],
    dim: Hashable,
    *,
    numeric: bool,
    caller: str,
) -> None:
    """Refuse labels that stand for several places: which one is meant, nothing tells."""
    if numeric:
        reach = GRID_TOLERANCE * least_spacing(wanted)
        counts = [_count_within(places.astype(float), wanted, reach) for places in (wanted, given)]
    else:
        known = [Counter(places.tolist()) for places in (wanted, given)]
        counts = [np.array([count[label] for label in wanted.tolist()]) for count in known]
    several = np.maximum(*counts) > 1
    if several.any():
        raise ValueError(
            f"{caller} cannot be matched along {dim!r}: {int(several.sum())} of {wanted.size} "
            f"labels repeat (the first is {wanted[several][0]!s}), and the two do not have the "
            f"same labels in the same order. Give every place a label of its own, or select the "
            f"same places of both in one order: they are then matched by position."
        )


def _count_within(
    places: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], reach: float
) -> np.ndarray[Any, Any]:
    ordered, wanted = np.sort(places), wanted.astype(float)
    first, last = np.searchsorted(ordered, wanted - reach), wanted + reach
    return np.asarray(np.searchsorted(ordered, last, side="right") - first)


def _nearest(
    wanted: np.ndarray[Any, Any], given: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    if not given.size:
        return np.zeros(wanted.size, np.intp), np.ones(wanted.size, bool)
    wanted, given = wanted.astype(float), given.astype(float)
    order = np.argsort(given, kind="stable")
    middles = (given[order][1:] + given[order][:-1]) / 2
    index = order[np.searchsorted(middles, wanted)]
    missing = ~(np.abs(given[index] - wanted) <= GRID_TOLERANCE * least_spacing(wanted))
    return index, missing


def _equal(
    wanted: np.ndarray[Any, Any], given: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    where = {label: place for place, label in reversed(list(enumerate(given.tolist())))}
    index = np.array([where.get(label, -1) for label in wanted.tolist()], dtype=np.intp)
    return index, index < 0
