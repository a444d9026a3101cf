"""Draw a fitted model: maps beside time courses, a row a component."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from partita._labels import checks
from partita._labels.numbers import is_finite
from partita.plotting.backdrops import background_of
from partita.plotting.events import Shades, during, named, shade, shades_of
from partita.plotting.panels import (
    Cutter,
    Panel,
    Slices,
    columns_of,
    each_of,
    is_image,
    same_axis,
    sorted_by_weight,
)
from partita.plotting.parts import Parts, explained_in_words, parts_of, share_in_words
from partita.plotting.pictures import Picture, add_colour_bar, draw_picture
from partita.plotting.profiles import draw_profile, longest_name
from partita.plotting.scales import Scale, choose_scale
from partita.plotting.sheets import (
    BETWEEN_AXES,
    BETWEEN_MAPS,
    LEFT,
    NARROW,
    RIGHT,
    TICKS,
    Sheet,
    add_panel,
    measure,
    open_page,
)
from partita.plotting.style import MERGED, Theme, axis_label, choose_theme, dress
from partita.plotting.traces import Samples, draw_samples, limits_of, samples_of

# More rows than this on a page make no figure that anyone reads.
_MOST_ROWS = 16
# Widths of figures in print: of one column and of a page, in inches.
_PRESETS = {"single": 89 / 25.4, "double": 183 / 25.4}
_NARROWEST = 3.0


class Plan(NamedTuple):
    """Everything the rows of one figure share."""

    parts: Parts
    panels: list[Panel]
    scales: list[Scale]
    shared: bool
    heading: str
    samples: Samples
    shades: Shades
    theme: Theme
    ordered: bool

    @property
    def images(self) -> bool:
        """Whether maps are drawn as images."""
        return self.panels[0].pictures is not None


def plot_components(
    model: Any,
    *,
    components: Hashable | Sequence[Hashable] | None = None,
    signs: Literal["merged", "side-by-side"] = "merged",
    view: Literal["slices", "ortho"] = "slices",
    slices: Slices = "peak",
    slice_dim: str | None = None,
    background: xr.DataArray | Literal["auto"] | None = "auto",
    threshold: float | None = None,
    mask: xr.DataArray | None = None,
    cmap: str | Colormap | None = None,
    limits: Literal["shared", "each"] = "shared",
    vmin: float | None = None,
    vmax: float | None = None,
    robust: bool = False,
    scale_bar: bool = False,
    times: tuple[Any, Any] | None = None,
    events: Any = None,
    page: int = 1,
    order: Literal["given", "weight"] = "given",
    width: float | Literal["single", "double"] = 9.0,
    y_axis: Literal["auto", "up", "down"] = "auto",
    theme: Literal["light", "dark"] | None = None,
) -> Figure:
    """Draw the components of a fitted model: each one's map beside its time course.

    Every row has the same scales, so that components can be compared, and is titled with what the
    component would explain alone of the squares; how much all of them explain of the variance (R²)
    stands above. Maps in space are drawn to scale as `plot_map` does; maps with one feature
    dimension (neurons, muscles, frequencies) as bars or a line; maps with two others as an image.

    Parameters
    ----------
    model : fitted estimator
        With ``maps_`` (component, *features), ``signals_`` (time, component) and, where it has
        them, ``energy_`` (component) and ``explained_``.
    components : label or sequence of labels, optional
        The components to draw, in that order; all by default, the most energetic first.
    signs : {"merged", "side-by-side"}
        How maps with a dimension `sign` are drawn: as one map, rises less falls, in diverging
        colours, or the positive and the negative part beside each other.
    view : {"slices", "ortho"}
        "ortho" cuts each volume along its three axes, through the voxel where it peaks.
    slices : "peak", "shared", "all", float, str or sequence of them
        Where volumes are cut: each part where it peaks, all parts where they peak together, six
        slices spread evenly, or the positions given, as for `plot_map`.
    background : xarray.DataArray, "auto" or None
        What is drawn in grey below, as for `plot_map`. "auto" takes the coordinate `background` of
        the maps, the mean that `zscore`, `delta_f_over_f`, `detrend` and filters leave, where it
        is there; None draws none.
    slice_dim, threshold, mask, cmap, vmin, vmax, robust, scale_bar, y_axis : optional
        As for `plot_map`.
    limits : {"shared", "each"}
        The scales are those of all components of the model, also where some are drawn; "each" gives
        every component scales of its own, for map and time course.
    times : (start, stop), optional
        The stretch of time to draw, in the units of the time coordinate.
    events : xarray.Dataset over `event`, pandas.DataFrame, or list or mapping of them, optional
        What happened: `onset` and `duration` in s, and `trial_type`, shaded under every course and
        named above them. Of several runs one table each, in their order, or by session.
    page : int
        Of more than 16 components, 16 stand on a page, and a line at the foot says which page of
        how many it is.
    order : {"given", "weight"}
        In what order one dimension of features is drawn. "weight" lets each feature stand with the
        component drawn in which it weighs most, the heaviest first: parts become blocks. Of more
        than 24 features the largest bars of every component are named.
    width : float, "single" or "double"
        Width of the figure in inches, 3 or more, or that of a column (89 mm) or page (183 mm) in
        print; the height follows. Letters have the size of ``matplotlib.rcParams["font.size"]``.
    theme : {"light", "dark"}, optional
        Colours of page and maps; "light" by default.

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
        If a component, slice or choice is not known, or the mask or background lies on another
        grid.

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
    ['Component 0 · alone 50.0 %', 'Component 1 · alone 25.0 %']
    """
    checks.require_choice("signs", signs, ("merged", "side-by-side"))
    checks.require_choice("limits", limits, ("shared", "each"))
    checks.require_choice("view", view, ("slices", "ortho"))
    checks.require_choice("order", order, ("given", "weight"))
    inches = _inches_of(width)
    chosen = choose_theme(theme)
    caller = "plot_components"
    parts = parts_of(model, components=components, page=page, at_most=_MOST_ROWS, caller=caller)
    whole = samples_of(parts.signals, parts.sample_dim)
    shades = shades_of(events, whole, theme=chosen, caller=caller)
    shades = during(shades, whole, parts.signals, times)
    parts = parts.during(times, caller=caller)
    grey = background_of(parts.maps, background)
    columns = columns_of(parts.maps, signs)
    panels = [Panel(heading, maps, None) for heading, maps in columns]
    if is_image(columns[0][1]):
        how = {"mask": mask, "threshold": threshold, "scale_bar": scale_bar, "background": grey}
        cutter = Cutter(columns, slices, slice_dim, y_axis, how)
        narrow = inches < NARROW * chosen.letters.label / 8
        panels = cutter.through_the_peaks(narrow) if view == "ortho" else cutter.slices()
    elif view == "ortho":
        raise ValueError("view='ortho' cuts volumes, and these maps are none. Leave it out.")
    if order == "weight":
        panels = sorted_by_weight(panels, parts.maps)
    over = grey is not None and panels[0].pictures is not None
    every = [map_ for _, maps in columns_of(parts.all_maps, signs) for map_ in each_of(maps)]
    scales = [
        choose_scale(
            every if limits == "shared" else [maps.isel(component=row) for _, maps in columns],
            theme=chosen, over_image=over, cmap=cmap,
            vmin=vmin, vmax=vmax, robust=robust,
        )
        for row in range(parts.maps.sizes["component"])
    ]  # fmt: skip
    samples = samples_of(parts.signals, parts.sample_dim)
    heading = explained_in_words(model)
    plan = Plan(
        parts, panels, scales, limits == "shared", heading, samples, shades, chosen,
        ordered=order == "given",
    )  # fmt: skip
    sheet = _measure(plan, inches)
    figure = open_page(sheet.width, sheet.height, colour=chosen.page)
    with rc_context(chosen.rc):
        _draw(figure, plan, sheet)
    return figure


def count_pages(model: Any) -> int:
    """Return on how many pages `plot_components` draws the components of a fitted model."""
    return max(1, -(-int(model.maps_.sizes["component"]) // _MOST_ROWS))


def _inches_of(width: Any) -> float:
    if isinstance(width, str) and width in _PRESETS:
        return _PRESETS[width]
    if is_finite(width) and width >= _NARROWEST:
        return float(width)
    raise ValueError(
        f"width must be {_NARROWEST:g} inches or more for maps and traces, or 'single' (89 mm) or "
        f"'double' (183 mm); given: {width!r}."
    )


def _measure(plan: Plan, width: float) -> Sheet:
    letters = plan.theme.letters.label / 8
    maps = plan.panels[0].maps.isel(component=0)
    firsts = [panel.pictures[0] for panel in plan.panels if panel.pictures is not None]
    sheet = measure(
        width=width,
        left=_left(firsts) * letters,
        rows=len(plan.parts.shares),
        ratios=_ratios(firsts) if firsts else (1.6,) * len(plan.panels),
        head=plan.images and plan.shared,
        legend=_legend_rows(plan, width, letters),
        bars=plan.images and not plan.shared,
        foot=(TICKS + (0.2 if plan.parts.pages > 1 else 0)) * letters,
        letters=letters,
        gap=BETWEEN_MAPS if all(map(same_axis, plan.panels, plan.panels[1:])) else BETWEEN_AXES,
    )
    if plan.images:
        return sheet
    names = longest_name(maps, inches=sheet.map_widths[0], theme=plan.theme)
    return sheet._replace(foot=sheet.foot + max(0.0, 0.06 * names - 0.18) * letters)


def _left(pictures: list[Picture]) -> float:
    """Return the room that the first vertical axis needs, in inches for usual letters."""
    if pictures and pictures[0].bar:
        return 2 * RIGHT
    return LEFT + 0.06 * max((picture.letters for picture in pictures[:1]), default=0)


def _ratios(pictures: list[Picture]) -> tuple[float, ...]:
    """Return widths by the height of all, so that a millimetre is as long in every one."""
    if not all(picture.view.physical for picture in pictures):
        return tuple(picture.ratio for picture in pictures)
    highest = max(picture.size[1] for picture in pictures)
    return tuple(picture.size[0] / highest for picture in pictures)


def _draw(figure: Figure, plan: Plan, sheet: Sheet) -> None:
    for row in range(sheet.rows):
        axes = [
            _draw_map(figure, plan, sheet, row=row, panel=panel)
            for panel in range(len(plan.panels))
        ]
        trace = _draw_trace(figure, plan, sheet, row=row)
        if row < sheet.rows - 1:
            _leave_labels_to_the_last_row([*axes, trace])
            _leave_ticks_to_the_last_row(axes if plan.images else [])
    if plan.images and plan.shared:
        _draw_shared_bar(figure, plan, sheet)
    right, top = 1 - RIGHT / sheet.width, 1 - 0.06 / sheet.height
    figure.text(
        right, top, plan.heading, ha="right", va="top", color=plan.theme.ink,
        fontsize=plan.theme.letters.title,
    )  # fmt: skip
    _name_events(figure, plan, sheet)
    if plan.parts.pages > 1:
        words = f"page {plan.parts.page} of {plan.parts.pages}; turn it with page="
        figure.text(sheet.left / sheet.width, 0.06 / sheet.height, words, color=plan.theme.faint)


def _legend_rows(plan: Plan, width: float, letters: float) -> int:
    """Return how many rows the names of the events take."""
    return -(-len(plan.shades.spans) // _names_a_row(width, letters))


def _names_a_row(width: float, letters: float) -> int:
    return max(1, int(width / (1.1 * letters)))


def _name_events(figure: Figure, plan: Plan, sheet: Sheet) -> None:
    if not plan.shades.spans:
        return
    below = 1 - sheet.above_legend / sheet.height
    figure.legend(
        handles=named(plan.shades), loc="upper right", borderaxespad=0, handlelength=1.0,
        bbox_to_anchor=(1 - RIGHT / sheet.width, below), columnspacing=1.0,
        ncols=min(len(plan.shades.spans), _names_a_row(sheet.width, sheet.letters)),
    )  # fmt: skip


def _draw_map(figure: Figure, plan: Plan, sheet: Sheet, *, row: int, panel: int) -> Axes:
    heading, maps, pictures = plan.panels[panel]
    map_ = maps.isel(component=row)
    ax = add_panel(figure, sheet.map_box(row, panel))
    dress(ax, plan.theme)
    if pictures is None:
        draw_profile(
            ax, map_, limits=_bar_limits(plan, row), theme=plan.theme, colour=plan.theme.lines[0],
            ordered=plan.ordered,
        )  # fmt: skip
    else:
        ax.set_anchor("W")
        scale = plan.scales[row]
        last = row == sheet.rows - 1
        picture = pictures[row] if last else pictures[row]._replace(bar=False)
        mappable = draw_picture(ax, map_, picture, scale=scale, theme=plan.theme)
        if pictures[row].bar:
            ax.set(xticks=[], yticks=[])
        if not plan.shared and panel == len(plan.panels) - 1:
            add_colour_bar(ax, mappable, label=axis_label(maps), scale=scale)
    if row == 0 and heading and (not panel or heading != plan.panels[panel - 1].heading):
        small, faint = plan.theme.letters.tick, plan.theme.faint
        ax.set_title(heading, fontsize=small, color=faint, loc="left", pad=3)
    if panel and same_axis(plan.panels[panel - 1], plan.panels[panel]):
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)
    return ax


def _bar_limits(plan: Plan, row: int) -> tuple[float, float]:
    """Return limits of the weights that start at 0, of all components or of one."""
    ends = plan.scales[row].norm
    low, high = float(ends.vmin or 0.0), float(ends.vmax or 0.0)
    every = [panel.maps if plan.shared else panel.maps.isel(component=row) for panel in plan.panels]
    flat = np.concatenate([np.append(part.values.ravel(), [0.0, low, high]) for part in every])
    bottom, top = limits_of(flat.astype(float))
    return (0.0 if low >= 0 else bottom), (0.0 if high <= 0 else top)


def _draw_trace(figure: Figure, plan: Plan, sheet: Sheet, *, row: int) -> Axes:
    parts = plan.parts
    ax = add_panel(figure, sheet.trace_box(row))
    values = np.asarray(parts.signals.values[:, row], dtype=float)
    shade(ax, plan.shades)
    ax.plot(plan.samples.at, values, color=plan.theme.lines[0], linewidth=0.8)
    draw_samples(ax, plan.samples, theme=plan.theme)
    scaled_by = parts.all_signals.values if plan.shared else values
    ax.set_ylim(*limits_of(np.asarray(scaled_by, dtype=float)))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_ylabel(axis_label(parts.signals))
    label = parts.signals["component"].values[row]
    share = share_in_words(parts.shares[row])
    name = str(label) if sheet.narrow else f"Component {label}"
    title = f"{name} · {share}" if share else name
    room = sheet.trace_box(row)[2] + RIGHT
    if _inches_of_words(title, plan.theme.letters.title) > room:
        title = name
    ax.set_title(title, fontsize=plan.theme.letters.title, loc="left", pad=4)
    return ax


def _inches_of_words(words: str, size: float) -> float:
    """Return how long words are about: a letter is 0.54 of its size in points wide."""
    return 0.54 * size / 72 * len(words)


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
    scale, size = plan.scales[0], sheet.letters
    maps = plan.panels[0].maps
    signed = scale.signed and "sign" in plan.parts.maps.dims
    label = f"{axis_label(maps)} ({MERGED})" if signed else axis_label(maps)
    words = _inches_of_words(label, plan.theme.letters.label)
    room = (sheet.width - sheet.left - RIGHT - words) / 1.06
    across = max(min(max(sheet.maps_width, 1.2), 2.4, room), 0.4)
    below = (0.37 if sheet.narrow else 0.17) * size
    bar_axes = add_panel(figure, (sheet.left, sheet.height - below, across, 0.08))
    mappable = ScalarMappable(scale.norm, scale.colours)
    bar = figure.colorbar(mappable, cax=bar_axes, orientation="horizontal", extend=scale.extend)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(4 if across > 1.6 * size else 2)
    bar_axes.tick_params(length=2, width=0.6, labelsize=plan.theme.letters.tick)
    bar_axes.text(
        1.06, 0.5, label,
        transform=bar_axes.transAxes, ha="left", va="center",
        fontsize=plan.theme.letters.label, color=plan.theme.ink,
    )  # fmt: skip
