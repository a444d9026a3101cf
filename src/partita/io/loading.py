"""Recordings from files and images, by what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr

from partita._labels.attrs import append_history
from partita._labels.warn import warn
from partita.io.formats import Loaded, named, recognise
from partita.io.inheritance import inherited
from partita.io.lazy_array import HEADERS
from partita.io.movies.joining import read_movies
from partita.io.nifti.image import recording_from_image
from partita.io.nifti.sidecar import sidecar_path, stem
from partita.io.paths import files_of, is_path_or_paths
from partita.io.request import Wanted


def load(
    source: str | PathLike[str] | Sequence[str | PathLike[str]] | Any,
    *,
    dataset: str | None = None,
    dims: Sequence[str] | None = None,
    frame_rate: float | None = None,
    pixel_size: float | Sequence[float] | None = None,
    chunks: Any = "auto",
    allow_external: bool = False,
) -> xr.DataArray:
    """Load a recording from images, movies and arrays in files, or from a nibabel image.

    Read are NIfTI, NetCDF and Zarr; TIFF (plain, ImageJ, OME, ScanImage); HDF5, NWB and Iconeus
    scans; AVI, MP4 and MOV; ``.npy``, ``.npz`` and MATLAB's ``.mat``; tables in TSV and CSV. What
    is in a file decides, not its suffix, but for tables. The result is lazy: values are read where
    they are used, by blocks of time. Only ``.npz`` and ``.mat`` before version 7.3, which compress
    an array as one piece, are read as a whole when first used, and tables at once.

    Parameters
    ----------
    source : str, path-like, sequence of them, or nibabel image
        A file, or a Zarr store. Several movies are joined along time in natural order (frame2
        before frame10), their times going on from file to file: a list, a pattern such as
        ``"session/*.tif"``, or a folder of TIFF files.
    dataset : str, optional
        Which array of a file that holds several: a path in HDF5 and NWB, a variable of ``.mat``,
        ``.npz``, NetCDF and Zarr, the number or name of an image series in TIFF. Without it, the
        only array with three axes or more, else the only one with two.
    dims : sequence of str, optional
        What the axes of the array are, in the order of the file: ``("y", "x", "time")``. Without
        it they are what the file says, else ``(time, y, x)``, ``(time, z, y, x)`` or
        ``(time, neuron)`` by their number; in ``.mat`` files, in the order of MATLAB's ``size``,
        ``(y, x, time)``, ``(y, x, z, time)`` or ``(neuron, time)``. Of a table, its rows and
        columns: ``("time", "muscle")``; else ``(time, feature)``.
    frame_rate : float, optional
        Hz; of whole volumes where there are several planes. Goes before what the file, its sidecar
        or a column of times says.
    pixel_size : float or pair of float, optional
        mm from one pixel to the next, the same along y and x or a pair (y, x). Goes before what
        the file says.
    chunks : "auto", int, Mapping or None
        ``"auto"`` cuts time to dask's chunk size; a number cuts it to so many samples; a mapping
        says it by dimension; None reads the recording into memory.
    allow_external : bool
        Whether a file may take values from files outside its own folder: by links, virtual data
        sets and external storage in HDF5 and NWB, and names of other files in OME-TIFF. Such a
        file, from somebody else, would have any file of yours read as a recording.

    Returns
    -------
    xarray.DataArray, (time, ..., z, y, x)
        ``time`` in seconds; ``x``, ``y``, ``z`` in mm. Each is there as far as the file has it.

        *Movies and arrays* keep the type of their values. Interleaved channels and planes are the
        dimensions ``channel`` and ``z``. Without a pixel size ``y`` and ``x`` have no coordinate.

        *NIfTI* is (time, z, y, x): (y, x) from a 2-D file, (z, y, x) from a 3-D one; a fifth
        dimension comes last as ``volume``. float32 for stored float32 and for integers of up to
        16 bits, scaled or not; else float64. ``x``, ``y``, ``z`` are the scanner's where the
        voxel axes are, else along the voxel axes, which a warning says. The scalar coordinate
        ``grid`` holds in its attributes ``affine`` (16 numbers row by row, from the recording's
        own x, y, z to scanner mm), ``qform_code`` and ``sform_code``. ``time`` is the start of
        each volume: ``VolumeTiming`` of the BIDS sidecar (the same name with ``.json``, and those
        up the tree of a data set whose entities all are in the name; the nearer is believed) as
        given, else ``DelayAfterTrigger`` + i x ``RepetitionTime``, else what the header says.
        Numbers of the header are read as the shortest decimals they print as. The other fields of
        the sidecar become attributes in snake_case.

        *NetCDF and Zarr* are as they were saved.

        *Tables* have their times in a column ``time`` (s, or ``time [ms]``); the other columns,
        all of numbers, are one dimension with their names. Cells that are empty or ``n/a`` are NaN.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file, or it is a folder without TIFF files; the message names it.
    OSError
        If a file is truncated, damaged, or open for writing, or takes values from a file that is
        missing: when its size or headers tell, here, else when the missing part is first read.
    PermissionError
        If a file takes values from outside its folder, and `allow_external` is not given.
    ValueError
        If the format is none of these; if it holds several arrays and none is chosen, or images
        of several sizes; if an option cannot be right or is not for this format; if files to be
        joined are not alike; if a table has columns of words or a row without a time; if a sidecar
        is not a JSON object, or its timing is not numeric, not positive, or ``VolumeTiming`` has
        another length than the recording.
    TypeError
        If `source` is something else, or holds complex or colour values, or pickled objects.
    ModuleNotFoundError
        If a package is missing, or a codec; the message has the command that installs it.

    Warns
    -----
    UserWarning
        Each is one sentence that names the file. No frame rate or repetition time: frames are
        numbered from 0, in units of "1". Files that are joined were given in another order than
        the natural one. Pages that make no whole volume are left out. In NIfTI: no unit of space
        or time in the header: mm and seconds are taken. Negative sizes or times: their magnitude
        is. An sform or qform that is not finite or is flat: it is left out, and the next of
        sform, qform, voxel sizes is taken. Voxel sizes of zero: 1 mm is. An oblique affine: the
        coordinates lie along the voxel axes, and the affine is kept exactly. Header and sidecar
        disagree on the repetition time by more than 1 %: the sidecar is believed; sidecars up the
        tree do: the nearer is. Volumes 100 s apart and more, or less than 10 ms: milliseconds and
        seconds may have been confused. An image that another program has written since its sidecar
        was saved. In tables: no column of times.

    Examples
    --------
    >>> import tempfile
    >>> import partita
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/movie.npy", np.zeros((60, 4, 3), np.uint8))
    ...     movie = partita.load(f"{folder}/movie.npy", frame_rate=30, pixel_size=0.002)
    >>> dict(movie.sizes)
    {'time': 60, 'y': 4, 'x': 3}
    >>> movie.time.values[[0, -1]], movie.y.values
    (array([0.        , 1.96666667]), array([0.   , 0.002, 0.004, 0.006]))

    >>> import nibabel
    >>> image = nibabel.Nifti1Image(np.zeros((4, 3, 1, 10), np.float32), np.diag([0.1, 0.1, 1, 1]))
    >>> image.header.set_xyzt_units("mm", "sec")
    >>> image.header["pixdim"][4] = 0.3
    >>> recording = partita.load(image)
    >>> dict(recording.sizes)
    {'time': 10, 'z': 1, 'y': 3, 'x': 4}
    >>> recording.time.values[:3]
    array([0. , 0.3, 0.6])
    """
    wanted = Wanted.checked(
        dataset=dataset,
        dims=dims,
        frame_rate=frame_rate,
        pixel_size=pixel_size,
        allow_external=allow_external,
    )
    if is_path_or_paths(source):
        files = files_of(source)
        loaded = _read(files.paths, wanted, chunks=chunks)
        notes, names = [*files.notes, *loaded.notes], [path.name for path in files.paths]
    elif hasattr(source, "dataobj") and hasattr(source, "affine"):
        image: Any = source
        others = [one for one in wanted.given if one not in named("nifti").options]
        _refuse_options(others, "The image", "NIfTI")
        loaded = recording_from_image(image, wanted, chunks=chunks)
        notes, names = loaded.notes, [Path(image.get_filename() or "image").name]
    else:
        raise TypeError(
            "load takes several paths, a path or a nibabel image, and was given "
            f"{type(source).__name__}. An array becomes a recording by xr.DataArray(values, "
            "dims=('time', 'y', 'x'))."
        )
    for note in notes:
        warn(f"{names[0]}: {note}")
    if loaded.is_as_saved:
        return loaded.recording
    return append_history(loaded.recording, _line(names, wanted))


def _line(names: list[str], wanted: Wanted) -> str:
    """Return what the history says of a recording that comes from files of these names."""
    files = repr(names[0]) if len(names) == 1 else f"[{names[0]!r}, ..., {names[-1]!r}]"
    options = [f"{option}={getattr(wanted, option)!r}" for option in wanted.given]
    return f"load({', '.join([files, *options])})"


def load_headers(source: str | PathLike[str], **options: Any) -> xr.DataArray:
    """Return a recording with its labels and without its values, which are zeros of no size.

    Parameters
    ----------
    source : str or path-like
        As for `load`.
    **options
        As for `load`, but for `chunks`.
    """
    return load(source, chunks=HEADERS, **options)


def read_by(source: str | PathLike[str] | Sequence[str | PathLike[str]]) -> list[Path]:
    """Return the files that loading a recording reads, the sidecars of images among them."""
    paths = files_of(source).paths
    above = [file for path in paths for file in inherited(path, stem(path))]
    return [*paths, *(sidecar_path(path) for path in paths), *above]


def _read(paths: list[Path], wanted: Wanted, *, chunks: Any) -> Loaded:
    formats = [recognise(path) for path in paths]
    others = [(path, row) for path, row in zip(paths, formats, strict=True) if not row.is_movie]
    if not others:
        return read_movies(paths, formats, wanted, chunks=chunks)
    if len(paths) > 1:
        path, row = others[0]
        raise ValueError(
            f"load joins movies along time, and {path} is {row.words}. Load each and join them: "
            "xarray.concat([partita.load(path) for path in paths], 'time')."
        )
    path, row = paths[0], formats[0]
    _refuse_options([one for one in wanted.given if one not in row.options], path, row.words)
    loaded: Loaded = row.reader(path)(path, wanted, chunks=chunks)
    return loaded


def _refuse_options(given: list[str], path: Path | str, kind: str) -> None:
    if given:
        raise ValueError(
            f"{path} is {kind}, which says itself what {' and '.join(given)} would. Leave that "
            "out; to change times or positions, recording.assign_coords(time=...)."
        )
