"""Draw a fitted model: maps beside time courses, a row a component."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from partita.plotting.parts import Parts, parts_of, share_in_words
from partita.plotting.pictures import Picture, add_colour_bar, compose, draw_picture, tile_size
from partita.plotting.profiles import draw_profile, longest_name
from partita.plotting.scales import Scale, choose_scale
from partita.plotting.sheets import LEFT, TICKS, Sheet, add_panel, measure, open_page
from partita.plotting.style import (
    LABEL,
    MERGED,
    TICK,
    TITLE,
    Theme,
    axis_label,
    choose_theme,
    dress,
)
from partita.plotting.traces import draw_samples, limits_of, samples_of
from partita.plotting.views import arrange, choose_cuts, choose_view
from partita.preprocess import merge_sign

# More rows than this make no figure that anyone reads; the most energetic are drawn.
_MOST_ROWS = 50
_MOST_TILES = 6


class Plan(NamedTuple):
    """Everything the rows of one figure share."""

    parts: Parts
    panels: list[tuple[str, xr.DataArray]]
    picture: Picture | None
    scale: Callable[[list[tuple[str, xr.DataArray]]], Scale]
    shared: Scale | None
    theme: Theme


def plot_components(
    model: Any,
    *,
    components: Hashable | Sequence[Hashable] | None = None,
    signs: str = "side-by-side",
    slices: float | str | Sequence[float | str] | None = None,
    slice_dim: str | None = None,
    background: xr.DataArray | None = None,
    threshold: float | None = None,
    mask: xr.DataArray | None = None,
    cmap: str | Colormap | None = None,
    limits: str = "shared",
    width: float = 9.0,
    y_axis: str = "auto",
    theme: str = "light",
) -> Figure:
    """Draw the components of a fitted model: each one's map beside its time course.

    Every row shows the same slices on the same scales, so that components can be compared, and is
    titled with the component's share of the energy. Maps in space are drawn to scale as `plot_map`
    does; maps with one feature dimension (neurons, muscles, frequencies) as bars or a line; maps
    with two others as an image.

    Parameters
    ----------
    model : fitted estimator
        With ``maps_`` (component, *features), ``signals_`` (time, component) and, where it has
        one, ``energy_`` (component).
    components : label or sequence of labels, optional
        The components to draw, in that order. All by default; of more than 50 the first 50, and a
        line at the foot of the figure says so.
    signs : {"side-by-side", "merged"}
        How maps with a dimension `sign` are drawn: the positive and the negative part beside each
        other, or one map, positive less negative, in diverging colours.
    slices, slice_dim, background, threshold, mask, cmap, y_axis : optional
        As for `plot_map`. Of more than six slices, six spread evenly are drawn by default.
    limits : {"shared", "each"}
        "each" gives every component scales of its own, for map and time course.
    width : float
        Width of the figure in inches, 5 or more; the height follows.
    theme : {"light", "dark"}
        Colours of page and maps.

    Returns
    -------
    matplotlib.figure.Figure
        Known to pyplot, so that `plt.show()` shows it; a notebook shows it once. Close it with
        `plt.close(figure)` where many are made.

    Raises
    ------
    TypeError
        If `model` is no model.
    sklearn.exceptions.NotFittedError
        If it has not been fitted.
    ValueError
        If a component, slice or choice is not known, or the mask lies on another grid.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> time = xr.DataArray([0.0, 0.5, 1.0], dims="time", attrs={"units": "s"})
    >>> model = SimpleNamespace(
    ...     fit=None,
    ...     maps_=xr.DataArray(np.ones((2, 4, 3)), dims=("component", "y", "x")),
    ...     signals_=xr.DataArray(np.eye(3, 2), {"time": time}, ("time", "component")),
    ...     energy_=xr.DataArray([0.5, 0.25], dims="component"),
    ... )
    >>> figure = partita.plotting.plot_components(model)
    >>> [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    ['Component 0 · 50.0 % of the energy', 'Component 1 · 25.0 % of the energy']
    """
    _require_choice(signs, ("side-by-side", "merged"), name="signs")
    _require_choice(limits, ("shared", "each"), name="limits")
    if not width >= 5:
        raise ValueError(f"width must be 5 inches or more for maps and traces; given: {width!r}.")
    chosen = choose_theme(theme)
    parts = parts_of(model, components=components, at_most=_MOST_ROWS, caller="plot_components")
    panels = _panels(parts.maps, signs)
    picture = None
    if _is_image(panels[0][1]):
        first = panels[0][1].isel(component=0)
        view = choose_view(first, slice_dim=slice_dim, y_axis=y_axis, caller="plot_components")
        cuts = choose_cuts(first, view, slices=slices, slice_dim=slice_dim, at_most=_MOST_TILES)
        across, up = tile_size(first, view)
        picture = compose(
            first, view, cuts, background=background, mask=mask, threshold=threshold,
            columns=arrange(len(cuts), width=across, height=up, ratio=3.0 / len(panels)),
            height=1.2,
        )  # fmt: skip
    over_image = background is not None
    scale = partial(_scale_of, theme=chosen, over_image=over_image, cmap=cmap)
    shared = None if limits == "each" else scale(panels)
    plan = Plan(parts, panels, picture, scale, shared, chosen)
    sheet = _measure(plan, width)
    figure = open_page(sheet.width, sheet.height, colour=chosen.page)
    with rc_context(chosen.rc):
        _draw(figure, plan, sheet)
    return figure


def _require_choice(given: str, known: tuple[str, ...], *, name: str) -> None:
    if given not in known:
        raise ValueError(f"{name} must be {known[0]!r} or {known[1]!r}; given: {given!r}.")


def _panels(maps: xr.DataArray, signs: str) -> list[tuple[str, xr.DataArray]]:
    """Return what stands side by side in a row, each with its heading."""
    if "sign" not in maps.dims:
        return [("", maps)]
    if signs == "merged":
        return [(MERGED, merge_sign(maps))]
    return [(str(sign), maps.sel(sign=sign, drop=True)) for sign in maps["sign"].values]


def _is_image(maps: xr.DataArray) -> bool:
    long = [dim for dim in maps.dims if dim != "component" and maps.sizes[dim] > 1]
    return len(long) > 1 or {"y", "x"} <= set(maps.dims)


def _scale_of(
    panels: list[tuple[str, xr.DataArray]],
    *,
    theme: Theme,
    over_image: bool,
    cmap: str | Colormap | None,
) -> Scale:
    each = [map_ for _, maps in panels for map_ in maps.transpose("component", ...)]
    return choose_scale(each, theme=theme, over_image=over_image, cmap=cmap)


def _measure(plan: Plan, width: float) -> Sheet:
    maps = plan.panels[0][1].isel(component=0)
    letters = 0 if plan.picture is not None else longest_name(maps)
    return measure(
        width=width,
        left=LEFT + (0.0 if plan.picture is None else 0.06 * plan.picture.letters),
        rows=len(plan.parts.shares),
        panels=len(plan.panels),
        ratio=1.6 if plan.picture is None else plan.picture.ratio,
        head=plan.picture is not None and plan.shared is not None,
        bars=plan.picture is not None and plan.shared is None,
        foot=max(TICKS, 0.28 + 0.052 * letters) + (0.2 if plan.parts.left_out else 0),
    )


def _draw(figure: Figure, plan: Plan, sheet: Sheet) -> None:
    for row in range(sheet.rows):
        axes = [
            _draw_map(figure, plan, sheet, row=row, panel=panel)
            for panel in range(len(plan.panels))
        ]
        trace = _draw_trace(figure, plan, sheet, row=row)
        if row < sheet.rows - 1:
            _leave_labels_to_the_last_row([*axes, trace])
            _leave_ticks_to_the_last_row(axes if plan.picture is not None else [])
    if plan.picture is not None and plan.shared is not None:
        _draw_shared_bar(figure, plan, sheet)
    if plan.parts.left_out:
        total = sheet.rows + plan.parts.left_out
        words = f"{sheet.rows} of {total} components; choose others with components="
        figure.text(sheet.left / sheet.width, 0.06 / sheet.height, words, color=plan.theme.faint)


def _draw_map(figure: Figure, plan: Plan, sheet: Sheet, *, row: int, panel: int) -> Axes:
    heading, maps = plan.panels[panel]
    map_ = maps.isel(component=row)
    ax = add_panel(figure, sheet.map_box(row, panel))
    dress(ax, plan.theme)
    row_maps = [(name, other.isel(component=[row])) for name, other in plan.panels]
    scale = plan.shared or plan.scale(row_maps)
    if plan.picture is None:
        colour = plan.theme.lines[0]
        draw_profile(ax, map_, limits=_bar_limits(plan, row), theme=plan.theme, colour=colour)
    else:
        mappable = draw_picture(ax, map_, plan.picture, scale=scale, theme=plan.theme)
        if plan.shared is None and panel == len(plan.panels) - 1:
            add_colour_bar(ax, mappable, label=axis_label(maps), scale=scale)
    if heading:
        ax.set_title(heading, fontsize=TICK, color=plan.theme.faint, loc="left", pad=3)
    if panel:
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)
    return ax


def _bar_limits(plan: Plan, row: int) -> tuple[float, float]:
    """Return limits of the weights that start at 0, of all components or of one."""
    values = [maps if plan.shared else maps.isel(component=row) for _, maps in plan.panels]
    flat = np.concatenate([np.append(part.values.ravel(), 0.0) for part in values])
    low, high = limits_of(flat.astype(float))
    finite = flat[np.isfinite(flat)]
    return (0.0 if finite.min() >= 0 else low), (0.0 if finite.max() <= 0 else high)


def _draw_trace(figure: Figure, plan: Plan, sheet: Sheet, *, row: int) -> Axes:
    parts = plan.parts
    ax = add_panel(figure, sheet.trace_box(row))
    samples = samples_of(parts.signals, parts.sample_dim)
    values = np.asarray(parts.signals.values, dtype=float)
    ax.plot(samples.at, values[:, row], color=plan.theme.lines[0], linewidth=0.8)
    draw_samples(ax, samples, theme=plan.theme)
    ax.set_ylim(*limits_of(values if plan.shared else values[:, row]))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_ylabel(axis_label(parts.signals))
    label = parts.signals["component"].values[row]
    share = share_in_words(parts.shares[row])
    ax.set_title(
        f"Component {label} · {share}" if share else f"Component {label}",
        fontsize=TITLE, loc="left", pad=4,
    )  # fmt: skip
    return ax


def _leave_labels_to_the_last_row(axes: list[Axes]) -> None:
    for ax in axes:
        for axis in [ax, *ax.child_axes]:
            axis.set(xlabel="", ylabel="")
        ax.tick_params(labelbottom=False)


def _leave_ticks_to_the_last_row(axes: list[Axes]) -> None:
    # Images have no line along which a tick without its number would stand.
    for ax in axes:
        ax.tick_params(bottom=False)


def _draw_shared_bar(figure: Figure, plan: Plan, sheet: Sheet) -> None:
    assert plan.shared is not None  # the caller has looked
    across = min(max(sheet.maps_width, 1.2), 2.4)
    bar_axes = add_panel(figure, (sheet.left, sheet.height - 0.17, across, 0.08))
    mappable = ScalarMappable(plan.shared.norm, plan.shared.colours)
    bar = figure.colorbar(
        mappable, cax=bar_axes, orientation="horizontal", extend=plan.shared.extend
    )
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(4)
    bar_axes.tick_params(length=2, width=0.6, labelsize=TICK)
    bar_axes.text(
        1.06, 0.5, axis_label(plan.panels[0][1]), transform=bar_axes.transAxes,
        ha="left", va="center", fontsize=LABEL, color=plan.theme.ink,
    )  # fmt: skip
