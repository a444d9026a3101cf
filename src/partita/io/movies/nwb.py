"""NWB: series of images (``TwoPhotonSeries``, ``OnePhotonSeries``, ``ImageSeries``), and traces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from partita.io.entries import Entry, choose
from partita.io.hdf5_sources import Hdf5Tree, refuse, refuse_sources, tree_of
from partita.io.millimetres import in_millimetres
from partita.io.movies.description import DEFAULT_DIMS, Movie, name_axes
from partita.io.movies.hdf5 import Hdf5Values, arrays_in, opened
from partita.io.request import Wanted

Array = np.ndarray[Any, Any]

SERIES = ("TwoPhotonSeries", "OnePhotonSeries")
# Images of any kind, what motion correction made among them; read where there are none above.
_IMAGES = ("ImageSeries", "OpticalSeries")

# The schema keeps frames with their width first.
_SERIES_DIMS = {3: ("time", "x", "y"), 4: ("time", "x", "y", "z")}
_PLANE_TEXTS = ("description", "indicator", "location")


def read_nwb(path: Path, wanted: Wanted) -> Movie:
    """Return a movie of an NWB file, or another series or array in it that is named by its path.

    Times are ``timestamps``, else ``starting_time`` and its ``rate``, else the imaging plane's
    ``imaging_rate``; pixel sizes are the plane's ``grid_spacing``, else the field of view.

    Raises
    ------
    OSError
        If the file is damaged, or the frames are in another file.
    ValueError
        If no series, or several, may be meant.
    """
    with opened(path) as file:
        tree = tree_of(file, path, external=wanted.allow_external)
        series = {name: node for name, node in tree.groups.items() if _is_series(node)}
        if wanted.dataset is None:
            return _movie(file, _only_images(series, tree, path), path, wanted)
        name = _named(file, wanted.dataset, series, tree)
        if name is not None:
            return _movie(file, name, path, wanted)
        entry = choose(arrays_in(file, path, wanted), wanted.dataset, path=path, kind="NWB")
        return _plain_array(path, entry, wanted)


def _is_series(node: Any) -> bool:
    return "neurodata_type" in node.attrs and isinstance(node.get("data"), h5py.Dataset)


def _only_images(series: Mapping[str, Any], tree: Hdf5Tree, path: Path) -> str:
    """Return the only series of images, those of microscopes before others."""
    entries: list[Entry] = []
    for kinds in (SERIES, _IMAGES):
        entries = entries or [
            Entry(name, _shape(node), node["data"].dtype.name)
            for name, node in series.items()
            if _text(node.attrs["neurodata_type"]) in kinds
        ]
    for why in () if entries else tree.unreachable.values():
        refuse(why)
    what = " or ".join((*SERIES, _IMAGES[0]))
    return choose(entries, None, path=path, kind="NWB", what=what).name


def _named(file: Any, dataset: str, series: Mapping[str, Any], tree: Hdf5Tree) -> str | None:
    """Return the path of the series that is meant; None where it is no series."""
    asked = f"/{dataset.strip('/').removesuffix('/data')}"
    for name in (asked, f"{asked}/data"):
        refuse(tree.unreachable.get(name))
    node = file.get(asked)
    if isinstance(node, h5py.Group) and _is_series(node):
        return asked
    ends = [name for name in series if name.rpartition("/")[2] == asked[1:]]
    return ends[0] if len(ends) == 1 else None


def _shape(series: Any) -> tuple[int, ...]:
    return tuple(series["data"].shape)


def _plain_array(path: Path, entry: Entry, wanted: Wanted) -> Movie:
    dims = name_axes(len(entry.shape), wanted, path, defaults=DEFAULT_DIMS)
    name = entry.name.rpartition("/")[2]
    values = Hdf5Values(path, entry.name, external=wanted.allow_external)
    is_said = wanted.dims is not None
    return Movie(values, dims, name=name, kind=f"NWB, {entry.name}", is_said=is_said)


def _movie(file: Any, name: str, path: Path, wanted: Wanted) -> Movie:
    """Return a series by its path in the file, which may be that of a link."""
    series = file[name]
    data, plane = series["data"], series.get("imaging_plane", {})
    _refuse_external(series, path)
    for node in (series, plane):
        _refuse_elsewhere(node, path, wanted)
    kind = _text(series.attrs["neurodata_type"])
    is_images = kind in (*SERIES, *_IMAGES)
    defaults = {**DEFAULT_DIMS, **(_SERIES_DIMS if is_images else {})}
    dims = name_axes(data.ndim, wanted, path, defaults=defaults)
    about = data.attrs
    values = Hdf5Values(
        path,
        f"{name}/data",
        slope=float(about.get("conversion", 1.0)),
        inter=float(about.get("offset", 0.0)),
        external=wanted.allow_external,
    )
    period, times, notes = _timing(series, plane)
    return Movie(
        values=values,
        dims=dims,
        name=name.rpartition("/")[2],
        kind=f"NWB {kind}, {name}",
        period=period,
        times=times,
        spacing=_spacing(series, plane, dict(zip(dims, data.shape, strict=True))),
        attrs=_attrs(about, plane),
        notes=tuple(notes),
    )


def _refuse_elsewhere(node: Any, path: Path, wanted: Wanted) -> None:
    """Refuse what is said of a series where it lies in a file that may not be read."""
    for name in node:
        array = node.get(name)
        if isinstance(array, h5py.Dataset):
            refuse_sources(array, path, external=wanted.allow_external)


def _refuse_external(series: Any, path: Path) -> None:
    if "external_file" in series and series["data"].size == 0:
        outside = [_text(name) for name in np.ravel(series["external_file"][()])]
        raise OSError(
            f"{path} keeps the frames of {series.name} in other files: {outside}. Load those: "
            f"partita.load({outside[0]!r})."
        )


def _timing(series: Any, plane: Any) -> tuple[float | None, Array | None, list[str]]:
    """Return the period and the times in seconds, as far as the file has them, and notes."""
    notes: list[str] = []
    if "timestamps" in series:
        times = np.asarray(series["timestamps"][()], dtype=float)
        if np.isfinite(times).all():
            return None, times, notes
        lost = np.count_nonzero(~np.isfinite(times))
        notes.append(f"{lost} of its {times.size} timestamps are no numbers; none is used.")
    start, rate = 0.0, _rate(_number(plane.get("imaging_rate")))
    if "starting_time" in series:
        start = float(np.nan_to_num(_number(series["starting_time"])))
        rate = _rate(series["starting_time"].attrs.get("rate")) or rate
    if not rate:
        return None, None, notes
    if start == 0:
        return 1 / rate, None, notes
    return None, start + np.arange(series["data"].shape[0]) / rate, notes


def _rate(value: Any) -> float:
    """Return a rate in Hz; 0 where it can be none."""
    rate = _number(value)
    return rate if np.isfinite(rate) and rate > 0 else 0.0


def _spacing(series: Any, plane: Any, sizes: Mapping[str, int]) -> dict[str, float]:
    """Return mm per pixel; the file has them in the order x, y, z."""
    steps: dict[str, float | None] = {}
    if "grid_spacing" in plane:
        unit = _text(plane["grid_spacing"].attrs.get("unit", "meters"))
        given = np.ravel(plane["grid_spacing"][()])
        steps = {dim: in_millimetres(float(s), unit) for dim, s in zip("xyz", given, strict=False)}
    elif "field_of_view" in series:
        given = np.ravel(series["field_of_view"][()])
        metres = {dim: float(s) for dim, s in zip("xyz", given, strict=False) if dim in sizes}
        steps = {dim: in_millimetres(size / sizes[dim], "m") for dim, size in metres.items()}
    return {dim: step for dim, step in steps.items() if step and step > 0}


def _attrs(about: Any, plane: Any) -> dict[str, str]:
    attrs = {}
    unit = _text(about.get("unit", ""))
    if unit and unit not in ("n.a.", "unknown"):
        attrs["units"] = unit
    for key in _PLANE_TEXTS:
        text = _text(plane[key][()]) if key in plane else ""
        if text:
            attrs[key] = text
    return attrs


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(value: Any) -> float:
    """Return one number, in the file or an attribute; 0 where there is none."""
    values = np.ravel(value[()] if isinstance(value, h5py.Dataset) else value)
    return float(values[0]) if values.size == 1 and values.dtype.kind in "iuf" else 0.0
