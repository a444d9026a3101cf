"""Datasets in NetCDF and Zarr: lossless, and whole or not there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import without_unstorable
from partita.io.atomic import path_of, refuse_missing, replacing, replacing_store
from partita.io.formats import named
from partita.io.hdf5_sources import refuse_outside
from partita.io.overwriting import DATASET, KINDS, refuse_other, refuse_own_source
from partita.io.recognition import NETCDF3_MAGIC
from partita.io.stores.encoding import decoded, encoded, evenly_chunked
from partita.io.stores.pickles import refuse_pickles
from partita.io.stores.seal import refuse_broken_netcdf, refuse_broken_zarr, seal_zarr


def write_dataset(
    dataset: xr.Dataset, path: str | PathLike[str], *, overwrite: bool = False
) -> Path:
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
    overwrite : bool
        Whether it may replace what is something else than such a Dataset: a recording, a model, a
        file of another program.

    Returns
    -------
    pathlib.Path
        Where it is.

    Raises
    ------
    ValueError
        If the suffix is another.
    FileExistsError
        If something else is at the path, and `overwrite` is not given.
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
    checks.refuse_unwritable_names(dataset, caller="write_dataset")
    storable = without_unstorable(dataset, caller="write_dataset")
    path = path_of(path, caller="write_dataset")
    if not overwrite:
        refuse_own_source(path, [one.data for one in dataset.data_vars.values() if one.chunks])
    return write(storable, path, {}, overwrite=overwrite)


def write(
    dataset: xr.Dataset,
    path: Path,
    encoding: Mapping[str, dict[str, Any]],
    *,
    overwrite: bool = False,
) -> Path:
    """Write a Dataset, its variables encoded as the format of the suffix calls it."""
    kind = next((kind for mark, kind in KINDS.items() if mark in dataset.attrs), "dataset")
    refuse_other(path, kind, overwrite=overwrite)
    if kind == "dataset":
        dataset = dataset.assign_attrs({DATASET: 1})
    if path.suffix == ".nc":
        from partita.io.stores.netcdf_writing import write_netcdf

        _refuse_null(dataset, path)
        with replacing(path) as (temporary,):
            write_netcdf(encoded(dataset), temporary, encoding)
        return path
    if path.suffix == ".zarr":
        from partita.io.stores.netcdf_writing import threads
        from partita.io.stores.zarr_tasks import settled

        named("zarr").require(path)
        with replacing_store(path) as temporary, settled(), threads() as how:
            even = evenly_chunked(encoded(dataset))
            even.to_zarr(
                temporary,
                mode="w",
                consolidated=False,
                encoding=_with_sums(even, encoding),
                chunkmanager_store_kwargs=how,
            )
            seal_zarr(temporary)
        return path
    raise ValueError(
        f"The suffix of {path} must be .nc (NetCDF) or .zarr. Give one of them: "
        f"{path.with_suffix('.nc').name}."
    )


def _refuse_null(dataset: xr.Dataset, path: Path) -> None:
    """Refuse text with the character that ends text in HDF5 (ValueError)."""
    for name, variable in dataset.variables.items():
        if variable.dtype.kind in "UOT" and any("\0" in str(item) for item in variable.values.flat):
            raise ValueError(
                f"{path.name} cannot hold the text of {name!r}: in NetCDF the character "
                "'\\0' ends it. Replace it, or write .zarr."
            )


def _with_sums(
    dataset: xr.Dataset, encoding: Mapping[str, dict[str, Any]]
) -> dict[Any, dict[str, Any]]:
    """Return the encoding of all variables, a check sum after what compresses them."""
    from zarr.codecs import Crc32cCodec, ZstdCodec  # an extra

    summed = {"compressors": (ZstdCodec(), Crc32cCodec())}
    return {name: {**summed, **encoding.get(str(name), {})} for name in dataset.variables}


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
    path = path_of(path, caller="read_dataset")
    refuse_missing(path)
    with opened(path) as dataset, readable(path):
        return dataset.load()


def opened(path: Path, *, external: bool = False) -> xr.Dataset:
    """Return a Dataset whose values are still in the file; close it, or use it as a context.

    Raises
    ------
    OSError
        If it is no NetCDF file or Zarr store, or is damaged.
    """
    about = _engine(path)
    if about["engine"] == "h5netcdf":
        with readable(path), h5py.File(path, "r") as file:
            refuse_outside(file, path, external=external)
            refuse_broken_netcdf(file, path)
    with readable(path):
        coder = xr.coders.CFTimedeltaCoder()  # by what was written, not by units
        read = decoded(xr.open_dataset(path, decode_timedelta=coder, **about))
    read.attrs.pop(DATASET, None)
    return read


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Let what cannot be read of a file or store name it (OSError)."""
    try:
        yield
    except (MemoryError, ModuleNotFoundError, PermissionError):
        raise
    except Exception as error:  # h5py, h5netcdf, scipy and zarr each raise kinds of their own
        raise OSError(
            f"{path} cannot be read as {'Zarr' if path.is_dir() else 'NetCDF'}; it is damaged, "
            f"truncated or of another format ({error})."
        ) from error


def _engine(path: Path) -> dict[str, Any]:
    if path.is_dir():
        named("zarr").require(path)
        refuse_pickles(path)
        with readable(path):
            refuse_broken_zarr(path)
        return {"engine": "zarr", "consolidated": False}
    with path.open("rb") as file:
        is_classic = file.read(3) == NETCDF3_MAGIC
    return {"engine": "scipy" if is_classic else "h5netcdf"}
