"""Maps with one dimension of features: bars, lines and names."""

from __future__ import annotations

import io
from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from partita.plotting import plot_components
from partita.plotting.style import choose_theme


def bars(figure):
    """Return the axes with maps: those without a title."""
    return [ax for ax in figure.axes if not ax.get_title(loc="left")]


def names(ax):
    """Return what is written beside bars."""
    return [text.get_text() for text in ax.texts]


@pytest.fixture
def lone(listed):
    """Return a maker of three maps with one weight each, at known features."""

    def make(count, at=(3, 402, 806), labels=None):
        model = listed(neuron=np.arange(count) if labels is None else labels)
        weights = np.zeros((3, count))
        weights[np.arange(3), at] = 1.0
        model.maps_ = model.maps_.copy(data=weights)
        return model

    return make


@pytest.mark.parametrize("dpi", [72, 100, 150])
def test_one_weight_among_808_features_is_seen(lone, dpi):
    for at in ((3, 402, 806), (0, 119, 807), (55, 56, 601), (250, 333, 777)):
        figure = plot_components(lone(808, at))
        figure.savefig(file := io.BytesIO(), format="rgba", dpi=dpi)
        across, up = np.ceil(figure.get_size_inches() * dpi - 1e-6).astype(int)
        pixels = np.frombuffer(file.getvalue(), np.uint8).reshape(-1, across, 4)[::-1, :, :3] / 255
        assert pixels.shape[0] in (up, up - 1)
        colour = to_rgb(choose_theme("light").lines[0])
        for ax in bars(figure):
            box = ax.get_position()
            low, high = int(box.y0 * up), int(box.y1 * up)
            part = pixels[low:high, int(box.x0 * across) : int(box.x1 * across) + 2]
            full = (np.abs(part - colour).max(axis=2) < 0.02).mean(axis=0)
            assert full.max() > 0.85


def test_every_weight_has_its_own_height(listed):
    model = listed(neuron=np.arange(100))
    for ax, map_ in zip(bars(plot_components(model)), model.maps_.values, strict=True):
        drawn = {path[1, 0]: path[1, 1] for path in ax.collections[0].get_segments()}
        assert [drawn[at] for at in range(100)] == pytest.approx(map_)


def test_the_largest_of_many_named_bars_keep_their_names(lone):
    labels = [f"cell {at}" for at in range(808)]
    figure = plot_components(lone(808, labels=labels))
    assert [names(ax) for ax in bars(figure)] == [["cell 3"], ["cell 402"], ["cell 806"]]
    assert not len(bars(figure)[-1].get_xticks())


@pytest.mark.slow
@pytest.mark.parametrize("order", ["given", "weight"])
@pytest.mark.parametrize("width", ["single", 9.0])
def test_names_of_bars_do_not_overlap_and_stay_on_the_page(listed, width, order):
    for count in (12, 20, 40, 300):
        model = listed(muscle=[f"muscle {at}" for at in range(count)])
        figure = plot_components(model, width=width, order=order)
        figure.canvas.draw()
        for ax in bars(figure):
            found = [text.get_window_extent() for text in ax.texts]
            found += [text.get_window_extent() for text in ax.get_xticklabels() if text.get_text()]
            assert not any(one.overlaps(other) for one, other in combinations(found, 2))
            assert ax.get_tightbbox().y0 >= 0
        assert all(names(ax) or len(ax.get_xticks()) == count for ax in figure.axes if ax.patches)


def test_features_stand_by_weight_if_asked(listed):
    model = listed(muscle=["a", "b", "c", "d"])
    weights = [[0.1, 0.2, 0.9, 0.0], [0.5, 0.0, 0.0, 0.8], [0.2, 0.3, 0.1, 0.1]]
    model.maps_ = model.maps_.copy(data=weights)
    figure = plot_components(model, order="weight")
    last = bars(figure)[-1]
    assert [text.get_text() for text in last.get_xticklabels()] == ["c", "d", "a", "b"]
    assert [bar.get_height() for bar in bars(figure)[1].patches] == [0.0, 0.8, 0.5, 0.0]
    assert last.get_xlabel() == "muscle, by weight"


def test_by_weight_a_line_is_bars_and_signs_share_one_order(listed):
    model = listed(frequency=np.arange(5.0))
    assert len(bars(plot_components(model, order="weight"))[0].patches) == 5
    halves = [model.maps_, 2 * model.maps_[:, ::-1].drop_vars("frequency")]
    model.maps_ = xr.concat(halves, xr.Variable("sign", ["positive", "negative"])).transpose(
        "component", "sign", ...
    )
    figure = plot_components(model, order="weight", signs="side-by-side", components=1)
    left, right = ([bar.get_height() for bar in ax.patches] for ax in figure.axes if ax.patches)
    order = np.argsort(-model.maps_.sel(component=1).max("sign").values)
    assert left == pytest.approx(model.maps_[1, 0].values[order])
    assert right == pytest.approx(model.maps_[1, 1].values[order])


def test_images_have_no_order_by_weight(fusi):
    with pytest.raises(ValueError, match="order='weight' sorts maps with one dimension"):
        plot_components(fusi(2), order="weight")
    with pytest.raises(ValueError, match="order must be 'given' or 'weight', and was 'size'"):
        plot_components(fusi(2), order="size")
