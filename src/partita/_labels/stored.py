"""The geometry of a recording to a Dataset that NetCDF can hold, and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.attrs import storable
from partita._labels.stack import Stacker

# The attribute that holds what is not a coordinate, as JSON.
_MARK = "partita_recording"


def to_dataset(stacker: Stacker) -> xr.Dataset:
    """Return a stacker as a Dataset (see `from_dataset`): its coordinates, and what is inside."""
    about = {
        "dims": list(stacker.dims),
        "sample_dim": stacker.sample_dim,
        "sizes": stacker.sizes,
        "dtype": stacker.dtype.name,
        "name": None if stacker.name is None else str(stacker.name),
        "attrs": {key: _plain(value) for key, value in storable(stacker.attrs).items()},
        "coords": [str(name) for name in stacker.coords.coords],
    }
    inside = stacker.inside_mask().astype("int8").variable
    return stacker.coords.assign(inside=inside).assign_attrs({_MARK: json.dumps(about)})


def from_dataset(dataset: xr.Dataset) -> Stacker:
    """Return the stacker that `to_dataset` wrote into (a part of) `dataset`."""
    about = json.loads(dataset.attrs[_MARK])
    inside = dataset["inside"].values.astype(bool).ravel()
    coords = {name: dataset.coords[name].variable.load() for name in about["coords"]}
    return Stacker(
        dims=tuple(about["dims"]),
        sample_dim=about["sample_dim"],
        sizes=about["sizes"],
        coords=xr.Dataset(coords=coords),
        inside=None if inside.all() else inside,
        dtype=np.dtype(about["dtype"]),
        name=about["name"],
        attrs={key: _array(value) for key, value in about["attrs"].items()},
    )


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _array(value: Any) -> Any:
    numeric = isinstance(value, list) and value and not isinstance(value[0], str)
    return np.asarray(value) if numeric else value
