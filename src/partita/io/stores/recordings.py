"""Recordings in NetCDF and Zarr: a Dataset that says which of its variables is one."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import xarray as xr

from partita._labels.placement import with_direction
from partita.io.chunking import aligned_chunks, chunks_by_dim, cut_for, stored_chunks
from partita.io.entries import Entry, SeveralArrays
from partita.io.formats import Loaded
from partita.io.lazy_array import HEADERS
from partita.io.overwriting import MODEL, RECORDING
from partita.io.request import Wanted
from partita.io.stores.chunked_variable import ChunkedVariable
from partita.io.stores.labels import put_back, set_aside
from partita.io.stores.netcdf_zarr import opened, readable, write

_LARGEST_NUMBER = 8  # bytes, in Zarr


def write_recording(
    recording: xr.DataArray, path: Path, *, chunks: Any, overwrite: bool = False
) -> Path:
    """Write a recording to ``.nc`` or ``.zarr``; `read_recording` gives it back identical.

    Parameters
    ----------
    recording : xarray.DataArray
        In memory or dask-backed.
    path : pathlib.Path
        Where to.
    chunks : "auto", int, Mapping or None
        How it is stored, as `partita.save` takes it.
    overwrite : bool
        Whether it may replace what is no recording of Partita.
    """
    is_zarr = path.suffix == ".zarr"
    if is_zarr and recording.dtype.itemsize > _LARGEST_NUMBER:
        raise TypeError(
            f"Zarr holds numbers of up to 64 bits, and this recording {recording.dtype}. Convert "
            f"it first, recording.astype('float64'), or save it as {path.stem}.nc."
        )
    recording, odd = set_aside(recording)
    name = "" if recording.name is None else str(recording.name)
    variable = name if name.isidentifier() and name not in _names_in(recording) else "recording"
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
        recording = recording.copy(deep=False, data=along_time.data)
    dataset = recording.rename(None).to_dataset(name=variable).assign(odd)
    marked = dataset.assign_attrs({RECORDING: json.dumps(about)})
    return write(marked, path, {variable: encoding}, overwrite=overwrite)


def _names_in(recording: xr.DataArray) -> set[str]:
    return {str(name) for name in (*recording.dims, *recording.coords)}


def _plain_name(name: Hashable) -> Any:
    return name if name is None else str(name)


def read_recording(path: Path, wanted: Wanted, *, chunks: Any) -> Loaded:
    """Return the recording in a NetCDF file or Zarr store, lazily unless `chunks` is None.

    Parameters
    ----------
    path : pathlib.Path
        The file or store.
    wanted : Wanted
        Its ``dataset`` is the variable; without it the one that Partita wrote as a recording, else
        the only one.
    chunks : "auto", int, Mapping or None
        As `partita.load` takes them.

    Raises
    ------
    ValueError
        If it holds no such variable, or several and none is the recording.
    """
    dataset = opened(path, external=wanted.allow_external)
    about = _about(dataset)
    if wanted.dataset not in (None, about.get("variable")):
        about = {}
    chosen = wanted.dataset or about.get("variable") or _only_variable(dataset, path)
    if chosen not in dataset.data_vars:
        raise ValueError(
            f"{path} has no variable {chosen!r}; it holds {list(dataset)}. Choose one of them."
        )
    recording = dataset[chosen].rename(about.get("name", chosen))
    with readable(path):
        recording = recording.assign_coords({k: c.load() for k, c in recording.coords.items()})
        if about:
            recording = put_back(recording, dataset.variables)
    if not about and "y" in recording.coords:
        recording = recording.assign_coords(y=with_direction(recording.coords)["y"])
    stored = dataset[chosen].encoding.get("preferred_chunks", {})
    recording.encoding = {"source": str(path), "preferred_chunks": stored}
    if chunks is None:
        with readable(path):
            recording.load()
        dataset.close()
        return Loaded(recording, [], bool(about))
    whole = bool(about.get("whole")) and about["variable"] == chosen
    values = ChunkedVariable(path, str(chosen), dataset[chosen].variable, stored, whole=whole)
    if chunks is HEADERS:
        return Loaded(recording.copy(deep=False, data=values.lazily(chunks)), [], bool(about))
    wanted_chunks = aligned_chunks(
        chunks,
        recording.dims,
        shape=values.shape,
        dtype=values.dtype,
        stored=values.blocks if stored else None,
    )
    return Loaded(recording.copy(deep=False, data=values.lazily(wanted_chunks)), [], bool(about))


def _about(dataset: xr.Dataset) -> dict[str, Any]:
    try:
        about = json.loads(dataset.attrs.get(RECORDING, "{}"))
    except (TypeError, json.JSONDecodeError):
        return {}
    known = isinstance(about, dict) and about.get("variable") in dataset.data_vars
    return about if known else {}


def _only_variable(dataset: xr.Dataset, path: Path) -> Hashable:
    if MODEL in dataset.attrs:
        raise ValueError(
            f"{path} holds a saved model, not a recording. Load it with partita.load_model(path)."
        )
    names = list(dataset.data_vars)
    if len(names) == 1:
        return names[0]
    if not names:
        raise ValueError(
            f"{path} holds no variable, and a recording is one. It is of another kind or damaged: "
            "copy or download it again, or write it again from what it was made of."
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
