"""Estimators to files and back: a Dataset that NetCDF and Zarr can hold, never a pickle."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn.utils.validation import check_is_fitted

from partita import io
from partita._labels import attrs, stored
from partita._version import __version__
from partita.decomposition._base import Decomposition

# The attribute that marks a saved model.
_MARK = "partita_model"
_MODELS = ("NMF", "PCA", "FastICA")


def save(
    thing: xr.DataArray | Decomposition, path: str | PathLike[str], *, chunks: Any = None
) -> list[Path]:
    """Save a recording or a fitted model.

    Parameters
    ----------
    thing : xarray.DataArray or fitted estimator
        A recording is written in the format of the suffix: ``.nii`` or ``.nii.gz`` with a JSON
        sidecar, ``.nc`` or ``.zarr``. A model goes to ``.nc`` or ``.zarr``, lossless; without a
        suffix `path` is a prefix, and four things are written as BIDS derivatives name them:
        ``<prefix>_components.nii.gz`` (with signs one file each; maps without y and x become
        ``.tsv``), ``<prefix>_mixing.tsv``, ``<prefix>_decomposition.json`` and ``<prefix>.nc``.
    path : str or path
        Where to. Folders are made; files are written under a temporary name, then renamed.
    chunks : "auto", int, Mapping or None
        How a recording is cut in ``.zarr`` and ``.nc``. None: as it is. ``"auto"``: for the fits
        that stream it, samples whole and 16 to 32 MB a chunk. A number: so many samples. A
        mapping: sizes by dimension, ``{"time": 500}``.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    TypeError
        If `thing` is neither a recording nor one of Partita's estimators.
    ValueError
        If the suffix is none of those above, or the recording does not fit the format; if `chunks`
        is given for a model or NIfTI, or names a dimension that is not there.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
    Parameters and every fitted attribute are in the ``.nc``; callbacks, ``RandomState`` objects,
    times of day and durations are not.

    Examples
    --------
    >>> import tempfile
    >>> model = partita.PCA(n_components=2).fit(partita.datasets.load_sample())
    >>> folder = tempfile.mkdtemp()
    >>> [path.name for path in partita.save(model, f"{folder}/model.nc")]
    ['model.nc']
    >>> partita.load_model(f"{folder}/model.nc").maps_.identical(model.maps_)
    True
    """
    if isinstance(thing, xr.DataArray):
        return [io.save_recording(thing, path, chunks=chunks)]
    if not isinstance(thing, Decomposition):
        raise TypeError(
            f"save takes a recording (xarray.DataArray) or a fitted estimator of Partita, and was "
            f"given {type(thing).__name__}."
        )
    if chunks is not None:
        raise ValueError(
            f"chunks says how a recording is stored, and was given for {type(thing).__name__}. "
            "Leave it out."
        )
    check_is_fitted(thing, "maps_")
    suffix = Path(path).suffix if Path(path).suffix in (".nc", ".zarr") else ""
    _refuse_suffix(Path(path))
    if suffix:
        io.write_dataset(to_dataset(thing), path)
        return [Path(path)]
    written = io.write_components(
        thing.maps_, thing.signals_, path, description=_description(thing)
    )
    whole = Path(f"{path}.nc")
    io.write_dataset(to_dataset(thing), whole)
    return [*written, whole]


def _refuse_suffix(path: Path) -> None:
    """Refuse a suffix that promises a format in which a model would lose something."""
    if path.suffix in (".nii", ".gz", ".tsv", ".json", ".h5", ".hdf5", ".pkl", ".pickle"):
        raise ValueError(
            f"A model is saved as .nc or .zarr, or with a prefix and no suffix; given: "
            f"{path.name}. "
            f"With the prefix {path.name.split('.')[0]!r} the maps are written as NIfTI too."
        )


def load_model(path: str | PathLike[str]) -> Any:
    """Load a model that `save` wrote.

    Parameters
    ----------
    path : str or path
        A ``.nc`` or ``.zarr`` of a model.

    Returns
    -------
    NMF, PCA or FastICA
        Fitted, with identical ``maps_`` and ``signals_``; ``transform`` works.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If the file holds no model.
    """
    return from_dataset(io.read_dataset(path), source=str(path))


def open_session(path: str | PathLike[str]) -> xr.DataArray:
    """Return a recording on disk, not yet read."""
    return io.load(path)


def to_dataset(model: Decomposition) -> xr.Dataset:
    """Return a fitted model as one Dataset (see `from_dataset`)."""
    dataset = stored.to_dataset(model._stacker)
    own_coords: dict[str, list[str]] = {}
    for name, array in _arrays(model):
        own_coords[name] = [str(coord) for coord in array.coords]
        dataset = dataset.assign_coords(
            {c: v for c, v in array.coords.items() if c not in dataset.coords}
        )
        dataset[name] = array.reset_coords(drop=True).drop_vars(array.dims, errors="ignore")
        dataset[name].attrs = attrs.storable(array.attrs)
    about: dict[str, Any] = {
        "class": type(model).__name__,
        "version": __version__,
        "parameters": _plain_parameters(model),
        "numbers": _plain_results(model),
        "coords": own_coords,
        "parameter_arrays": {},
    }
    for name, value in model.get_params(deep=False).items():
        if isinstance(value, xr.DataArray | xr.Dataset):
            packed, about["parameter_arrays"][name] = _packed(value, f"parameter.{name}")
            dataset = dataset.assign(packed)
    return dataset.assign_attrs({_MARK: json.dumps(about)})


def from_dataset(dataset: xr.Dataset, *, source: str = "the dataset") -> Any:
    """Return the fitted model that `to_dataset` made a Dataset of."""
    if _MARK not in dataset.attrs:
        raise ValueError(
            f"{source} holds no model of Partita. Recordings are opened with partita.load."
        )
    about = json.loads(dataset.attrs[_MARK])
    if about["class"] not in _MODELS:
        raise ValueError(
            f"{source} holds a model of class {about['class']!r}, written by Partita "
            f"{about['version']}; this is {__version__}. Update Partita to open it."
        )
    kind = getattr(importlib.import_module("partita.decomposition"), about["class"])
    arrays = {
        name: _unpacked(dataset, f"parameter.{name}", how)
        for name, how in about["parameter_arrays"].items()
    }
    model = kind(**about["parameters"], **arrays)
    model._stacker = stored.from_dataset(dataset)
    for name, coords in about["coords"].items():
        _restore(model, name, _variable(dataset, name, coords))
    for name, value in about["numbers"].items():
        setattr(model, name, value)
    return model


def _arrays(model: Decomposition) -> Iterator[tuple[str, xr.DataArray]]:
    """Give the fitted arrays by name; those of a Dataset as ``dataset.variable``."""
    for name in ("maps_", "signals_", *model._saved):
        value = getattr(model, name, None)
        if isinstance(value, xr.DataArray):
            yield name.rstrip("_"), value
        elif isinstance(value, xr.Dataset):
            yield from ((f"{name.rstrip('_')}.{key}", value[key]) for key in value.data_vars)


def _restore(model: Any, name: str, array: xr.DataArray) -> None:
    owner, _, variable = name.partition(".")
    if not variable:
        setattr(model, f"{owner}_", array.rename(owner))
        return
    whole = getattr(model, f"{owner}_", xr.Dataset())
    setattr(model, f"{owner}_", whole.assign({variable: array.rename(variable)}))


def _variable(dataset: xr.Dataset, name: str, coords: list[str]) -> xr.DataArray:
    bare = dataset[name].reset_coords(drop=True).drop_vars(dataset[name].dims, errors="ignore")
    return bare.assign_coords({coord: dataset[coord].variable for coord in coords}).load()


def _packed(value: xr.DataArray | xr.Dataset, prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an array parameter as variables under names of its own, and how to undo that."""
    whole = value.to_dataset(name="values") if isinstance(value, xr.DataArray) else value
    names = {name: f"{prefix}.{name}" for name in {*whole.variables, *whole.dims}}
    packed = {
        names[name]: xr.Variable(
            [names[d] for d in var.dims], var.values, attrs.storable(var.attrs)
        )
        for name, var in whole.variables.items()
    }
    array = isinstance(value, xr.DataArray)
    how: dict[str, Any] = {"array": array, "coords": [str(name) for name in whole.coords]}
    named = isinstance(value, xr.DataArray) and value.name is not None
    how["name"] = str(value.name) if named else None
    return packed, how


def _unpacked(dataset: xr.Dataset, prefix: str, how: dict[str, Any]) -> xr.DataArray | xr.Dataset:
    names = [name for name in dataset.variables if str(name).startswith(f"{prefix}.")]
    variables = {}
    for name in names:
        variable = dataset[name].variable.load()
        dims = [str(dim).removeprefix(f"{prefix}.") for dim in variable.dims]
        variables[str(name).removeprefix(f"{prefix}.")] = (dims, variable.values, variable.attrs)
    whole = xr.Dataset(variables).set_coords(how["coords"])
    return whole["values"].rename(how["name"]) if how["array"] else whole


def _plain_parameters(model: Decomposition) -> dict[str, Any]:
    plain = {}
    for name, value in model.get_params(deep=False).items():
        if isinstance(value, np.generic):
            plain[name] = value.item()
        elif value is None or isinstance(value, str | int | float | tuple | list):
            plain[name] = value
    return plain


def _plain_results(model: Decomposition) -> dict[str, Any]:
    """Return the fitted numbers and reports, durations left out."""
    results: dict[str, Any] = {}
    for name in model._saved:
        value = getattr(model, name, None)
        if isinstance(value, dict):
            results[name] = {key: item for key, item in value.items() if key != "seconds"}
        elif isinstance(value, int | float | str | np.generic):
            results[name] = value.item() if isinstance(value, np.generic) else value
    return results


def _description(model: Decomposition) -> dict[str, Any]:
    """Return what the JSON beside the maps says of the model."""
    return {
        "Method": type(model).__name__,
        "Parameters": _plain_parameters(model),
        "Results": _plain_results(model),
        "EnergyShare": {
            f"component_{label}": float(share)
            for label, share in zip(
                model.energy_["component"].values, model.energy_.values, strict=True
            )
        },
    }
