"""Volumes: what is promised of planes holds of them too, and all six parameters are found."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr

from partita.datasets.rigid_motion import matrices
from partita.preprocess import apply_motion, estimate_motion, register

pytestmark = pytest.mark.xdist_group("volumes")

SHAPE = (10, 28, 30)
SPACING = np.array([0.15, 0.1, 0.1])
N_TIMES = 36
FIRST = 3.0


@pytest.fixture(scope="module")
def course():
    """Return shifts in voxels (time, 3) and angles in radians (time, 3)."""
    rng = np.random.default_rng(4)
    return rng.uniform(-1, 1, (N_TIMES, 3)), np.deg2rad(rng.uniform(-1, 1, (N_TIMES, 3)))


@pytest.fixture(scope="module")
def blobs(moving_blobs, course):
    return label(20 + moving_blobs(SHAPE, *course, spacing=SPACING, noise=2.0))


@pytest.fixture(scope="module")
def shifted(moving_blobs, course):
    """Return a recording whose tissue does not turn."""
    frames = moving_blobs(SHAPE, course[0], 0 * course[1], spacing=SPACING, noise=2.0)
    return label(20 + frames)


@pytest.fixture(scope="module")
def motion(blobs):
    return estimate_motion(blobs)


def label(frames: np.ndarray) -> xr.DataArray:
    coords = {
        dim: (dim, FIRST + step * np.arange(size), {"units": "mm"})
        for dim, step, size in zip("zyx", SPACING, SHAPE, strict=True)
    }
    time = ("time", 0.4 * np.arange(len(frames)), {"units": "s"})
    return xr.DataArray(frames, dims=("time", *"zyx"), coords={"time": time, **coords})


def off(motion: xr.Dataset, shift: np.ndarray, *, good=slice(None)) -> np.ndarray:
    """Return the errors of translation in voxels, less the offset that all frames share."""
    error = (motion["translation"].values / SPACING - shift)[good]
    return error - np.median(error, axis=0)


def test_the_affine_is_the_truth_at_the_corners_of_the_field(blobs, moving_blobs, course):
    scene = moving_blobs(SHAPE, np.zeros((1, 3)), np.zeros((1, 3)), spacing=SPACING)[0] + 20
    motion = estimate_motion(blobs, reference=blobs[0].drop_vars("time").copy(data=scene))
    extent = SPACING * (np.array(SHAPE) - 1)
    middle = FIRST + extent / 2
    corners = FIRST + extent * np.array(list(itertools.product((0, 1), repeat=3)))
    turned = np.einsum("tij,cj->tci", matrices(course[1]), corners - middle)
    truth = turned + middle + (course[0] * SPACING)[:, None]
    homogeneous = np.c_[corners, np.ones(8)]
    found = np.einsum("tij,cj->tci", motion["affine"].values, homogeneous)[..., :3]
    error = (found - truth) / SPACING
    assert np.sqrt((error**2).mean()) < 0.04
    assert np.abs(error).max() < 0.15
    assert np.sqrt((((truth - corners) / SPACING) ** 2).mean()) > 0.5


def test_each_angle_is_found_and_named(motion, course):
    assert list(motion["rotation_axis"].values) == ["z", "y", "x"]
    error = np.rad2deg(motion["rotation"].values - course[1])
    error -= np.median(error, axis=0)
    assert (error.std(axis=0) < 0.1).all()
    assert (np.rad2deg(course[1]).std(axis=0) > 0.5).all()


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "float64"])
def test_integers_and_doubles_are_followed_too(blobs, course, kind):
    given = blobs.clip(0, 255).round().astype(kind)
    motion = estimate_motion(given)
    assert np.abs(off(motion, course[0])).max() < 0.15
    still = apply_motion(given, motion)
    assert still.dtype == ("float32" if kind in ("uint8", "int16") else "float64")


@pytest.mark.parametrize("order", [("x", "time", "z", "y"), ("y", "x", "z", "time")])
def test_the_order_of_dimensions_changes_nothing(blobs, order):
    found = register(blobs.transpose(*order))
    assert found.dims == order
    xr.testing.assert_allclose(found.transpose(*blobs.dims), register(blobs), rtol=1e-5)


@pytest.mark.parametrize("chunks", [{"time": 7}, {"time": 20, "z": 4, "y": 11, "x": 20}])
@pytest.mark.parametrize("fill", ["nearest", "outside"])
def test_chunks_change_nothing_and_the_result_is_lazy(blobs, chunks, fill):
    lazy = blobs.chunk(chunks)
    result = register(lazy, fill=fill)
    assert result.chunks is not None
    assert result.chunks[0] == lazy.chunks[0]
    assert [len(sizes) for sizes in result.chunks[1:]] == [1, 1, 1]
    xr.testing.assert_allclose(result.compute(), register(blobs, fill=fill), rtol=1e-4)


def test_shifts_alone_are_found(shifted, course):
    motion = estimate_motion(shifted, transform="translation")
    assert np.abs(off(motion, course[0])).max() < 0.1
    assert not motion["rotation"].any()
    xr.testing.assert_allclose(
        estimate_motion(shifted.chunk(time=7, y=9), transform="translation"), motion, rtol=1e-4
    )


def test_blank_and_nan_frames_are_suspect_and_leave_the_others_alone(blobs, course, motion):
    values = blobs.values.copy()
    values[5:7] = 0
    values[12] = 255
    values[20] = np.nan
    values[28] = 100 * np.random.default_rng(0).random(SHAPE)
    bad = [5, 6, 12, 20, 28]
    good = np.setdiff1d(np.arange(N_TIMES), bad)
    found = estimate_motion(blobs.copy(data=values))
    assert found["suspect"].values[bad].all()
    assert not found["suspect"].values[good].any()
    np.testing.assert_array_equal(found["similarity"][bad[:4]], 0)
    assert np.abs(off(found, course[0], good=good)).max() < 0.1
    between = found["translation"].values[4:8]
    np.testing.assert_allclose(
        np.diff(between, axis=0), np.tile(between[-1] - between[0], (3, 1)) / 3
    )


def test_planes_that_are_nan_and_dropouts_are_left_out(blobs, course):
    values = blobs.values.copy()
    values[:, 0] = np.nan
    values[8:20, :, :, :4] = np.nan
    values[30, 4:6, 10:14, 10:16] = np.inf
    motion = estimate_motion(blobs.copy(data=values))
    assert np.abs(off(motion, course[0])).max() < 0.15
    assert not motion["suspect"].values[30]


def test_gain_offset_and_shade_do_not_pass_for_motion(blobs, course):
    rng = np.random.default_rng(1)
    gain, offset = rng.uniform(0.3, 3, (N_TIMES, 1, 1, 1)), rng.uniform(0, 100, (N_TIMES, 1, 1, 1))
    _, y, x = np.meshgrid(*(np.linspace(0, 1, size) for size in SHAPE), indexing="ij")
    time = np.arange(N_TIMES)[:, None, None, None]
    shade = 1 + 0.3 * np.sin(time / 7) * np.cos(2 * x) + 0.2 * np.cos(time / 9) * y
    changed = gain * (blobs.values * shade + offset)
    motion = estimate_motion(blobs.copy(data=changed.astype(np.float32)))
    assert np.sqrt((off(motion, course[0]) ** 2).mean()) < 0.05


@pytest.mark.parametrize("transform", ["rigid", "translation"])
def test_a_shift_of_a_quarter_of_the_field_is_found(moving_blobs, transform):
    shift = np.zeros((16, 3))
    shift[3], shift[10] = [2, 7, -7], [-2, -7, 0]
    frames = moving_blobs(SHAPE, shift, np.zeros((16, 3)), spacing=SPACING, noise=2.0)
    motion = estimate_motion(label(frames), transform=transform)
    assert np.abs(off(motion, shift)).max() < 0.1


@pytest.mark.parametrize("fill", ["nearest", "nan", "outside"])
def test_what_leaves_the_field_is_filled_as_asked(blobs, motion, fill):
    lost = apply_motion(blobs, motion, fill=fill).isnull()
    if fill == "nearest":
        assert not lost.any()
        return
    by_frame = apply_motion(blobs, motion, fill="nan").isnull()
    assert by_frame.any("time").any()
    assert not by_frame.all("time").any()
    expected = by_frame if fill == "nan" else by_frame.any("time").broadcast_like(lost)
    np.testing.assert_array_equal(lost, expected)


def test_taking_the_motion_out_leaves_the_scene_at_rest(blobs, motion):
    still = apply_motion(blobs, motion)
    inner = {"z": slice(2, -2), "y": slice(3, -3), "x": slice(3, -3)}
    assert float(blobs.isel(inner).std("time").median()) > 2 * 2.0
    assert float(still.isel(inner).std("time").median()) < 1.1 * 2.0


def test_a_positive_angle_takes_what_lies_at_larger_y_towards_larger_x():
    rng, (y, x) = np.random.default_rng(0), np.mgrid[-20:21, -24:25]
    spots = [(15.0, 0.0), *rng.uniform(-18, 18, (30, 2))]  # the first lies at larger y

    def draw(way):  # each spot displaced by so much along x for what it lies further along y
        frame = [np.exp(-((y - b + way * a) ** 2 + (x - a - way * b) ** 2) / 8) for b, a in spots]
        return 100 * np.sum(frame, axis=0)

    recording = xr.DataArray([draw(0), draw(0), draw(0), draw(0.05)], dims=("time", "y", "x"))
    np.testing.assert_allclose(estimate_motion(recording)["rotation"][3], 0.05, atol=0.002)


@pytest.mark.slow
def test_frames_that_noise_hides_are_suspect_and_the_others_are_where_they_are_found(moving_blobs):
    rng = np.random.default_rng(5)
    shift, angles = rng.uniform(-1, 1, (60, 3)), np.deg2rad(rng.uniform(-0.5, 0.5, (60, 3)))
    frames = moving_blobs((10, 32, 32), shift, angles, noise=100.0)
    found = estimate_motion(xr.DataArray(frames, dims=("time", "z", "y", "x")))
    error = found["translation"].values - shift
    off = np.sqrt(((error - np.median(error, axis=0)) ** 2).sum(axis=1))
    suspect = found["suspect"].values
    assert (off > 1.5).sum() > 4
    assert suspect[off > 1.5].all()
    assert np.median(off[suspect]) > 2 * np.median(off[~suspect])
