"""Recordings from files and images, by what is in them."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr

from partita.io.atomic import is_zarr_store, refuse_missing
from partita.io.gzip_index import GZIP_MAGIC
from partita.io.stores import HDF5_MAGIC, NETCDF3_MAGIC, read_recording

_NIFTI_MAGICS = {344: (b"n+1\0", b"ni1\0"), 4: (b"n+2\0", b"ni2\0")}


def load(source: str | PathLike[str] | Any, *, chunks: Any = "auto") -> xr.DataArray:
    """Load a recording from NIfTI, NetCDF, Zarr, or a nibabel image.

    The result is lazy: values are read where they are used. A ``.nii`` file is memory-mapped; of a
    ``.nii.gz`` file, places to resume from are remembered, so that a chunk is read without
    decompressing the file from its start each time.

    Parameters
    ----------
    source : str, path-like or nibabel image
        A ``.nii`` or ``.nii.gz`` file with or without its BIDS sidecar (the same name with
        ``.json``), a NetCDF file, or a Zarr store. What is in the file decides, not its suffix.
    chunks : "auto", int, Mapping or None
        ``"auto"`` cuts time to dask's chunk size; a number cuts it to so many samples; a mapping
        says it by dimension; None reads the recording into memory.

    Returns
    -------
    xarray.DataArray, (time, z, y, x) from NIfTI
        (y, x) from a 2-D file, (z, y, x) from a 3-D one; a fifth dimension comes last as
        ``volume``. float32 for stored float32 and for integers of up to 16 bits, scaled or not;
        else float64. From NetCDF and Zarr as it was saved.

        ``x``, ``y``, ``z`` are in mm: the scanner's where the voxel axes are the scanner's, else
        along the voxel axes, which a warning says. The scalar coordinate ``grid`` holds in its
        attributes ``affine`` (16 numbers row by row, from the recording's own x, y, z to scanner
        mm), ``qform_code`` and ``sform_code``. ``time`` is the start of each volume in seconds:
        ``VolumeTiming`` of the sidecar as given, else ``DelayAfterTrigger`` + i x
        ``RepetitionTime``, else what the header says. Numbers of the header are read as the
        shortest decimals they print as. The other fields of the sidecar become attributes in
        snake_case.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file, or it is a folder; the message names it.
    OSError
        If the file is truncated or damaged: when its size tells, here, else when the missing part
        is first read.
    ValueError
        If the format is none of these; if the sidecar is not a JSON object, or its timing is not
        numeric, not positive, or ``VolumeTiming`` has another length than the recording.
    TypeError
        If `source` is something else, or holds complex or colour values.
    ModuleNotFoundError
        If it is a Zarr store and zarr is not installed.

    Warns
    -----
    UserWarning
        Each is one sentence that names the file. No repetition time: volumes are numbered from 0,
        in units of "1". No unit of space or time in the header: mm and seconds are taken.
        Negative sizes or times: their magnitude is. An sform or qform that is not finite or is
        flat: it is left out, and the next of sform, qform, voxel sizes is taken. Voxel sizes of
        zero: 1 mm is. An oblique affine: the coordinates lie along the voxel axes, and the affine
        is kept exactly. Header and sidecar disagree on the repetition time by more than 1 %: the
        sidecar is believed.

    Examples
    --------
    >>> import nibabel
    >>> import partita
    >>> image = nibabel.Nifti1Image(np.zeros((4, 3, 1, 10), np.float32), np.diag([0.1, 0.1, 1, 1]))
    >>> image.header.set_xyzt_units("mm", "sec")
    >>> image.header["pixdim"][4] = 0.3
    >>> recording = partita.load(image)
    >>> dict(recording.sizes)
    {'time': 10, 'z': 1, 'y': 3, 'x': 4}
    >>> recording.time.values[:3]
    array([0. , 0.3, 0.6])
    """
    if isinstance(source, str | PathLike):
        path = Path(source).expanduser()
        recording, notes, name = *_load_path(path, chunks=chunks), path.name
    elif hasattr(source, "dataobj") and hasattr(source, "affine"):
        from partita.io.nifti import recording_from_image

        recording, notes = recording_from_image(source, chunks=chunks)
        name = Path(source.get_filename() or "image").name
    else:
        raise TypeError(
            f"load takes a path or a nibabel image, and was given {type(source).__name__}. An "
            "array becomes a recording by xr.DataArray(values, dims=('time', 'y', 'x'))."
        )
    for note in notes:
        warnings.warn(f"{name}: {note}", UserWarning, stacklevel=2)
    return recording


def _load_path(path: Path, *, chunks: Any) -> tuple[xr.DataArray, list[str]]:
    refuse_missing(path)
    if path.is_dir():
        _refuse_folder(path)
        return read_recording(path, chunks=chunks), []
    with path.open("rb") as file:
        start = file.read(352)
    if start.startswith((HDF5_MAGIC, NETCDF3_MAGIC)):
        return read_recording(path, chunks=chunks), []
    if not start.startswith(GZIP_MAGIC):
        _refuse_other_formats(path, start)
    from partita.io.nifti import recording_from_path

    return recording_from_path(path, chunks=chunks)


def _refuse_folder(path: Path) -> None:
    if is_zarr_store(path):
        return
    endings = (".nii", ".nii.gz", ".nc", ".zarr")
    inside = sorted(other.name for other in path.iterdir() if other.name.endswith(endings))
    holds = f"It holds {', '.join(inside[:5])}" if inside else "It holds no recording"
    raise IsADirectoryError(
        f"{path} is a folder and not a Zarr store; load takes one recording. {holds}."
    )


def _refuse_other_formats(path: Path, start: bytes) -> None:
    found = next(
        (m for place, magics in _NIFTI_MAGICS.items() for m in magics if start[place:][:4] == m),
        None,
    )
    if found in (b"n+1\0", b"n+2\0"):
        return
    if not start:
        raise ValueError(f"{path} is empty. Copy or download it again.")
    what = "is half of a pair of NIfTI files (.hdr and .img)" if found else "has no such content"
    raise ValueError(
        f"load reads NIfTI, NetCDF and Zarr; {path} {what}. If nibabel reads it, load the image: "
        "partita.load(nibabel.load(path))."
    )
