"""Draw many parts on one picture: the outline and the number of each."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib import patheffects, rc_context
from matplotlib.axes import Axes
from scipy import ndimage

from partita._labels import checks
from partita._labels.numbers import is_number
from partita.plotting.backdrops import background_of
from partita.plotting.maps import new_axes
from partita.plotting.parts import find_components, merged, parts_of
from partita.plotting.pictures import Picture, compose, draw_background, finish_axes, outline
from partita.plotting.style import choose_theme, dress
from partita.plotting.views import Cut, choose_view, cut_values

_HEIGHT = 4.0  # inches, of a new figure's picture
# A piece with less than this share of the squares of the strongest is noise beside a part.
_SPECK = 0.1
_WHOLE = Cut({}, "", "")


def plot_footprints(
    model: Any,
    *,
    ax: Axes | None = None,
    components: Hashable | Sequence[Hashable] | None = None,
    share: float = 0.8,
    background: xr.DataArray | Literal["auto"] | None = "auto",
    numbers: bool = True,
    scale_bar: bool = False,
    title: str | None = None,
    y_axis: Literal["auto", "up", "down"] = "auto",
    theme: Literal["light", "dark"] | None = None,
) -> Axes:
    """Draw the outlines of many parts on one picture, as one looks at cells.

    Each part is outlined where the strongest of its voxels hold `share` of its squares, in a colour
    of its own; pieces with less than a tenth of the squares of the strongest are left out, and its
    label stands in the middle of that. Volumes are looked through: a voxel of
    the picture is the strongest along the other dimensions. Signs are merged.

    Parameters
    ----------
    model : fitted estimator, or xarray.DataArray (component, *features)
        Whose maps are drawn, at least two dimensions of features.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    components : label or sequence of labels, optional
        The components to draw; all by default. A component has the same colour whichever others are
        chosen.
    share : float
        Between 0 and 1: how much of a part's squares its outline holds.
    background : xarray.DataArray, "auto" or None
        What is drawn in grey below: as for `plot_components`.
    numbers : bool
        Whether the labels of the components are written.
    scale_bar : bool
        Whether a bar of a round length stands in place of the axes.
    title : str, optional
        Nothing by default.
    y_axis : {"auto", "up", "down"}
        As for `plot_map`.
    theme : {"light", "dark"}, optional
        "light" by default; on given axes as suits their page.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError
        If there are no maps.
    ValueError
        If the maps are no images, a component is not known, or `share` is not between 0 and 1.

    Examples
    --------
    >>> maps = xr.DataArray(np.eye(9).reshape(9, 3, 3), dims=("component", "y", "x"))
    >>> ax = partita.plotting.plot_footprints(maps, components=[0, 4])
    >>> [text.get_text() for text in ax.texts]
    ['0', '4']
    """
    if not (is_number(share) and 0 < share < 1):
        raise ValueError(f"share must be between 0 and 1; given: {share!r}.")
    chosen = choose_theme(theme, ax=ax)
    maps = _maps_of(model)
    shown = find_components(maps, components)
    first = maps.isel(component=0, drop=True)
    view = choose_view(first, slice_dim=None, y_axis=y_axis, caller="plot_footprints")
    grey = background_of(maps, background)
    if grey is not None:
        grey = grey.mean([dim for dim in view.others if dim in grey.dims])
    flat = maps.max(view.others)
    picture = compose(
        flat.isel(component=0, drop=True), view._replace(others=()), [_WHOLE], columns=1,
        background=grey, mask=None, threshold=None, height=_HEIGHT, scale_bar=scale_bar,
    )  # fmt: skip
    axes = new_axes(picture, colorbar=False, theme=chosen) if ax is None else ax
    with rc_context(chosen.rc):
        dress(axes, chosen)
        draw_background(axes, flat.isel(component=0, drop=True), picture)
        for at in shown:
            colour = chosen.lines[at % len(chosen.lines)]
            part = cut_values(flat.isel(component=at), _WHOLE, picture.view)
            name = str(flat["component"].values[at]) if numbers else ""
            page = chosen.page
            _draw_part(axes, part, picture, share, colour=colour, name=name, page=page)
        finish_axes(axes, picture, theme=chosen)
        axes.set_title(title or "", fontsize=chosen.letters.title, color=chosen.ink, loc="left")
    return axes


def _maps_of(model: Any) -> xr.DataArray:
    """Return the size of the weights, signs merged."""
    maps = model if isinstance(model, xr.DataArray) else _fitted(model)
    checks.require_array(maps, caller="plot_footprints")
    maps = maps if "component" in maps.dims else maps.expand_dims("component")
    return abs(merged(maps))


def _fitted(model: Any) -> xr.DataArray:
    return parts_of(model, caller="plot_footprints").all_maps


def _draw_part(
    ax: Axes,
    part: np.ndarray[Any, Any],
    picture: Picture,
    share: float,
    *,
    colour: str,
    name: str,
    page: str,
) -> None:
    values = np.pad(np.nan_to_num(part.astype(float)), 1)
    level = _level(values, share)
    if level is None:
        return
    kept, strongest = _without_specks(values, level)
    outline(ax, picture, kept, level=level, colour=colour)
    inside = np.where(strongest, values**2, 0)[1:-1, 1:-1]
    x, y = (
        np.average(places.centres, weights=inside.sum(axis))
        for axis, places in ((0, picture.horizontal), (1, picture.vertical))
    )
    if name:
        ax.text(
            x, y, name, color=colour, ha="center", va="center", clip_on=True,
            path_effects=[patheffects.withStroke(linewidth=1.5, foreground=page)],
        )  # fmt: skip


def _without_specks(
    values: np.ndarray[Any, Any], level: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return values without pieces too weak to be drawn, and where the strongest piece is."""
    pieces, count = ndimage.label(values > level, structure=np.ones((3, 3)))
    squares = ndimage.sum_labels(values**2, pieces, np.arange(count + 1))
    squares[0] = 0.0
    weak = squares < _SPECK * squares.max()
    weak[0] = False
    return np.where(weak[pieces], 0.0, values), pieces == squares.argmax()


def _level(values: np.ndarray[Any, Any], share: float) -> float | None:
    """Return the value that the strongest voxels with a share of the squares exceed; None of 0."""
    falling = np.sort(values[values > 0])[::-1]
    if not falling.size:
        return None
    held = np.cumsum(np.square(falling / falling[0]))
    last = int(np.searchsorted(held, share * held[-1]))
    below = falling[last + 1] if last + 1 < falling.size else 0.0
    return float((falling[last] + below) / 2)
