"""What `load` makes of NIfTI files: dimensions, values, places, times, attributes."""

from __future__ import annotations

import gzip
import json
import pickle
import tracemalloc

import dask
import dask.array as da
import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita
from partita.io.nifti import gzip_index


def image_of(values, affine=None, *, tr=0.3, units=("mm", "sec"), kind=nib.Nifti1Image):
    affine = np.diag([0.1, 0.05, 0.4, 1.0]) if affine is None else affine
    image = kind(values, affine)
    if units is not None:
        image.header.set_xyzt_units(*units)
    if values.ndim > 3:
        image.header["pixdim"][4] = tr
    return image


def frames(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def saved(image, path, sidecar=None):
    nib.save(image, path)
    if sidecar is not None:
        beside = path.parent / (path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
        beside.write_text(json.dumps(sidecar))
    return path


@pytest.mark.parametrize(
    ("shape", "dims"),
    [
        ((4, 3), ("y", "x")),
        ((4, 3, 2), ("z", "y", "x")),
        ((4, 3, 2, 5), ("time", "z", "y", "x")),
        ((4, 3, 2, 5, 6), ("time", "z", "y", "x", "volume")),
        ((4, 3, 2, 1, 6), ("time", "z", "y", "x", "volume")),
        ((4, 3, 2, 1), ("time", "z", "y", "x")),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("chunks", ["auto", None])
def test_dimensions_and_values_follow_those_of_the_file(tmp_path, shape, dims, suffix, chunks):
    values = frames(*shape)
    recording = partita.load(saved(image_of(values), tmp_path / f"a{suffix}"), chunks=chunks)
    assert recording.dims == dims
    order = [{"x": 0, "y": 1, "z": 2, "time": 3, "volume": 4}[dim] for dim in dims]
    np.testing.assert_array_equal(recording.values, values.transpose(order))
    assert isinstance(recording.data, np.ndarray if chunks is None else da.Array)


def test_only_a_fourth_axis_is_time(tmp_path):
    assert "time" not in partita.load(saved(image_of(frames(4, 3, 2)), tmp_path / "a.nii")).coords


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("u1", "f4"), ("i1", "f4"), ("i2", "f4"), ("u2", "f4"), ("f4", "f4"),
        ("i4", "f8"), ("u4", "f8"), ("i8", "f8"), ("f8", "f8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("scaling", [(1, 0), (0.25, -3)])
def test_small_integers_and_float32_are_read_as_float32(
    tmp_path, kind, order, stored, read, scaling
):
    values = np.arange(2 * 3 * 2 * 4).reshape(2, 3, 2, 4).astype(stored)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(stored).newbyteorder(order))
    image = kind(values, np.eye(4), header)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_slope_inter(1, 0)
    path = tmp_path / "a.nii"
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    header = kind.header_class(bytes(raw[: image.header.sizeof_hdr]))
    header["scl_slope"], header["scl_inter"] = scaling
    raw[: image.header.sizeof_hdr] = header.binaryblock
    path.write_bytes(raw)
    recording = partita.load(path)
    assert recording.dtype == np.dtype(read)
    expected = nib.load(path).get_fdata().T.astype(read)
    np.testing.assert_array_equal(recording.values, expected)


def test_a_recording_is_cut_along_time_only_to_dasks_chunk_size(tmp_path):
    import dask

    path = saved(image_of(frames(8, 8, 2, 40)), tmp_path / "a.nii")
    with dask.config.set({"array.chunk-size": "4kiB"}):
        recording = partita.load(path)
    assert recording.chunks[0][0] == 8
    assert recording.chunks[1:] == ((2,), (8,), (8,))
    assert partita.load(path, chunks=7).chunks[0] == (7, 7, 7, 7, 7, 5)
    by_dim = partita.load(path, chunks={"time": 20, "y": 4})
    assert by_dim.chunks == ((20, 20), (2,), (4, 4), (8,))


def test_chunks_of_another_kind_are_refused(tmp_path):
    path = saved(image_of(frames(4, 3, 2, 5)), tmp_path / "a.nii")
    with pytest.raises(TypeError, match=r"chunks is 'auto', None, a number"):
        partita.load(path, chunks="large")
    with pytest.raises(ValueError, match=r"chunks names \['lag'\]"):
        partita.load(path, chunks={"lag": 2})


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    "selection",
    [
        {"time": slice(3, 9)}, {"time": slice(None, None, 3)}, {"time": slice(None, None, -2)},
        {"time": 4, "x": slice(None, None, -1)}, {"y": 1, "volume": 1}, {"time": [5, 1, 1]},
        {"time": slice(0, 0)},
    ],
)  # fmt: skip
def test_any_part_of_a_lazy_recording_is_the_part_of_the_whole(tmp_path, suffix, selection):
    path = saved(image_of(frames(4, 3, 2, 12, 3)), tmp_path / f"a{suffix}")
    lazy, whole = partita.load(path, chunks=5), partita.load(path, chunks=None)
    xr.testing.assert_identical(lazy.isel(selection).compute(), whole.isel(selection))


def test_a_plain_file_is_mapped_and_only_the_frames_asked_for_are_read(tmp_path):
    values = frames(40, 30, 4, 200)
    recording = partita.load(saved(image_of(values), tmp_path / "a.nii"), chunks={"time": 5})
    with dask.config.set(scheduler="synchronous"):
        recording[0].compute()
        tracemalloc.start()
        frame = recording[100].compute()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    np.testing.assert_array_equal(frame, values[..., 100].T)
    assert peak < 20 * frame.nbytes < 0.2 * values.nbytes


def test_a_lazy_recording_can_be_pickled_and_has_the_same_name_each_time(tmp_path):
    path = saved(image_of(frames(4, 3, 2, 12)), tmp_path / "a.nii.gz")
    first, second = partita.load(path), partita.load(path)
    assert first.data.name == second.data.name
    xr.testing.assert_identical(pickle.loads(pickle.dumps(first)).compute(), first.compute())


def test_a_file_that_changed_after_loading_is_not_read_on(tmp_path):
    path = saved(image_of(frames(4, 3, 2, 12)), tmp_path / "a.nii")
    recording = partita.load(path)
    saved(image_of(frames(4, 3, 2, 13)), path)
    with pytest.raises(OSError, match=r"a\.nii has been changed since it was opened. Load it"):
        recording.compute()


# Places


def test_axis_coordinates_are_the_scanner_s_millimetres(tmp_path):
    affine = np.array([[-3.1, 0, 0, 60.45], [0, 3.75, 0, -35.625], [0, 0, 2.0, 7], [0, 0, 0, 1]])
    recording = partita.load(saved(image_of(frames(4, 3, 2, 5), affine), tmp_path / "a.nii"))
    np.testing.assert_array_equal(recording.x, 60.45 - 3.1 * np.arange(4))
    np.testing.assert_array_equal(recording.y, -35.625 + 3.75 * np.arange(3))
    np.testing.assert_array_equal(recording.z, [7, 9])
    assert {recording[name].attrs["units"] for name in "xyz"} == {"mm"}
    assert {recording[name].attrs["long_name"] for name in "xyz"} == set("xyz")
    np.testing.assert_array_equal(recording.grid.attrs["affine"], np.eye(4).ravel())
    assert recording.grid.attrs["sform_code"] == 2


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 1e-3), ("mm", 1)])
def test_space_is_in_millimetres_whatever_the_header_counts_in(tmp_path, unit, factor):
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    path = saved(image_of(frames(4, 3, 2, 5), affine, units=(unit, "sec")), tmp_path / "a.nii")
    recording = partita.load(path)
    np.testing.assert_allclose(recording.x, 2 * factor * np.arange(4), rtol=1e-15)
    np.testing.assert_allclose(recording.z, 4 * factor * np.arange(2), rtol=1e-15)


def test_a_qform_alone_gives_the_same_places(tmp_path):
    image = image_of(frames(4, 3, 2, 5))
    affine = np.array([[-0.1, 0, 0, -3.95], [0, 0.05, 0, 2.73], [0, 0, 0.4, 1], [0, 0, 0, 1]])
    image.set_sform(None)
    image.set_qform(affine, code=1)
    recording = partita.load(saved(image, tmp_path / "a.nii"))
    np.testing.assert_array_equal(recording.x, -3.95 - 0.1 * np.arange(4))
    assert recording.grid.attrs["qform_code"] == 1
    assert recording.grid.attrs["sform_code"] == 0


def rotated(degrees=12.0, sizes=(2.0, 3.0, 4.0)):
    angle = np.radians(degrees)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * sizes
    affine[:3, 3] = [-10, 20, 5]
    return affine


def world_of(recording):
    """Return scanner millimetres of every voxel (z, y, x, 3) from the recording's coordinates."""
    z, y, x = np.meshgrid(recording.z, recording.y, recording.x, indexing="ij")
    affine = recording.grid.attrs["affine"].reshape(4, 4)
    return np.stack([x, y, z, np.ones_like(x)], axis=-1) @ affine.T[:, :3]


def world_by_nibabel(image):
    k, j, i = np.meshgrid(*[np.arange(n) for n in image.shape[2::-1]], indexing="ij")
    return nib.affines.apply_affine(image.affine, np.stack([i, j, k], axis=-1))


@pytest.mark.parametrize("as_qform", [True, False])
def test_an_oblique_affine_is_kept_exactly_and_said(tmp_path, as_qform):
    image = image_of(frames(4, 3, 2, 5), rotated())
    if as_qform:
        image.set_qform(rotated(), code=1)
        image.set_sform(None)
    path = saved(image, tmp_path / "tilted.nii")
    with pytest.warns(UserWarning, match=r"tilted.nii: the voxel axes lie up to 12 degrees off"):
        recording = partita.load(path)
    np.testing.assert_allclose(recording.x, 2 * np.arange(4), rtol=1e-6)
    np.testing.assert_allclose(world_of(recording), world_by_nibabel(nib.load(path)), atol=1e-5)


def test_axes_in_another_order_are_oblique_too(tmp_path):
    affine = np.array([[0, 0, 2.0, 1], [3, 0, 0, 2], [0, 4, 0, 3], [0, 0, 0, 1]])
    path = saved(image_of(frames(4, 3, 2, 5), affine), tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="the scanner's in another order"):
        recording = partita.load(path)
    np.testing.assert_allclose(world_of(recording), world_by_nibabel(nib.load(path)))


def test_rounding_of_the_header_is_not_taken_for_a_tilt(tmp_path):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[1, 2] = 1e-7
    recording = partita.load(saved(image_of(frames(4, 3, 2, 5), affine), tmp_path / "a.nii"))
    np.testing.assert_array_equal(recording.grid.attrs["affine"], np.eye(4).ravel())


def test_another_qform_is_kept_beside_the_sform(tmp_path):
    image = image_of(frames(4, 3, 2, 5), np.diag([2.0, 2, 2, 1]))
    shifted = np.diag([2.0, 2, 2, 1])
    shifted[:3, 3] = 30
    image.set_sform(np.diag([2.0, 2, 2, 1]), code=4)
    image.set_qform(shifted, code=1)
    recording = partita.load(saved(image, tmp_path / "a.nii"))
    partita.io.save_recording(recording, tmp_path / "b.nii")
    again = nib.load(tmp_path / "b.nii")
    np.testing.assert_allclose(again.get_qform(), shifted)
    np.testing.assert_allclose(again.get_sform(), np.diag([2.0, 2, 2, 1]))
    assert (int(again.header["qform_code"]), int(again.header["sform_code"])) == (1, 4)


def test_a_flat_image_keeps_the_place_of_its_slice(tmp_path):
    affine = np.diag([0.1, 0.05, 0.4, 1.0])
    affine[2, 3] = 7.5
    recording = partita.load(saved(image_of(frames(4, 3), affine), tmp_path / "a.nii"))
    assert float(recording.z) == 7.5


# Times


@pytest.mark.parametrize(
    ("tr", "unit", "seconds"), [(1.35, "sec", 1.35), (1350, "msec", 1.35), (250, "usec", 0.00025)]
)
def test_time_is_in_seconds_as_the_shortest_decimal(tmp_path, tr, unit, seconds):
    path = saved(image_of(frames(4, 3, 2, 5), tr=tr, units=("mm", unit)), tmp_path / "a.nii")
    time = partita.load(path).time
    np.testing.assert_array_equal(time, seconds * np.arange(5))
    assert time.attrs["units"] == "s"


def test_the_header_s_offset_is_the_first_time(tmp_path):
    image = image_of(frames(4, 3, 2, 3), tr=0.5)
    image.header["toffset"] = 1.1
    time = partita.load(saved(image, tmp_path / "a.nii")).time
    np.testing.assert_array_equal(time, 1.1 + 0.5 * np.arange(3))


def test_a_sidecar_says_the_times(tmp_path):
    fields = {"RepetitionTime": 0.4, "DelayAfterTrigger": 2.5}
    image = image_of(frames(4, 3, 2, 3), tr=0.4)
    time = partita.load(saved(image, tmp_path / "a.nii.gz", fields)).time
    np.testing.assert_array_equal(time, 2.5 + 0.4 * np.arange(3))


def test_irregular_volume_timing_is_kept_exactly(tmp_path):
    starts = [10.608, 10.90812, 11.3, 11.3, 9.0]  # falling times too: concatenated runs
    fields = {"VolumeTiming": starts, "FrameAcquisitionDuration": 0.3, "DelayAfterTrigger": 4}
    path = saved(image_of(frames(4, 3, 2, 5), tr=0.0), tmp_path / "a.nii", fields)
    recording = partita.load(path)
    np.testing.assert_array_equal(recording.time, starts)
    assert recording.attrs["frame_acquisition_duration"] == 0.3
    assert "volume_timing" not in recording.attrs


def test_a_sidecar_overrules_the_header_and_says_so(tmp_path):
    path = saved(image_of(frames(4, 3, 2, 3), tr=2000.0), tmp_path / "a.nii", {"RepetitionTime": 2})
    with pytest.warns(UserWarning, match=r"sidecar is 2 s, and the header says 2000 s"):
        recording = partita.load(path)
    np.testing.assert_array_equal(recording.time, [0, 2, 4])


def test_fields_become_attributes_in_snake_case(tmp_path):
    fields = {
        "TaskName": "rest",
        "MRAcquisitionType": "2D",
        "SliceTiming": [0, 0.1],
        "Filtered": True,
        "Probe": {"Elements": 128},
        "CogAtlasID": None,
        "ScaleFactor": 3,
        "Units": "V^2",
    }
    path = saved(image_of(frames(4, 3, 2, 5)), tmp_path / "sub-01_task-rest_pwd.nii", fields)
    recording = partita.load(path)
    assert recording.name == "pwd"
    attrs = dict(recording.attrs)
    np.testing.assert_array_equal(attrs.pop("slice_timing"), [0, 0.1])
    assert attrs == {
        "long_name": "Power Doppler",
        "task_name": "rest",
        "mr_acquisition_type": "2D",
        "filtered": 1,
        "probe": '{"Elements": 128}',
        "sidecar_scale_factor": 3,
        "units": "V^2",
    }


# nibabel images


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("chunks", ["auto", None])
def test_an_image_from_a_file_gives_the_recording_of_the_file(tmp_path, suffix, chunks):
    path = saved(image_of(frames(4, 3, 2, 5)), tmp_path / f"a{suffix}", {"TaskName": "rest"})
    from_image = partita.load(nib.load(path), chunks=chunks)
    xr.testing.assert_identical(from_image.compute(), partita.load(path, chunks=None))


@pytest.mark.parametrize("chunks", ["auto", None])
def test_an_image_in_memory_is_a_recording(chunks):
    values = frames(4, 3, 2, 5).astype(np.int16)
    recording = partita.load(image_of(values), chunks=chunks)
    assert recording.dtype == np.float32
    np.testing.assert_array_equal(recording.values, values.T)
    assert recording.name is None


@pytest.mark.parametrize("chunks", ["auto", None])
def test_images_of_other_formats_are_recordings_too(tmp_path, chunks):
    affine = np.diag([2.0, 3, 4, 1])
    nib.save(nib.MGHImage(frames(4, 3, 2), affine), tmp_path / "a.mgz")
    recording = partita.load(nib.load(tmp_path / "a.mgz"), chunks=chunks)
    np.testing.assert_allclose(recording.x, 2 * np.arange(4))
    np.testing.assert_array_equal(recording.values, frames(4, 3, 2).T)
    pair = nib.Nifti1Pair(frames(4, 3, 2), affine)
    pair.header.set_xyzt_units("mm")
    nib.save(pair, tmp_path / "b.img")
    np.testing.assert_array_equal(
        partita.load(nib.load(tmp_path / "b.img"), chunks=chunks).values, frames(4, 3, 2).T
    )


# Headers with something missing or wrong


def spoilt(path, **fields):
    """Write other values into the header of a .nii file, unchecked."""
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        if isinstance(value, dict):
            for place, number in value.items():
                header[name][place] = number
        else:
            header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    return path


@pytest.fixture
def plain_file(tmp_path):
    return saved(image_of(frames(4, 3, 2, 5)), tmp_path / "odd.nii")


def test_without_a_repetition_time_volumes_are_numbered(plain_file):
    with pytest.warns(UserWarning, match=r"odd.nii: there is no repetition time.*numbered from 0"):
        recording = partita.load(spoilt(plain_file, pixdim={4: 0}))
    np.testing.assert_array_equal(recording.time, np.arange(5))
    assert recording.time.attrs["units"] == "1"


def test_an_axis_that_is_no_time_is_numbered(plain_file):
    with pytest.warns(UserWarning, match=r"fourth axis is in hz, which is no time"):
        recording = partita.load(spoilt(plain_file, xyzt_units=2 + 32))
    assert recording.time.attrs["units"] == "1"


@pytest.mark.parametrize("code", [0, 7 + 56])
def test_unknown_units_count_as_millimetres_and_seconds(plain_file, code):
    with (
        pytest.warns(UserWarning, match=r"unit of space; its numbers are taken as mm"),
        pytest.warns(UserWarning, match=r"unit of time; 0\.3 is taken as seconds"),
    ):
        recording = partita.load(spoilt(plain_file, xyzt_units=code))
    np.testing.assert_array_equal(recording.time, 0.3 * np.arange(5))
    np.testing.assert_array_equal(recording.y, 0.05 * np.arange(3))


def test_negative_sizes_and_times_count_by_magnitude(plain_file):
    spoilt(plain_file, pixdim={1: -0.1, 4: -0.3}, sform_code=0, qform_code=1)
    with (
        pytest.warns(UserWarning, match=r"voxel sizes in the header are negative"),
        pytest.warns(UserWarning, match=r"repetition time is negative"),
    ):
        recording = partita.load(plain_file)
    np.testing.assert_array_equal(recording.x, 0.1 * np.arange(4))
    np.testing.assert_array_equal(recording.time, 0.3 * np.arange(5))


def test_sizes_of_zero_count_as_one(plain_file):
    spoilt(plain_file, pixdim={3: 0}, sform_code=0, qform_code=1)
    with pytest.warns(UserWarning, match=r"zero or not finite .*; 1 is used"):
        recording = partita.load(plain_file)
    np.testing.assert_array_equal(recording.z, [0, 1])


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_sform_that_is_not_finite_gives_way_to_the_qform(plain_file, number):
    spoilt(plain_file, srow_x={3: number}, qform_code=1, qoffset_x=5)
    with pytest.warns(UserWarning, match=r"the sform of the header is not an affine"):
        recording = partita.load(plain_file)
    np.testing.assert_array_equal(recording.x, 5 + 0.1 * np.arange(4))
    assert recording.grid.attrs["sform_code"] == 0


def test_a_qform_that_is_not_finite_gives_way_to_the_voxel_sizes(plain_file):
    spoilt(plain_file, quatern_b=np.nan, qform_code=1, sform_code=0)
    with pytest.warns(UserWarning, match=r"the qform of the header is not an affine"):
        recording = partita.load(plain_file)
    np.testing.assert_allclose(np.diff(recording.y), 0.05)


def test_without_an_affine_places_are_those_of_nibabel(plain_file):
    recording = partita.load(spoilt(plain_file, sform_code=0, qform_code=0))
    by_nibabel = world_by_nibabel(nib.load(plain_file))
    np.testing.assert_allclose(world_of(recording), by_nibabel, atol=1e-6)


def test_a_slope_that_is_not_a_number_scales_nothing(plain_file):
    values = partita.load(plain_file).values
    spoilt(plain_file, scl_slope=2, scl_inter=np.nan)
    np.testing.assert_array_equal(partita.load(plain_file).values, 2 * values)
    spoilt(plain_file, scl_slope=np.nan, scl_inter=3)
    np.testing.assert_array_equal(partita.load(plain_file).values, values)


def test_data_may_begin_after_extensions(tmp_path):
    image = image_of(frames(4, 3, 2, 5))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 100))
    path = saved(image, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(partita.load(path).values, frames(4, 3, 2, 5).T)


def test_a_gzip_file_in_several_members_is_read_through(tmp_path):
    raw = image_of(frames(4, 3, 2, 12)).to_bytes()
    members = [raw[start : start + 300] for start in range(0, len(raw), 300)]
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"".join(gzip.compress(member) for member in members))
    gzip_index._indexes.clear()
    np.testing.assert_array_equal(partita.load(path, chunks=1).values, frames(4, 3, 2, 12).T)
