"""Draw one map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import Colormap

from partita._labels import checks
from partita._labels.numbers import is_whole
from partita.plotting.parts import merged
from partita.plotting.pictures import (
    Picture,
    add_colour_bar,
    compose,
    draw_picture,
    tile_size,
)
from partita.plotting.scales import choose_scale
from partita.plotting.sheets import BAR, LEFT, TICKS, TITLE, add_panel, open_page
from partita.plotting.style import MERGED, Theme, axis_label, choose_theme, dress
from partita.plotting.views import arrange, choose_cuts, choose_view

# More tiles than this are too small to be read on one axes.
_MOST_TILES = 24
# Of a new figure's picture, in inches at most.
_WIDTH, _HEIGHT = 5.0, 4.0


def plot_map(
    map: xr.DataArray,
    *,
    ax: Axes | None = None,
    slices: float | str | Sequence[float | str] | None = None,
    slice_dim: str | None = None,
    background: xr.DataArray | None = None,
    threshold: float | None = None,
    mask: xr.DataArray | None = None,
    cmap: str | Colormap | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    robust: bool = False,
    scale_bar: bool = False,
    colorbar: bool = True,
    title: str | None = None,
    columns: int | None = None,
    y_axis: str = "auto",
    theme: str | None = None,
) -> Axes:
    """Draw one map, or its slices side by side, at the right place in millimetres.

    The image is (y, x) where the map has both; else the two dimensions of space that it has, else
    the last two. Dimensions of length one are left out. Every other dimension is cut into slices,
    each labelled with its position; the ticks are those of the slice at the lower left. Positions
    come from the coordinates, whichever way and however unevenly they run, and a millimetre is as
    long across as down.

    Parameters
    ----------
    map : xarray.DataArray, (*features)
        Values in any units. With a dimension `sign` the two are merged, positive less negative.
        NaN is transparent.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    slices : float, str or sequence of them, optional
        Positions along `slice_dim` in the units of its coordinate (mm); the nearest slice is
        taken. All by default, or 24 spread evenly.
    slice_dim : str, optional
        The dimension to slice along; by default the one that is not part of the image.
    background : xarray.DataArray, (*image dimensions) or with slices too, optional
        An anatomical or power image, drawn in grey below at its own coordinates. Without
        `threshold`, the map's colours then fade out towards zero, fully opaque from half of the
        scale on.
    threshold : float, optional
        Values smaller than this, whatever their sign, are transparent.
    mask : xarray.DataArray of bool, optional
        Its outline is drawn; coordinates as the map's.
    cmap : str or matplotlib.colors.Colormap, optional
        Sequential for values of one sign, diverging about 0 for two, by default.
    vmin, vmax : float, optional
        The ends of the colours, finite. By default 0 and the value beyond which 5 % of the squares
        lie, symmetric about 0 for two signs.
    robust : bool
        Whether the ends go by the values in place of their squares, and leave 2 % of them out.
    scale_bar : bool
        Whether a bar of a round length stands in place of the axes, for maps in units of length.
    colorbar : bool
        Whether to draw a colour bar, labelled ``long_name [units]``.
    title : str, optional
        By default "Component 3" for a map that says so, and that it is positive less negative
        where that is so; "" for none.
    columns : int, optional
        How many slices stand side by side at most; as suits the shape by default.
    y_axis : {"auto", "up", "down"}
        Which way the vertical coordinate grows. "auto" goes by the attribute `positive` of the
        coordinate (as in CF), or the word depth in its `long_name`. Without them y grows downwards
        as in a fUSI or microscope image if it never is negative, and upwards if it is (scanner
        coordinates, towards the front; oblique maps go by their coordinate `grid`). z and other
        coordinates grow upwards, names without numbers are listed from the top, and x grows to the
        right.
    theme : {"light", "dark"}, optional
        "light" by default; on given axes as suits their page.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError
        If the map or background is not a DataArray of numbers, or the mask not one of truth values.
    ValueError
        If the map has fewer than two dimensions, holds several components, or anything given does
        not fit its labels.

    Examples
    --------
    >>> depth = xr.DataArray([2.0, 2.1, 2.2], dims="y", attrs={"units": "mm"})
    >>> map_ = xr.DataArray(np.eye(3), dims=("y", "x"), coords={"y": depth, "x": [0, 0.1, 0.2]})
    >>> ax = partita.plotting.plot_map(map_, title="A diagonal")
    >>> ax.get_ylabel()
    'y [mm]'
    """
    chosen = choose_theme(theme, ax=ax)
    _require_columns(columns)
    flat = _one_map(map)
    view = choose_view(flat, slice_dim=slice_dim, y_axis=y_axis, caller="plot_map")
    cuts = choose_cuts(flat, view, slices=slices, slice_dim=slice_dim, at_most=_MOST_TILES)
    paper = (_WIDTH, _HEIGHT) if ax is None else _size_of(ax)
    width, height = tile_size(flat, view)
    ratio = paper[0] / paper[1]
    suited = arrange(len(cuts), width=width, height=height, ratio=ratio)
    across = suited if columns is None else min(int(columns), len(cuts))
    shape = -(-len(cuts) // across) * height / (across * width)
    picture = compose(
        flat, view, cuts, columns=across, background=background, mask=mask, threshold=threshold,
        height=min(paper[1], paper[0] * shape), scale_bar=scale_bar,
    )  # fmt: skip
    scale = choose_scale(
        [flat], theme=chosen, over_image=background is not None, cmap=cmap,
        vmin=vmin, vmax=vmax, robust=robust,
    )  # fmt: skip
    axes = new_axes(picture, colorbar=colorbar, theme=chosen) if ax is None else ax
    with rc_context(chosen.rc):
        dress(axes, chosen)
        mappable = draw_picture(axes, flat, picture, scale=scale, theme=chosen)
        if colorbar:
            add_colour_bar(axes, mappable, label=axis_label(flat), scale=scale)
        words = _heading(map) if title is None else title
        axes.set_title(words, fontsize=chosen.letters.title, color=chosen.ink, loc="left")
    return axes


def _one_map(map_: Any) -> xr.DataArray:
    checks.require_array(map_, caller="plot_map")
    if map_.size == 0:
        raise ValueError(f"plot_map was given an empty map: sizes {dict(map_.sizes)}.")
    if "component" in map_.dims and map_.sizes["component"] > 1:
        raise ValueError(
            f"plot_map draws one map, and was given {map_.sizes['component']} components. Select "
            "one: maps.sel(component=0), or draw all: plot_components(model)."
        )
    flat = map_.squeeze("component") if "component" in map_.dims else map_
    return merged(flat)


def _require_columns(columns: Any) -> None:
    if columns is not None and (not is_whole(columns) or columns < 1):
        raise ValueError(
            f"columns must be a whole number above 0, and was {columns!r}. Leave it out for as "
            "many as suit the shape."
        )


def _heading(map_: xr.DataArray) -> str:
    named = "component" in map_.coords and map_["component"].size == 1
    words = [f"Component {map_['component'].item()}"] if named else []
    return " · ".join(words + ([MERGED] if "sign" in map_.dims else []))


def _size_of(ax: Axes) -> tuple[float, float]:
    """Return width and height of axes in inches, as they stand now."""
    box = ax.get_window_extent()
    return float(box.width / ax.figure.dpi), float(box.height / ax.figure.dpi)


def new_axes(picture: Picture, *, colorbar: bool, theme: Theme) -> Axes:
    """Return axes of the picture's shape on a page with room for words."""
    height = min(_HEIGHT, _WIDTH / picture.ratio)
    width, height = max(height * picture.ratio, 0.8), max(height, 0.8)
    left, right = LEFT + 0.06 * picture.letters, BAR + 0.15 if colorbar else 0.15
    across, up = left + width + right, TICKS + height + TITLE + 0.05
    return add_panel(open_page(across, up, colour=theme.page), (left, TICKS, width, height))
