"""Tissue that bends: its field found and labelled, taken out, now or lazily."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import partita as pt
from partita._solvers.registration.displacement_field import field_basis
from partita.preprocess import apply_motion, estimate_motion, register

pytestmark = pytest.mark.xdist_group("piecewise_motion")

PIXEL = 0.002


@pytest.fixture(scope="module")
def truth():
    return pt.datasets.simulate_two_photon(
        n_times=24, shape=(128, 144), motion=0.004, warp=0.005, photons=30, random_state=3
    )


@pytest.fixture(scope="module")
def motion(truth):
    return estimate_motion(truth["recording"], transform="piecewise")


@pytest.fixture(scope="module")
def bending():
    """Return tissue that bends and does not move as a whole."""
    return pt.datasets.simulate_two_photon(
        n_times=24, shape=(128, 144), warp=0.005, photons=30, random_state=3
    )


@pytest.fixture(scope="module")
def bent(bending):
    return estimate_motion(bending["recording"], transform="piecewise")


def field_rms(motion, truth) -> float:
    """Error of the field in voxels, less the offset that all frames share."""
    bases = [
        field_basis((motion[f"patch_{dim}"].values - float(truth[dim][0])) / PIXEL, truth[dim].size)
        for dim in "yx"
    ]
    dense = bases[0] @ motion["displacement"].values @ bases[1].T
    error = (dense - truth["displacement"].values) / PIXEL
    return float(np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)))


def scene_error(still, truth) -> float:
    """Error to the scene that does not move, at the place of the reference."""
    inside = {"y": slice(20, -20), "x": slice(20, -20)}
    mean = still.mean("time").isel(inside)
    sharpness = (still.isel(inside) - mean).values
    return float(np.sqrt(np.mean(sharpness**2)))


def test_the_field_is_recovered(motion, truth):
    still = motion.assign(displacement=0 * motion["displacement"])
    assert field_rms(still, truth) > 1.2
    assert field_rms(motion, truth) < 0.35
    assert not motion["suspect"].any()
    assert not motion["rotation"].any()
    error = (motion["translation"] - truth["translation"]) / PIXEL
    assert float((error - error.median("time")).std()) < 0.5


def test_the_framewise_displacement_is_that_of_tissue_that_only_bends(bent, bending):
    moved = bending["displacement"].diff("time")
    way = np.sqrt((moved**2).sum("axis").mean(["y", "x"]))
    found = bent["framewise_displacement"]
    assert float(found[0]) == 0
    np.testing.assert_allclose(found[1:], way, atol=0.3 * PIXEL)
    assert float(abs(found[1:] - way).mean()) < 0.1 * float(way.mean())


def test_a_frame_that_bends_among_frames_that_rest_has_jumped():
    resting, bending = (
        pt.datasets.simulate_two_photon(
            n_times=24, shape=(128, 144), warp=warp, photons=3, random_state=3
        )["recording"]
        for warp in (0, 0.005)
    )
    recording = resting.copy()
    recording[9] = bending[9]
    motion = estimate_motion(recording, transform="piecewise")
    assert bool(motion["converged"].all())
    assert list(np.flatnonzero(motion["suspect"])) == [9]


def test_the_affine_is_the_mean_way_of_the_tissue(bent, bending):
    np.testing.assert_array_equal(bent["affine"][:, :2, :2], np.tile(np.eye(2), (24, 1, 1)))
    mean = bending["displacement"].mean(["y", "x"])
    error = bent["affine"].values[:, :2, 2] - mean.values
    assert np.std(error - np.median(error, axis=0)) < 0.06 * PIXEL


def test_the_scene_is_nearer_than_by_translation(truth):
    errors = {}
    for transform in ("translation", "piecewise"):
        still = register(truth["recording"], transform=transform)
        errors[transform] = scene_error(still, truth)
    assert errors["piecewise"] < 0.95 * errors["translation"]


def test_the_scene_itself_as_reference_gives_the_field_without_an_offset(truth):
    motion = estimate_motion(
        truth["recording"], transform="piecewise", reference=truth["reference"]
    )
    still = apply_motion(truth["recording"], motion)
    inside = {"y": slice(20, -20), "x": slice(20, -20)}
    shifted = register(truth["recording"], transform="translation", reference=truth["reference"])
    left = (still.mean("time") - truth["reference"]).isel(inside).std()
    assert float(left) < 0.6 * float((shifted.mean("time") - truth["reference"]).isel(inside).std())
    xr.testing.assert_allclose(motion["reference"], truth["reference"].astype(np.float32))


@pytest.mark.parametrize("fill", ["nearest", "nan", "outside"])
@pytest.mark.parametrize("interpolation", ["cubic", "linear", "nearest"])
def test_lazy_and_eager_are_the_same(motion, truth, interpolation, fill):
    recording = truth["recording"]
    chunked = recording.chunk(time=7, y=50)
    eager = apply_motion(recording, motion, interpolation=interpolation, fill=fill)
    lazy = apply_motion(chunked, motion, interpolation=interpolation, fill=fill)
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), eager)
    assert eager.dtype == np.float32
    assert bool((eager.min() >= 0) & (recording.min() >= 0))
    holes = np.isnan(eager)
    assert bool(holes.any()) == (fill != "nearest")
    if fill == "outside":
        assert bool((holes == holes[0]).all())


def test_estimation_does_not_depend_on_chunks_or_the_order_of_dimensions(motion, truth):
    turned = truth["recording"].transpose("x", "time", "y").chunk(time=5, x=40)
    xr.testing.assert_allclose(estimate_motion(turned, transform="piecewise"), motion)


def test_a_coordinate_that_falls_flips_the_sign_and_not_the_picture(motion, truth):
    falling = truth["recording"].assign_coords(y=("y", -truth["y"].values, {"units": "mm"}))
    flipped = estimate_motion(falling, transform="piecewise")
    for name in ("displacement", "translation"):
        mirrored = motion[name] * xr.DataArray([-1, 1], coords={"axis": ["y", "x"]}, dims="axis")
        np.testing.assert_allclose(flipped[name], mirrored, atol=1e-3 * PIXEL)
    np.testing.assert_allclose(flipped["patch_y"], -motion["patch_y"])
    there = apply_motion(falling, flipped)
    np.testing.assert_allclose(there, apply_motion(truth["recording"], motion), rtol=1e-2, atol=0.5)


def test_labels_and_units(motion, truth):
    assert motion["displacement"].dims == ("time", "axis", "patch_y", "patch_x")
    assert motion["displacement"].attrs["units"] == "mm"
    assert motion["patch_x"].attrs["units"] == "mm"
    for dim in "yx":
        patches = motion[f"patch_{dim}"]
        assert bool((np.diff(patches) > 0).all())
        assert float(truth[dim][0]) < float(patches[0]) < float(patches[-1]) < float(truth[dim][-1])
    still = register(truth["recording"], transform="piecewise")
    assert still.dims == truth["recording"].dims
    assert "transform='piecewise'" in still.attrs["history"]
    np.testing.assert_allclose(still["motion_y"], motion["translation"].sel(axis="y"))


def test_the_dataset_survives_netcdf(motion, truth, tmp_path):
    motion.to_netcdf(tmp_path / "motion.nc")
    with xr.open_dataset(tmp_path / "motion.nc") as opened:
        loaded = opened.load()
    xr.testing.assert_allclose(loaded, motion)
    recording = truth["recording"]
    xr.testing.assert_allclose(apply_motion(recording, loaded), apply_motion(recording, motion))


def test_planes_bend_each_on_its_own(motion, truth):
    recording = truth["recording"]
    stack = xr.concat([recording, recording.isel(time=slice(None, None, -1))], "z", join="override")
    both = estimate_motion(stack, transform="piecewise", per="plane")
    assert both["displacement"].dims == ("time", "z", "axis", "patch_y", "patch_x")
    alone = both["displacement"].isel(z=0)
    np.testing.assert_allclose(alone, motion["displacement"], atol=1e-6)
    still = apply_motion(stack, both)
    xr.testing.assert_allclose(
        still.isel(z=0).transpose(*recording.dims), apply_motion(recording, motion), atol=1e-3
    )


def test_a_single_slice_is_a_plane(motion, truth):
    slab = truth["recording"].expand_dims(z=[0.1], axis=1)
    found = estimate_motion(slab, transform="piecewise")
    np.testing.assert_allclose(found["displacement"], motion["displacement"])
    assert apply_motion(slab, found).dims == slab.dims


def test_volumes_that_move_together_are_refused(truth):
    volume = truth["recording"].expand_dims(z=5).assign_coords(z=np.arange(5.0))
    with pytest.raises(ValueError, match=r'bends planes.*per="plane"'):
        estimate_motion(volume, transform="piecewise")


@pytest.mark.parametrize("lost", [0.0, np.nan])
def test_a_lost_frame_takes_the_field_between_its_neighbours(truth, lost):
    recording = truth["recording"].copy()
    recording[9] = lost
    motion = estimate_motion(recording, transform="piecewise")
    field = motion["displacement"].values
    np.testing.assert_allclose(field[9], (field[8] + field[10]) / 2)
    assert bool(motion["suspect"][9])
    assert not bool(motion["converged"][9])
    assert float(motion["similarity"][9]) == 0
    assert bool(np.isfinite(apply_motion(recording, motion)[8]).all())


def test_smoothing_calms_the_field(motion, truth):
    calm = estimate_motion(truth["recording"], transform="piecewise", smooth_fwhm=0.2)
    rough = [float(abs(one["displacement"].diff("time")).mean()) for one in (calm, motion)]
    assert rough[0] < 0.5 * rough[1]


def test_smoothing_calms_what_is_told_of_tissue_that_only_bends(bent, bending):
    calm = estimate_motion(bending["recording"], transform="piecewise", smooth_fwhm=0.2)
    way = [float(one["framewise_displacement"].mean()) for one in (calm, bent)]
    assert 0 < way[0] < 0.5 * way[1]
    drift = [float(np.diff(one["affine"][:, :2, 2], axis=0).std()) for one in (calm, bent)]
    assert drift[0] < 0.5 * drift[1]


def test_nothing_to_align_is_said_in_words(truth):
    flat = xr.ones_like(truth["recording"])
    with pytest.raises(ValueError, match="every frame is constant"):
        estimate_motion(flat, transform="piecewise")
    with pytest.raises(ValueError, match="the reference is constant"):
        estimate_motion(
            truth["recording"], transform="piecewise", reference=flat[0].drop_vars("time")
        )


def test_small_patches_follow_finer_bending(motion, truth):
    fine = estimate_motion(truth["recording"], transform="piecewise", patch_size=0.064)
    assert field_rms(fine, truth) < 0.5 * field_rms(motion, truth)
    spacing = [float(np.diff(one["patch_y"]).max()) for one in (fine, motion)]
    assert spacing[0] <= 0.032 + 1e-9 < spacing[1]


def test_patches_are_measured_in_the_units_of_space(truth):
    recording = truth["recording"].isel(time=slice(12))
    options = {"transform": "piecewise", "patch_size": 0.06, "max_deviation": 0.004}
    small = estimate_motion(recording, **options)
    microns = {dim: (dim, 1e3 * truth[dim].values, {"units": "um"}) for dim in "yx"}
    options |= {"patch_size": 60, "max_deviation": 4}
    large = estimate_motion(recording.assign_coords(microns), **options)
    np.testing.assert_allclose(large["displacement"], 1e3 * small["displacement"], atol=1e-4)
    tall = recording.assign_coords(y=("y", 2 * truth["y"].values, {"units": "mm"}))
    stretched = estimate_motion(tall, transform="piecewise", patch_size=0.096, max_deviation=0.004)
    for dim in "yx":
        assert float(stretched[f"patch_{dim}"].diff(f"patch_{dim}").max()) <= 0.048 + 1e-9
    assert stretched.sizes["patch_y"] > stretched.sizes["patch_x"]


def test_no_patch_deviates_further_than_allowed(motion, truth):
    held = estimate_motion(truth["recording"], transform="piecewise", max_deviation=0.002)
    beyond = [abs(one["displacement"] - one["translation"]).max() for one in (held, motion)]
    assert float(beyond[0]) <= 0.002 + 1e-9 < float(beyond[1])


def test_patches_are_remembered(truth):
    asked = {"transform": "piecewise", "patch_size": 0.08, "max_deviation": 0.006}
    motion = estimate_motion(truth["recording"], **asked)
    still = register(truth["recording"], **asked)
    for history in (motion.attrs["history"], still.attrs["history"]):
        assert "patch_size=0.08, max_deviation=0.006" in history
    xr.testing.assert_equal(
        still.drop_vars(set(still.coords) - {"time", "y", "x"}),
        apply_motion(truth["recording"], motion),
    )
    rigid = estimate_motion(truth["recording"].isel(time=slice(4)))
    assert "patch_size" not in rigid.attrs["history"]


@pytest.mark.parametrize("name", ["patch_size", "max_deviation"])
def test_patches_are_refused_where_tissue_does_not_bend(truth, name):
    words = rf"{name}=0\.05 with transform='rigid'\. Leave {name} out"
    for work in (estimate_motion, register):
        with pytest.raises(ValueError, match=words):
            work(truth["recording"], **{name: 0.05})


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "2", True])
@pytest.mark.parametrize("name", ["patch_size", "max_deviation"])
def test_lengths_of_patches_must_be_above_zero(truth, name, value):
    with pytest.raises(ValueError, match=f"{name} must be a number above 0, in the units of space"):
        estimate_motion(truth["recording"], transform="piecewise", **{name: value})


def test_patches_too_small_or_sent_too_far_are_refused(truth):
    recording = truth["recording"]
    with pytest.raises(ValueError, match=r"=0.02 mm are 10 by 10 voxels.*=0\.032 or above"):
        estimate_motion(recording, transform="piecewise", patch_size=0.02)
    with pytest.raises(ValueError, match=r"max_deviation=0.07 mm is more than half.* to 0\.064 or"):
        estimate_motion(recording, transform="piecewise", max_deviation=0.07)


@pytest.mark.parametrize("size", [8, 20])
def test_small_fields_are_one_patch(truth, size):
    small = truth["recording"].isel(y=slice(40, 40 + size), x=slice(40, 40 + size))
    motion = estimate_motion(small, transform="piecewise")
    assert motion["displacement"].shape[2:] == (1, 1)
    assert bool(np.isfinite(apply_motion(small, motion)).all())
