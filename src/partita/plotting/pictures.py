"""Draw a map, its background and its outline on one axes, slice beside slice."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.ticker import FixedLocator, MaxNLocator

from partita._labels.align import mask_over
from partita._labels.numbers import is_number
from partita.plotting.backdrops import find_places, require_background
from partita.plotting.scales import Scale
from partita.plotting.style import Theme, round_length
from partita.plotting.views import Cut, Places, View, cut_values, locate, sides_of

# Room between tiles: beside each other a share of a tile, above each what its label needs.
_BESIDE = 0.05
_LABEL = 0.17  # inches
# More names than this along an axis are counted instead.
_MOST_WORDS = 24
# Over a background, colours are opaque from this share of the scale on.
_OPAQUE = 0.5


class Picture(NamedTuple):
    """All that the maps of one figure share: what is cut out of them, and where it is drawn."""

    view: View
    cuts: list[Cut]
    columns: int
    horizontal: Places
    vertical: Places
    background: xr.DataArray | None
    mask: xr.DataArray | None
    threshold: float | None
    above: float
    sides: tuple[str, str] | None = None
    bar: bool = False

    @property
    def rows(self) -> int:
        """How many rows of tiles there are."""
        return -(-len(self.cuts) // self.columns)

    @property
    def step(self) -> tuple[float, float]:
        """From one tile to the next, to the right and upwards."""
        return self.horizontal.span * (1 + _BESIDE), self.vertical.span * (1 + self.above)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of all tiles and their labels, in the units of the coordinates."""
        across, up = self.step
        width = across * self.columns - self.horizontal.span * _BESIDE
        return width, up * self.rows - (0 if self.labelled else self.vertical.span * self.above)

    @property
    def letters(self) -> int:
        """How many letters stand beside the vertical axis, where they are names."""
        return max(map(len, self.vertical.words or [""]))

    @property
    def labelled(self) -> bool:
        """Whether each tile says which slice it is."""
        return bool(self.cuts[0].places)

    @property
    def ratio(self) -> float:
        """Width by height on paper."""
        width, height = self.size
        if self.view.physical:
            return width / height
        return 1.4 * (width / self.horizontal.span) / (height / self.vertical.span)


def tile_size(map_: xr.DataArray, view: View) -> tuple[float, float]:
    """Return width and height of one tile, in units that are as long across as up."""
    if not view.physical:
        return 1.4, 1.0
    across, up = locate(map_, view.horizontal).span, locate(map_, view.vertical).span
    return across * (1 + _BESIDE), up


def compose(
    map_: xr.DataArray,
    view: View,
    cuts: list[Cut],
    *,
    columns: int,
    background: xr.DataArray | None,
    mask: xr.DataArray | None,
    threshold: float | None,
    height: float,
    scale_bar: bool = False,
) -> Picture:
    """Return the picture of a map, its background and mask checked against its labels.

    It will be about `height` inches high. A bar of a round length stands in place of the axes with
    `scale_bar`.

    Raises
    ------
    TypeError
        If the mask is not a boolean DataArray.
    ValueError
        If the mask lies on another grid, the background lacks an image dimension, or `threshold`
        is negative; or there is no scale for a bar.
    """
    if scale_bar and not view.physical:
        raise ValueError(
            f"scale_bar=True needs {view.vertical} and {view.horizontal} in one unit of length, "
            "and this map has none. Leave it out, or give the coordinates their units: "
            f"maps[{view.horizontal!r}].attrs['units'] = 'mm'."
        )
    if threshold is not None and not (is_number(threshold) and threshold >= 0):
        raise ValueError(
            f"threshold must be 0 or above: it is compared with the size of the values, "
            f"whatever their sign; given: {threshold!r}."
        )
    return Picture(
        view=view,
        cuts=cuts,
        columns=columns,
        horizontal=locate(map_, view.horizontal),
        vertical=locate(map_, view.vertical),
        background=None if background is None else require_background(background, map_, view),
        mask=None if mask is None else mask_over(mask, map_, caller="The mask"),
        threshold=threshold,
        above=min(max(_LABEL * -(-len(cuts) // columns) / height, 0.03), 0.3),
        sides=sides_of(map_, view),
        bar=scale_bar,
    )


def draw_picture(
    ax: Axes, map_: xr.DataArray, picture: Picture, *, scale: Scale, theme: Theme
) -> ScalarMappable:
    """Draw every slice of a map at its place in millimetres; return what a colour bar needs."""
    draw_background(ax, map_, picture)
    for number, cut in enumerate(picture.cuts):
        offset = _offset(picture, number)
        values = cut_values(map_, cut, picture.view)
        _draw_tile(ax, _visible(values, picture), picture, offset, scale=scale)
        if picture.mask is not None:
            _draw_outline(ax, picture, cut, offset, theme=theme)
        if picture.labelled:
            _label_tile(ax, picture, cut, offset, theme=theme)
    finish_axes(ax, picture, theme=theme)
    return ScalarMappable(scale.norm, scale.colours)


def finish_axes(ax: Axes, picture: Picture, *, theme: Theme) -> None:
    """Set limits and ticks of a picture, and say its sides and its scale."""
    _name_sides(ax, picture, theme=theme)
    _set_axes(ax, picture, theme=theme)
    if picture.bar:
        _draw_scale_bar(ax, picture, theme=theme)


def add_colour_bar(ax: Axes, mappable: ScalarMappable, *, label: str, scale: Scale) -> Axes:
    """Put a colour bar as high as the picture to the right of it; return its axes."""
    # As wide on paper whatever the picture's shape.
    ax.apply_aspect()
    share = 1 / max(_inches(ax), 0.5)
    side = ax.inset_axes((1 + 0.1 * share, 0.0, 0.11 * share, 1.0))
    bar = ax.figure.colorbar(mappable, cax=side, extend=scale.extend, label=label)
    bar.outline.set_visible(False)
    side.tick_params(length=2.5, width=0.6)
    bar.locator = MaxNLocator(4)
    return side


def _offset(picture: Picture, number: int) -> tuple[float, float]:
    """Return how far a tile is moved; the one at the lower left stays, so that ticks are true."""
    row, column = divmod(number, picture.columns)
    across, up = picture.step
    above = (picture.rows - 1 - row) * up
    return column * across, -above if picture.view.down else above


def _visible(values: np.ndarray[Any, Any], picture: Picture) -> np.ma.MaskedArray[Any, Any]:
    hidden = ~np.isfinite(values)
    if picture.threshold is not None:
        hidden |= np.abs(np.where(hidden, 0, values)) < picture.threshold
    return np.ma.masked_array(values.astype(float), hidden)


def _draw_tile(
    ax: Axes,
    values: np.ma.MaskedArray[Any, Any],
    picture: Picture,
    offset: tuple[float, float],
    *,
    scale: Scale,
) -> None:
    alpha = None
    if picture.background is not None and picture.threshold is None:
        ends = (scale.norm.vmin or 0.0, scale.norm.vmax or 0.0)
        alpha = np.clip(np.abs(values.filled(0)) / (_OPAQUE * max(map(abs, ends))), 0, 1)
    style = {"cmap": scale.colours, "norm": scale.norm, "alpha": alpha}
    _draw_image(ax, values, (picture.horizontal, picture.vertical), offset, **style)


def _draw_image(
    ax: Axes,
    values: np.ndarray[Any, Any],
    places: tuple[Places, Places],
    offset: tuple[float, float],
    **style: Any,
) -> None:
    across, up = places[0].edges + offset[0], places[1].edges + offset[1]
    if places[0].regular and places[1].regular:
        extent = (across[0], across[-1], up[0], up[-1])
        ax.imshow(
            values,
            extent=extent,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            **style,
        )
        return
    ax.pcolormesh(across, up, values, rasterized=True, **style)


def draw_background(ax: Axes, map_: xr.DataArray, picture: Picture) -> None:
    """Draw what lies below a map in grey, if anything does."""
    background = picture.background
    if background is None:
        return
    places = locate(background, picture.view.horizontal), locate(background, picture.view.vertical)
    finite = background.values[np.isfinite(background.values)]
    low, high = np.quantile(finite, (0.01, 0.99)) if finite.size else (0, 1)
    for number, cut in enumerate(picture.cuts):
        there = cut._replace(places=find_places(background, map_, cut))
        values = np.ma.masked_invalid(cut_values(background, there, picture.view).astype(float))
        _draw_image(
            ax,
            values,
            places,
            _offset(picture, number),
            cmap="gray",
            vmin=low,
            vmax=high,
            alpha=None,
        )


def _draw_outline(
    ax: Axes, picture: Picture, cut: Cut, offset: tuple[float, float], *, theme: Theme
) -> None:
    assert picture.mask is not None  # the caller has looked
    inside = np.pad(cut_values(picture.mask, cut, picture.view).astype(float), 1)
    if not inside.any():
        return
    ink = theme.ink if picture.background is None else "white"
    outline(ax, picture, inside, level=0.5, colour=ink, offset=offset)


def outline(
    ax: Axes,
    picture: Picture,
    values: np.ndarray[Any, Any],
    *,
    level: float,
    colour: str,
    offset: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Draw a line where values, with one more at every border, pass a level."""
    across = _beyond(picture.horizontal) + offset[0]
    up = _beyond(picture.vertical) + offset[1]
    ax.contour(across, up, values, levels=[level], colors=[colour], linewidths=0.8)


def _beyond(places: Places) -> np.ndarray[Any, Any]:
    """Return the centres with one more at both ends, so that an outline closes at the border."""
    first, last = np.diff(places.edges)[[0, -1]]
    return np.concatenate(
        [[places.centres[0] - first], places.centres, [places.centres[-1] + last]]
    )


def _label_tile(
    ax: Axes, picture: Picture, cut: Cut, offset: tuple[float, float], *, theme: Theme
) -> None:
    edges = picture.vertical.edges
    top = edges[0] if picture.view.down else edges[-1]
    # A letter is about 0.62 of its size wide: words that would run into the next are cut short.
    room = 72 * _inches(ax) * picture.step[0] / picture.size[0] / 0.62
    words = cut.label if (len(cut.label) + 1) * 5.5 <= room else cut.short
    ax.annotate(
        words,
        (picture.horizontal.edges[0] + offset[0], top + offset[1]),
        xytext=(0, 2),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=min(max(room / (len(words) + 1), 4), theme.letters.tick - 0.5),
        color=theme.ink,
        annotation_clip=False,
    )


def _name_sides(ax: Axes, picture: Picture, *, theme: Theme) -> None:
    """Write L and R at the edges of the tile whose ticks are drawn, where they have room."""
    across, up = _tile_in_points(ax, picture)
    if across < 3 * theme.letters.tick or up < 1.6 * theme.letters.tick:
        return
    for letter, side, edge in zip(picture.sides or (), ("left", "right"), (0, -1), strict=False):
        low = picture.vertical.edges[-1 if picture.view.down else 0]
        ax.annotate(
            letter, (picture.horizontal.edges[edge], low),
            xytext=(2 if side == "left" else -2, 2), textcoords="offset points", ha=side,
            va="bottom", fontsize=theme.letters.tick, annotation_clip=False,
            color=theme.ink if picture.background is None else "white",
        )  # fmt: skip


def _draw_scale_bar(ax: Axes, picture: Picture, *, theme: Theme) -> None:
    """Draw a bar of a round length below the picture, in place of its axes."""
    length = round_length(0.4 * picture.horizontal.span)
    units = picture.horizontal.label.rpartition("[")[2].rstrip("]")
    left = picture.horizontal.edges[0]
    below = ax.get_xaxis_transform()
    ax.plot(
        [left, left + length], [-0.05, -0.05], transform=below, color=theme.ink, linewidth=2,
        clip_on=False, solid_capstyle="butt", label="_scale",
    )  # fmt: skip
    ax.annotate(
        f"{length:g} {units}", (left, -0.05), xycoords=below, xytext=(0, -3),
        textcoords="offset points", ha="left", va="top", fontsize=theme.letters.tick,
        color=theme.ink, annotation_clip=False,
    )  # fmt: skip
    ax.set(xlabel="", ylabel="", xticks=[], yticks=[])


def _tile_in_points(ax: Axes, picture: Picture) -> tuple[float, float]:
    """Return width and height of a tile on paper."""
    box, (width, height) = ax.get_window_extent(), picture.size
    scales = 72 / ax.figure.dpi * box.width / width, 72 / ax.figure.dpi * box.height / height
    if picture.view.physical:
        scales = min(scales), min(scales)
    return picture.horizontal.span * scales[0], picture.vertical.span * scales[1]


def _inches(ax: Axes) -> float:
    """Return how wide axes are on paper, as they stand now."""
    return float(ax.get_window_extent().width / ax.figure.dpi)


def _set_axes(ax: Axes, picture: Picture, *, theme: Theme) -> None:
    width, height = picture.size
    left, (low, high) = picture.horizontal.edges[0], picture.vertical.edges[[0, -1]]
    ax.set_xlim(left, left + width)
    ax.set_ylim((high, high - height) if picture.view.down else (low, low + height))
    ax.set_aspect("equal" if picture.view.physical else "auto")
    several = len(picture.cuts) > 1
    most = 2 if several else 4
    # A number along the axis is three or four letters wide, and one and a half high.
    across, up = (points / theme.letters.tick for points in _tile_in_points(ax, picture))
    for axis, places, room in (
        (ax.xaxis, picture.horizontal, across / 3.5),
        (ax.yaxis, picture.vertical, up / 1.5),
    ):
        _set_ticks(axis, places, most=int(np.clip(round(room), 1, most)), several=several)
    ax.set_xlabel(picture.horizontal.label, loc="left" if several else "center")
    # In a mosaic the ticks are those of the tile at the lower left.
    ax.set_ylabel(picture.vertical.label, loc="bottom" if several else "center")
    for side in ax.spines.values():
        side.set_visible(False)


def _set_ticks(axis: Any, places: Places, *, most: int, several: bool) -> None:
    if places.words is not None and len(places.words) <= _MOST_WORDS:
        axis.set_ticks(places.centres, places.words)
        return
    locator = MaxNLocator(most, steps=[1, 2, 5, 10], min_n_ticks=min(2, most) if several else 1)
    if not several and places.words is None:
        axis.set_major_locator(locator)
        return
    low, high = places.edges[[0, -1]]
    ticks = [tick for tick in locator.tick_values(low, high) if low <= tick <= high]
    axis.set_major_locator(FixedLocator(ticks))
