"""Recordings to files, by suffix."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr
from pandas import DatetimeTZDtype  # type: ignore[import-untyped,unused-ignore]

from partita._labels.attrs import without_unstorable
from partita._labels.checks import refuse_unwritable_names, require_array, require_dense
from partita._labels.warn import warn
from partita.io.atomic import path_of
from partita.io.formats import by_suffix, named
from partita.io.nifti.sidecar import sidecar_path
from partita.io.overwriting import refuse_own_source


def save_recording(
    recording: xr.DataArray,
    path: str | PathLike[str],
    *,
    chunks: Any = None,
    overwrite: bool = False,
) -> Path:
    """Save a recording as NIfTI with its BIDS sidecar, NetCDF, Zarr or a table; the suffix decides.

    `load` gives back the same values, coordinates, name and attributes; NIfTI always in the order
    (time, z, y, x, volume), as float32 or float64, and without the coordinate `background`.
    ``.nc`` and ``.zarr`` keep labels of every kind, categories, missing ones and several levels
    too; times of a time zone are told in UTC. Attributes are kept as text, numbers, or JSON of
    lists and mappings of these. A NIfTI file lies on the place of the recording, cropped,
    decimated, transposed and flipped ones too. A table has the times in s, the values and the names
    of their columns, and nothing else. A dask-backed recording is written block by block.
    Everything is written beside its place and then renamed: a failure leaves what was there.
    Folders are made.

    Parameters
    ----------
    recording : xarray.DataArray
        Real numbers; for NIfTI with dimensions among time, z, y, x and volume; for a table with
        time and at most one dimension more.
    path : str or path-like
        Ends in ``.nii``, ``.nii.gz``, ``.nc``, ``.zarr``, ``.tsv`` or ``.csv``.
    chunks : "auto", int, Mapping or None
        How ``.zarr`` and ``.nc`` are cut. None: as the recording is. ``"auto"``: for streaming,
        samples whole and 16 to 32 MB a chunk. A number: so many samples. A mapping: sizes by
        dimension.
    overwrite : bool
        Whether it may replace what is no recording that Partita saved: a model, a file or sidecar
        of another program, the sidecar of another image.

    Returns
    -------
    pathlib.Path
        Where it is. A NIfTI file has its sidecar ``.json`` beside it.

    Raises
    ------
    TypeError
        If it is not a DataArray of real numbers (truth values too, for masks).
    ValueError
        If the suffix is another, or NIfTI or a table cannot hold the recording: other dimensions,
        uneven positions, very large or odd coordinates. ``.nc`` can. If `chunks` names a
        dimension that is not there, or is given for NIfTI or a table, which have none.
    FileExistsError
        If something else is at the path, or the file that the recording is still read from, and
        `overwrite` is not given.
    OSError
        If there is no room on the disk; what was there is as it was.
    ModuleNotFoundError
        If the suffix is ``.zarr`` and zarr is not installed.

    Warns
    -----
    UserWarning
        If times had a time zone, attributes are left out, which no file holds whole, or
        coordinates, which no table does.

    Examples
    --------
    >>> import tempfile
    >>> from partita.io import load, save_recording
    >>> volumes = xr.DataArray(
    ...     np.ones((3, 1, 2, 2), np.float32),
    ...     dims=("time", "z", "y", "x"),
    ...     coords={"time": [0.0, 0.3, 0.6], "x": [-0.1, 0.0]},
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_recording(volumes, f"{folder}/sub-01_pwd.nii.gz")
    ...     load(path, chunks=None).identical(volumes)
    True
    """
    require_array(_mask_as_numbers(recording), caller="save")
    require_dense(recording, caller="save")
    refuse_unwritable_names(recording, caller="save")
    path = path_of(path, caller="save")
    writer = by_suffix(path).writer(path)
    if not overwrite:
        refuse_own_source(path, [recording.data])
    storable = without_unstorable(_in_utc(recording), caller="save")
    return writer(storable, path, chunks=chunks, overwrite=overwrite)


def saved_at(path: Path) -> list[Path]:
    """Return the files of a recording that was saved at a path: an image has its sidecar."""
    is_image = path.name.endswith((*named("nifti").suffixes, *named("nifti.gz").suffixes))
    return [path, sidecar_path(path)] if is_image else [path]


def _in_utc(recording: xr.DataArray) -> xr.DataArray:
    """Return a recording whose times of a time zone are told in UTC: files have no zones."""
    zoned = [name for name, c in recording.coords.items() if isinstance(c.dtype, DatetimeTZDtype)]
    for name in zoned:
        coord = recording[name]
        times = coord.to_index().tz_convert("UTC").tz_localize(None)
        recording = recording.assign_coords({name: (coord.dims, times, coord.attrs)})
    if zoned:
        warn(f"save writes the times of {', '.join(map(repr, zoned))} in UTC: files have no zones.")
    return recording


def _mask_as_numbers(array: Any) -> Any:
    is_mask = isinstance(array, xr.DataArray) and array.dtype.kind == "b"
    return array.astype("uint8") if is_mask else array
