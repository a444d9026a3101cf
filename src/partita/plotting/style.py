"""How figures look: palettes, light and dark themes, and the words on an axis."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb

# Okabe & Ito (2008), Color Universal Design: told apart with any colour vision.
OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}

# What a map of two signs, merged, is called.
MERGED = "positive \N{MINUS SIGN} negative"


class Letters(NamedTuple):
    """Sizes of letters in points, as the user's ``font.size`` (10 by default) has them."""

    title: float
    label: float
    tick: float

    @classmethod
    def now(cls) -> Letters:
        """Return the sizes that go with matplotlib's settings as they stand."""
        size = float(rcParams["font.size"])
        return cls(0.9 * size, 0.8 * size, 0.7 * size)


class Theme(NamedTuple):
    """The colours and letters of one figure."""

    name: str
    page: str
    ink: str
    faint: str
    sequential: Colormap
    diverging: Colormap
    lines: tuple[str, ...]
    letters: Letters = Letters(9.0, 8.0, 7.0)

    @property
    def rc(self) -> Any:
        """Settings for `matplotlib.rc_context`: they end with the call that draws."""
        return {
            "figure.facecolor": self.page,
            "savefig.facecolor": "auto",
            "axes.facecolor": "none",
            "axes.edgecolor": self.ink,
            "axes.labelcolor": self.ink,
            "axes.grid": False,
            "axes.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": self.letters.title,
            "axes.labelsize": self.letters.label,
            "font.size": self.letters.label,
            "text.color": self.ink,
            "xtick.color": self.ink,
            "ytick.color": self.ink,
            "xtick.labelsize": self.letters.tick,
            "ytick.labelsize": self.letters.tick,
            "legend.frameon": False,
            "legend.fontsize": self.letters.tick,
        }


def _named(*names: str) -> tuple[str, ...]:
    return tuple(OKABE_ITO[name] for name in names)


def _blend(name: str, *colours: str) -> Colormap:
    return LinearSegmentedColormap.from_list(f"partita_{name}", colours)


# Zero has the colour of the page in both themes, so that what a map leaves out recedes.
_LIGHT = Theme(
    name="light",
    page="#ffffff",
    ink="#1a1a1a",
    faint="#8a8a8a",
    sequential=_blend(
        "light", "#f7f7f4", "#fbd08b", "#f2913d", "#d4522f", "#962154", "#501463", "#1d0b3a"
    ),
    diverging=_blend(
        "light_signed", "#08306b", "#2a6fb0", "#7fb4d9", "#f7f7f4", "#f0a27e", "#c2402f", "#67001f"
    ),
    lines=(*_named("blue", "vermillion", "green", "purple", "orange", "sky"), "#4d4d4d"),
)
_DARK = Theme(
    name="dark",
    page="#101216",
    ink="#e8e8e8",
    faint="#8c9097",
    sequential=_blend(
        "dark", "#16181d", "#3f1a5e", "#87216b", "#cb3f4f", "#f37b2c", "#fbc04a", "#fdf6c6"
    ),
    diverging=_blend(
        "dark_signed", "#c6e6ff", "#5aa9e6", "#22588c", "#16181d", "#8c2f22", "#ea6f4b", "#ffd9b8"
    ),
    lines=(*_named("sky", "orange", "green", "purple", "yellow", "vermillion"), "#ffffff"),
)
THEMES = {theme.name: theme for theme in (_LIGHT, _DARK)}


def choose_theme(name: str | None, *, ax: Axes | None = None) -> Theme:
    """Return a theme by name; without one, that which suits the page of given axes.

    Raises
    ------
    ValueError
        If there is no theme of that name.
    """
    if name is None:
        name = "dark" if ax is not None and _is_dark(ax) else "light"
    if name not in THEMES:
        raise ValueError(f"There is no theme {name!r}. Known themes: {', '.join(THEMES)}.")
    return THEMES[name]._replace(letters=Letters.now())


def axis_label(array: xr.DataArray) -> str:
    """Return ``long_name [units]`` of an array or coordinate, as far as it knows them.

    A plain number, of unit "1", has no unit to name.

    Examples
    --------
    >>> from partita.plotting.style import axis_label
    >>> axis_label(xr.DataArray([0.0], attrs={"long_name": "Depth", "units": "mm"}))
    'Depth [mm]'
    """
    name = str(array.attrs.get("long_name") or ("value" if array.name is None else array.name))
    # Timedeltas are drawn in seconds, whatever unit they are said to have.
    units = "s" if array.dtype.kind == "m" else array.attrs.get("units")
    return name if units in (None, "", "1") or array.dtype.kind == "M" else f"{name} [{units}]"


def dress(ax: Axes, theme: Theme) -> None:
    """Give axes that someone else made the colours and letter sizes of a theme."""
    # The page shows through: what a map leaves out has its colour.
    ax.set_facecolor("none")
    ax.tick_params(colors=theme.ink, labelsize=theme.letters.tick, length=2.5, width=0.6)
    for side, spine in ax.spines.items():
        spine.set_color(theme.ink)
        spine.set_linewidth(0.6)
        spine.set_visible(side in ("left", "bottom"))
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(theme.ink)
        label.set_fontsize(theme.letters.label)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_offset_text().set(color=theme.ink, fontsize=theme.letters.tick)


def round_length(span: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... that `span` holds; 1 for an empty span."""
    if not np.isfinite(span) or span <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(span))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= span * (1 + 1e-9)))


def _is_dark(ax: Axes) -> bool:
    figure = ax.get_figure()
    page = figure.get_facecolor() if figure is not None else "white"
    return float(np.dot(to_rgb(page), (0.299, 0.587, 0.114))) < 0.5
