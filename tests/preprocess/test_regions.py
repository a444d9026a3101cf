"""Means of regions: the right voxels, by name, whatever the layout."""

import numpy as np
import pytest
import xarray as xr

from partita.preprocess import highpass, region_means, split_sign, zscore

NAMES = {1: "V1", 2: "S1", 7: "M1"}


@pytest.fixture
def atlas(labelled):
    space = labelled().isel(time=0, drop=True)
    numbers = np.zeros(space.shape, int)
    numbers[:, 0], numbers[:, 1, 1:], numbers[0, 2] = 1, 2, 7
    return xr.DataArray(numbers, dims=space.dims, coords={d: space[d] for d in space.dims})


def expected_of(recording, atlas, labels=(1, 2, 7)):
    means = [recording.where(atlas == label).mean(["z", "y", "x"]).values for label in labels]
    return np.stack(means, axis=1)


@pytest.mark.parametrize("chunks", [None, {"time": 7}, {"y": 1, "x": 2}])
def test_a_region_is_the_mean_of_its_voxels(labelled, atlas, chunks):
    recording = labelled() if chunks is None else labelled().chunk(chunks)
    means = region_means(recording, atlas, names=NAMES)
    np.testing.assert_allclose(means, expected_of(labelled(), atlas), rtol=1e-6)
    assert means["region"].values.tolist() == ["V1", "S1", "M1"]
    assert means["label"].values.tolist() == [1, 2, 7]
    assert means["n_voxels"].values.tolist() == [int((atlas == n).sum()) for n in (1, 2, 7)]
    assert (means.chunks is not None) is (chunks is not None)
    xr.testing.assert_identical(means["time"].variable, recording["time"].variable)
    assert means.attrs["units"] == recording.attrs["units"]
    assert means.attrs["history"].endswith("region_means(n_regions=3)")


def test_labels_are_matched_by_place_whatever_their_order(labelled, atlas):
    recording = labelled()
    turned = atlas.isel(y=slice(None, None, -1)).transpose("x", "z", "y")
    xr.testing.assert_identical(region_means(recording, turned), region_means(recording, atlas))


def test_dimensions_that_the_labels_lack_stay(labelled, atlas):
    recording = labelled()
    signed = split_sign(zscore(recording))
    means = region_means(signed, atlas)
    assert means.dims == ("time", "sign", "region")
    rises = region_means(signed.sel(sign="positive", drop=True), atlas)
    np.testing.assert_allclose(means.sel(sign="positive"), rises)
    plane = region_means(recording, atlas.isel(z=0, drop=True))
    assert plane.dims == ("time", "z", "region")


def test_words_truth_values_and_whole_floating_numbers_are_labels(labelled, atlas):
    recording = labelled()
    wanted = region_means(recording, atlas)
    words = atlas.copy(data=np.array(["", "a", "b", "", "", "", "", "c"])[atlas.values])
    assert region_means(recording, words)["region"].values.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(region_means(recording, words), wanted)
    np.testing.assert_array_equal(region_means(recording, words.astype(object)), wanted)
    floats = atlas.where(atlas > 0)
    xr.testing.assert_identical(region_means(recording, floats), wanted)
    np.testing.assert_array_equal(
        region_means(recording, atlas == 2).squeeze("region"), wanted.sel(region=2)
    )


def test_voxels_that_are_missing_take_no_part(labelled, atlas):
    recording = labelled().astype(float)
    recording[:, 0, 0, 0] = np.nan
    recording[3, 0, 0, 1] = np.nan
    recording[:, 0, 2] = np.nan
    means = region_means(recording, atlas)
    np.testing.assert_allclose(means.values, expected_of(recording, atlas))
    assert np.isnan(means.sel(region=7)).all()


def test_a_lazy_background_is_not_computed(labelled, atlas):
    reads = []

    def read(block):
        reads.append(block.size)
        return block

    lazy = labelled().chunk(y=1)
    values = lazy.data.map_blocks(read, dtype=lazy.dtype, meta=lazy.data._meta)
    means = region_means(highpass(lazy.copy(data=values), cutoff=0.05), atlas)
    assert reads == []
    means.compute()
    assert sum(reads) == lazy.size


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        ({1: "V1"}, ValueError, "no name for 2 of 3 labels: 2, 7. Name them, or leave them out"),
        ({1: "V1", 2: "V1", 7: "M1"}, ValueError, "same name for several labels: V1. Name the sid"),
        (["", "V1", "S1"], TypeError, r"dict\(enumerate\(names\)\)"),
    ],
)
def test_names_that_do_not_name_each_region_are_refused(labelled, atlas, names, kind, message):
    with pytest.raises(kind, match=message):
        region_means(labelled(), atlas, names=names)


def test_a_table_of_pandas_names_regions_and_may_name_more(labelled, atlas):
    import pandas as pd

    table = pd.Series({1: "V1", 2: "S1", 3: "not here", 7: "M1"})
    assert region_means(labelled(), atlas, names=table)["region"].values.tolist() == [
        "V1", "S1", "M1",
    ]  # fmt: skip


def test_what_is_no_label_image_of_this_recording_is_refused(labelled, atlas):
    recording = labelled()
    with pytest.raises(TypeError, match=r"given: ndarray of int64\. Load the label image"):
        region_means(recording, atlas.values)
    with pytest.raises(TypeError, match=r"labels of whole numbers; .* such as 0\.5"):
        region_means(recording, atlas / 2)
    with pytest.raises(ValueError, match="The label image is empty"):
        region_means(recording, atlas * 0)
    with pytest.raises(ValueError, match="The label image lies on another grid"):
        region_means(recording, atlas.assign_coords(y=atlas["y"] + 0.01))
    with pytest.raises(ValueError, match=r"Select: labels.isel\(atlas=0\)"):
        region_means(recording, atlas.expand_dims(atlas=2))
    with pytest.raises(ValueError, match=r"Rename it first: recording.rename\(region='before'\)"):
        region_means(region_means(recording, atlas), atlas)
