"""What a figure shows, in words."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import partita
from partita.plotting import describe


def test_parts_are_said_with_their_places_and_times(fusi):
    model = fusi(2)
    maps = np.zeros(model.maps_.shape)
    maps[0, 0, 3, 2], maps[1, 0, 4:6, 5] = 1.0, [0.6, 0.5]
    model.maps_ = model.maps_.copy(data=maps)
    signals = np.zeros((40, 2))
    signals[10, 0] = 1.0
    model.signals_ = model.signals_.copy(data=signals)
    model.explained_ = xr.Dataset({"r2": 0.185, "vaf": 0.437})
    assert describe(model).splitlines() == [
        "2 parts: maps over z (1), y (12) and x (8) beside courses of 40 samples, 10.6 to 22.3 s.",
        "All parts explain 18.5 % of the variance (R²) and 43.7 % of the squares.",
        "Component 0, alone 60.0 % of the squares, is strongest at y = 2.85 mm, x = −0.15 mm; half "
        "of its squares lie in 1 % of the voxels. Its course is highest at 13.6 s.",
        "Component 1, alone 36.0 % of the squares, is strongest at y = 2.9 mm, x = 0.15 mm; half "
        "of its squares lie in 1 % of the voxels. Its course is flat.",
    ]


def test_signs_are_said(fusi):
    model = fusi(1, signs=True)
    model.maps_[0, 1, 0, 7, 7] = 5.0
    assert "strongest at y = 3.05 mm, x = 0.35 mm, falling;" in describe(model)
    model.maps_[0, 0, 0, 6, 6] = 9.0
    assert "strongest at y = 3 mm, x = 0.25 mm, rising;" in describe(model)


def test_features_are_named_by_weight(listed):
    model = listed(muscle=["a", "b", "c", "d"])
    model.maps_ = model.maps_.copy(data=[[0.1, 0.9, 0.5, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    del model.energy_
    lines = describe(model).splitlines()
    assert lines[1].startswith("Component 0 weighs most on muscle = b, muscle = c, muscle = a;")
    assert lines[2].startswith("Component 1 weighs most on muscle = c; half of its squares lie in")
    assert lines[3].startswith("Component 2 has an empty map.")


def test_chosen_components_and_times_are_said(fmri):
    words = describe(fmri, components=1, times=(5, 20))
    assert words.startswith("1 of 2 parts: maps over z (9), y (11) and x (9) beside courses of 7 ")
    assert "5 to 20 s." in words
    assert "Component 0" not in words
    with pytest.raises(ValueError, match="There is no component 7"):
        describe(fmri, components=7)
    with pytest.raises(ValueError, match="No sample lies between 900 and 901"):
        describe(fmri, times=(900, 901))


def test_dates_and_counted_samples_are_said(fusi):
    model = fusi(1)
    days = np.datetime64("2020-01-01T10:00") + np.arange(40).astype("timedelta64[s]")
    model.signals_ = model.signals_.assign_coords(time=days)
    assert "2020-01-01T10:00:00 to 2020-01-01T10:00:39." in describe(model)
    model.signals_ = model.signals_.drop_vars("time")
    assert "courses of 40 samples, 0 to 39." in describe(model)


def test_models_alone_are_described():
    with pytest.raises(TypeError, match="describe needs a fitted model"):
        describe("NMF")
    with pytest.raises(TypeError, match="describe needs a fitted model"):
        describe(partita.NMF)
