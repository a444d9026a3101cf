"""Recordings to files, by suffix."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr

from partita._labels.checks import require_array
from partita.io.formats import by_suffix


def save_recording(
    recording: xr.DataArray, path: str | PathLike[str], *, chunks: Any = None
) -> Path:
    """Save a recording as NIfTI with its BIDS sidecar, NetCDF or Zarr; the suffix decides.

    `load` gives back the same values, coordinates, name and attributes; NIfTI always in the order
    (time, z, y, x, volume), and as float32 or float64. A NIfTI file lies on the place of the
    recording, cropped, decimated, transposed and flipped ones too. A dask-backed recording is
    written block by block. Everything is written beside its place and then renamed: a failure
    leaves what was there. Folders are made.

    Parameters
    ----------
    recording : xarray.DataArray
        Real numbers; for NIfTI with dimensions among time, z, y, x and volume.
    path : str or path-like
        Ends in ``.nii``, ``.nii.gz``, ``.nc`` or ``.zarr``.
    chunks : "auto", int, Mapping or None
        How ``.zarr`` and ``.nc`` are cut. None: as the recording is. ``"auto"``: for streaming,
        samples whole and 16 to 32 MB a chunk. A number: so many samples. A mapping: sizes by
        dimension.

    Returns
    -------
    pathlib.Path
        Where it is. A NIfTI file has its sidecar ``.json`` beside it.

    Raises
    ------
    TypeError
        If it is not a DataArray of real numbers (truth values too, for masks).
    ValueError
        If the suffix is another, or NIfTI cannot hold the recording: other dimensions, uneven
        positions, very large or odd coordinates. ``.nc`` can. If `chunks` names a dimension that
        is not there, or is given for NIfTI, which has none.
    ModuleNotFoundError
        If the suffix is ``.zarr`` and zarr is not installed.

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
    path = Path(path).expanduser()
    return by_suffix(path).writer(path)(recording, path, chunks=chunks)


def _mask_as_numbers(array: Any) -> Any:
    is_mask = isinstance(array, xr.DataArray) and array.dtype.kind == "b"
    return array.astype("uint8") if is_mask else array
