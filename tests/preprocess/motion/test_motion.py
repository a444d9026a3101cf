"""Motion in the recording's own terms: found, undone, labelled, and distrusted where it should."""

from __future__ import annotations

import tracemalloc

import dask
import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

import partita as pt
from partita._solvers.registration import frame_resampling
from partita.preprocess import apply_motion, estimate_motion, register

pytestmark = pytest.mark.xdist_group("motion")

SHAPE = (40, 48)
SPACING = (0.05, 0.1)


@pytest.fixture(scope="module")
def course():
    """Return a motion of 80 frames: shifts in voxels, angles in radians."""
    rng = np.random.default_rng(4)
    return rng.uniform(-1.5, 1.5, (80, 2)), np.deg2rad(rng.uniform(-1, 1, (80, 1)))


@pytest.fixture(scope="module")
def blobs(moving_blobs, course):
    """Return a noisy moving recording (time, y, x) with labels of every kind."""
    frames = moving_blobs(SHAPE, *course, spacing=SPACING, noise=2.0)
    return label(frames + 20)


def label(frames: np.ndarray, spacing: tuple[float, ...] = SPACING) -> xr.DataArray:
    dims = ("z", "y", "x")[-(frames.ndim - 1) :]
    coords = {
        dim: (dim, 3.0 + step * np.arange(n), {"units": "mm"})
        for dim, step, n in zip(dims, spacing, frames.shape[1:], strict=True)
    }
    time = ("time", 0.4 * np.arange(len(frames)), {"units": "s"})
    depth = ("y", np.arange(frames.shape[-2])[::-1].astype(float))
    return xr.DataArray(
        frames,
        dims=("time", *dims),
        coords={"time": time, "layer": depth, "run": 3, **coords},
        attrs={"units": "a.u.", "long_name": "Power", "history": "load()"},
        name="power",
    )


def off(motion: xr.Dataset, shift: np.ndarray, spacing=SPACING, *, good=slice(None)) -> np.ndarray:
    """Return the errors of translation in voxels, less the offset that all frames share."""
    error = (motion["translation"].values / spacing - shift)[good]
    return error - np.median(error, axis=0)


def test_translation_rotation_and_affine_are_those_of_the_simulator():
    truth = pt.datasets.simulate_fusi(
        n_times=60, shape=(1, 64, 60), motion=0.03, transient=0.2, rotation=0.2, random_state=2
    )
    motion = estimate_motion(truth["recording"])
    assert motion["translation"].dims == truth["translation"].dims
    assert list(motion["axis"].values) == ["y", "x"]
    assert list(motion["rotation_axis"].values) == ["z"]
    for name, tolerance in (("translation", 0.004), ("rotation", 1e-3)):
        error = motion[name] - truth[name]
        assert float(abs(error - error.median("time")).max()) < 2 * tolerance
        assert float((error - error.median("time")).std()) < tolerance
    assert motion["translation"].attrs["units"] == "mm"
    middle = np.array([float(truth[axis].mean()) for axis in "yx"])
    relative = motion["affine"].values @ np.linalg.inv(truth["affine"].values)
    seen = relative @ [*middle, 1]
    np.testing.assert_allclose(seen - np.median(seen, axis=0), 0, atol=0.012)
    affine = motion["affine"].values
    np.testing.assert_allclose(
        affine @ [*middle, 1], np.c_[motion["translation"] + middle, np.ones(60)], atol=1e-12
    )


def test_a_volume_moves_with_six_parameters():
    truth = pt.datasets.simulate_fusi(
        n_times=24, shape=(12, 40, 36), spacing=(0.3, 0.1, 0.1), motion=0.08, rotation=2,
        speckle=0.05, random_state=1,
    )  # fmt: skip
    motion = estimate_motion(truth["recording"])
    assert list(motion["axis"].values) == ["z", "y", "x"]
    assert list(motion["rotation_axis"].values) == ["z", "y", "x"]
    assert motion["affine"].shape == (24, 4, 4)
    error = motion["translation"] - truth["translation"]
    assert float((error - error.median("time")).std()) < 0.01
    error = motion["rotation"] - truth["rotation"]
    wrong = np.rad2deg((error - error.median("time")).std("time"))
    assert float(wrong.max()) < 0.25
    assert float(np.rad2deg(truth["rotation"].std("time")).min()) > 0.8
    still = register(truth["recording"])
    assert {"motion_z", "motion_y", "motion_x", "motion_rotation_z", "motion_rotation_x"} <= set(
        still.coords
    )


@pytest.mark.slow
@pytest.mark.parametrize("transform", ["translation", "rigid"])
@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "uint32", "float64"])
def test_integers_and_doubles_are_followed_too(blobs, course, transform, kind):
    given = blobs.clip(0, 255).round().astype(kind)
    motion = estimate_motion(given, transform=transform)
    assert np.abs(off(motion, course[0])).max() < 0.25
    still = apply_motion(given, motion)
    expected = "float32" if kind in ("uint8", "int16") else "float64"
    assert still.dtype == expected
    assert register(given, transform=transform).dtype == expected
    assert apply_motion(given.chunk(time=30), motion).dtype == expected
    if transform == "translation":
        assert not motion["rotation"].any()


def test_taking_the_motion_out_leaves_the_scene_at_rest(blobs, moving_blobs):
    still = register(blobs, fill="nan")
    inner = {"y": slice(6, -6), "x": slice(6, -6)}
    noise = 2.0
    assert float(blobs.isel(inner).std("time").median()) > 3 * noise
    assert float(still.isel(inner).std("time").median()) < 1.05 * noise


@pytest.mark.parametrize("order", [("x", "time", "y"), ("y", "x", "time")])
def test_the_order_of_dimensions_changes_nothing(blobs, order):
    expected = register(blobs)
    found = register(blobs.transpose(*order))
    assert found.dims == order
    xr.testing.assert_allclose(found.transpose(*expected.dims), expected, rtol=1e-5)


@pytest.mark.parametrize("chunks", [{"time": 7}, {"time": 30, "y": 11, "x": 20}, {"time": -1}])
@pytest.mark.parametrize("fill", ["nearest", "outside"])
def test_chunks_change_nothing_and_the_result_is_lazy(blobs, chunks, fill):
    lazy = blobs.chunk(chunks)
    result = register(lazy, fill=fill)
    assert result.chunks is not None
    assert result.chunks[0] == lazy.chunks[0]
    assert [len(sizes) for sizes in result.chunks[1:]] == [1, 1]
    xr.testing.assert_allclose(result.compute(), register(blobs, fill=fill), rtol=1e-4)


def test_the_input_is_untouched_and_every_label_kept(blobs):
    before = blobs.copy(deep=True)
    still = register(blobs, smooth_fwhm=1.0)
    xr.testing.assert_identical(blobs, before)
    xr.testing.assert_identical(
        still.reset_coords(drop=True).coords.to_dataset(),
        blobs.reset_coords(drop=True).coords.to_dataset(),
    )
    assert still["layer"].identical(blobs["layer"].assign_coords(still["layer"].coords))
    assert int(still["run"]) == 3
    assert still.attrs["units"] == "a.u."
    assert still.name == "power"
    lines = still.attrs["history"].split("\n")
    assert lines[0] == "load()"
    assert len(lines) == 2
    assert lines[1].startswith("register(transform='rigid', reference='robust', per='volume'")


def test_the_motion_beside_the_recording_is_the_dataset(blobs):
    motion, still = estimate_motion(blobs), register(blobs)
    for axis in "yx":
        found = still[f"motion_{axis}"]
        assert found.dims == ("time",)
        np.testing.assert_array_equal(found, motion["translation"].sel(axis=axis))
    np.testing.assert_array_equal(still["motion_rotation"], motion["rotation"][:, 0])
    for name in ("framewise_displacement", "suspect"):
        np.testing.assert_array_equal(still[name], motion[name])
    xr.testing.assert_allclose(
        still.drop_vars([name for name in still.coords if name not in blobs.coords]),
        apply_motion(blobs, motion),
    )


def test_the_dataset_and_the_registered_recording_survive_netcdf(blobs, tmp_path):
    motion = estimate_motion(blobs)
    motion.to_netcdf(tmp_path / "motion.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "motion.nc", engine="h5netcdf") as back:
        xr.testing.assert_identical(back.load(), motion)
        xr.testing.assert_identical(apply_motion(blobs, back), apply_motion(blobs, motion))
    pt.save(register(blobs), tmp_path / "still.nc")
    assert pt.load(tmp_path / "still.nc")["suspect"].dtype == bool


def test_framewise_displacement_is_how_far_voxels_move(blobs):
    motion = estimate_motion(blobs)
    y, x = (blobs[axis].values for axis in "yx")
    places = np.stack([*np.meshgrid(y, x, indexing="ij"), np.ones(SHAPE)], axis=-1)
    seen = np.einsum("tij,yxj->tyxi", motion["affine"].values, places)[..., :2]
    moved = np.sqrt((np.diff(seen, axis=0) ** 2).sum(-1).mean((1, 2)))
    assert float(motion["framewise_displacement"][0]) == 0
    np.testing.assert_allclose(motion["framewise_displacement"][1:], moved, rtol=1e-9)


def test_bad_frames_are_suspect_and_leave_the_others_alone(blobs, course):
    values = blobs.values.copy()
    rng = np.random.default_rng(0)
    values[10:13] = 0
    values[30] = 255
    values[40] = np.nan
    values[50] = 100 * rng.random(SHAPE)
    bad = [10, 11, 12, 30, 40, 50]
    motion = estimate_motion(blobs.copy(data=values))
    good = np.setdiff1d(np.arange(80), bad)
    clean = estimate_motion(blobs)
    assert motion["suspect"].values[bad].all()
    assert motion["suspect"].values[good].sum() <= clean["suspect"].values[good].sum()
    assert np.abs(off(motion, course[0], good=good)).max() < 0.15
    np.testing.assert_array_equal(motion["similarity"][bad[:5]], 0)
    assert not motion["converged"].values[bad[:5]].any()
    assert motion["converged"].values[good].all()
    between = motion["translation"].values[[9, 10, 11, 12, 13]]
    np.testing.assert_allclose(
        np.diff(between, axis=0), np.tile(between[-1] - between[0], (4, 1)) / 4
    )


def test_nan_borders_and_dropouts_are_left_out(blobs, course):
    values = blobs.values.copy()
    values[:, :3] = np.nan
    values[20:40, :, :6] = np.nan
    values[60, 10:14, 20:30] = np.inf
    motion = estimate_motion(blobs.copy(data=values))
    assert np.abs(off(motion, course[0])).max() < 0.2
    assert not motion["suspect"].values[60]
    still = apply_motion(blobs.copy(data=values), motion)
    assert int(still[60].isnull().sum()) < 400
    assert still[30, 20, 0].isnull()


def test_gain_offset_and_drifting_shade_do_not_pass_for_motion(blobs, course):
    rng = np.random.default_rng(1)
    gain = rng.uniform(0.3, 3, (80, 1, 1))
    y, x = np.mgrid[:40, :48] / 48
    time = np.arange(80)[:, None, None]
    shade = 1 + 0.3 * np.sin(time / 15) * np.cos(2 * x) + 0.2 * np.cos(time / 20) * y
    changed = gain * (blobs.values * shade + rng.uniform(0, 100, (80, 1, 1)))
    motion = estimate_motion(blobs.copy(data=changed.astype(np.float32)))
    assert np.abs(off(motion, course[0])).max() < 0.3
    assert np.sqrt((off(motion, course[0]) ** 2).mean()) < 0.06


def test_speckle_and_clipped_tops_do_not_pass_for_motion(blobs, course):
    rng = np.random.default_rng(2)
    speckled = blobs * rng.gamma(50, 1 / 50, blobs.shape).astype(np.float32)
    assert np.sqrt((off(estimate_motion(speckled), course[0]) ** 2).mean()) < 0.1
    clipped = blobs.clip(max=float(blobs.quantile(0.93)))
    assert np.sqrt((off(estimate_motion(clipped), course[0]) ** 2).mean()) < 0.06


def test_a_lasting_jump_is_followed_and_its_frame_suspect(moving_blobs, course):
    shift, angles = course[0] * 0.2, course[1] * 0.2
    shift = shift.copy()
    shift[45:] += [6, -8]
    motion = estimate_motion(label(moving_blobs(SHAPE, shift, angles, noise=2.0), (1.0, 1.0)))
    error = motion["translation"].values - shift
    assert np.abs(error - np.median(error, axis=0)).max() < 0.15
    np.testing.assert_array_equal(np.flatnonzero(motion["suspect"]), [45])


def test_a_shift_of_a_quarter_of_the_field_is_found(moving_blobs):
    shift = np.zeros((30, 2))
    shift[3], shift[17] = [10, 12], [-10, 0]
    frames = moving_blobs(SHAPE, shift, np.zeros((30, 1)), noise=3.0)
    motion = estimate_motion(label(frames, (1.0, 1.0)))
    assert np.abs(off(motion, shift, (1.0, 1.0))).max() < 0.15


@pytest.fixture(scope="module")
def holed():
    """Return frames (time, y, x) of known shifts, without noise, each with holes of its own."""
    truth = pt.datasets.simulate_two_photon(
        n_times=40, shape=(96, 112), motion=0.004, random_state=3
    )
    rng = np.random.default_rng(0)
    for frame in truth["recording"].values[::2]:
        for y, x in zip(rng.integers(0, 80, 3), rng.integers(0, 90, 3), strict=True):
            frame[y : y + 12, x : x + 18] = np.nan
    return truth


@pytest.mark.parametrize("reference", ["given", "robust"])
def test_holes_do_not_draw_frames_that_only_shift(holed, reference):
    image = holed["reference"] if reference == "given" else reference
    motion = estimate_motion(holed["recording"], transform="translation", reference=image)
    error = (motion["translation"] - holed["translation"]).values / 0.002
    error -= np.median(error, axis=0) if reference == "robust" else 0
    lacking = np.isnan(holed["recording"]).any(["y", "x"]).values
    assert lacking.sum() == 20
    assert np.sqrt(np.mean(error[lacking] ** 2)) < 0.003
    assert bool(motion["converged"].all())


def test_in_dim_light_a_hole_changes_little():
    truth = pt.datasets.simulate_two_photon(
        n_times=30, shape=(96, 112), motion=0.004, photons=0.3, random_state=3
    )
    whole = {"transform": "translation", "reference": truth["reference"]}
    before = estimate_motion(truth["recording"], **whole)
    truth["recording"][:, 40:42, 50] = np.nan
    after = estimate_motion(truth["recording"], **whole)
    np.testing.assert_allclose(after["translation"], before["translation"], atol=0.06 * 0.002)


def test_max_shift_holds_frames_and_calls_them_suspect(moving_blobs):
    shift = np.zeros((30, 2))
    shift[3] = [6, 0]
    recording = label(moving_blobs(SHAPE, shift, np.zeros((30, 1)), noise=1.0))
    motion = estimate_motion(recording, max_shift=0.1)
    assert float(abs(motion["translation"]).max()) <= 0.1 + 1e-9
    assert bool(motion["suspect"][3])
    assert not bool(motion["converged"][3])
    np.testing.assert_array_equal(np.flatnonzero(motion["suspect"]), [3])


def test_planes_move_each_on_its_own(moving_blobs, course):
    shift, angles = course
    stack = [moving_blobs(SHAPE, k * shift, k * angles, noise=2.0, seed=k) for k in (0, 1)]
    recording = label(np.stack(stack, axis=1), (0.4, 1.0, 1.0))
    motion = estimate_motion(recording, per="plane")
    assert motion["translation"].dims == ("time", "z", "axis")
    assert motion["affine"].dims == ("time", "z", "row", "column")
    for number in (0, 1):
        alone = estimate_motion(recording.isel(z=number))
        np.testing.assert_allclose(
            motion["translation"][:, number], alone["translation"], atol=1e-5
        )
        assert np.abs(off(alone, number * shift, (1.0, 1.0))).max() < 0.2
    still = register(recording, per="plane")
    assert still["motion_y"].dims == ("time", "z")
    np.testing.assert_allclose(
        still[:, 1], apply_motion(recording[:, 1], estimate_motion(recording[:, 1])), rtol=1e-3
    )
    lazy = register(recording.chunk(time=20, z=1, y=20), per="plane")
    np.testing.assert_allclose(lazy, still, rtol=1e-4)


def test_a_single_slice_is_a_plane(blobs):
    slab = blobs.expand_dims(z=[1.5], axis=1)
    motion = estimate_motion(slab)
    xr.testing.assert_allclose(motion["translation"], estimate_motion(blobs)["translation"])
    still = register(slab)
    assert still.dims == slab.dims
    np.testing.assert_allclose(still[:, 0], register(blobs))
    per_plane = estimate_motion(slab, per="plane")
    assert per_plane["translation"].dims == ("time", "z", "axis")


@pytest.mark.parametrize("kind", ["mean", "frame", "last", "image", "volume image"])
def test_any_reference_gives_the_same_motion_but_for_the_origin(blobs, course, kind):
    references = {
        "mean": "mean",
        "frame": 5,
        "last": -1,
        "image": blobs[7],
        "volume image": blobs[7].expand_dims(z=[1.5]),
    }
    given = blobs.expand_dims(z=[1.5], axis=1) if kind == "volume image" else blobs
    motion = estimate_motion(given, reference=references[kind])
    assert np.sqrt((off(motion, course[0]) ** 2).mean()) < 0.1
    if kind == "frame":
        assert float(abs(motion["translation"][5]).max()) < 1e-3
        np.testing.assert_allclose(motion["reference"], blobs[5])
        assert "reference=5" in motion.attrs["history"]
    if kind == "mean":
        np.testing.assert_allclose(motion["reference"], blobs.mean("time"), rtol=1e-5)
    if kind == "image":
        assert "reference='given image'" in motion.attrs["history"]


def test_the_robust_reference_is_the_scene_at_rest_in_the_recordings_units(blobs, moving_blobs):
    motion = estimate_motion(blobs)
    scene = moving_blobs(SHAPE, np.zeros((1, 2)), np.zeros((1, 1)), spacing=SPACING)[0] + 20
    inner = (slice(5, -5), slice(5, -5))
    found = motion["reference"].values[inner]
    assert np.corrcoef(found.ravel(), scene[inner].ravel())[0, 1] > 0.97
    assert 0.9 < found.mean() / scene[inner].mean() < 1.1
    assert motion["reference"].attrs["units"] == "a.u."


def test_smoothing_is_by_seconds_and_leaves_suspects_out(blobs, course):
    values = blobs.values.copy()
    values[25] = 100 * np.random.default_rng(0).random(SHAPE)
    irregular = blobs.copy(data=values)
    plain = estimate_motion(irregular)
    smooth = estimate_motion(irregular, smooth_fwhm=1.0)
    seconds = 0.4 * np.arange(80)
    sigma = 1.0 / np.sqrt(8 * np.log(2))
    weight = np.exp(-0.5 * ((seconds[:, None] - seconds) / sigma) ** 2)
    weight *= ~plain["suspect"].values
    expected = weight @ plain["translation"].values / weight.sum(1, keepdims=True)
    np.testing.assert_allclose(smooth["translation"], expected, atol=2e-4)
    in_ms = irregular.assign_coords(time=("time", 1000 * seconds, {"units": "ms"}))
    same = estimate_motion(in_ms, smooth_fwhm=1.0)
    np.testing.assert_allclose(same["translation"], smooth["translation"], rtol=1e-6)


@pytest.mark.parametrize("fill", ["nearest", "nan", "outside"])
def test_what_leaves_the_field_is_filled_as_asked(blobs, fill):
    still = register(blobs, fill=fill)
    lost = still.isnull()
    if fill == "nearest":
        assert not lost.any()
    if fill == "nan":
        assert 0 < int(lost.any("time").sum()) < 800
        assert not lost.all("time").any()
    if fill == "outside":
        np.testing.assert_array_equal(lost.any("time"), lost.all("time"))
        by_frame = register(blobs, fill="nan").isnull().any("time")
        np.testing.assert_array_equal(lost.all("time"), by_frame)
        pt.NMF(n_components=2, random_state=0, max_iter=5000).fit(still.clip(min=0))


@pytest.mark.parametrize("interpolation", ["cubic", "linear", "nearest"])
def test_a_non_negative_recording_stays_non_negative(moving_blobs, course, interpolation):
    frames = np.maximum(moving_blobs(SHAPE, *course) - 30, 0)
    still = register(label(frames), interpolation=interpolation)
    assert float(still.min()) >= 0
    if interpolation == "cubic":
        assert float(register(label(frames - 10)).min()) < -10


def test_another_channel_of_the_same_grid_takes_the_motion(blobs):
    motion = estimate_motion(blobs)
    xr.testing.assert_allclose(
        apply_motion(2 * blobs, motion), 2 * apply_motion(blobs, motion), rtol=1e-5
    )


def test_dimensions_of_other_names_and_no_coordinates_count_in_voxels(moving_blobs, course):
    frames = moving_blobs(SHAPE, *course, noise=1.0)
    bare = xr.DataArray(frames, dims=("time", "height", "width"))
    motion = estimate_motion(bare)
    assert list(motion["axis"].values) == ["height", "width"]
    assert np.abs(off(motion, course[0], (1.0, 1.0))).max() < 0.1
    assert "units" not in motion["translation"].attrs
    assert apply_motion(bare, motion).dims == bare.dims


def test_progress_is_one_plain_line(blobs, capsys):
    estimate_motion(blobs, verbose=1)
    shown = capsys.readouterr().err
    assert "motion" in shown
    assert "80/80" in shown
    estimate_motion(blobs)
    assert capsys.readouterr().err == ""


def test_a_lazy_recording_is_read_in_blocks(blobs):
    calls = []
    tall = xr.concat([blobs] * 3, "time").drop_vars("time")

    def read(block, block_info=None):
        calls.append(block.nbytes)
        return block

    lazy = tall.copy(
        data=tall.chunk(time=16).data.map_blocks(
            read, dtype=tall.dtype, meta=np.empty((0, 0, 0), tall.dtype)
        )
    )
    result = register(lazy)
    assert len(calls) == 2 * 15
    result.isel(time=slice(0, 16)).compute()
    assert len(calls) == 2 * 15 + 1


def test_unknown_words_are_refused(blobs):
    motion = estimate_motion(blobs)
    with pytest.raises(ValueError, match=r"does not know the transform 'affine'. Known: .*'rigid'"):
        estimate_motion(blobs, transform="affine")
    with pytest.raises(ValueError, match="does not know the reference 'median'"):
        estimate_motion(blobs, reference="median")
    with pytest.raises(ValueError, match="does not know the reference True"):
        register(blobs, reference=True)
    with pytest.raises(ValueError, match='per must be "volume" or "plane"'):
        estimate_motion(blobs, per="slice")
    with pytest.raises(ValueError, match="interpolation must be one of cubic, linear, nearest"):
        apply_motion(blobs, motion, interpolation="sinc")
    with pytest.raises(ValueError, match="fill must be one of nearest, nan, outside"):
        register(blobs, fill="zero")


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "2", True])
@pytest.mark.parametrize("name", ["max_shift", "smooth_fwhm"])
def test_lengths_and_durations_must_be_above_zero(blobs, name, value):
    with pytest.raises(ValueError, match=f"{name} must be a number above 0"):
        estimate_motion(blobs, **{name: value})


def test_a_frame_that_does_not_exist_is_no_reference(blobs):
    with pytest.raises(ValueError, match=r"no frame 80 .* has 80, counted from 0"):
        estimate_motion(blobs, reference=80)


def test_an_image_of_another_grid_is_no_reference(blobs):
    image = blobs.mean("time")
    with pytest.raises(ValueError, match=r"reference has the dimensions \('y',\), and needs"):
        estimate_motion(blobs, reference=image.mean("x"))
    with pytest.raises(ValueError, match="reference of another recording: it has 39 places"):
        estimate_motion(blobs, reference=image[1:])
    with pytest.raises(ValueError, match="reference of another recording: its coordinates"):
        estimate_motion(blobs, reference=image.assign_coords(x=image["x"] + 1))
    with pytest.raises(TypeError, match="reference= needs real numbers"):
        estimate_motion(blobs, reference=image > 3)


def test_constant_frames_and_references_are_refused(blobs):
    with pytest.raises(ValueError, match="nothing to align: every frame is constant"):
        estimate_motion(xr.full_like(blobs, 7))
    with pytest.raises(ValueError, match="nothing to align: every frame is constant"):
        register(blobs.where(False))
    with pytest.raises(ValueError, match="nothing to align: every frame is constant"):
        register(xr.full_like(blobs.astype("uint8"), 255))
    with pytest.raises(ValueError, match="nothing to align: the reference is constant"):
        estimate_motion(blobs, reference=xr.full_like(blobs[0], 1))


def test_one_frame_is_refused(blobs):
    with pytest.raises(ValueError, match="at least two samples along 'time'"):
        estimate_motion(blobs[:1])


def test_two_frames_are_enough(blobs, course):
    motion = estimate_motion(blobs[:2])
    moved = np.diff(motion["translation"].values / SPACING, axis=0)
    np.testing.assert_allclose(moved, np.diff(course[0][:2], axis=0), atol=0.15)


def test_small_fields_and_thin_stacks_are_refused(blobs):
    with pytest.raises(ValueError, match=r"at least 8 voxels along y and x.*y: 7, x: 48"):
        estimate_motion(blobs[:, :7])
    stack = xr.concat([blobs] * 3, "z").assign_coords(z=[0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r'4 along z.*z: 3, .*per="plane"'):
        estimate_motion(stack)
    assert estimate_motion(blobs[:, :8, :8], reference=0)["translation"].shape == (80, 2)


def test_other_dimensions_are_refused_with_advice(blobs):
    two = xr.concat([blobs, blobs], "channel")
    with pytest.raises(ValueError, match=r"further dimension 'channel'.*isel\(channel=0\)"):
        estimate_motion(two)
    with pytest.raises(ValueError, match=r"needs time, y and x, .*isel\(channel=0\)"):
        register(two.expand_dims(z=[0.0, 1.0]))
    with pytest.raises(ValueError, match="needs time, y and x"):
        register(blobs.isel(x=0))
    with pytest.raises(ValueError, match='per="plane" needs a dimension of planes'):
        estimate_motion(blobs, per="plane")
    with pytest.raises(ValueError, match="sample dimension 'time'"):
        estimate_motion(blobs.rename(time="frame"))
    with pytest.raises(ValueError, match=r"and the recording has row too. Rename it"):
        estimate_motion(blobs.rename(y="row"))
    with pytest.raises(TypeError, match="estimate_motion needs a labelled recording"):
        estimate_motion(blobs.values)


def test_uneven_or_mixed_coordinates_are_refused(blobs):
    uneven = blobs.assign_coords(x=("x", np.r_[np.arange(47.0), 60.0]))
    with pytest.raises(ValueError, match="evenly spaced voxels; the coordinates of 'x' step by 1"):
        estimate_motion(uneven)
    words = blobs.assign_coords(y=("y", [f"row {k}" for k in range(40)]))
    with pytest.raises(ValueError, match="needs numbers as coordinates of 'y'"):
        estimate_motion(words)
    mixed = blobs.assign_coords(x=("x", np.arange(48.0), {"units": "um"}))
    with pytest.raises(ValueError, match=r"one unit of length; .*y: mm, x: um"):
        estimate_motion(mixed)


def test_the_motion_of_another_recording_is_refused(blobs):
    motion = estimate_motion(blobs)
    with pytest.raises(ValueError, match="motion of another recording: it has 80 places along 't"):
        apply_motion(blobs[:70], motion)
    later = blobs.assign_coords(time=("time", blobs["time"].values + 5, {"units": "s"}))
    with pytest.raises(ValueError, match="another recording: its coordinates along 'time' run"):
        apply_motion(later, motion)
    with pytest.raises(ValueError, match="another recording: it has 40 places along 'y'"):
        apply_motion(blobs[:, 2:], motion)
    moved = blobs.assign_coords(x=("x", blobs["x"].values + 1, {"units": "mm"}))
    with pytest.raises(ValueError, match="another recording: its coordinates along 'x'"):
        apply_motion(moved, motion)
    turned = motion.assign_coords(axis=["z", "x"])
    with pytest.raises(ValueError, match="motion is along z, x, and the recording's axes are y, x"):
        apply_motion(blobs, turned)
    with pytest.raises(
        TypeError, match=r"needs the Dataset that estimate_motion returns, .*DataAr"
    ):
        apply_motion(blobs, motion["translation"])
    with pytest.raises(ValueError, match="this one lacks affine, suspect"):
        apply_motion(blobs, motion.drop_vars(["affine", "suspect"]))


def test_smoothing_needs_times_that_rise(blobs):
    twice = blobs.assign_coords(time=("time", np.tile(np.arange(40.0), 2), {"units": "s"}))
    assert estimate_motion(twice)["translation"].shape == (80, 2)
    with pytest.raises(ValueError, match="smooth_fwhm= needs times that increase"):
        estimate_motion(twice, smooth_fwhm=1.0)


@pytest.mark.slow
def test_a_reference_is_built_in_the_memory_of_a_few_copies_of_its_frames(monkeypatch):
    monkeypatch.setattr(frame_resampling, "_BLOCK_BYTES", 1)  # as if every frame were large
    rng = np.random.default_rng(0)
    scene = 1000 * ndimage.gaussian_filter(rng.random((100, 100)), 2)
    places = rng.integers(-3, 4, (96, 2)).tolist()
    frames = np.stack([np.roll(scene, place, (0, 1)) for place in places]).astype(np.float32)
    lazy = xr.DataArray(frames, dims=("time", "y", "x")).chunk(time=8)
    with dask.config.set(scheduler="synchronous"):
        estimate_motion(lazy[:9])
        tracemalloc.start()
        estimate_motion(lazy)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5.5 * frames.nbytes


def test_frames_that_an_earlier_registration_doubted_stay_suspect(blobs):
    doubted = np.arange(80) == 5
    again = register(blobs.assign_coords(suspect=("time", doubted)), transform="translation")
    assert again["suspect"].dtype == bool
    assert again["suspect"].values[5]
    assert not again["suspect"].values.all()
