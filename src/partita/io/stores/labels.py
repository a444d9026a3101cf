"""Labels that NetCDF and Zarr have no type for: set aside for a file, and put back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.packing import pack, refuse_unstorable
from partita._labels.unpacking import unpack
from partita.io.stores.encoding import is_of_cftime

_PREFIX = "partita_labels"
_RECIPE = f"{_PREFIX}_recipe"


def set_aside(recording: xr.DataArray) -> tuple[xr.DataArray, dict[str, xr.Variable]]:
    """Return a recording with the labels that files hold as they are, and the others packed.

    Categories, missing values, intervals, several levels and mixed objects are packed as the
    models' are; `put_back` makes them again.

    Raises
    ------
    TypeError
        If there are labels that no file could hold: which, and what to do.
    """
    levels = [
        set(names)
        for index, names in recording.xindexes.group_by_index()
        if isinstance(index, xr.indexes.PandasMultiIndex)
    ]
    odd = {name for name, coord in recording.coords.items() if not _is_plain(coord.variable)}
    odd = odd.union(*levels)  # what has levels goes together with them
    if not odd:
        return recording, {}
    labels = recording.coords.to_dataset()
    labels = labels.drop_vars([name for name in labels.variables if name not in odd])
    refuse_unstorable(labels, caller="save", what="labels")
    packed = pack(labels, _PREFIX)
    # An attribute of a file holds 64 KB; a variable, what it takes.
    text = np.frombuffer(json.dumps(packed.recipe).encode(), np.uint8)
    return recording.drop_vars(odd), {
        **packed.variables,
        _RECIPE: xr.Variable(f"{_RECIPE}:0", text),
    }


def put_back(recording: xr.DataArray, variables: Mapping[Any, xr.Variable]) -> xr.DataArray:
    """Return a recording with the labels that were set aside for its file."""
    if _RECIPE not in variables:
        return recording
    recipe = json.loads(np.asarray(variables[_RECIPE].values, np.uint8).tobytes())
    return recording.assign_coords(unpack(variables, recipe).coords)


def _is_plain(labels: xr.Variable) -> bool:
    """Tell whether xarray writes labels of this kind, and reads the same."""
    dtype = labels.dtype
    if not isinstance(dtype, np.dtype):
        return False
    if dtype.kind != "O":
        return dtype.kind in "bcmMUT" or (dtype.kind in "iuf" and dtype.itemsize <= 8)
    kinds = {(type(one), getattr(one, "calendar", "")) for one in labels.values.ravel()}
    return kinds <= {(str, "")} or (len(kinds) == 1 and is_of_cftime(labels))
