"""Where the panels of a figure of components lie: measured in inches, so that nothing overlaps."""

from __future__ import annotations

from typing import Literal, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Room in inches for what stands around the panels.
LEFT, RIGHT, TITLE, TICKS = 0.62, 0.15, 0.27, 0.46
BETWEEN_MAPS, BEFORE_TRACE, BAR, HEAD = 0.24, 0.72, 0.75, 0.4
_LOWEST, _HIGHEST = 0.8, 1.9

# Left, bottom, width and height in inches.
Box = tuple[float, float, float, float]


class Sheet(NamedTuple):
    """Sizes in inches; rows from the top, map panels from the left."""

    width: float
    left: float
    rows: int
    panels: int
    map_width: float
    map_height: float
    head: float
    foot: float
    bar: float

    @property
    def height(self) -> float:
        """The height of the page."""
        return self.head + self.rows * (TITLE + self.map_height) + self.foot

    def map_box(self, row: int, panel: int) -> Box:
        """Left, bottom, width and height of a map."""
        left = self.left + panel * (self.map_width + BETWEEN_MAPS)
        return left, self._bottom(row), self.map_width, self.map_height

    def trace_box(self, row: int) -> Box:
        """Left, bottom, width and height of a time course."""
        left = self.left + self.maps_width + self.bar + BEFORE_TRACE
        return left, self._bottom(row), self.width - left - RIGHT, self.map_height

    @property
    def maps_width(self) -> float:
        """The width of all map panels of a row."""
        return self.panels * self.map_width + (self.panels - 1) * BETWEEN_MAPS

    def _bottom(self, row: int) -> float:
        return self.height - self.head - (row + 1) * (TITLE + self.map_height)


def measure(
    *,
    width: float,
    left: float,
    rows: int,
    panels: int,
    ratio: float,
    head: bool,
    bars: bool,
    foot: float,
) -> Sheet:
    """Return a sheet on which maps of that ratio fill their panels and leave the rest to traces.

    Few components get high rows, many get low ones.
    """
    bar = BAR if bars else 0.0
    room = width - left - BEFORE_TRACE - RIGHT - bar - (panels - 1) * BETWEEN_MAPS
    highest = _HIGHEST if rows <= 4 else 1.45 if rows <= 12 else 1.1
    share = 0.5 if panels * ratio > 1.5 else 0.4
    height = min(max(share * room / (panels * ratio), _LOWEST), highest)
    across = min(height * ratio, share * room / panels)
    return Sheet(width, left, rows, panels, across, height, HEAD if head else 0.1, foot, bar)


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
