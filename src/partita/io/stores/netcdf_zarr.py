"""Datasets in NetCDF and Zarr: lossless, and whole or not there."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr

from partita._labels.attrs import without_unstorable
from partita.io.atomic import refuse_missing, replacing, replacing_store
from partita.io.formats import named
from partita.io.recognition import NETCDF3_MAGIC
from partita.io.stores.encoding import decoded, encoded, evenly_chunked

MODEL = "partita_model"
"""The attribute of a Dataset that holds a fitted model."""


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
    return write(without_unstorable(dataset, caller="write_dataset"), Path(path).expanduser(), {})


def write(dataset: xr.Dataset, path: Path, encoding: Mapping[str, dict[str, Any]]) -> Path:
    """Write a Dataset, its variables encoded as the format of the suffix calls it."""
    if path.suffix == ".nc":
        with replacing(path) as (temporary,):
            encoded(dataset).to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
        return path
    if path.suffix == ".zarr":
        named("zarr").require(path)
        with replacing_store(path) as temporary:
            even = evenly_chunked(encoded(dataset))
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
    return decoded(dataset)


def _engine(path: Path) -> dict[str, Any]:
    if path.is_dir():
        named("zarr").require(path)
        return {"engine": "zarr", "consolidated": False}
    with path.open("rb") as file:
        is_classic = file.read(3) == NETCDF3_MAGIC
    return {"engine": "scipy" if is_classic else "h5netcdf"}
