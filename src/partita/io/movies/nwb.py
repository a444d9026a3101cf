"""NWB: two-photon and one-photon series (``TwoPhotonSeries``, ``OnePhotonSeries``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from partita.io.entries import Entry, choose
from partita.io.millimetres import in_millimetres
from partita.io.movies.description import DEFAULT_DIMS, Movie, name_axes
from partita.io.movies.hdf5 import Hdf5Values, arrays_in, opened
from partita.io.request import Wanted

Array = np.ndarray[Any, Any]

SERIES = ("TwoPhotonSeries", "OnePhotonSeries")

# The schema keeps frames with their width first.
_SERIES_DIMS = {3: ("time", "x", "y"), 4: ("time", "x", "y", "z")}
_PLANE_TEXTS = ("description", "indicator", "location")


def read_nwb(path: Path, wanted: Wanted) -> Movie:
    """Return a movie of an NWB file, or another array in it that is named by its path.

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
        series = _series_in(file)
        entries = [
            Entry(name, _shape(file[name]), file[name]["data"].dtype.name) for name in series
        ]
        chosen = wanted.dataset
        if chosen is not None and not _is_series(series, chosen):
            entry = choose(arrays_in(file), chosen, path=path, kind="NWB")
            return _plain_array(path, entry, wanted)
        chosen = None if chosen is None else chosen.removesuffix("/data")
        entry = choose(entries, chosen, path=path, kind="NWB", what=" or ".join(SERIES))
        return _movie(file[entry.name], path, wanted)


def _series_in(file: Any) -> list[str]:
    found: list[str] = []

    def collect(name: str, node: Any) -> None:
        if _text(node.attrs.get("neurodata_type")) in SERIES and "data" in node:
            found.append(f"/{name}")

    file.visititems(collect)
    return found


def _is_series(series: list[str], dataset: str) -> bool:
    name = dataset.strip("/").removesuffix("/data")
    return any(name in (one.strip("/"), one.rpartition("/")[2]) for one in series)


def _shape(series: Any) -> tuple[int, ...]:
    return tuple(series["data"].shape)


def _plain_array(path: Path, entry: Entry, wanted: Wanted) -> Movie:
    dims = name_axes(len(entry.shape), wanted, path, defaults=DEFAULT_DIMS)
    name = entry.name.rpartition("/")[2]
    return Movie(Hdf5Values(path, entry.name), dims, name=name, kind=f"NWB, {entry.name}")


def _movie(series: Any, path: Path, wanted: Wanted) -> Movie:
    data = series["data"]
    _refuse_external(series, path)
    dims = name_axes(data.ndim, wanted, path, defaults=_SERIES_DIMS)
    about = data.attrs
    plane = series.get("imaging_plane", {})
    values = Hdf5Values(
        path,
        data.name,
        slope=float(about.get("conversion", 1.0)),
        inter=float(about.get("offset", 0.0)),
    )
    period, times = _timing(series, plane)
    return Movie(
        values=values,
        dims=dims,
        name=series.name.rpartition("/")[2],
        kind=f"NWB {_text(series.attrs['neurodata_type'])}, {series.name}",
        period=period,
        times=times,
        spacing=_spacing(series, plane, dict(zip(dims, data.shape, strict=True))),
        attrs=_attrs(about, plane),
    )


def _refuse_external(series: Any, path: Path) -> None:
    if "external_file" in series and series["data"].size == 0:
        outside = [_text(name) for name in np.ravel(series["external_file"][()])]
        raise OSError(
            f"{path} keeps the frames of {series.name} in other files: {outside}. Load those: "
            f"partita.load({outside[0]!r})."
        )


def _timing(series: Any, plane: Any) -> tuple[float | None, Array | None]:
    """Return the period and the times in seconds, as far as the file has them."""
    if "timestamps" in series:
        return None, np.asarray(series["timestamps"][()], dtype=float)
    start = 0.0
    rate = _number(plane.get("imaging_rate"))
    if "starting_time" in series:
        start = float(series["starting_time"][()])
        rate = float(series["starting_time"].attrs.get("rate", rate))
    if rate <= 0:
        return None, None
    if start == 0:
        return 1 / rate, None
    return None, start + np.arange(series["data"].shape[0]) / rate


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


def _number(array: Any) -> float:
    return float(array[()]) if isinstance(array, h5py.Dataset) else 0.0
