"""Places are even, and two grids one, by the spacing of the places and not by their unit."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita._labels.grid import even_spacing, is_even, least_spacing, same_grid, same_places


def coordinate_of(values) -> xr.DataArray:
    return xr.DataArray(values, dims="x")


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("start", [0.0, -3.0, 1e4])
@pytest.mark.parametrize("step", [0.1, -0.1])
def test_an_even_grid_is_even_whatever_its_unit_its_start_and_its_direction(scale, start, step):
    places = scale * (start + step * np.arange(20))
    spacing, away = even_spacing(places)
    assert spacing == pytest.approx(scale * step, rel=1e-6)
    assert away < 1e-6
    assert is_even(places)


def test_up_to_one_per_cent_of_the_spacing_is_even():
    places = np.arange(100.0)
    places[50] += 0.009
    assert is_even(places)
    places[50] += 0.003
    assert not is_even(places)
    assert even_spacing(places)[1] == pytest.approx(0.012, rel=0.02)


def test_a_spacing_that_grows_is_uneven_even_where_neighbours_differ_little():
    assert not is_even(np.cumsum(np.linspace(1, 1.02, 100)))


def test_places_that_do_not_advance_are_uneven():
    assert even_spacing(np.zeros(3)) == (0.0, np.inf)
    assert not is_even(np.array([0.0, 1, 2, 0, 1, 2]))


def test_the_least_spacing_passes_over_repeated_and_missing_places():
    assert least_spacing(np.array([3.0, 1, 1, np.nan, 1.5])) == 0.5
    assert least_spacing(np.array([7.0])) == 7
    assert least_spacing(np.array([0.25, 0.25])) == 1
    assert least_spacing(np.array([np.nan])) == 1


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_grids_are_one_within_a_thousandth_of_the_spacing(scale):
    ours = scale * np.array([3.0, 2.5, 2.0])
    assert same_places(ours + 4e-4 * scale, ours)
    assert not same_places(ours + 6e-4 * scale, ours)
    assert not same_places(ours[:2], ours)


def test_repeated_times_of_joined_runs_are_one_grid_within_their_spacing():
    runs = np.array([0.0, 1, 1, 2])
    assert same_places(runs + 5e-4, runs)
    assert not same_places(runs + 5e-3, runs)


def test_places_that_are_missing_in_both_agree():
    assert same_places(np.array([0.0, np.nan]), np.array([0.0, np.nan]))
    assert not same_places(np.array([0.0, np.nan]), np.array([0.0, 1]))


def test_labels_and_dates_are_one_grid_where_they_are_equal():
    assert same_grid(coordinate_of(["a", "b"]), coordinate_of(["a", "b"]))
    assert not same_grid(coordinate_of(["a", "b"]), coordinate_of(["a", "c"]))
    days = np.array(["2020-01-01", "2020-01-02"], "M8[ns]")
    assert same_grid(coordinate_of(days), coordinate_of(days))
    assert not same_grid(coordinate_of(days), coordinate_of([0.0, 1.0]))
    assert same_grid(coordinate_of([0, 1]), coordinate_of([0.0, 1.0]))
