"""Lengths and positions in space, in millimetres."""

from __future__ import annotations

import xarray as xr

from partita._labels.placement import MILLIMETRES_PER_UNIT
from partita.io.lazy_array import Array


def in_millimetres(length: float, unit: str) -> float | None:
    """Return a length in mm; None where the unit is no length."""
    scale = MILLIMETRES_PER_UNIT.get(unit.replace("\\u00B5", "µ"))
    return None if scale is None else length * scale


def axis_coordinate(dim: str, positions: Array, step: float) -> xr.DataArray:
    """Return positions along a dimension of space in mm.

    The step is for single slices, whose thickness no difference of positions tells.
    """
    attrs = {"units": "mm", "long_name": dim, "step": float(step)}
    return xr.DataArray(positions, dims=dim, attrs=attrs)
