"""What simulated recordings share: coordinates (mm, s), the grid they lie on, their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from partita._labels.attrs import describe_call, plain
from partita._labels.numbers import is_positive, require_shape
from partita._labels.placement import with_direction
from partita.datasets.seeds import seed_words

POWER = {"units": "a.u.", "long_name": "Power Doppler"}
FLUORESCENCE = {"units": "a.u.", "long_name": "Fluorescence"}
SOURCE_MAP = {"units": "1", "long_name": "Source map"}


def time_coordinate(times: NDArray[np.float64]) -> xr.Variable:
    """Start of each sample, s."""
    return xr.Variable("time", times, {"units": "s", "long_name": "time"})


def space_coordinate(name: str, start: float, spacing: float, count: int) -> xr.Variable:
    """Centres of the voxels along one axis, mm, free of the dust of repeated addition."""
    places = np.round(start + spacing * np.arange(count), 9)
    attrs = {"units": "mm", "long_name": name, "step": spacing}
    return with_direction({name: xr.Variable(name, places, attrs)})[name]


def component_coordinate(count: int) -> xr.Variable:
    """Components count from 0."""
    return xr.Variable("component", np.arange(count), {"long_name": "component"})


def grid_coordinate() -> xr.Variable:
    """Scalar that says the coordinates are scanner millimetres as they stand."""
    return xr.Variable(
        (), 0, {"long_name": "grid", "affine": np.eye(4).ravel(), "qform_code": 1, "sform_code": 0}
    )


def require_field(caller: str, shape: Sequence[int], *, n_axes: int, least: int) -> tuple[int, ...]:
    """Return the shape of a field of view, or refuse one too small along y and x (ValueError)."""
    axes, places = ("y and x", "pixels") if n_axes == 2 else ("z, y and x", "voxels")
    counts = require_shape(caller, shape, n_axes=[n_axes], axes=axes)
    if min(counts[-2:]) >= least:
        return counts
    raise ValueError(f"{caller} needs at least {least} {places} along y and x; got shape {counts}.")


def require_spacing(
    caller: str, spacing: float | Sequence[float], *, axes: Sequence[str]
) -> tuple[float, ...]:
    """Return the spacing along each axis, mm, of one number or of one an axis (ValueError)."""
    steps = tuple(spacing) if isinstance(spacing, Sequence | np.ndarray) else (spacing,) * len(axes)
    if len(steps) == len(axes) and all(map(is_positive, steps)):
        return tuple(float(step) for step in steps)
    raise ValueError(
        f"{caller} needs spacing to be a size above 0 mm, or {len(axes)} of them along "
        f"{', '.join(axes[:-1])} and {axes[-1]}; got {spacing}."
    )


def with_history(dataset: xr.Dataset, caller: str, given: Mapping[str, Any]) -> xr.Dataset:
    """Note on the dataset and on its recording how they were made: by which parameters, all."""
    line = describe_call(caller, **{name: _said(name, value) for name, value in given.items()})
    dataset["recording"].attrs["history"] = line
    return dataset.assign_attrs(history=line)


def _said(name: str, value: Any) -> object:
    if name == "random_state":
        return seed_words(value)
    if name == "dtype":
        return str(np.dtype(value))
    return tuple(value) if isinstance(value, list) else plain(value)
