"""Datasets and recordings in NetCDF and Zarr: lossless, and whole or not there."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Hashable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr

from partita.io.atomic import refuse_missing, replacing, replacing_store
from partita.io.chunking import aligned_chunks, chunks_by_dim, cut_for, stored_chunks
from partita.io.entries import Entry, SeveralArrays
from partita.io.stores.chunked_variable import ChunkedVariable
from partita.io.stores.encoding import evenly_chunked, prepared, restored

HDF5_MAGIC = b"\x89HDF"
NETCDF3_MAGIC = b"CDF"

_RECORDING = "partita_recording"


def write_dataset(dataset: xr.Dataset, path: str | PathLike[str]) -> Path:
    """Write a Dataset to NetCDF or Zarr, by the suffix; `read_dataset` gives it back identical.

    The file is written beside its place and renamed into it: a failure leaves what was there.
    Folders are made. Attributes take the form that NetCDF can hold (`None` is left out, truth
    values become 0 or 1, nested ones JSON text).

    Parameters
    ----------
    dataset : xarray.Dataset
        In memory or dask-backed; written in blocks.
    path : str or path-like
        Ends in ``.nc`` or ``.zarr``.

    Returns
    -------
    pathlib.Path
        Where it is.

    Raises
    ------
    ValueError
        If the suffix is another.
    ModuleNotFoundError
        If the suffix is ``.zarr`` and zarr is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from partita.io import read_dataset, write_dataset
    >>> signals = xr.Dataset({"signals": ("time", [0.0, 1.0])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_dataset(signals, f"{folder}/signals.nc")
    ...     read_dataset(path).identical(signals)
    True
    """
    return _written(dataset, Path(path).expanduser(), {})


def _written(dataset: xr.Dataset, path: Path, encoding: Mapping[str, dict[str, Any]]) -> Path:
    """Write a Dataset, its variables encoded as the format of the suffix calls it."""
    if path.suffix == ".nc":
        with replacing(path) as (temporary,):
            prepared(dataset).to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
        return path
    if path.suffix == ".zarr":
        require_zarr(path)
        with replacing_store(path) as temporary:
            even = evenly_chunked(prepared(dataset))
            even.to_zarr(temporary, mode="w", consolidated=False, encoding=encoding)
        return path
    raise ValueError(
        f"The suffix of {path} must be .nc (NetCDF) or .zarr. Give one of them: "
        f"{path.with_suffix('.nc').name}."
    )


def read_dataset(path: str | PathLike[str]) -> xr.Dataset:
    """Read a Dataset from NetCDF or Zarr into memory.

    Numbers with units of time stay numbers; datetimes and timedeltas that were written come back.

    Parameters
    ----------
    path : str or path-like
        A ``.nc`` file or a ``.zarr`` store.

    Returns
    -------
    xarray.Dataset
        What `write_dataset` was given, in memory; the file is closed.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it is no NetCDF file or Zarr store, or is damaged.
    ModuleNotFoundError
        If it is a Zarr store and zarr is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from partita.io import read_dataset, write_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_dataset(xr.Dataset(attrs={"history": "zscore(ddof=0)"}), f"{folder}/a.nc")
    ...     read_dataset(path).attrs["history"]
    'zscore(ddof=0)'
    """
    path = Path(path).expanduser()
    refuse_missing(path)
    with opened(path) as dataset:
        return dataset.load()


def opened(path: Path) -> xr.Dataset:
    """Return a Dataset whose values are still in the file; close it, or use it as a context.

    Raises
    ------
    OSError
        If it is no NetCDF file or Zarr store, or is damaged.
    """
    about = _engine(path)
    try:
        coder = xr.coders.CFTimedeltaCoder()  # by what was written, not by units
        dataset = xr.open_dataset(path, decode_timedelta=coder, **about)
    except Exception as error:  # h5py, h5netcdf, scipy and zarr each raise kinds of their own
        raise OSError(
            f"{path} cannot be read as {'Zarr' if path.is_dir() else 'NetCDF'}; it is damaged, "
            f"truncated or of another format ({error})."
        ) from error
    return restored(dataset)


def _engine(path: Path) -> dict[str, Any]:
    if path.is_dir():
        require_zarr(path)
        return {"engine": "zarr", "consolidated": False}
    with path.open("rb") as file:
        is_classic = file.read(3) == NETCDF3_MAGIC
    return {"engine": "scipy" if is_classic else "h5netcdf"}


def require_zarr(path: Path) -> None:
    """Refuse a Zarr path where zarr is not installed (ModuleNotFoundError)."""
    try:
        found = importlib.util.find_spec("zarr") is not None
    except ValueError:  # a module that was blocked by None in sys.modules
        found = False
    if not found:
        raise ModuleNotFoundError(
            f'{path} needs the package zarr. Install it: pip install "partita[zarr]".', name="zarr"
        )


def write_recording(recording: xr.DataArray, path: Path, *, chunks: Any = None) -> Path:
    """Write a recording to ``.nc`` or ``.zarr``; `read_recording` gives it back identical.

    Parameters
    ----------
    recording : xarray.DataArray
        In memory or dask-backed.
    path : pathlib.Path
        Where to.
    chunks : "auto", int, Mapping or None
        How it is stored, as `partita.save` takes it.
    """
    name = "" if recording.name is None else str(recording.name)
    variable = name if name.isidentifier() and name not in _names_in(recording) else "recording"
    is_zarr = path.suffix == ".zarr"
    about = {"variable": variable, "name": _plain_name(recording.name)}
    encoding: dict[str, Any] = {}
    if is_zarr:  # chunks of zeros too, so that one which is not there is known to be lost
        about["whole"] = True
        encoding["write_empty_chunks"] = True
    if chunks is not None and recording.ndim:
        by_dim = stored_chunks(chunks, recording)
        recording = cut_for(recording, by_dim)
        encoding["chunks" if is_zarr else "chunksizes"] = tuple(by_dim.values())
    elif is_zarr and recording.chunks is None:
        along_time = recording.variable.chunk(chunks_by_dim("auto", recording.dims))
        recording = recording.copy(data=along_time.data)
    dataset = recording.rename(None).to_dataset(name=variable)
    marked = dataset.assign_attrs({_RECORDING: json.dumps(about)})
    return _written(marked, path, {variable: encoding})


def _names_in(recording: xr.DataArray) -> set[str]:
    return {str(name) for name in (*recording.dims, *recording.coords)}


def _plain_name(name: Hashable) -> Any:
    return name if name is None else str(name)


def read_recording(path: Path, *, chunks: Any, variable: str | None = None) -> xr.DataArray:
    """Return the recording in a NetCDF file or Zarr store, lazily unless `chunks` is None.

    Parameters
    ----------
    path : pathlib.Path
        The file or store.
    chunks : "auto", int, Mapping or None
        As `partita.load` takes them.
    variable : str, optional
        Which variable; without it the one that Partita wrote as a recording, else the only one.

    Raises
    ------
    ValueError
        If it holds no such variable, or several and none is the recording.
    """
    dataset = opened(path)
    about = _about(dataset)
    if variable not in (None, about.get("variable")):
        about = {}
    chosen = variable or about.get("variable") or _only_variable(dataset, path)
    if chosen not in dataset.data_vars:
        raise ValueError(
            f"{path} has no variable {chosen!r}; it holds {list(dataset)}. Choose one of them."
        )
    recording = dataset[chosen].rename(about.get("name", chosen))
    recording = recording.assign_coords({k: c.load() for k, c in recording.coords.items()})
    stored = dataset[chosen].encoding.get("preferred_chunks", {})
    recording.encoding = {"source": str(path), "preferred_chunks": stored}
    if chunks is None:
        recording.load()
        dataset.close()
        return recording
    sizes = tuple(stored.get(dim, n) for dim, n in recording.sizes.items()) if stored else None
    wanted = aligned_chunks(
        chunks, recording.dims, shape=recording.shape, dtype=recording.dtype, stored=sizes
    )
    whole = bool(about.get("whole")) and about["variable"] == chosen
    values = ChunkedVariable(path, str(chosen), dataset[chosen].variable, stored, whole=whole)
    return recording.copy(data=values.lazily(wanted))


def _about(dataset: xr.Dataset) -> dict[str, Any]:
    try:
        about = json.loads(dataset.attrs.get(_RECORDING, "{}"))
    except (TypeError, json.JSONDecodeError):
        return {}
    known = isinstance(about, dict) and about.get("variable") in dataset.data_vars
    return about if known else {}


def _only_variable(dataset: xr.Dataset, path: Path) -> Hashable:
    names = list(dataset.data_vars)
    if len(names) == 1:
        return names[0]
    if not names:
        raise ValueError(
            f"{path} holds no variable, and a recording is one. It is of another kind or damaged: "
            "copy or download it again, or write it again from what it was made of."
        )
    if {"maps", "signals"} & {str(name) for name in names}:
        raise ValueError(
            f"{path} holds {names}: a saved model, not a recording. Load it with "
            "partita.load_model(path)."
        )
    entries = [
        Entry(str(name), array.shape, str(array.dtype)) for name, array in dataset.data_vars.items()
    ]
    raise SeveralArrays(
        f"{path} holds {len(names)} variables {names}, and a recording is one. Choose it: "
        f"partita.load(path, dataset={str(names[0])!r}).",
        kind="Zarr" if path.is_dir() else "NetCDF",
        entries=entries,
    )
