"""TIFF: stacks of pages, ImageJ, OME and ScanImage, parsed by tifffile."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from partita.io.hdf5_sources import is_outside, outside_words
from partita.io.lazy_array import (
    Array,
    Expanded,
    FileArray,
    LazyArray,
    Slices,
    Stamp,
    lengths,
    naming,
)
from partita.io.movies.description import Movie, name_axes
from partita.io.movies.ome_sets import first_file, main_file, missing_files, reader_of
from partita.io.movies.tiff_metadata import Layout, describe, describe_scanimage
from partita.io.request import Wanted


class ContiguousPages(FileArray):
    """Uncompressed pages one after the other: one array, mapped into memory.

    Parameters
    ----------
    path, shape, dtype
        As for `FileArray`.
    offset : int
        Bytes before the first value.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], *, offset: int
    ) -> None:
        super().__init__(path, shape, dtype)
        self.offset = offset

    def read(self, slices: Slices) -> Array:
        """Return values as they are stored."""
        mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        return np.array(mapped[slices])


class ScatteredPages(FileArray):
    """Pages anywhere in one or several files, compressed or not, each found by its offset.

    Parameters
    ----------
    path, dtype
        As for `FileArray`.
    page_shape : tuple of int
        Of every page.
    files : list of Stamp
        The files that hold the pages.
    places : numpy.ndarray of int, (*outer axes, 2)
        For each page the number of its file, and where its directory (IFD) starts there.
    """

    def __init__(
        self,
        path: Path,
        page_shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        files: list[Stamp],
        places: Array,
    ) -> None:
        super().__init__(path, (*places.shape[:-1], *page_shape), dtype)
        self.files = files
        self.places = places

    def read(self, slices: Slices) -> Array:
        """Return values, decoded page by page."""
        n_outer = self.places.ndim - 1
        wanted, within = self.places[slices[:n_outer]], slices[n_outer:]
        shape = lengths(slices, self.shape)
        values = np.empty((wanted[..., 0].size, *shape[n_outer:]), self.dtype)
        numbers, offsets = wanted.reshape(-1, 2).T
        for number in np.unique(numbers):
            rows = np.flatnonzero(numbers == number)
            self._decode(self.files[number], offsets[rows], within, into=values, rows=rows)
        return values.reshape(shape)

    def _decode(
        self, file: Stamp, offsets: Array, within: Slices, *, into: Array, rows: Array
    ) -> None:
        tifffile = import_module("tifffile")
        with tifffile.TiffFile(file.path) as tiff:
            first = tiff.pages.first
            for row, offset in zip(rows, offsets, strict=True):
                frame = tifffile.TiffFrame(tiff, 0, offset=int(offset), keyframe=first)
                into[row] = frame.asarray(maxworkers=1)[within]


def read_tiff(path: Path, wanted: Wanted, *, companion: Path | None = None) -> Movie:
    """Return the movie in a TIFF file; of its pages the directories are read, not the values.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    wanted : Wanted
        What the user says of it.
    companion : pathlib.Path, optional
        A file of OME-XML that describes it and others.

    Raises
    ------
    ModuleNotFoundError
        If tifffile is not installed, or what unpacks the file's compression is not.
    OSError
        If the file is damaged or cut short.
    ValueError
        If its images are of several sizes and none is chosen.
    """
    reader = reader_of(companion) if companion else import_module("tifffile").TiffFile
    with naming(path), _of_one_size(path), reader(path) as tiff:
        main = main_file(tiff, path)
        if main is not None:
            _refuse_elsewhere(main, path, wanted)
            if main.suffix.lower() not in (".tif", ".tiff"):
                return read_tiff(path, wanted, companion=main)
            return replace(read_tiff(main, wanted), name=_name(path))
        _refuse_broken_chain(tiff, path)
        _refuse_lost_tags(tiff, path)
        if tiff.is_scanimage:
            wanted.refuse_dataset(path)
            about = describe_scanimage(tiff, as_pages=wanted.dims is not None)
            values, axes = _laid_out(tiff, about.layout, path, wanted)
        else:
            series = _chosen(tiff, wanted, path)
            about = describe(tiff, series)
            _refuse_lost_images(tiff, series, path)
            values, axes = _values(series, path, wanted), tuple(series.axes)
        _refuse_codec(tiff.pages.first, path)
    whole, axes, wanted = _with_time(values, axes, wanted)
    return Movie(
        values=whole,
        dims=name_axes(whole.ndim, wanted, path, said=axes),
        name=_name(path),
        kind=about.kind,
        period=about.period,
        times=about.times,
        spacing=about.spacing,
        coords=about.coords,
        notes=about.notes,
        left_out=about.layout.left_out,
        files=frozenset(Path(one.path).resolve() for one in getattr(values, "files", ())),
    )


def read_companion(path: Path, wanted: Wanted) -> Movie:
    """Return the movie of a set of OME-TIFF files by the file of OME-XML that describes it.

    Raises
    ------
    OSError
        If it is damaged, or what it describes is missing.
    """
    first = first_file(path)
    _refuse_elsewhere(first, path, wanted)
    return replace(read_tiff(first, wanted, companion=path), name=_name(path))


def _name(path: Path) -> str:
    return path.name.partition(".")[0] or path.name


def _with_time(
    values: LazyArray, axes: tuple[str, ...], wanted: Wanted
) -> tuple[LazyArray, tuple[str, ...], Wanted]:
    """Return one frame as a movie of one, where the user names the axes of a movie."""
    dims = wanted.dims or ()
    if "time" not in dims or len(dims) != values.ndim + 1:
        return values, axes, wanted
    rest = tuple(dim for dim in dims if dim != "time")
    return Expanded(values, 0), ("time", *axes), wanted._replace(dims=("time", *rest))


def _chosen(tiff: Any, wanted: Wanted, path: Path) -> Any:
    """Return the one series of equal images, or the one that was asked for by number or name."""
    found = tiff.series
    if wanted.dataset is None and len(found) == 1:
        return found[0]
    listed = "; ".join(
        f"'{number}' {' x '.join(map(str, one.shape))} {one.dtype}"
        for number, one in enumerate(found)
    )
    if wanted.dataset is None:
        raise ValueError(
            f"{path} holds images of {len(found)} kinds, and the frames of a movie are of one "
            f"size and type: {listed}. Choose one: partita.load(path, dataset='0'), or write it "
            "to a file of its own."
        )
    for number, one in enumerate(found):
        if wanted.dataset in (str(number), one.name):
            return one
    raise ValueError(f"{path} holds no image {wanted.dataset!r}. Choose one of: {listed}.")


def _values(series: Any, path: Path, wanted: Wanted) -> FileArray:
    if series.dataoffset is not None:
        end = series.dataoffset + series.nbytes
        own = Path(series.keyframe.parent.filehandle.path)  # the only file of a set, maybe another
        _refuse_elsewhere(own, path, wanted)
        _refuse_cut(own, own.stat().st_size, end)
        stored = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
        return ContiguousPages(own, series.shape, stored, offset=series.dataoffset)
    pages = list(series)
    if any(page is None for page in pages):
        lost = missing_files(series.parent, path)
        names = f"{', '.join(lost)} are" if len(lost) > 1 else f"{''.join(lost) or 'others'} is"
        raise OSError(
            f"{path} is one of a set of OME-TIFF files, and others are missing beside it: {names} "
            "not there or not whole. Put all of them into its folder."
        )
    page_shape = series.keyframe.shape
    outer = series.shape[: len(series.shape) - len(page_shape)]
    return _scattered(pages, np.arange(len(pages)).reshape(outer), path, wanted)


def _laid_out(
    tiff: Any, layout: Layout, path: Path, wanted: Wanted
) -> tuple[FileArray, tuple[str, ...]]:
    """Return pages as the microscope interleaved them: volumes, planes, channels."""
    tiff.pages.useframes = True
    tiff.pages.set_keyframe(0)
    return _scattered(tiff.pages[:], layout.pages, path, wanted), (*layout.axes, "y", "x")


def _scattered(pages: list[Any], numbers: Array, path: Path, wanted: Wanted) -> ScatteredPages:
    """Return pages by their numbers (of the outer axes)."""
    first = pages[0].keyframe
    files: dict[str, int] = {}
    places = np.empty((len(pages), 2), np.int64)
    for row, page in enumerate(pages):
        handle = page.parent.filehandle
        if handle.path not in files:
            _refuse_elsewhere(Path(handle.path), path, wanted)
        _refuse_cut(Path(handle.path), handle.size, _end(page))
        places[row] = files.setdefault(handle.path, len(files)), page.offset
    return ScatteredPages(
        path, first.shape, first.dtype, files=[Stamp.of(f) for f in files], places=places[numbers]
    )


def _end(page: Any) -> int:
    pairs = zip(page.dataoffsets, page.databytecounts, strict=False)
    return max((offset + count for offset, count in pairs), default=0)


# What is refused


def _refuse_elsewhere(found: Path, path: Path, wanted: Wanted) -> None:
    if not wanted.allow_external and is_outside(found, path):
        raise PermissionError(outside_words(found, path))


@contextlib.contextmanager
def _of_one_size(path: Path) -> Iterator[None]:
    """Say in words what tifffile finds where a page differs from the first."""
    try:
        yield
    except RuntimeError as error:
        if "keyframe" not in str(error):
            raise
        raise ValueError(
            f"{path} holds images of several kinds, and the frames of a movie are of one size and "
            "type. Write those of one size to a file of their own."
        ) from error


def _refuse_broken_chain(tiff: Any, path: Path) -> None:
    """Refuse a file whose last readable page names a next one: the file ends before it."""
    place = tiff.pages.next_page_offset
    if place is None:
        return
    tiff.filehandle.seek(place)
    raw = tiff.filehandle.read(tiff.tiff.offsetsize)
    following = struct.unpack(tiff.tiff.offsetformat, raw)[0] if raw else -1
    if following != 0:
        raise OSError(_cut_short(path, f"it ends after {len(tiff.pages)} pages and names more"))


def _refuse_lost_tags(tiff: Any, path: Path) -> None:
    """Refuse a file whose first directory points beyond its end: what it says there is lost."""
    first, handle, about = tiff.pages.first, tiff.filehandle, tiff.tiff
    handle.seek(first.offset)
    n_tags = struct.unpack(about.tagnoformat, handle.read(about.tagnosize))[0]
    number, order = about.offsetsize, about.byteorder
    layout = f"{order}HH{'QQ' if number == 8 else 'II'}"
    for raw in struct.iter_unpack(layout, handle.read(n_tags * about.tagsize)):
        code, kind, count, offset = raw
        size = count * struct.calcsize(
            order + import_module("tifffile").TIFF.DATA_FORMATS.get(kind, "B")
        )
        if code not in first.tags and size > number and offset + size > handle.size:
            raise OSError(_cut_short(path, f"what its tag {code} says lies beyond the end"))


def _refuse_lost_images(tiff: Any, series: Any, path: Path) -> None:
    """Refuse a file of which ImageJ says that it holds more images than there are."""
    about = tiff.imagej_metadata or {}
    stated = int(about.get("images", 1))
    if series.kind != "imagej" and stated > len(tiff.pages):
        what = f"ImageJ says that it holds {stated} images, and {len(tiff.pages)} are there"
        raise OSError(_cut_short(path, what))


def _refuse_cut(path: Path, size: int, end: int) -> None:
    if end > size:
        what = f"it has {size} bytes, and its pages need {end}"
        raise OSError(_cut_short(path, what))


def _cut_short(path: Path, what: str) -> str:
    return (
        f"{path} is cut short: {what}. Copy or download it again; if the acquisition was "
        "interrupted, open it in ImageJ and save the whole frames to a new file."
    )


def _refuse_codec(page: Any, path: Path) -> None:
    """Refuse compression that tifffile cannot undo as it is installed."""
    tables = import_module("tifffile").TIFF
    try:
        if page.compression != 1:
            tables.DECOMPRESSORS[page.compression]
        if page.predictor != 1:
            tables.UNPREDICTORS[page.predictor]
    except KeyError as error:
        code = getattr(page.compression, "name", page.compression)
        raise ModuleNotFoundError(
            f"{path} is compressed with {code}, which tifffile does not undo by itself. Install "
            "its codecs: pip install imagecodecs; or save the file without compression.",
            name="imagecodecs",
        ) from error
