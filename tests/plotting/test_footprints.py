"""Many parts on one picture."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.path import Path

from partita.plotting import plot_footprints


@pytest.fixture
def cells():
    """Return three round cells of known places, the last of them brighter."""
    y, x = np.arange(40) * 0.01, np.arange(60) * 0.01
    middles, height = [(0.1, 0.1), (0.2, 0.45), (0.32, 0.3)], [1.0, 2.0, 9.0]
    values = [
        h * np.exp(-((y[:, None] - a) ** 2 + (x - b) ** 2) / 0.03**2)
        for (a, b), h in zip(middles, height, strict=True)
    ]
    mm = {"units": "mm"}
    return xr.DataArray(
        values,
        dims=("component", "y", "x"),
        coords={"component": [4, 7, 9], "y": ("y", y, mm), "x": ("x", x, mm)},
    ), middles


def outlines(ax):
    return [np.concatenate([p.vertices for p in c.get_paths()]) for c in ax.collections]


def test_each_part_has_its_outline_and_its_number_where_it_is(cells):
    maps, middles = cells
    ax = plot_footprints(maps)
    assert [text.get_text() for text in ax.texts] == ["4", "7", "9"]
    for text, line, (y, x) in zip(ax.texts, outlines(ax), middles, strict=True):
        assert text.get_position() == pytest.approx((x, y), abs=2e-3)
        assert line.mean(0) == pytest.approx((x, y), abs=0.01)
    assert len({to_hex(c.get_edgecolor()[0]) for c in ax.collections}) == 3


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_an_outline_holds_the_share_of_the_squares_that_it_says(cells, share):
    maps, _ = cells
    for part, line in zip(maps, outlines(plot_footprints(maps, share=share)), strict=True):
        grid = np.stack(np.meshgrid(part.x, part.y), -1).reshape(-1, 2)
        inside = Path(line).contains_points(grid).reshape(part.shape)
        held = float((part**2).where(inside, 0).sum() / (part**2).sum())
        a_voxel = float((part**2).max() / (part**2).sum())
        assert held == pytest.approx(share, abs=a_voxel + 0.03)


def test_specks_beside_a_part_are_not_outlined(cells):
    maps, middles = cells
    clean = [len(line) for line in outlines(plot_footprints(maps))]
    maps[1, 35, 5] = 0.9 * maps[1].max()
    ax = plot_footprints(maps)
    assert ax.texts[1].get_position() == pytest.approx(middles[1][::-1], abs=2e-3)
    assert outlines(ax)[1].min(0)[0] > 0.3
    assert len(outlines(ax)[1]) == pytest.approx(clean[1], abs=3)
    maps[1, 30:36, 5:11] = maps[1].max()
    assert outlines(plot_footprints(maps))[1].min(0)[0] < 0.1


def test_a_component_keeps_its_colour_whichever_others_are_chosen(cells):
    maps, _ = cells
    whole, alone = plot_footprints(maps), plot_footprints(maps, components=9, numbers=False)
    colours = [to_hex(ax.collections[-1].get_edgecolor()[0]) for ax in (whole, alone)]
    assert colours[0] == colours[1]
    assert not alone.texts


def test_volumes_are_looked_through_and_signs_merged(cells):
    maps, _ = cells
    volume = xr.concat([maps * 0.5, maps], xr.IndexVariable("z", [0.0, 1.0]))
    signed = xr.concat([volume, volume * 0], xr.IndexVariable("sign", ["positive", "negative"]))
    flat = outlines(plot_footprints(maps))
    for thick in (volume, signed):
        for one, other in zip(flat, outlines(plot_footprints(thick)), strict=True):
            np.testing.assert_allclose(one, other)


def test_models_are_drawn_over_what_their_maps_bring_along(fusi):
    model = fusi(3)
    mean = model.maps_.isel(component=0, drop=True).variable
    model.maps_ = model.maps_.assign_coords(background=mean)
    ax = plot_footprints(model, scale_bar=True, title="Cells")
    assert ax.images[0].cmap.name == "gray"
    assert ax.get_title(loc="left") == "Cells"
    assert not plot_footprints(model, background=None).images


def test_empty_parts_have_no_outline(cells):
    maps, _ = cells
    ax = plot_footprints(maps.where(maps.component != 7, 0))
    assert [text.get_text() for text in ax.texts] == ["4", "9"]


@pytest.mark.parametrize("share", [0, 1, -0.5, np.nan, "most"])
def test_a_share_that_is_none_is_refused(cells, share):
    with pytest.raises(ValueError, match=r"share must be between 0 and 1"):
        plot_footprints(cells[0], share=share)


def test_lists_of_features_are_no_picture(listed):
    with pytest.raises(ValueError, match="plot_footprints"):
        plot_footprints(listed(neuron=np.arange(5)))
    with pytest.raises(TypeError, match="plot_footprints needs a fitted model"):
        plot_footprints([1, 2])
