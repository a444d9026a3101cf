"""AVI, MP4, MOV and Matroska, decoded by PyAV; colours are read as brightness."""

from __future__ import annotations

import struct
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from partita.io.lazy_array import Array, FileArray, Slices, lengths, naming
from partita.io.movies.description import Movie, name_axes
from partita.io.request import Wanted

# Shares of red, green and blue in brightness (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114])


# Damage that a codec notices is an error: otherwise it would be painted over in silence.
_STRICT = {"err_detect": "explode"}


class Index(NamedTuple):
    """Where the frames of a video are.

    ``stamps`` are presentation times in units of the stream, ascending; ``keys`` the numbers of
    the frames at which decoding may begin.
    """

    stamps: Array
    keys: Array


class Header(NamedTuple):
    """What a video says of itself.

    ``tick`` is the unit of its times in s, ``rate`` in Hz, ``n_frames`` and ``duration`` (s) are
    what it promises, each 0 where it does not; ``sample`` is the first frame.
    """

    codec: str
    tick: float
    rate: float
    n_frames: int
    duration: float
    sample: Array


class VideoFrames(FileArray):
    """The frames of a video; decoding begins at the key frame before those wanted.

    Parameters
    ----------
    path, shape, dtype
        As for `FileArray`.
    index : Index
        Of all frames.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], *, index: Index
    ) -> None:
        super().__init__(path, shape, dtype)
        self.index = index

    def read(self, slices: Slices) -> Array:
        """Return the brightness of frames."""
        times, *within = slices
        wanted = range(self.shape[0])[times]
        values = np.empty(lengths(slices, self.shape), self.dtype)
        rows = {number: row for row, number in enumerate(wanted)}
        for number, frame in self._decoded(wanted):
            if number in rows:
                values[rows.pop(number)] = self._brightness(frame)[tuple(within)]
        if rows:
            raise OSError(
                f"{self.path} is damaged: {len(rows)} frames cannot be decoded, the first is "
                f"number {min(rows)}. Copy it again, or convert what is whole: ffmpeg -i "
                f"{self.path.name} -c:v ffv1 whole.avi"
            )
        return values

    def _decoded(self, wanted: range) -> Any:
        """Yield (number, frame) from a key frame up to the last one wanted."""
        if not wanted:
            return
        stamps, keys = self.index
        with import_module("av").open(str(self.path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = _STRICT
            before = keys[keys <= wanted[0]]
            if before.size and before[-1] > 0:
                container.seek(int(stamps[before[-1]]), stream=stream, backward=True)
            for frame in container.decode(stream):
                number = int(np.searchsorted(stamps, frame.pts))
                yield number, frame
                if number >= wanted[-1]:
                    return

    def _brightness(self, frame: Any) -> Array:
        if (frame.height, frame.width) != self.shape[1:]:
            raise OSError(
                f"{self.path} changes its frame size from {self.shape[1:]} to "
                f"{(frame.height, frame.width)}, and the frames of a movie are of one size. Split "
                "it with ffmpeg."
            )
        return brightness(frame)


def brightness(frame: Any) -> Array:
    """Return the brightness of a decoded frame, (y, x), as it is stored where it is.

    Grey and luma planes are taken as they are; red, green and blue are weighed, so that equal
    ones give their value.
    """
    about = frame.format
    if about.is_rgb or about.has_palette:
        wide = about.components[0].bits > 8
        colours = frame.to_ndarray(format="rgb48le" if wide else "rgb24")
        return np.rint(colours @ _LUMA).astype(colours.dtype)
    if len(about.components) > 1 and not about.is_planar:
        frame = frame.reformat(format="yuv444p")
    return _first_plane(frame)


def _first_plane(frame: Any) -> Array:
    plane = frame.planes[0]
    depth = frame.format.components[0].bits
    order = ">" if frame.format.is_big_endian else "<"
    dtype = np.dtype(np.uint8) if depth <= 8 else np.dtype(f"{order}u2")
    lines = np.frombuffer(plane, dtype).reshape(frame.height, plane.line_size // dtype.itemsize)
    return lines[:, : frame.width].astype(dtype.newbyteorder("="))


def read_video(path: Path, wanted: Wanted) -> Movie:
    """Return the movie in a video file. Its packets are counted, not decoded; one frame is.

    Raises
    ------
    ModuleNotFoundError
        If PyAV is not installed.
    OSError
        If the file is damaged or cut short.
    ValueError
        If it has no video, or one of an unknown codec; if `wanted` names a data set.
    """
    wanted.refuse_dataset(path)
    av = import_module("av")
    _refuse_cut_avi(path)
    with naming(path), av.open(str(path)) as container:
        header = _header(container, path)
    with naming(path), av.open(str(path)) as container:
        index = _indexed(container, path)
    times = (index.stamps - index.stamps[0]) * header.tick
    shape = (index.stamps.size, *header.sample.shape)
    return Movie(
        values=VideoFrames(path, shape, header.sample.dtype, index=index),
        dims=name_axes(3, wanted, path),
        name=path.name.partition(".")[0] or path.name,
        kind=f"video, {header.codec}",
        notes=_lost(header.n_frames, header.duration, times),
        **_timing(times, header.rate),
    )


def _header(container: Any, path: Path) -> Header:
    """Return what a video says of itself; one frame is decoded."""
    stream = _stream(container, path)
    stream.codec_context.options = _STRICT
    is_alone = len(container.streams.get()) == 1  # sound may last longer than the frames
    sample = next(iter(container.decode(stream)), None)
    if sample is None:
        raise OSError(f"{path} holds no frame that can be decoded. Copy or download it again.")
    return Header(
        codec=stream.codec_context.name,
        tick=float(stream.time_base),
        rate=float(stream.average_rate or 0),
        n_frames=int(stream.frames),
        duration=(container.duration or 0) / 1e6 if is_alone else 0.0,
        sample=brightness(sample),
    )


def _lost(stated: int, duration: float, times: Array) -> tuple[str, ...]:
    """Tell of frames, or seconds, that the header promises and the file does not have."""
    gap = np.diff(times).max(initial=0)
    if stated > times.size:
        promised, there = f"{stated} frames", f"{times.size}"
    elif duration > times[-1] + 2 * gap and times.size > 1:
        promised, there = f"{duration:.6g} s", f"{times[-1] + gap:.6g} s"
    else:
        return ()
    return (
        f"its header promises {promised}, and {there} are there. Either the camera dropped some, "
        "or the file is cut short: then copy or download it again.",
    )


def _timing(times: Array, rate: float) -> dict[str, Any]:
    """Return an even period where times are those of the stated rate, else the times."""
    # Up to half a frame: containers round times to their own ticks, and cameras show late frames.
    if rate > 0 and np.abs(times - np.arange(times.size) / rate).max() < 0.5 / rate:
        return {"period": 1 / rate}
    return {"times": times}


def _stream(container: Any, path: Path) -> Any:
    if not container.streams.get():
        raise OSError(
            f"{path} is cut short or damaged: its table of contents is lost. Copy or download it "
            "again."
        )
    if not container.streams.video:
        raise ValueError(f"{path} has no video in it. Check the name.")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise ValueError(
            f"{path} is encoded with a codec that PyAV does not know. Convert it with the program "
            f"that wrote it, without compression, or with ffmpeg: ffmpeg -i {path.name} -c:v ffv1 "
            "movie.avi"
        )
    return stream


def _indexed(container: Any, path: Path) -> Index:
    """Return where the frames are, from the packets."""
    stamps: list[int] = []
    keys: list[int] = []
    for packet in container.demux(container.streams.video[0]):
        if not packet.size:
            continue
        stamp = packet.pts if packet.pts is not None else packet.dts
        stamps.append(stamp)
        if packet.is_keyframe:
            keys.append(stamp)
    if None in stamps or len(set(stamps)) < len(stamps):
        raise ValueError(
            f"{path} does not say when its frames are shown. Write it anew: ffmpeg -i {path.name} "
            "-c:v ffv1 movie.avi"
        )
    ordered = np.sort(np.array(stamps, np.int64))
    return Index(ordered, np.searchsorted(ordered, np.sort(np.array(keys, np.int64))))


def _refuse_cut_avi(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    if not start.startswith(b"RIFF"):
        return
    stated, size = struct.unpack("<I", start[4:])[0] + 8, path.stat().st_size
    if size < stated:
        raise OSError(
            f"{path} is cut short: it has {size} bytes, and its header promises {stated}. Copy or "
            "download it again; what is left may be saved by ffmpeg -i "
            f"{path.name} -c:v ffv1 rest.avi"
        )
