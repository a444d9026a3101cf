"""Components to turn over in a browser: one page that needs no server and no network."""

from __future__ import annotations

import html
import json
import zlib
from base64 import b64encode
from collections.abc import Hashable, Sequence
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.colors import Colormap, to_hex
from matplotlib.dates import date2num

from partita.io.atomic import replacing
from partita.io.overwriting import PAGE, refuse_other
from partita.plotting.backdrops import background_of, find_places, require_background
from partita.plotting.descriptions import describe
from partita.plotting.events import Shades, during, shades_of
from partita.plotting.panels import is_image
from partita.plotting.parts import Parts, explained_in_words, merged, parts_of, share_in_words
from partita.plotting.profiles import flatten
from partita.plotting.scales import Scale, choose_scale
from partita.plotting.style import MERGED, Theme, axis_label, choose_theme
from partita.plotting.traces import Samples, limits_of, samples_of
from partita.plotting.views import (
    Cut,
    Places,
    View,
    choose_cuts,
    choose_view,
    cut_at,
    cut_values,
    locate,
    sides_of,
)

Array = np.ndarray[Any, Any]

# More weights or samples than these make a page that a browser opens slowly.
_MOST_WEIGHTS, _MOST_SAMPLES = 6_000_000, 1_000_000
# Weights are written in thousandths of the largest; NaN has a number of its own.
_STEPS, _NOTHING = 1000, -32768


class ComponentPage:
    """A page of HTML with everything in it: it shows itself in a notebook, and can be saved."""

    def __init__(self, page: str, *, height: int) -> None:
        self.html = page
        self._height = height

    def __repr__(self) -> str:
        """Say what it is, how large, and how to see it."""
        size = len(self.html.encode()) / 1e6
        return f"<ComponentPage, {size:.1f} MB: show it in a notebook, or save('parts.html')>"

    def _repr_html_(self) -> str:
        """Return a frame with the page in it: its script sees nothing of the notebook."""
        inside = html.escape(self.html, quote=True)
        return (
            f'<iframe srcdoc="{inside}" sandbox="allow-scripts" width="100%" '
            f'height="{self._height}" style="border:0" title="Components"></iframe>'
        )

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the page to a file ``.html``, and return its path; folders are made.

        A page that Partita wrote there before gives way; anything else only to ``overwrite=True``.

        Raises
        ------
        ValueError
            If the name does not end in ``.html``.
        FileExistsError
            If something else is there.
        """
        target = Path(path).expanduser()
        if target.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"The page is HTML: name it {target.with_suffix('.html').name!r}.")
        refuse_other(target, "page", overwrite=overwrite)
        with replacing(target) as (written,):
            written.write_text(self.html, encoding="utf-8")
        return target


def view_components(
    model: Any,
    *,
    components: Hashable | Sequence[Hashable] | None = None,
    background: xr.DataArray | Literal["auto"] | None = "auto",
    slice_dim: str | None = None,
    cmap: str | Colormap | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    robust: bool = False,
    times: tuple[Any, Any] | None = None,
    events: Any = None,
    y_axis: Literal["auto", "up", "down"] = "auto",
    title: str | None = None,
    theme: Literal["light", "dark"] | None = None,
) -> ComponentPage:
    """Lay the components of a model out on a page to turn over in a browser.

    A list to choose from, the map of the chosen component with a slider through its slices, and its
    course; the pointer reads voxels and samples, and the arrow keys go up and down the list. The
    page holds all that it shows: it needs no server and no network, and works in a notebook, also
    in one that was saved, as it does from a file. Weights are written in thousandths of the
    largest.

    Parameters
    ----------
    model : fitted estimator
        As for `plot_components`; signs are merged.
    components : label or sequence of labels, optional
        The components to lay out; all by default.
    background : xarray.DataArray, "auto" or None
        What is drawn in grey below, as for `plot_components`.
    slice_dim, cmap, vmin, vmax, robust, y_axis : optional
        As for `plot_components`; `slice_dim` is what the slider goes along.
    times : (start, stop), optional
        The stretch of time to lay out, in the units of the time coordinate.
    events : xarray.Dataset over `event`, or pandas.DataFrame, optional
        What happened: `onset` and `duration` in s, and `trial_type`, shaded under the course.
    title : str, optional
        How many parts there are, and R², by default.
    theme : {"light", "dark"}, optional
        "light" by default.

    Returns
    -------
    ComponentPage
        Shown by a notebook where a cell ends with it. ``save(path)`` writes it to a file, and
        ``html`` is its text.

    Raises
    ------
    TypeError
        If `model` is no model.
    sklearn.exceptions.NotFittedError
        If it has not been fitted.
    ValueError
        If a component or choice is not known, or the background or the events do not fit.

    Examples
    --------
    >>> nmf = partita.NMF(n_components=2, random_state=0).fit(partita.datasets.load_sample())
    >>> page = partita.plotting.view_components(nmf)
    >>> page.html.startswith("<!DOCTYPE html>")
    True
    """
    caller = "view_components"
    chosen = choose_theme(theme)
    parts = parts_of(model, components=components, caller=caller)
    whole = samples_of(parts.signals, parts.sample_dim)
    shades = shades_of(events, whole, theme=chosen, caller=caller)
    shades = during(shades, whole, parts.signals, times)
    parts = parts.during(times, caller=caller)
    maps = merged(parts.maps)
    grey = background_of(parts.maps, background)
    image = is_image(maps)
    scale = choose_scale(
        list(merged(parts.all_maps)),
        theme=chosen, over_image=image and grey is not None, cmap=cmap, vmin=vmin, vmax=vmax,
        robust=robust,
    )  # fmt: skip
    words = describe(model, components=components, times=times).splitlines()
    about = words[-len(parts.shares) :]
    content: dict[str, Any] = {
        "title": explained_in_words(model) if title is None else title,
        "summary": _summary(words[: -len(about)]),
        "note": "",
        "parts": [
            {"name": str(label), "share": share_in_words(share), "about": text, "slice": 0}
            for label, share, text in zip(
                maps["component"].values, parts.shares, about, strict=True
            )
        ],
        "course": _course(parts, shades),
        "image": None,
        "grey": None,
        "bars": None,
    }
    if image:
        label = axis_label(parts.maps)
        label = f"{label} ({MERGED})" if "sign" in parts.maps.dims and scale.signed else label
        _lay_out_images(content, maps, grey, scale, slice_dim, y_axis, label)
    else:
        content["bars"] = _bars(maps, scale)
    return ComponentPage(_filled(content, chosen), height=620)


def _summary(words: list[str]) -> str:
    """Return the first lines without how many parts there are: the title has it."""
    _, _, rest = " ".join(words).partition(": ")
    return rest[:1].upper() + rest[1:]


def _filled(content: dict[str, Any], theme: Theme) -> str:
    """Return the page with its content and colours in it."""
    page = files("partita.plotting").joinpath("component_page.html").read_text(encoding="utf-8")
    places = {
        "@MARK@": PAGE,
        "@TITLE@": html.escape(content["title"]),
        "@PAGE@": theme.page,
        "@INK@": theme.ink,
        "@FAINT@": theme.faint,
        "@LINE@": to_hex(theme.lines[0]),
    }
    for place, value in places.items():
        page = page.replace(place, value)
    # A name that holds "</script>" must not end the script.
    data = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    return page.replace("@DATA@", data)


def _packed(values: Array, dtype: str) -> str:
    return b64encode(zlib.compress(np.ascontiguousarray(values, dtype=dtype).tobytes(), 9)).decode()


def _lay_out_images(
    content: dict[str, Any],
    maps: xr.DataArray,
    grey: xr.DataArray | None,
    scale: Scale,
    slice_dim: str | None,
    y_axis: str,
    label: str,
) -> None:
    first = maps.isel(component=0)
    view = choose_view(first, slice_dim=slice_dim, y_axis=y_axis, caller="view_components")
    every = int(np.ceil(np.sqrt(maps.size / _MOST_WEIGHTS)))
    if every > 1:
        maps = maps.isel(
            {dim: slice(None, None, every) for dim in (view.vertical, view.horizontal)}
        )
        first = maps.isel(component=0)
        content["note"] = f"One voxel of {every} is shown along {view.vertical}, {view.horizontal}."
    cuts = choose_cuts(first, view, slices=None, slice_dim=slice_dim, at_most=maps.size)
    values = np.stack([_stack(map_, cuts, view) for map_ in maps])
    for part, slices in zip(content["parts"], values, strict=True):
        part["slice"] = int(np.nansum(slices**2, axis=(1, 2)).argmax())
    content["image"] = _image(first, values, view, cuts, scale) | {"label": label}
    if grey is not None:
        content["grey"] = _grey(require_background(grey, first, view), first, view, cuts)


def _stack(map_: xr.DataArray, cuts: list[Cut], view: View) -> Array:
    """Return slices (slice, row, column), rows from the top."""
    return np.stack([_upright(cut_values(map_, cut, view), view) for cut in cuts]).astype(float)


def _upright(values: Array, view: View) -> Array:
    return values if view.down else values[::-1]


def _image(
    first: xr.DataArray, values: Array, view: View, cuts: list[Cut], scale: Scale
) -> dict[str, Any]:
    across, up = locate(first, view.horizontal), locate(first, view.vertical)
    finite = np.isfinite(values)
    reach = float(np.abs(values[finite]).max(initial=0.0)) or 1.0
    whole = np.where(finite, np.round(np.where(finite, values, 0) / reach * _STEPS), _NOTHING)
    colours = np.round(255 * scale.colours(np.linspace(0, 1, 256))[:, :3])
    rows = [_word(first, view.vertical, up, at) for at in range(up.centres.size)]
    return {
        "shape": list(values.shape),
        "values": _packed(whole, "<i2"),
        "step": reach / _STEPS,
        "limits": [float(scale.norm.vmin or 0.0), float(scale.norm.vmax or 0.0)],
        "colours": _packed(colours, "u1"),
        "rows": rows if view.down else rows[::-1],
        "columns": [_word(first, view.horizontal, across, at) for at in range(across.centres.size)],
        "ratio": across.span / up.span if view.physical else 1.4,
        "slices": [cut.label for cut in cuts],
        "sides": sides_of(first, view),
    }


def _word(map_: xr.DataArray, dim: str, places: Places, at: int) -> str:
    return cut_at(map_, {dim: int(places.order[at])}).label


def _grey(
    background: xr.DataArray, first: xr.DataArray, view: View, cuts: list[Cut]
) -> dict[str, Any]:
    """Return the background as bytes, and where it lies: shares of the map's width and height."""
    there = [cut._replace(places=find_places(background, first, cut)) for cut in cuts]
    values = _stack(background, there, view)
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, (0.01, 0.99)) if finite.size else (0.0, 1.0)
    light = np.clip(np.nan_to_num((values - low) / ((high - low) or 1.0)), 0, 1)
    ends = []
    for dim in (view.horizontal, view.vertical):
        ours, theirs = locate(first, dim), locate(background, dim)
        shares = (theirs.edges[[0, -1]] - ours.edges[0]) / ours.span
        upwards = dim == view.vertical and not view.down
        ends += [float(share) for share in (1 - shares[::-1] if upwards else shares)]
    return {
        "shape": list(values.shape), "values": _packed(np.round(255 * light), "u1"), "extent": ends
    }  # fmt: skip


def _bars(maps: xr.DataArray, scale: Scale) -> dict[str, Any]:
    flat = xr.concat([flatten(map_.drop_vars("component", errors="ignore")) for map_ in maps], "k")
    dim = str(flat.dims[1])
    low, high = float(scale.norm.vmin or 0.0), float(scale.norm.vmax or 0.0)
    bottom, top = limits_of(np.append(flat.values.astype(float).ravel(), [0.0, low, high]))
    first = flat.isel(k=0)
    return {
        "values": _packed(np.nan_to_num(flat.values), "<f4"),
        "names": [cut_at(first, {dim: at}).label for at in range(first.size)],
        "limits": [0.0 if low >= 0 else bottom, 0.0 if high <= 0 else top],
        "label": axis_label(maps),
        "dim": axis_label(first[dim]),
    }


def _course(parts: Parts, shades: Shades) -> dict[str, Any]:
    """Return samples, courses and events as numbers along one axis."""
    signals = parts.signals.transpose("component", parts.sample_dim)
    every = -(-signals.size // _MOST_SAMPLES)
    signals = signals.isel({parts.sample_dim: slice(None, None, every)})
    samples = samples_of(signals.transpose(), parts.sample_dim)
    low, high = limits_of(np.asarray(parts.all_signals.values, dtype=float))
    spans = [
        [*map(_number, span), shades.colours[kind]]
        for kind, each in shades.spans.items()
        for span in each
    ]
    return {
        "at": _packed(np.array([_number(at) for at in samples.at]), "<f8"),
        "words": _words(samples),
        "label": samples.label,
        "unit": axis_label(parts.signals),
        "values": _packed(signals.values, "<f4"),
        "limits": [low, high],
        "starts": [float(start) for start in samples.starts],
        "spans": spans,
        "kinds": [[kind, colour] for kind, colour in shades.colours.items()],
    }


def _number(place: Any) -> float:
    days: Any = date2num
    return float(days(place) if isinstance(place, np.datetime64) else place)


def _words(samples: Samples) -> list[str] | None:
    if samples.words is not None or samples.at.dtype.kind != "M":
        return samples.words
    return [str(at.astype("datetime64[ms]")).replace("T", " ") for at in samples.at]
