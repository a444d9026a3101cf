"""What stands in the columns of maps of a figure: which panels, cut where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import xarray as xr

from partita.plotting.parts import merged
from partita.plotting.pictures import Picture, compose, tile_size
from partita.plotting.profiles import by_weight
from partita.plotting.views import SPACE, Cut, View, arrange, choose_cuts, choose_view, peak_cut

_MOST_TILES = 6

Slices = float | str | Sequence[float | str]


class Panel(NamedTuple):
    """What stands in one column of maps; a picture a row, or none where maps are no images."""

    heading: str
    maps: xr.DataArray
    pictures: list[Picture] | None


def columns_of(maps: xr.DataArray, signs: str) -> list[tuple[str, xr.DataArray]]:
    """Return what stands side by side in a row, each with its heading."""
    if signs == "merged" or "sign" not in maps.dims:
        return [("", merged(maps))]
    return [(str(sign), maps.sel(sign=sign, drop=True)) for sign in maps["sign"].values]


def each_of(maps: xr.DataArray) -> list[xr.DataArray]:
    """Return the maps of the components one by one."""
    return [maps.isel(component=at) for at in range(maps.sizes["component"])]


def sorted_by_weight(panels: list[Panel], maps: xr.DataArray) -> list[Panel]:
    """Return panels whose features stand with the component in which they weigh most.

    Raises
    ------
    ValueError
        If they are images.
    """
    if panels[0].pictures is not None:
        raise ValueError(
            "order='weight' sorts maps with one dimension of features, and these are images. "
            "Leave it out."
        )
    first = by_weight(maps)
    return [panel._replace(maps=panel.maps.isel({first.dims[0]: first})) for panel in panels]


def is_image(maps: xr.DataArray) -> bool:
    """Tell whether each map is an image, or slices of one."""
    long = [dim for dim in maps.dims if dim != "component" and maps.sizes[dim] > 1]
    return len(long) > 1 or {"y", "x"} <= set(maps.dims)


def same_axis(left: Panel, right: Panel) -> bool:
    """Tell whether two neighbours have the same vertical axis, which is named once."""
    if left.pictures is None or right.pictures is None:
        return True
    if left.pictures[0].bar:  # which stands in place of the axes
        return True
    return left.pictures[0].view.vertical == right.pictures[0].view.vertical


class Cutter:
    """Cuts the maps of every row, and says what is drawn of them."""

    def __init__(
        self,
        columns: list[tuple[str, xr.DataArray]],
        slices: Slices,
        slice_dim: str | None,
        y_axis: str,
        how: dict[str, Any],
    ) -> None:
        self.columns, self.how, self.y_axis = columns, how, y_axis
        self.where, self.slice_dim = slices, slice_dim
        self.first = columns[0][1].isel(component=0)
        self.rows = columns[0][1].sizes["component"]

    def slices(self) -> list[Panel]:
        """Return panels of slices as they were asked for."""
        view = self._view(self.slice_dim)
        if isinstance(self.where, str) and self.where in ("peak", "shared"):
            cuts = [self._peak(row, view) for row in range(self.rows)]
        else:
            slices = None if isinstance(self.where, str) and self.where == "all" else self.where
            same = choose_cuts(
                self.first, view, slices=slices, slice_dim=self.slice_dim, at_most=_MOST_TILES
            )
            cuts = [same] * self.rows
        pictures = [self._picture(view, some) for some in cuts]
        return [Panel(heading, maps, pictures) for heading, maps in self.columns]

    def through_the_peaks(self, narrow: bool) -> list[Panel]:
        """Return panels of three cuts, each across one axis of space.

        On a narrow page there is room for them, and for a scale bar, but for no axes.
        """
        axes = [dim for dim in SPACE if self.first.sizes.get(dim, 1) > 1]
        if len(axes) < 3:
            raise ValueError(
                "view='ortho' cuts volumes along z, y and x, and these maps have the sizes "
                f"{dict(self.first.sizes)}. Leave it out."
            )
        views = [self._view(dim) for dim in axes]
        if narrow and all(view.physical for view in views):
            self.how["scale_bar"] = True
        cut = [
            [self._picture(view, self._peak(row, view)) for row in range(self.rows)]
            for view in views
        ]
        return [
            Panel(heading, maps, pictures) for heading, maps in self.columns for pictures in cut
        ]

    def _view(self, slice_dim: str | None) -> View:
        return choose_view(
            self.first, slice_dim=slice_dim, y_axis=self.y_axis, caller="plot_components"
        )

    def _peak(self, row: int, view: View) -> list[Cut]:
        rows = slice(None) if self.where == "shared" else [row]
        chosen = xr.concat([maps.isel(component=rows) for _, maps in self.columns], "panel")
        return peak_cut(chosen, view, along=tuple(map(str, self.first.dims)))

    def _picture(self, view: View, cuts: list[Cut]) -> Picture:
        across, up = tile_size(self.first, view)
        columns = arrange(len(cuts), width=across, height=up, ratio=3.0 / len(self.columns))
        return compose(self.first, view, cuts, columns=columns, height=1.2, **self.how)
