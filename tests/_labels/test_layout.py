"""Where an entry of a recording is, whatever the order of its dimensions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from partita._labels.stack import Stacker


def recording_of(shape: tuple[int, ...] = (5, 3, 4), dims: str = "time y x") -> xr.DataArray:
    names = dims.split()
    coords = {d: np.arange(n) * 0.1 for d, n in zip(names, shape, strict=True)}
    values = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    return xr.DataArray(values, dims=names, coords=coords)


def test_canonical_columns_name_the_same_voxels_for_any_order_of_dimensions() -> None:
    recording = recording_of()
    mask = (recording.isel(time=0) % 3 != 0).drop_vars("time")
    for dims in (("time", "y", "x"), ("x", "time", "y")):
        turned = recording.transpose(*dims)
        stacker = Stacker.of(turned, mask=mask)
        row = stacker.matrix(turned)[0, stacker.canonical_columns()]
        expected = recording.isel(time=0).transpose("x", "y").values.ravel()
        np.testing.assert_array_equal(row, expected[expected % 3 != 0])


def test_a_place_is_named_by_its_labels() -> None:
    recording = recording_of()
    mask = (recording.isel(time=0) > 2).drop_vars("time")
    assert Stacker.of(recording, mask=mask).place(2, 0) == "time 0.2, y 0, x 0.3"


def test_a_place_without_coordinates_is_named_by_its_index() -> None:
    recording = recording_of().drop_vars(["time", "y", "x"])
    assert Stacker.of(recording).place(1, 5) == "time index 1, y index 1, x index 1"


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "c"],
        np.array(["a", "b", "c"], object),
        np.array(["a", "b", "c"], np.dtypes.StringDType()),
        pd.Categorical(["a", "b", "c"]),
    ],
    ids=["text", "objects", "variable text", "categorical"],
)
def test_features_are_named_by_texts_however_they_are_held(labels) -> None:
    table = recording_of((5, 3), "time unit").assign_coords(unit=("unit", labels))
    layout = Stacker.of(table, mask=table["unit"] != "b")
    names = layout.feature_names()
    assert (names.dtype, names.tolist()) == (object, ["a", "b", "c"])
    assert (layout.n_places, layout.n_features) == (3, 2)


@pytest.mark.parametrize(
    "labels", [[1, 2, 3], np.array(["a", 1, None], object), pd.array(["a", "b", None], "string")]
)
def test_features_are_not_named_by_other_labels(labels) -> None:
    table = recording_of((5, 3), "time unit")
    assert Stacker.of(table.assign_coords(unit=("unit", labels))).feature_names() is None
    assert Stacker.of(table.drop_vars("unit")).feature_names() is None
    stacked = recording_of((5, 1, 3)).assign_coords(x=list("abc")).stack(voxel=("y", "x"))
    assert Stacker.of(stacked).feature_names() is None
    alone = recording_of((5, 1, 3)).assign_coords(x=list("abc"))
    assert Stacker.of(alone).feature_names() is None
