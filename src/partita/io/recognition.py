"""What the bytes of a file say of its format."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from partita.io.atomic import is_zarr_store

GZIP_MAGIC = b"\x1f\x8b"
NETCDF3_MAGIC = b"CDF"

_HDF5_MAGIC = b"\x89HDF"
_HDF5_PLACES = (0, 512, 1024, 2048)
_NIFTI_MAGICS = {344: (b"n+1\0", b"ni1\0"), 4: (b"n+2\0", b"ni2\0")}
_HALF_NIFTI = (b"ni1\0", b"ni2\0")
_QUICKTIME_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_MATROSKA_MAGIC = b"\x1aE\xdf\xa3"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
# What a file in Iconeus' newer, binary layout begins with.
_BINARY_SCAN = b"scan"
# What text in another encoding than UTF-8 begins with.
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_BYTES = 4096


class Content(NamedTuple):
    """A file and its first 4096 bytes; of a Zarr store, none."""

    path: Path
    start: bytes

    @classmethod
    def of(cls, path: Path) -> Content:
        """Return the content of a file, or of a Zarr store."""
        if path.is_dir() and is_zarr_store(path):
            return cls(path, b"")
        with path.open("rb") as file:
            return cls(path, file.read(_BYTES))


Test = Callable[[Content], bool]


def begins(*magics: bytes) -> Test:
    """Return a test of the first bytes of a file."""
    return lambda content: content.start.startswith(magics)


def inside_hdf5(fits: Callable[[Any], bool]) -> Test:
    """Return a test of what is in an HDF5 file; one that cannot be opened fails it."""

    def test(content: Content) -> bool:
        if not is_hdf5(content):
            return False
        try:
            with h5py.File(content.path, "r") as file:
                return fits(file)
        except (OSError, RuntimeError, KeyError):  # the library's words for damage
            return False

    return test


def is_zarr(content: Content) -> bool:
    """Tell whether it is a Zarr store."""
    return content.path.is_dir()


def is_hdf5(content: Content) -> bool:
    """Tell whether it is HDF5 of any layout, whole or damaged."""
    return any(content.start[place:].startswith(_HDF5_MAGIC) for place in _HDF5_PLACES)


def is_netcdf(content: Content) -> bool:
    """Tell whether it is NetCDF, of the classic format or in HDF5."""
    return content.start.startswith(NETCDF3_MAGIC) or inside_hdf5(_says_netcdf)(content)


def _says_netcdf(file: Any) -> bool:
    """Tell whether HDF5 was written as NetCDF: it says so, or all axes have scales in it."""
    if "_NCProperties" in file.attrs:
        return True
    own = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    arrays = [file[name] for name in own if isinstance(file[name], h5py.Dataset)]
    scales = [array for array in arrays if array.attrs.get("CLASS") == b"DIMENSION_SCALE"]
    others = [array for array in arrays if array not in scales]
    return bool(scales) and all(len(axis) for array in others for axis in array.dims)


def is_nifti(content: Content) -> bool:
    """Tell whether it is a NIfTI file that holds header and values."""
    magic = _nifti_magic(content.start)
    return magic is not None and magic not in _HALF_NIFTI


def _nifti_magic(start: bytes) -> bytes | None:
    for place, magics in _NIFTI_MAGICS.items():
        if start[place : place + 4] in magics:
            return start[place : place + 4]
    return None


def is_companion(content: Content) -> bool:
    """Tell whether it is OME-XML by itself, which describes the files of a set."""
    return bool(re.match(rb"(\xef\xbb\xbf)?\s*<", content.start)) and bool(
        re.search(rb"<(\w+:)?OME[\s>]", content.start)
    )


def is_video(content: Content) -> bool:
    """Tell whether it is AVI, MP4, MOV or Matroska."""
    start = content.start
    is_avi = start.startswith(b"RIFF") and start[8:12] == b"AVI "
    return is_avi or start[4:8] in _QUICKTIME_ATOMS or start.startswith(_MATROSKA_MAGIC)


def is_zip(content: Content) -> bool:
    """Tell whether it is a whole zip archive."""
    return content.start.startswith(_ZIP_MAGICS) and zipfile.is_zipfile(content.path)


def is_table(suffix: str) -> Test:
    """Return a test for text in a file of that suffix."""

    def test(content: Content) -> bool:
        is_text = b"\0" not in content.start or content.start.startswith(_UTF16_MARKS)
        return content.path.suffix.lower() == suffix and bool(content.start) and is_text

    return test


def is_nwb(file: Any) -> bool:
    """Tell whether an open HDF5 file is NWB."""
    return "nwb_version" in file.attrs


def is_scan(file: Any) -> bool:
    """Tell whether an open HDF5 file is laid out as an Iconeus scan."""
    return "Data" in file and "voxelsToProbe" in file.get("acqMetaData", {})


def unknown(content: Content, known: str) -> str:
    """Return what to say of a file of no format that is read."""
    path, start = content
    if not start:
        return f"{path} is empty. Copy or download it again."
    if start.startswith(_BINARY_SCAN):
        return (
            f"{path} looks like an Iconeus scan of the newer, binary layout, which is not "
            "published. Export it as NIfTI or as HDF5 (.scan of the older layout), and load that."
        )
    what = "has no such content"
    if _nifti_magic(start):
        what = "is half of a pair of NIfTI files (.hdr and .img)"
    return (
        f"load reads {known}; {path} {what}. If nibabel reads it, load the image: "
        "partita.load(nibabel.load(path))."
    )
