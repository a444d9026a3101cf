"""Words and lengths on an axis, and the ways maps are laid out."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.plotting.style import THEMES, axis_label, round_length
from partita.plotting.views import arrange


@pytest.mark.parametrize(
    ("attrs", "label"),
    [
        ({"long_name": "Depth", "units": "mm"}, "Depth [mm]"),
        ({"units": "mm"}, "y [mm]"),
        ({"long_name": "Depth"}, "Depth"),
        ({}, "y"),
    ],
)
def test_axis_labels_say_as_much_as_the_coordinate_knows(attrs, label):
    assert axis_label(xr.DataArray([0.0], dims="y", name="y", attrs=attrs)) == label


def test_an_array_without_a_name_is_a_value():
    assert axis_label(xr.DataArray(1.0)) == "value"


@pytest.mark.parametrize("span", [1e-9, 0.3, 1.0, 2.0, 4.99, 5.0, 99.0, 1e8])
def test_round_lengths_fit_and_are_no_less_than_two_fifths(span):
    length = round_length(span)
    assert 0.4 * span <= length <= span * (1 + 1e-9)
    assert f"{length:e}"[0] in "125"


def test_an_empty_span_has_a_length():
    assert round_length(0.0) == round_length(np.nan) == 1.0


def test_tiles_leave_no_place_empty_where_that_costs_little():
    assert arrange(6, width=1, height=1, ratio=1.5) == 3
    assert arrange(1, width=1, height=3, ratio=2) == 1
    assert arrange(4, width=1, height=1, ratio=100) == 4


@pytest.mark.parametrize("name", ["light", "dark"])
def test_zero_recedes_into_the_page_and_extremes_stand_out(name):
    theme = THEMES[name]

    def light(colour):
        return float(np.dot(colour[:3], (0.21, 0.72, 0.07)))

    page = 1.0 if name == "light" else 0.07
    assert light(theme.sequential(0.0)) == pytest.approx(page, abs=0.05)
    assert light(theme.diverging(0.5)) == pytest.approx(page, abs=0.05)
    steps = np.diff([light(theme.sequential(share)) for share in np.linspace(0, 1, 30)])
    assert np.all(steps < 0) or np.all(steps > 0)
    for colours in (theme.diverging,):
        halves = [light(colours(0.5 + side * reach)) for reach in (0.25, 0.5) for side in (-1, 1)]
        assert np.ptp(halves[:2]) < 0.15
        assert np.ptp(halves[2:]) < 0.15
