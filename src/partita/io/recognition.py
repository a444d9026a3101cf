"""What a file is, by the bytes in it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py

from partita.io.atomic import is_zarr_store
from partita.io.movies.iconeus import BINARY_SCAN, is_scan
from partita.io.nifti.gzip_index import GZIP_MAGIC
from partita.io.stores.netcdf_zarr import HDF5_MAGIC, NETCDF3_MAGIC

_NIFTI_MAGICS = {344: (b"n+1\0", b"ni1\0"), 4: (b"n+2\0", b"ni2\0")}
_HALF_NIFTI = (b"ni1\0", b"ni2\0")
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_QUICKTIME_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_MATROSKA_MAGIC = b"\x1aE\xdf\xa3"
_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_HDF5_PLACES = (0, 512, 1024, 2048)

_BYTES = 4096

# What those that hold no movies are called where it is shown.
WORDS = {
    "nifti": "NIfTI",
    "nifti.gz": "NIfTI, compressed",
    "netcdf": "NetCDF",
    "zarr": "Zarr",
}


def recognise(path: Path) -> str:
    """Return what a file is: ``nifti``, ``nifti.gz``, ``netcdf``, ``zarr`` or a kind of movie.

    The kinds of movies are ``tiff``, ``hdf5``, ``nwb``, ``scan``, ``npy``, ``npz``, ``mat``,
    ``mat73`` and ``video``.

    Parameters
    ----------
    path : pathlib.Path
        A file, or a Zarr store.

    Raises
    ------
    ValueError
        If it is empty, or of none of these kinds.
    """
    if path.is_dir() and is_zarr_store(path):
        return "zarr"
    with path.open("rb") as file:
        start = file.read(_BYTES)
    kind = _by_first_bytes(start)
    if kind is not None:
        return kind
    if any(start[place:].startswith(HDF5_MAGIC) for place in _HDF5_PLACES):
        return _kind_of_hdf5(path, start)
    if start.startswith(_ZIP_MAGICS) and zipfile.is_zipfile(path):
        return "npz"
    raise ValueError(_unknown(path, start))


def name_format(path: Path) -> str:
    """Return the format of a file in words, by what is in it.

    Examples
    --------
    >>> from partita.datasets import sample_path
    >>> name_format(sample_path())
    'NIfTI, compressed'
    """
    kind = recognise(path)
    return WORDS.get(kind, kind)


def _by_first_bytes(start: bytes) -> str | None:
    if start.startswith(GZIP_MAGIC):
        return "nifti.gz"
    if start.startswith(NETCDF3_MAGIC):
        return "netcdf"
    if start.startswith(_TIFF_MAGICS):
        return "tiff"
    if start.startswith(_NPY_MAGIC):
        return "npy"
    if start.startswith(b"MATLAB 5.0 MAT-file"):
        return "mat"
    is_avi = start.startswith(b"RIFF") and start[8:12] == b"AVI "
    if is_avi or start[4:8] in _QUICKTIME_ATOMS or start.startswith(_MATROSKA_MAGIC):
        return "video"
    magic = _nifti_magic(start)
    return "nifti" if magic and magic not in _HALF_NIFTI else None


def _nifti_magic(start: bytes) -> bytes | None:
    for place, magics in _NIFTI_MAGICS.items():
        if start[place : place + 4] in magics:
            return start[place : place + 4]
    return None


def _kind_of_hdf5(path: Path, start: bytes) -> str:
    """Return which layout an HDF5 file has; ``hdf5`` where it cannot be opened, to be refused."""
    if start.startswith(b"MATLAB 7.3"):
        return "mat73"
    try:
        with h5py.File(path, "r") as file:
            if "nwb_version" in file.attrs:
                return "nwb"
            if is_scan(file):
                return "scan"
            return "netcdf" if _is_netcdf(file) else "hdf5"
    except OSError:
        return "hdf5"


def _is_netcdf(file: h5py.File) -> bool:
    """Tell whether HDF5 was written as NetCDF: it says so, or all axes have scales in it."""
    if "_NCProperties" in file.attrs:
        return True
    arrays = [node for node in file.values() if isinstance(node, h5py.Dataset)]
    scales = [array for array in arrays if array.attrs.get("CLASS") == b"DIMENSION_SCALE"]
    others = [array for array in arrays if array not in scales]
    return bool(scales) and all(len(axis) for array in others for axis in array.dims)


def _unknown(path: Path, start: bytes) -> str:
    if not start:
        return f"{path} is empty. Copy or download it again."
    what = "has no such content"
    if _nifti_magic(start):
        what = "is half of a pair of NIfTI files (.hdr and .img)"
    if start.startswith(BINARY_SCAN):
        return (
            f"{path} looks like an Iconeus scan of the newer, binary layout, which is not "
            "published. Export it as NIfTI or as HDF5 (.scan of the older layout), and load that."
        )
    return (
        "load reads NIfTI, NetCDF, Zarr, TIFF, HDF5, NWB, AVI and MP4, .npy, .npz, .mat and "
        f"Iconeus scans; {path} {what}. If nibabel reads it, load the image: "
        "partita.load(nibabel.load(path))."
    )
