"""Labels that repeat name no place: arrays that bear them meet by position, or not at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from partita import NMF
from partita._labels import align
from partita.plotting import plot_map
from partita.preprocess import censor, regress_out

NAMES = {
    "words": ["a", "?", "?", "b"],
    "numbers": [0.0, 1.5, 1.5, 3.0],
    "whole numbers": [7, 8, 8, 9],
}


def neurons(labels: list) -> xr.DataArray:
    return xr.DataArray(np.arange(len(labels)), {"neuron": labels}, ("neuron",))


@pytest.mark.parametrize("labels", NAMES.values(), ids=NAMES)
def test_repeated_labels_in_the_same_order_are_matched_by_position(labels) -> None:
    given = neurons(labels)
    found = align.to_grid(given, neurons(labels), besides=(), caller="The array")
    assert found.values.tolist() == [0, 1, 2, 3]
    mask = align.mask_over(given > 1, given, caller="mask")
    assert mask.values.tolist() == [False, False, True, True]
    coords = given.coords.to_dataset()
    weights = align.weights_over(given + 1.0, coords, sizes=dict(given.sizes), sample_dim="time")
    assert weights.values.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("labels", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("take", [[1, 0, 2, 3], [0, 1, 3], [3, 2, 1, 0], [0, 1, 2, 3, 3]])
def test_repeated_labels_in_another_order_are_refused(labels, take) -> None:
    given = neurons(labels)[take]
    with pytest.raises(ValueError, match=r"along 'neuron': \d of \d labels repeat"):
        align.to_grid(given, neurons(labels), besides=(), caller="The array")


def test_a_label_that_repeats_in_what_is_given_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"repeat \(the first is 1\)"):
        align.to_grid(neurons([0, 1, 1, 2]), neurons([0, 1, 2]), besides=(), caller="The array")


def test_repeats_that_are_not_wanted_are_left_where_they_are() -> None:
    found = align.to_grid(neurons(["?", "?", "a"]), neurons(["a"]), besides=(), caller="The array")
    assert found.values.tolist() == [2]


def test_a_recording_whose_neurons_were_reordered_has_no_signals() -> None:
    values = np.random.default_rng(0).gamma(1, 1, (30, 4))
    recording = xr.DataArray(values, {"neuron": NAMES["words"]}, ("time", "neuron"))
    model = NMF(2, random_state=0).fit(recording)
    assert model.transform(recording).sizes["time"] == 30
    with pytest.raises(ValueError, match=r"given to NMF\.transform cannot be matched"):
        model.transform(recording[:, [1, 0, 2, 3]])


@pytest.mark.parametrize("rows", [25, 50])
def test_times_of_joined_runs_are_matched_by_position_or_refused(rows) -> None:
    time = np.tile(np.arange(25.0), 2)
    rng = np.random.default_rng(1)
    recording = xr.DataArray(rng.normal(size=(50, 3)), {"time": time}, ("time", "voxel"))
    course = xr.DataArray(rng.normal(size=50), {"time": time}, ("time",))[:rows]
    marks = course > 1
    steps = [lambda: regress_out(recording, course), lambda: censor(recording, marks)]
    if rows == 25:
        for step in steps:
            with pytest.raises(ValueError, match="cannot be matched along 'time': 50 of 50"):
                step()
        return
    left = regress_out(recording, course)
    np.testing.assert_allclose((left * course.values[:, None]).sum("time"), 0, atol=1e-9)
    np.testing.assert_array_equal(censor(recording, marks), recording[~marks.values])


def test_a_slice_that_several_bear_is_not_guessed() -> None:
    planes = xr.DataArray(np.ones((3, 4, 4)), {"plane": ["a", "?", "?"]}, ("plane", "y", "x"))
    plot_map(planes, background=planes)
    with pytest.raises(ValueError, match="The background has 2 slices plane = \\?"):
        plot_map(planes, background=planes[[1, 2, 0]])
    with pytest.raises(ValueError, match=r"There are 2 slices plane = '\?'"):
        plot_map(planes, slices=["?"], slice_dim="plane")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("zone", [None, "Europe/Paris"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_times_are_matched_whatever_their_unit_and_zone(zone, unit) -> None:
    times = pd.date_range("2000-01-01", periods=6, freq="s", tz=zone)
    other = times.as_unit(unit)[::-1]
    given = xr.DataArray(np.arange(6), {"time": other}, ("time",))
    template = xr.DataArray(np.ones(4), {"time": times[1:5]}, ("time",))
    found = align.to_grid(given, template, besides=(), caller="It")
    assert found.values.tolist() == [4, 3, 2, 1]
