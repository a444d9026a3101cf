"""Neighbours on a grid: both inside, tied by how near they are, in any order of dimensions."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita._labels.neighbours import neighbouring_features, steps_between_samples
from partita._labels.stack import Stacker


def make_recording(**coords):
    values = np.ones((4, 2, 3, 5))
    given = {"x": ("x", np.arange(5.0), {"units": "mm"}), "y": [0.0, 1.0, 3.0], **coords}
    return xr.DataArray(values, dims=("time", "sign", "y", "x"), coords=given)


def rough(recording, stacker, field):
    """Return what neighbours differ by, as the pairs see it."""
    pairs = neighbouring_features(stacker, caller="it")
    row = stacker.matrix(field.broadcast_like(recording))[0]
    return (pairs.ties * np.square(row[pairs.first] - row[pairs.second])).sum()


def test_neighbours_differ_by_what_differences_along_the_grid_say():
    recording = make_recording()
    field = xr.DataArray(np.random.default_rng(0).random((2, 3, 5)), dims=("sign", "y", "x"))
    along_y = np.square(np.diff(field, axis=1)) * np.array([1.5, 0.75])[:, None]
    expected = np.square(np.diff(field, axis=2)).sum() + along_y.sum()
    for order in (("time", "sign", "y", "x"), ("x", "time", "y", "sign")):
        turned = recording.transpose(*order)
        stacker = Stacker.of(turned, sample_dim="time", mask=None)
        assert rough(turned, stacker, field) == pytest.approx(expected)


def test_voxels_outside_the_mask_are_nobodys_neighbours():
    recording = make_recording()
    mask = xr.DataArray(np.ones((3, 5), bool), dims=("y", "x"))
    mask[1, 2] = False
    stacker = Stacker.of(
        recording, sample_dim="time", mask=mask.assign_coords(recording[0, 0].coords)
    )
    pairs = neighbouring_features(stacker, caller="it")
    assert pairs.first.min() >= 0
    assert pairs.second.max() < stacker.n_features
    assert len(pairs.first) == 2 * (3 * 4 + 2 * 5 - 4)


def test_names_and_numbers_without_units_are_no_places():
    named = xr.DataArray(np.ones((4, 3)), dims=("time", "neuron"), coords={"neuron": [0, 1, 2]})
    stacker = Stacker.of(named, sample_dim="time", mask=None)
    with pytest.raises(ValueError, match=r"maps_smoothness needs voxels.*'neuron'"):
        neighbouring_features(stacker, caller="maps_smoothness")


@pytest.mark.parametrize(
    ("times", "units", "steps"),
    [
        ([0.0, 0.5, 1.5], {"units": "s"}, [0.5, 1.0]),
        ([0.0, 500.0, 1500.0], {"units": "ms"}, [0.5, 1.0]),
        ([0, 1, 2], {"units": "1"}, [1, 1]),
        (["a", "b", "c"], {}, [1, 1]),
        (np.array([0, 1, 3], "datetime64[s]"), {}, [1, 2]),
        (None, {}, [1, 1]),
    ],
    ids=["seconds", "milliseconds", "numbered", "named", "moments", "without"],
)
def test_steps_are_those_of_the_samples(times, units, steps):
    coords = {} if times is None else {"time": ("time", times, units)}
    recording = xr.DataArray(np.ones((3, 4)), dims=("time", "x"), coords=coords)
    stacker = Stacker.of(recording, sample_dim="time", mask=None)
    np.testing.assert_allclose(steps_between_samples(stacker), steps)
