"""Coordinates of simulated recordings: millimetres, seconds, and the grid they lie on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

POWER = {"units": "a.u.", "long_name": "Power Doppler"}
FLUORESCENCE = {"units": "a.u.", "long_name": "Fluorescence"}
SOURCE_MAP = {"units": "1", "long_name": "Source map"}


def time_coordinate(times: NDArray[np.float64]) -> xr.Variable:
    """Start of each sample, s."""
    return xr.Variable("time", times, {"units": "s", "long_name": "time"})


def space_coordinate(name: str, start: float, spacing: float, count: int) -> xr.Variable:
    """Centres of the voxels along one axis, mm, free of the dust of repeated addition."""
    places = np.round(start + spacing * np.arange(count), 9)
    return xr.Variable(name, places, {"units": "mm", "long_name": name, "step": spacing})


def component_coordinate(count: int) -> xr.Variable:
    """Components count from 0."""
    return xr.Variable("component", np.arange(count), {"long_name": "component"})


def grid_coordinate() -> xr.Variable:
    """Scalar that says the coordinates are scanner millimetres as they stand."""
    return xr.Variable(
        (), 0, {"long_name": "grid", "affine": np.eye(4).ravel(), "qform_code": 1, "sform_code": 0}
    )


def with_history(dataset: xr.Dataset, line: str) -> xr.Dataset:
    """Note on the dataset and on its recording how they were made."""
    dataset["recording"].attrs["history"] = line
    return dataset.assign_attrs(_joined(dataset.attrs, line))


def _joined(attrs: Mapping[Any, Any], line: str) -> dict[str, Any]:
    return {**{str(key): value for key, value in attrs.items()}, "history": line}
