"""Estimators to files and back: a Dataset that NetCDF and Zarr can hold, never a pickle."""

from __future__ import annotations

import json
import re
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from partita import io
from partita._labels import packing, unpacking
from partita._labels.stack import Stacker
from partita._labels.warn import warn
from partita._version import __version__
from partita.decomposition import registry, validation
from partita.io.atomic import path_of
from partita.io.nifti.components import description_path
from partita.io.overwriting import MODEL, refuse_other

# The variable of a saved model that says how to put it together. A hyphen stands where it has to
# be the name of nothing else: attributes of a model have none in theirs.
_RECIPE = "how-to-load"
# A line of history with the name of the file that a recording came from.
_LOADED = re.compile(r"^load\('([^']+)'")
# One file for the whole model; names with another ending are prefixes, but for those that promise
# a format in which a model would lose something.
_WHOLE = (".nc", ".zarr")
_OTHERS = (
    ".nii", ".gz", ".tsv", ".csv", ".json", ".h5", ".hdf5", ".nwb", ".mat", ".npy", ".npz", ".tif",
    ".tiff", ".avi", ".mp4", ".mov", ".mkv", ".png", ".pdf", ".svg", ".pkl", ".pickle",
)  # fmt: skip


def save(
    thing: Any, path: str | PathLike[str], *, chunks: Any = None, overwrite: bool = False
) -> list[Path]:
    """Save a recording or a fitted model.

    Parameters
    ----------
    thing : xarray.DataArray or fitted estimator
        A recording is written in the format of the suffix: ``.nii`` or ``.nii.gz`` with a JSON
        sidecar, ``.nc`` or ``.zarr``; signals over time also as a table, ``.tsv`` or ``.csv``. A
        model goes to ``.nc`` or ``.zarr``, lossless; without a
        suffix `path` is a prefix, and four things are written as BIDS derivatives name them:
        ``<prefix>_components.nii.gz`` (with signs one file each; maps without y and x become
        ``.tsv``), ``<prefix>_mixing.tsv``, ``<prefix>_decomposition.json`` and ``<prefix>.nc``.
    path : str or path
        Where to. Folders are made; files are written under a temporary name, then renamed.
    chunks : "auto", int, Mapping or None
        How a recording is cut in ``.zarr`` and ``.nc``. None: as it is. ``"auto"``: for the fits
        that stream it, samples whole and 16 to 32 MB a chunk. A number: so many samples. A
        mapping: sizes by dimension, ``{"time": 500}``.
    overwrite : bool
        What `save` wrote before gives way to a thing of its kind; anything else (a recording where
        a model goes, a file or sidecar of another program) only where this is True.

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
    FileExistsError
        If something of another kind is there, or the file that a recording is still read from,
        and `overwrite` is not given.
    OSError
        If there is no room on the disk; what was there is as it was.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
    Parameters and every fitted attribute are in the ``.nc``; callbacks, ``RandomState`` and
    ``Generator`` objects, times of day and durations are not.

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
        return io.saved_at(io.save_recording(thing, path, chunks=chunks, overwrite=overwrite))
    if not registry.is_estimator(thing):
        raise TypeError(
            f"save takes a recording (xarray.DataArray) or a fitted estimator of Partita, and was "
            f"given {type(thing).__name__}."
        )
    if chunks is not None:
        raise ValueError(
            f"chunks says how a recording is stored, and was given for {type(thing).__name__}. "
            "Leave it out."
        )
    validation.require_fitted(thing)
    path = path_of(path, caller="save")
    _refuse_suffix(path)
    if path.suffix in _WHOLE:
        io.write_dataset(to_dataset(thing), path, overwrite=overwrite)
        return [path]
    return io.derivatives.write_derivatives(
        thing.maps_,
        thing.signals_,
        to_dataset(thing),
        path,
        description=_description(thing),
        overwrite=overwrite,
    )


def places_of(path: Path) -> list[Path]:
    """Return where the parts of a model are saved, those that maps over signs and planes have."""
    path = path.expanduser()
    if path.suffix in _WHOLE:
        return [path]
    parts = ["mixing.tsv", "components.tsv"]
    parts += [f"{sign}components.nii.gz" for sign in ("", "sign-positive_", "sign-negative_")]
    described = description_path(str(path))
    return [Path(f"{path}.nc"), described, *(Path(f"{path}_{part}") for part in parts)]


def refuse_places(path: Path, *, overwrite: bool) -> None:
    """Refuse a place where `save` would refuse a model, before there is one.

    Raises
    ------
    FileExistsError
        If something else is there, and `overwrite` is not given.
    ValueError
        If the suffix is that of another format.
    """
    _refuse_suffix(path)
    whole, *parts = places_of(path)
    refuse_other(whole, "model", overwrite=overwrite)
    if not overwrite:
        io.derivatives.refuse_other_files(parts, str(path.expanduser()))


def _refuse_suffix(path: Path) -> None:
    """Refuse a suffix that promises a format in which a model would lose something."""
    if path.suffix.lower() in _OTHERS:
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
        A ``.nc`` or ``.zarr`` of a model, or the prefix under which it was saved.

    Returns
    -------
    NMF, PCA, FastICA or a user's own
        Fitted, with identical ``maps_`` and ``signals_``; ``transform`` works.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If the file holds no model, or one of a class that is not defined here, or is with other
        parameters: the module that defines a class of one's own has to be imported first.

    Warns
    -----
    UserWarning
        If the maps and signals that `save` wrote beside the file are of another model, or a class
        of one's own is defined in another module now.
    """
    path = _whole_of(path)
    dataset = io.read_dataset(path)
    model = from_dataset(dataset, source=str(path))
    if io.derivatives.stamps_differ(dataset, Path(path).expanduser()):
        warn(
            f"The maps and signals beside {path} are of another save than the model in it: saving "
            "was interrupted, or one of the two was saved alone. Save the model again under the "
            f"prefix {Path(path).stem!r}."
        )
    return model


def _whole_of(path: str | PathLike[str]) -> str | PathLike[str]:
    """Return the file that holds the whole model: of a prefix, the one that `save` makes of it."""
    whole = Path(f"{path}.nc")
    return whole if whole.expanduser().is_file() and not Path(path).expanduser().exists() else path


def open_session(path: str | PathLike[str]) -> xr.DataArray:
    """Return a recording on disk, not yet read."""
    return io.load(path)


def to_dataset(model: Any) -> xr.Dataset:
    """Return a fitted model as one Dataset (see `from_dataset`).

    Each parameter and each fitted attribute stands under its own name, and so does the geometry of
    the recording; how they are put together again is told by the recipe.
    """
    parts = {
        "parameters": model._stored_parameters(),
        "fitted": _fitted(model),
        "recording": {"stacker": vars(model._stacker)},
    }
    variables: dict[str, xr.Variable] = {}
    recipes: dict[str, Any] = {}
    for kind, values in parts.items():
        recipes[kind] = {}
        for name, value in values.items():
            prefix = name if kind == "fitted" else f"{kind}-{name}"
            packed, recipes[kind][name] = packing.pack(value, prefix)
            variables |= packed
    # An attribute of a file holds 64 KB; a variable, what it takes.
    text = np.frombuffer(json.dumps(recipes).encode(), np.uint8)
    about = {
        "class": type(model).__name__,
        "module": type(model).__module__,
        "version": __version__,
    }
    variables[_RECIPE] = xr.Variable(f"{_RECIPE}:0", text)
    return xr.Dataset(variables, attrs={MODEL: json.dumps(about)})


def from_dataset(dataset: xr.Dataset, *, source: str = "the dataset") -> Any:
    """Return the fitted model that `to_dataset` made a Dataset of."""
    if MODEL not in dataset.attrs:
        raise ValueError(
            f"{source} holds no model of Partita. Recordings are opened with partita.load."
        )
    about = json.loads(dataset.attrs[MODEL])
    kind = registry.find(
        about["class"], module=about["module"], version=about["version"], source=source
    )
    recipes = json.loads(dataset[_RECIPE].values.tobytes())
    parameters, fitted, recording = (
        {name: unpacking.unpack(dataset.variables, how) for name, how in recipes[part].items()}
        for part in ("parameters", "fitted", "recording")
    )
    _refuse_unknown(parameters, kind, source)
    return kind(**parameters)._restored(Stacker(**recording["stacker"]), fitted)


def _refuse_unknown(parameters: dict[str, Any], kind: type[Any], source: str) -> None:
    unknown = sorted(set(parameters) - set(kind._get_param_names()))
    if unknown:
        raise ValueError(
            f"{source} holds a {kind.__name__} with the parameters {unknown}, which "
            f"{kind.__module__}.{kind.__qualname__}, as it is defined now, does not take. Load it "
            "with the class that it was saved from."
        )


def _fitted(model: Any) -> dict[str, Any]:
    """Return what the fit has left and the class remembers, durations left out."""
    values = {name: vars(model)[name] for name in model._fitted if name in model.remembers}
    report = values.get("fit_report_")
    if report is not None:
        values["fit_report_"] = {key: item for key, item in report.items() if key != "seconds"}
    return values


def _description(model: Any) -> dict[str, Any]:
    """Return what the JSON beside the maps says of the model."""
    history = str(model.signals_.attrs.get("history", "")).splitlines()
    sources = [name for line in history for name in _LOADED.findall(line)]
    return {
        **({"Sources": sources} if sources else {}),
        "History": history,
        "Method": type(model).__name__,
        "Parameters": _plain(model._stored_parameters()),
        "Results": _plain(_fitted(model)),
        **_quality(model),
        "EnergyShare": {
            f"component_{label}": float(share)
            for label, share in zip(
                model.energy_["component"].values, model.energy_.values, strict=True
            )
        },
    }


def _quality(model: Any) -> dict[str, Any]:
    """Return how much a model explains, and how far its factors are from the best ones."""
    quality: dict[str, Any] = {}
    if hasattr(model, "explained_"):
        found = {"R2": float(model.explained_["r2"]), "VAF": float(model.explained_["vaf"])}
        # JSON knows no NaN, which stands where there is nothing to explain.
        known = {name: share for name, share in found.items() if np.isfinite(share)}
        quality["Explained"] = known
    if hasattr(model, "optimality_"):
        residual = model.optimality_["residual"]
        quality["Residual"] = dict(
            zip(residual["factor"].values.tolist(), residual.values.tolist(), strict=True)
        )
    return quality


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON holds of parameters and results: no arrays, and nothing private."""
    kinds = (str, int, float, tuple, list, dict, np.generic, type(None))
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in values.items()
        if isinstance(value, kinds) and not name.startswith("_")
    }
