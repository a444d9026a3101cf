"""Lengths and positions in space, in millimetres."""

from __future__ import annotations

import xarray as xr

from partita.io.lazy_array import Array

MILLIMETRES_PER_UNIT = {
    "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
    "nm": 1e-6, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3,
    "micrometer": 1e-3, "micrometers": 1e-3, "micrometre": 1e-3, "cm": 10.0, "m": 1e3,
    "meter": 1e3, "meters": 1e3, "metre": 1e3, "metres": 1e3, "inch": 25.4,
}  # fmt: skip


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
