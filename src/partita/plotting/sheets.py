"""Where the panels of a figure of components lie: measured in inches, so that nothing overlaps."""

from __future__ import annotations

from typing import Literal, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Room in inches for what stands around the panels.
LEFT, RIGHT, TITLE, TICKS = 0.62, 0.15, 0.27, 0.46
BETWEEN_MAPS, BETWEEN_AXES, BEFORE_TRACE, BAR, HEAD = 0.24, 0.6, 0.72, 0.75, 0.4
_LOWEST, _HIGHEST = 0.8, 1.9
NARROW = 6.0
"""Inches, with letters of the usual size, below which words are few and stand below each other."""

# Left, bottom, width and height in inches.
Box = tuple[float, float, float, float]


class Sheet(NamedTuple):
    """Sizes in inches; rows from the top, map panels from the left."""

    width: float
    left: float
    rows: int
    map_widths: tuple[float, ...]
    map_height: float
    head: float
    above_legend: float
    foot: float
    bar: float
    letters: float
    gap: float

    @property
    def narrow(self) -> bool:
        """Whether words have to be few."""
        return self.width < NARROW * self.letters

    @property
    def height(self) -> float:
        """The height of the page."""
        return self.head + self.rows * self._row + self.foot

    def map_box(self, row: int, panel: int) -> Box:
        """Left, bottom, width and height of a map."""
        left = self.left + sum(self.map_widths[:panel]) + panel * self.gap * self.letters
        return left, self._bottom(row), self.map_widths[panel], self.map_height

    def trace_box(self, row: int) -> Box:
        """Left, bottom, width and height of a time course."""
        left = self.left + self.maps_width + self.bar + BEFORE_TRACE * self.letters
        return left, self._bottom(row), self.width - left - RIGHT, self.map_height

    @property
    def maps_width(self) -> float:
        """The width of all map panels of a row."""
        between = (len(self.map_widths) - 1) * self.gap * self.letters
        return sum(self.map_widths) + between

    @property
    def _row(self) -> float:
        return TITLE * self.letters + self.map_height

    def _bottom(self, row: int) -> float:
        return self.height - self.head - (row + 1) * self._row


def measure(
    *,
    width: float,
    left: float,
    rows: int,
    ratios: tuple[float, ...],
    head: bool,
    legend: int,
    bars: bool,
    foot: float,
    letters: float,
    gap: float,
) -> Sheet:
    """Return a sheet on which maps of those ratios fill their panels and leave the rest to traces.

    Few components get high rows, many get low ones. `letters` is how much larger than usual they
    are, and what stands between the panels with them; `gap` is the room between maps for usual
    letters, `legend` how many rows of names stand above the first.
    """
    bar = BAR * letters if bars else 0.0
    around = BEFORE_TRACE + (len(ratios) - 1) * gap
    room = width - left - RIGHT - bar - around * letters
    highest = _HIGHEST if rows <= 4 else 1.45 if rows <= 12 else 1.1
    all_ratios = sum(ratios)
    share = 0.5 if all_ratios > 1.5 else 0.4
    height = min(max(share * room / all_ratios, _LOWEST), highest)
    across = tuple(min(height, share * room / all_ratios) * ratio for ratio in ratios)
    above = (HEAD if head else 0.28) * letters
    if head and width < NARROW * letters:
        above += 0.2 * letters  # the heading stands above the colours, not beside them
    above_legend, above = above, above + legend * 0.2 * letters
    return Sheet(width, left, rows, across, height, above, above_legend, foot, bar, letters, gap)


def add_panel(figure: Figure, box: Box) -> Axes:
    """Add axes at a place in inches."""
    width, height = figure.get_size_inches()
    left, bottom, across, up = box
    return figure.add_axes((left / width, bottom / height, across / width, up / height))


class NotebookFigure(Figure):
    """A figure of pyplot that a notebook shows once.

    IPython's inline backend shows what a cell ends with, and then every figure that pyplot still
    knows. This one leaves pyplot when it is shown, so that it does not come twice; `plt.show()` in
    a script and the scraper of a gallery find it as they find any other.
    """

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        if "inline" in plt.get_backend().lower():
            plt.close(self)
        return {}


def open_page(
    width: float, height: float, *, colour: str, layout: Literal["none", "constrained"] = "none"
) -> Figure:
    """Return a new empty figure of that size in inches, known to pyplot.

    Not for the inside of `matplotlib.rc_context`: the first figure of a session wakes the backend,
    whose own settings must outlive the call.
    """
    return plt.figure(
        figsize=(width, height), facecolor=colour, layout=layout, FigureClass=NotebookFigure
    )
