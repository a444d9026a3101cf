"""The table of file formats: how each is recognised, read, written and called."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import xarray as xr

from partita.io.recognition import (
    GZIP_MAGIC,
    Content,
    begins,
    inside_hdf5,
    is_companion,
    is_hdf5,
    is_netcdf,
    is_nifti,
    is_nwb,
    is_scan,
    is_table,
    is_video,
    is_zarr,
    is_zip,
    unknown,
)


class Loaded(NamedTuple):
    """A recording, what its user should be told, and whether Partita saved it, history and all."""

    recording: xr.DataArray
    notes: list[str]
    is_as_saved: bool = False


class Package(NamedTuple):
    """What a format needs beyond the core: a module, and the extra that installs it."""

    module: str
    extra: str
    called: str


@dataclass(frozen=True)
class Format:
    """A row of the table.

    Parameters
    ----------
    name : str
        For the code: ``"nifti.gz"``.
    words : str
        For people; what is before the comma stands in the list of all formats.
    fits : callable
        Tells by its `Content` whether a file is of the format, or a kind of it.
    read : str
        The reader, as ``"module:function"``, imported when such a file is met. Of a movie,
        ``read(path, wanted)`` returns a `Movie`, which `load` joins with others, cuts and labels;
        else ``read(path, wanted, chunks=chunks)`` returns `Loaded`.
    is_movie : bool
        Which of the two it is.
    options : tuple of str
        Those options of `load` that say something of such a file.
    suffixes : tuple of str
        How the names of such files end.
    write : str
        What saves a recording, ``write(recording, path, chunks=chunks, overwrite=overwrite)``,
        by the suffix.
    package : Package, optional
        What it needs beyond the core.
    """

    name: str
    words: str
    fits: Callable[[Content], bool]
    read: str
    is_movie: bool = True
    options: tuple[str, ...] = ("dataset", "dims", "frame_rate", "pixel_size")
    suffixes: tuple[str, ...] = ()
    write: str = ""
    package: Package | None = None

    def reader(self, path: Path) -> Callable[..., Any]:
        """Return the reader, or refuse the path as `require` does."""
        self.require(path)
        read: Callable[..., Any] = resolve_name(self.read)
        return read

    def writer(self, path: Path) -> Callable[..., Path]:
        """Return what writes recordings, or refuse the path as `require` does."""
        self.require(path)
        write: Callable[..., Path] = resolve_name(self.write)
        return write

    def require(self, path: Path) -> None:
        """Refuse a path where the package that it needs is not installed (ModuleNotFoundError)."""
        if self.package is not None and not _is_installed(self.package.module):
            raise ModuleNotFoundError(
                f"{path} needs the package {self.package.called}. Install it: "
                f'pip install "partita[{self.package.extra}]".',
                name=self.package.module,
            )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # a module that was blocked by None in sys.modules
        return False


_AV = Package("av", "movies", "av (PyAV)")
_TIFFFILE = Package("tifffile", "movies", "tifffile")
_ZARR = Package("zarr", "zarr", "zarr")

# A row may be a kind of one above it, as NWB is of HDF5: they are tried from the last to the first.
FORMATS: tuple[Format, ...] = (
    Format(
        "nifti", "NIfTI", is_nifti, "partita.io.nifti.image:read_nifti",
        is_movie=False, options=("frame_rate",),
        suffixes=(".nii",), write="partita.io.nifti.writing:write_nifti",
    ),
    Format(
        "nifti.gz", "NIfTI, compressed", begins(GZIP_MAGIC), "partita.io.nifti.image:read_nifti",
        is_movie=False, options=("frame_rate",),
        suffixes=(".nii.gz",), write="partita.io.nifti.writing:write_nifti",
    ),
    Format(
        "netcdf", "NetCDF", is_netcdf, "partita.io.stores.recordings:read_recording",
        is_movie=False, options=("dataset",),
        suffixes=(".nc",), write="partita.io.stores.recordings:write_recording",
    ),
    Format(
        "zarr", "Zarr", is_zarr, "partita.io.stores.recordings:read_recording",
        is_movie=False, options=("dataset",),
        suffixes=(".zarr",), write="partita.io.stores.recordings:write_recording", package=_ZARR,
    ),
    Format(
        "companion", "OME-XML of TIFF files", is_companion,
        "partita.io.movies.tiff:read_companion",
        suffixes=(".companion.ome",), package=_TIFFFILE,
    ),
    Format(
        "tiff", "TIFF", begins(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        "partita.io.movies.tiff:read_tiff", suffixes=(".tif", ".tiff"), package=_TIFFFILE,
    ),
    Format(
        "hdf5", "HDF5", lambda content: is_hdf5(content) and not is_netcdf(content),
        "partita.io.movies.hdf5:read_hdf5",
    ),
    Format("nwb", "NWB", inside_hdf5(is_nwb), "partita.io.movies.nwb:read_nwb"),
    Format("video", "AVI and MP4", is_video, "partita.io.movies.video:read_video", package=_AV),
    Format("npy", ".npy", begins(b"\x93NUMPY"), "partita.io.movies.npy:read_npy"),
    Format("npz", ".npz", is_zip, "partita.io.movies.npy:read_npz"),
    Format("mat", ".mat", begins(b"MATLAB 5.0 MAT-file"), "partita.io.movies.matlab:read_mat"),
    Format(
        "mat73", ".mat, version 7.3", begins(b"MATLAB 7.3"), "partita.io.movies.matlab:read_mat73"
    ),
    Format("scan", "Iconeus scans", inside_hdf5(is_scan), "partita.io.movies.iconeus:read_scan"),
    Format(
        "tsv", "TSV", is_table(".tsv"), "partita.io.tables.over_time:read_over_time",
        is_movie=False, options=("dims", "frame_rate"),
        suffixes=(".tsv",), write="partita.io.tables.table_writing:write_over_time",
    ),
    Format(
        "csv", "CSV", is_table(".csv"), "partita.io.tables.over_time:read_over_time",
        is_movie=False, options=("dims", "frame_rate"),
        suffixes=(".csv",), write="partita.io.tables.table_writing:write_over_time",
    ),
)  # fmt: skip


def recognise(path: Path) -> Format:
    """Return the format of a file, or of a Zarr store, by what is in it.

    Raises
    ------
    ValueError
        If it is empty, or of none of the formats.
    """
    content = Content.of(path)
    for row in reversed(FORMATS):
        if row.fits(content):
            return row
    *others, last = dict.fromkeys(row.words.partition(",")[0] for row in FORMATS)
    raise ValueError(unknown(content, f"{', '.join(others)} and {last}"))


def named(name: str) -> Format:
    """Return the row of that name."""
    return next(row for row in FORMATS if row.name == name)


def by_suffix(path: Path) -> Format:
    """Return the format that a recording is saved in at a path.

    Raises
    ------
    ValueError
        If no format that is written has such a suffix.
    """
    written = [row for row in FORMATS if row.write]
    for row in written:
        if path.name.endswith(row.suffixes):
            return row
    *others, last = [suffix for row in written for suffix in row.suffixes]
    raise ValueError(
        f"The suffix of {path} must be {', '.join(others)} or {last}; it decides how a recording "
        f"is saved. Give one of them: {path.name}.nc."
    )


def name_format(path: Path) -> str:
    """Return the format of a file in words, by what is in it.

    Examples
    --------
    >>> from partita.datasets import sample_path
    >>> name_format(sample_path())
    'NIfTI, compressed'
    """
    return recognise(path).words
