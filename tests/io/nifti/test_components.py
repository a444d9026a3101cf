import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita
from partita.preprocess import merge_sign, split_sign, zscore


@pytest.fixture(scope="module")
def model():
    sample = partita.datasets.load_sample().isel(time=slice(0, 60))
    return partita.NMF(3, random_state=0, tol=0.05).fit(split_sign(zscore(sample)))


def test_signed_maps_are_one_image_with_components_along_the_fourth_axis(model, tmp_path) -> None:
    maps = merge_sign(model.maps_).assign_coords(component=["vessel", "cortex", "rest"])
    written = partita.save(maps, tmp_path / "maps.nii.gz")
    assert [path.name for path in written] == ["maps.nii.gz", "maps.json"]
    assert nib.load(tmp_path / "maps.nii.gz").shape[3] == 3
    again = partita.load(tmp_path / "maps.nii.gz", chunks=None)
    assert again.dims[0] == "component"
    xr.testing.assert_identical(again, maps.drop_vars("background").transpose(*again.dims))


def test_maps_are_read_lazily_by_component(model, tmp_path) -> None:
    maps = merge_sign(model.maps_)
    partita.save(maps, tmp_path / "maps.nii")
    again = partita.load(tmp_path / "maps.nii", chunks={"component": 1})
    assert again.chunks[0] == (1, 1, 1)
    np.testing.assert_array_equal(again, maps.transpose(*again.dims))
    with pytest.raises(ValueError, match="no fourth axis, which time would be"):
        partita.load(tmp_path / "maps.nii", frame_rate=2)


def test_both_signs_are_told_to_be_merged(model, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"also has \['sign'\].*merge_sign\(maps\)"):
        partita.save(model.maps_, tmp_path / "maps.nii")


def test_the_images_of_a_saved_model_are_known_again(model, tmp_path) -> None:
    partita.save(model, tmp_path / "sub-01_nmf")
    path = tmp_path / "sub-01_nmf_sign-negative_components.nii.gz"
    maps = partita.load(path, chunks=None)
    assert maps.dims == ("component", "z", "y", "x")
    assert maps.component.values.tolist() == [0, 1, 2]
    assert maps.attrs["long_name"] == "map"
    expected = model.maps_.sel(sign="negative", drop=True)
    np.testing.assert_array_equal(
        maps.squeeze("z"), expected.squeeze().transpose(*maps.dims[:1], "y", "x")
    )


def test_without_the_description_components_are_numbered(model, tmp_path) -> None:
    partita.save(model, tmp_path / "nmf")
    (tmp_path / "nmf_decomposition.json").unlink()
    maps = partita.load(tmp_path / "nmf_sign-positive_components.nii.gz")
    assert maps.component.values.tolist() == [0, 1, 2]
