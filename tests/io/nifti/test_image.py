"""What `load` makes of NIfTI files: dimensions, values, places, times, attributes."""

from __future__ import annotations

import gzip

import dask
import dask.array as da
import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita


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
def test_dimensions_and_values_follow_those_of_the_file(
    tmp_path, shape, dims, suffix, chunks, image_of, frames, saved
):
    values = frames(*shape)
    recording = partita.load(saved(image_of(values), tmp_path / f"a{suffix}"), chunks=chunks)
    assert recording.dims == dims
    order = [{"x": 0, "y": 1, "z": 2, "time": 3, "volume": 4}[dim] for dim in dims]
    np.testing.assert_array_equal(recording.values, values.transpose(order))
    assert isinstance(recording.data, np.ndarray if chunks is None else da.Array)


def test_only_a_fourth_axis_is_time(tmp_path, image_of, frames, saved):
    assert "time" not in partita.load(saved(image_of(frames(4, 3, 2)), tmp_path / "a.nii")).coords


def test_a_recording_is_cut_along_time_only_to_dasks_chunk_size(tmp_path, image_of, frames, saved):

    path = saved(image_of(frames(8, 8, 2, 40)), tmp_path / "a.nii")
    with dask.config.set({"array.chunk-size": "4kiB"}):
        recording = partita.load(path)
    assert recording.chunks[0][0] == 8
    assert recording.chunks[1:] == ((2,), (8,), (8,))
    assert partita.load(path, chunks=7).chunks[0] == (7, 7, 7, 7, 7, 5)
    by_dim = partita.load(path, chunks={"time": 20, "y": 4})
    assert by_dim.chunks == ((20, 20), (2,), (4, 4), (8,))


def test_chunks_of_another_kind_are_refused(tmp_path, image_of, frames, saved):
    path = saved(image_of(frames(4, 3, 2, 5)), tmp_path / "a.nii")
    with pytest.raises(TypeError, match=r"chunks is 'auto', None, a number"):
        partita.load(path, chunks="large")
    with pytest.raises(ValueError, match=r"chunks names \['lag'\]"):
        partita.load(path, chunks={"lag": 2})


# nibabel images


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("chunks", ["auto", None])
def test_an_image_from_a_file_gives_the_recording_of_the_file(
    tmp_path, suffix, chunks, image_of, frames, saved
):
    path = saved(image_of(frames(4, 3, 2, 5)), tmp_path / f"a{suffix}", {"TaskName": "rest"})
    from_image = partita.load(nib.load(path), chunks=chunks)
    xr.testing.assert_identical(from_image.compute(), partita.load(path, chunks=None))


@pytest.mark.parametrize("chunks", ["auto", None])
def test_an_image_in_memory_is_a_recording(chunks, image_of, frames):
    values = frames(4, 3, 2, 5).astype(np.int16)
    recording = partita.load(image_of(values), chunks=chunks)
    assert recording.dtype == np.float32
    np.testing.assert_array_equal(recording.values, values.T)
    assert recording.name is None


@pytest.mark.parametrize("chunks", ["auto", None])
def test_images_of_other_formats_are_recordings_too(tmp_path, chunks, frames):
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


@pytest.mark.parametrize("compressed", [False, True])
def test_an_image_whose_last_axis_is_fastest_in_the_file_is_not_scrambled(tmp_path, compressed):
    values = np.arange(120.0, dtype=np.float32).reshape(2, 3, 4, 5)
    path = tmp_path / ("a.raw.gz" if compressed else "a.raw")
    with gzip.open(path, "wb") if compressed else path.open("wb") as file:
        file.write(values.tobytes())
    header = nib.Nifti1Header()
    header.set_data_shape(values.shape)
    header.set_data_dtype(np.float32)
    header.set_xyzt_units("mm", "sec")
    header["pixdim"][4] = 1.0
    proxy = nib.arrayproxy.ArrayProxy(path, (values.shape, np.float32, 0, 1.0, 0.0), order="C")
    for chunks in ("auto", None):
        recording = partita.load(nib.Nifti1Image(proxy, np.eye(4), header), chunks=chunks)
        np.testing.assert_array_equal(recording.transpose("x", "y", "z", "time"), values)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
def test_images_of_labels_stay_integers(tmp_path, image_of, saved, dtype):
    values = np.arange(24).reshape(4, 3, 2).astype(dtype)
    segmentation = partita.load(saved(image_of(values), tmp_path / "sub-01_dseg.nii.gz"))
    assert segmentation.dtype == dtype
    np.testing.assert_array_equal(segmentation.transpose("x", "y", "z"), values)
    assert partita.load(saved(image_of(values), tmp_path / "sub-01_T1w.nii.gz")).dtype.kind == "f"
    labels = segmentation.assign_attrs(long_name="Region")
    partita.save(labels, tmp_path / "regions.nii.gz")
    again = partita.load(tmp_path / "regions.nii.gz", chunks=None)
    assert again.dtype == dtype
    xr.testing.assert_equal(again, labels)
    assert partita.load(nib.load(tmp_path / "regions.nii.gz")).dtype == dtype


def test_scaled_labels_are_no_labels(tmp_path, image_of, saved):
    image = image_of(np.ones((4, 3, 2), np.int16))
    image.header.set_slope_inter(2, 1)
    path = saved(image, tmp_path / "sub-01_dseg.nii")
    assert partita.load(path).dtype.kind == "f"
