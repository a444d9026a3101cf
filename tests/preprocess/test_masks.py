"""Masks: the brain, whatever the unit and however bright the vessels."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.datasets import simulate_fmri, simulate_fusi
from partita.decomposition import NMF
from partita.preprocess import brain_mask, detrend, intensity_mask, zscore


def overlap(left: xr.DataArray, right: xr.DataArray) -> float:
    return float(2 * (left & right).sum() / (left.sum() + right.sum()))


def slab(*, vessels: float = 0.0, seed: int = 0) -> tuple[xr.DataArray, xr.DataArray]:
    """Return a power Doppler image of tissue three times brighter than the outside, and its mask.

    A share of the tissue is vessels, of 3 to 300 times its brightness.
    """
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(-1, 1, 80), np.linspace(-1, 1, 100), indexing="ij")
    inside = y**2 + (0.8 * x) ** 2 < 0.7
    values = np.where(inside, 3.0, 1.0) * rng.gamma(25, 1 / 25, inside.shape)
    bright = inside & (rng.random(inside.shape) < vessels)
    values[bright] *= 3 * rng.lognormal(1.5, 1.0, int(bright.sum()))
    coords = {"y": np.arange(80) * 0.05, "x": np.arange(100) * 0.1}
    return (xr.DataArray(v, coords, ("y", "x")) for v in (values, inside))


@pytest.mark.parametrize("vessels", [0.0, 0.02, 0.1, 0.2])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
def test_vessels_do_not_set_the_threshold(vessels, scale):
    image, inside = slab(vessels=vessels)
    mask = brain_mask(scale * image)
    assert overlap(mask, inside) > 0.98
    assert 1.0 < mask.attrs["threshold"] / scale < 3.0


def test_vessels_lift_the_mean_above_the_tissue_but_not_the_threshold():
    image, _ = slab(vessels=0.05)
    assert intensity_mask(image).attrs["threshold"] < 3 < float(image.mean())


@pytest.mark.parametrize("shape", [(1, 40, 40), (12, 32, 32)])
def test_the_brain_of_a_simulated_run_is_found(shape):
    truth = simulate_fmri(n_times=20, shape=shape, random_state=0)
    mask = brain_mask(truth["recording"])
    assert overlap(mask, truth["brain"]) > 0.93
    assert mask.dims == ("z", "y", "x")
    xr.testing.assert_identical(
        mask.coords.to_dataset(),
        truth["brain"].drop_vars("component", errors="ignore").coords.to_dataset(),
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_brain_of_a_power_doppler_slice_is_found_though_vessels_are_ten_times_brighter(seed):
    """Deep tissue is hardly brighter than the outside there; the rest must be inside."""
    truth = simulate_fusi(n_times=20, random_state=seed)
    mask = brain_mask(truth["recording"])
    lit = truth["power"] > 1.75 * float(truth["power"].min())
    assert float(mask.where(lit).mean()) > 0.94
    dark = truth["power"] == truth["power"].min()
    assert float(mask.where(dark).mean()) < 0.1


def test_dark_holes_are_filled_and_bright_islands_left_out():
    image, inside = slab()
    image[30:50, 40:60] = 0.5  # a ventricle
    image[2:9, 2:9] = 30.0  # an eye
    image[40, :20] = 3.0  # a nerve
    mask = brain_mask(image)
    assert bool(mask[30:50, 40:60].all())
    assert not mask[2:9, 2:9].any()
    assert overlap(mask, inside) > 0.97
    bright = intensity_mask(image)
    assert bool(bright[2:9, 2:9].all())
    assert not bright[35:45, 45:55].any()


@pytest.mark.parametrize("chunks", [None, {"time": 3}, {"y": 9}])
def test_layout_changes_nothing_and_a_lazy_recording_is_read_once(counted, chunks):
    recording = simulate_fmri(n_times=20, random_state=0)["recording"]
    expected = brain_mask(recording)
    given = recording.transpose("x", "time", "y", "z")
    if chunks is not None:
        given, reads = counted(given.chunk(chunks))
    np.testing.assert_array_equal(brain_mask(given).transpose(*expected.dims), expected)
    assert chunks is None or sum(reads) == recording.size


def test_a_given_threshold_is_in_the_units_of_the_image():
    image, _ = slab()
    np.testing.assert_array_equal(intensity_mask(image, threshold=2.0), image > 2)
    assert intensity_mask(image, threshold=2.0).attrs["threshold"] == 2.0
    inside = brain_mask(image, threshold=0.0)
    assert bool(inside.all())


def test_missing_voxels_are_outside():
    image, inside = slab()
    image[:, :30] = np.nan
    mask = brain_mask(image)
    assert not mask[:, :30].any()
    assert overlap(mask[:, 30:], inside[:, 30:]) > 0.97


def test_a_mask_says_what_it_is_and_fits_a_decomposition():
    truth = simulate_fmri(n_times=30, random_state=0)
    mask = brain_mask(truth["recording"])
    assert mask.dtype == bool
    assert mask.attrs["long_name"] == "Brain mask"
    assert mask.attrs["history"].endswith("brain_mask(threshold=None)")
    assert intensity_mask(truth["recording"]).attrs["long_name"] == "Bright voxels"
    maps = NMF(2, mask=mask, random_state=0, tol=0.1).fit(truth["recording"]).maps_
    np.testing.assert_array_equal(maps[0].notnull(), mask)


@pytest.mark.parametrize("make", [intensity_mask, brain_mask])
@pytest.mark.parametrize("threshold", ["high", np.nan, [1.0, 2.0]])
def test_what_is_no_threshold_is_refused(make, threshold):
    image, _ = slab()
    with pytest.raises(ValueError, match=r"threshold must be a number .*Leave it out"):
        make(image, threshold=threshold)


@pytest.mark.parametrize("make", [intensity_mask, brain_mask])
@pytest.mark.parametrize("threshold", [None, 1.0])
def test_images_without_any_value_are_refused(make, threshold):
    image, _ = slab()
    with pytest.raises(ValueError, match=r"no voxel holds a value\. Check what made the image"):
        make(xr.full_like(image, np.nan), threshold=threshold)


@pytest.mark.parametrize("make", [intensity_mask, brain_mask])
def test_images_without_dark_and_bright_are_refused(make):
    image, _ = slab()
    for bad in (xr.ones_like(image), xr.full_like(image, np.nan), -image):
        with pytest.raises(ValueError, match=f"{make.__name__} cannot tell dark from bright"):
            make(bad)
    with pytest.raises(ValueError, match=r"finds no voxel above 1e\+06; the brightest has"):
        make(image, threshold=1e6)
    with pytest.raises(ValueError, match="was given an empty image"):
        make(image[:0])
    with pytest.raises(TypeError, match=f"{make.__name__} needs"):
        make(image.values)


def test_a_brain_is_looked_for_in_space_only():
    image, _ = slab()
    with pytest.raises(ValueError, match=r"looks for a region in space .* was given sign"):
        brain_mask(image.expand_dims(sign=["positive", "negative"]))


@pytest.mark.parametrize("mask", [brain_mask, intensity_mask])
@pytest.mark.parametrize("threshold", [None, 0.0])
@pytest.mark.parametrize("chunks", [None, {"time": 7}])
def test_a_recording_without_its_mean_has_no_bright_voxels(mask, threshold, chunks):
    recording = simulate_fmri(n_times=20, shape=(1, 20, 20), random_state=0)["recording"]
    recording = recording if chunks is None else recording.chunk(chunks)
    for step in (zscore, detrend):
        with pytest.raises(ValueError, match="needs the mean of every voxel, which was taken out"):
            mask(step(recording), threshold=threshold)
    assert mask(detrend(recording, keep_mean=True)).any()
