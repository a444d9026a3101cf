"""What ImageJ, OME and ScanImage write into TIFF files: times, pixel sizes, interleaving."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.time import in_seconds
from partita.io.millimetres import axis_coordinate, in_millimetres

Array = np.ndarray[Any, Any]


class Layout(NamedTuple):
    """How pages are interleaved: axes, and the number of the page at each place of them."""

    axes: tuple[str, ...]
    pages: Array
    left_out: int = 0


class About(NamedTuple):
    """What a TIFF file says of itself; the fields of a `Movie` of the same names."""

    kind: str = "TIFF"
    period: float | None = None
    times: Array | None = None
    spacing: Mapping[str, float] = {}
    coords: Mapping[str, xr.DataArray] = {}
    notes: tuple[str, ...] = ()
    layout: Layout = Layout((), np.empty(0, int))


def describe(tiff: Any, series: Any) -> About:
    """Return what ImageJ or OME metadata say of the images of a series.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        Open.
    series : tifffile.TiffPageSeries
        The images that are read.
    """
    if tiff.is_ome:
        return _ome(tiff, tiff.series.index(series))
    if tiff.is_imagej:
        return _imagej(tiff)
    return About()


# ImageJ

# Resolutions in these units are those of printing, and mean nothing for what was seen.
_PRINTED = ("cm", "inch")


def _imagej(tiff: Any) -> About:
    about = tiff.imagej_metadata or {}
    unit = str(about.get("unit", ""))
    unit = "" if unit in _PRINTED else unit
    spacing = {
        dim: in_millimetres(1 / per_unit, unit)
        for dim, tag in (("y", 283), ("x", 282))
        if (per_unit := _rational(tiff.pages.first.tags.valueof(tag)))
    }
    if about.get("spacing"):
        spacing["z"] = in_millimetres(abs(float(about["spacing"])), unit)
    known = {dim: step for dim, step in spacing.items() if step}
    return About("ImageJ TIFF", period=_imagej_period(about), spacing=known)


def _imagej_period(about: Mapping[str, Any]) -> float | None:
    """Return the frame interval in seconds; where there is none, that of the playback."""
    interval, rate = (_number(about.get(key)) for key in ("finterval", "fps"))
    if interval > 0:
        return in_seconds(interval, str(about.get("tunit", "s")))
    return 1 / rate if rate > 0 else None


def _rational(value: Any) -> float:
    """Return a fraction of two numbers; 0 where it is none."""
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return 0.0
    return float(value[0]) / float(value[1])


def _number(value: Any) -> float:
    """Return a number; 0 where there is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if np.isfinite(number) else 0.0


# OME


def _ome(tiff: Any, number: int) -> About:
    """Return what the OME-XML says of one of its images."""
    images = _several(import_module("tifffile").xml2dict(tiff.ome_metadata)["OME"].get("Image"))
    pixels = images[number]["Pixels"] if number < len(images) else {}
    spacing = {
        dim: in_millimetres(size, str(pixels.get(f"PhysicalSize{dim.upper()}Unit", "µm")))
        for dim in ("z", "y", "x")
        if (size := _number(pixels.get(f"PhysicalSize{dim.upper()}"))) > 0
    }
    unit = str(pixels.get("TimeIncrementUnit", "s"))
    step = in_seconds(_number(pixels.get("TimeIncrement")), unit) or 0.0
    names = [str(one.get("Name", "")) for one in _several(pixels.get("Channel"))]
    coords = {}
    if len(names) > 1 and all(names) and len(set(names)) == len(names):
        coords["channel"] = xr.DataArray(names, dims="channel")
    return About(
        "OME-TIFF",
        period=step if step > 0 else None,
        times=None if step > 0 else _plane_times(pixels),
        spacing={dim: size for dim, size in spacing.items() if size},
        coords=coords,
        notes=_no_lengths(pixels, [dim for dim, size in spacing.items() if size is None]),
    )


def _no_lengths(pixels: Mapping[str, Any], dims: list[str]) -> tuple[str, ...]:
    """Tell of pixel sizes that are left out because their unit is no length."""
    if not dims:
        return ()
    units = dict.fromkeys(str(pixels.get(f"PhysicalSize{dim.upper()}Unit")) for dim in dims)
    return (
        f"its pixel sizes along {', '.join(dims)} are in {', '.join(units)}, which is no length; "
        "they are left out. Give them in mm: pixel_size=.",
    )


def _plane_times(pixels: Mapping[str, Any]) -> Array | None:
    """Return when the first plane of each time was taken, in seconds, where all say it."""
    times: dict[int, float] = {}
    for plane in _several(pixels.get("Plane")):
        start = in_seconds(_number(plane.get("DeltaT")), str(plane.get("DeltaTUnit", "s")))
        first = int(plane.get("TheZ", 0)) == 0 and int(plane.get("TheC", 0)) == 0
        if first and start is not None and "DeltaT" in plane:
            times[int(plane.get("TheT", 0))] = start
    n_times = int(pixels.get("SizeT", 0))
    if sorted(times) != list(range(n_times)) or not times:
        return None
    return np.array([times[number] for number in range(n_times)])


def _several(value: Any) -> list[Any]:
    """Return what XML has once or several times as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


# ScanImage


def describe_scanimage(tiff: Any, *, as_pages: bool) -> About:
    """Return what ScanImage says of its pages, and how it interleaved them.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        Open.
    as_pages : bool
        Leave the pages as they lie, one after the other.
    """
    about, n_pages = scanimage_settings(tiff), len(tiff.pages)
    spacing = _scanimage_pixels(about, tiff.pages.first.shape)
    layout = scanimage_layout(about, n_pages)
    n_planes = dict(zip(layout.axes, layout.pages.shape, strict=True)).get("z", 1)
    period = _scanimage_period(about, volumes=n_planes > 1)
    if as_pages:
        is_plain = layout.axes == ("time",)
        pages = Layout(("time",), np.arange(n_pages))
        return About("ScanImage TIFF", period if is_plain else None, spacing=spacing, layout=pages)
    channels = np.ravel(about.get("SI.hChannels.channelSave", 1))
    notes: tuple[str, ...] = ()
    if layout.left_out:
        left = f"the last {layout.left_out} of {n_pages} pages"
        notes = (f"{left} are no whole volume and are left out.",)
    return About(
        "ScanImage TIFF",
        period,
        spacing=spacing,
        coords={"channel": xr.DataArray(channels, dims="channel"), **_planes(about, n_planes)},
        notes=notes,
        layout=layout,
    )


def scanimage_settings(tiff: Any) -> dict[str, Any]:
    """Return ScanImage's settings, wherever its version wrote them.

    The header of a BigTIFF file, the software tag (``SI.…``), or the description of the first
    page (``scanimage.SI.…``, ``state.…``).
    """
    about = (tiff.scanimage_metadata or {}).get("FrameData")
    if about:
        return dict(about)
    first = tiff.pages.first
    text = first.software if first.software.startswith("SI.") else first.description
    lines = re.findall(r"^(?:scanimage\.)?((?:SI|state)\.\S+?)\s*=\s*(.*?)\s*$", text, re.MULTILINE)
    parse = import_module("tifffile").matlabstr2py
    return {key: parse(value) for key, value in lines}


def scanimage_layout(about: Mapping[str, Any], n_pages: int) -> Layout:
    """Return how ScanImage interleaved its pages.

    Channels vary fastest, then repeats at one plane, then planes; flyback frames end each volume
    and are left out, and so is a last volume that is not whole.

    Parameters
    ----------
    about : Mapping
        Settings by their names, such as ``SI.hChannels.channelSave``.
    n_pages : int
        Pages in the file.
    """
    n_channels = np.ravel(about.get("SI.hChannels.channelSave", 1)).size
    n_planes, n_repeats, n_frames = _volume(about)
    if n_planes * n_repeats > n_frames or n_frames * n_channels > n_pages:
        n_planes, n_repeats, n_frames = 1, 1, 1
    n_volumes, left = divmod(n_pages, n_frames * n_channels)
    whole = np.arange(n_pages - left).reshape(n_volumes, n_frames, n_channels)
    kept = whole[:, : n_planes * n_repeats]
    pages: Array = kept.reshape(n_volumes, n_planes, n_repeats, n_channels)
    axes = ["time"]
    for axis, name in ((3, "channel"), (2, "repeat"), (1, "z")):
        if pages.shape[axis] == 1:
            pages = pages.squeeze(axis)
        else:
            axes.insert(1, name)
    return Layout(tuple(axes), pages, left)


def _volume(about: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return planes, repeats at each plane, and frames in a volume with its flyback."""
    stack = "SI.hStackManager."
    if not (about.get(stack + "enable") or about.get("SI.hFastZ.enable")):
        return 1, 1, 1
    n_planes = _count(about.get(stack + "actualNumSlices", about.get(stack + "numSlices")))
    n_repeats = _count(about.get(stack + "framesPerSlice"))
    flyback = int(_number(about.get("SI.hFastZ.numDiscardFlybackFrames")))
    n_frames = _count(
        about.get(stack + "numFramesPerVolumeWithFlyback", n_planes * n_repeats + flyback)
    )
    return n_planes, n_repeats, n_frames


def _count(value: Any) -> int:
    return max(int(_number(value)), 1)


def _scanimage_period(about: Mapping[str, Any], *, volumes: bool) -> float | None:
    rate = _number(about.get("SI.hRoiManager.scanVolumeRate")) if volumes else 0.0
    rate = rate or _number(
        about.get("SI.hRoiManager.scanFrameRate", about.get("state.acq.frameRate"))
    )
    averaged = 1 if volumes else _count(about.get("SI.hScan2D.logAverageFactor"))
    return averaged / rate if rate > 0 else None


def _scanimage_pixels(about: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, float]:
    """Return mm per pixel from the corners of the field of view in µm."""
    corners = np.array(about.get("SI.hRoiManager.imagingFovUm", []), dtype=float)
    if corners.shape != (4, 2) or about.get("SI.hRoiManager.mroiEnable"):
        return {}
    width, height = np.ptp(corners, axis=0)
    steps = {"y": height / 1000 / shape[-2], "x": width / 1000 / shape[-1]}
    return steps if min(steps.values()) > 0 else {}


def _planes(about: Mapping[str, Any], n_planes: int) -> dict[str, xr.DataArray]:
    depths = np.ravel(about.get("SI.hStackManager.zs", []))
    if depths.size != n_planes or depths.dtype.kind not in "iuf":
        return {}
    return {"z": axis_coordinate("z", depths / 1000, float(np.median(np.diff(depths))) / 1000)}
