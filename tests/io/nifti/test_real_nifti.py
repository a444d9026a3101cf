"""Real recordings and odd headers: values, places and times are those that nibabel reads."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita
from partita.io import save_recording

FILES = [
    "nibabel_functional.nii",
    "nibabel_someones_epi.nii.gz",
    "nipy_functional.nii.gz",
    "nitime_fmri1.nii.gz",
    "nitime_fmri2.nii.gz",
    "pymvpa_bold.nii.gz",
    "pymvpa_example4d.nii.gz",
    *[f"haxby2001_1slice/run{number:03d}.nii.gz" for number in range(1, 13)],
]

pytestmark = pytest.mark.realdata


@pytest.fixture(params=FILES)
def path(request, real_data):
    return real_data / "fmri" / request.param


def quietly_loaded(path, **how):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*the voxel axes", UserWarning)
        warnings.filterwarnings("ignore", ".*volumes are 2000 s apart", UserWarning)
        return partita.load(path, **how)


def world_of(recording):
    z, y, x = np.meshgrid(recording.z, recording.y, recording.x, indexing="ij")
    affine = recording.grid.attrs["affine"].reshape(4, 4)
    return np.stack([x, y, z, np.ones_like(x)], axis=-1) @ affine.T[:, :3]


def world_by_nibabel(image):
    k, j, i = np.meshgrid(*[np.arange(n) for n in image.shape[2::-1]], indexing="ij")
    return nib.affines.apply_affine(image.affine, np.stack([i, j, k], axis=-1))


def test_values_and_places_are_those_of_nibabel(path):
    image, recording = nib.load(path), quietly_loaded(path)
    np.testing.assert_array_equal(recording.values, image.get_fdata().T.astype(np.float32))
    np.testing.assert_allclose(world_of(recording), world_by_nibabel(image), atol=1e-4)


def test_times_are_multiples_of_the_repetition_time(path):
    image, recording = nib.load(path), quietly_loaded(path)
    if image.ndim < 4:
        assert recording.dims == ("z", "y", "x")
        return
    step = float(str(image.header["pixdim"][4]))
    np.testing.assert_array_equal(recording.time, step * np.arange(image.shape[3]))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nc"])
def test_a_saved_part_comes_back_on_its_place(path, tmp_path, suffix):
    recording = quietly_loaded(path).isel(y=slice(3, None, 2), x=slice(None, None, -1))
    recording = recording.isel(time=slice(1, 20)) if "time" in recording.dims else recording
    again = quietly_loaded(save_recording(recording, tmp_path / f"part_bold{suffix}"))
    xr.testing.assert_identical(again.compute(), recording.compute())
    if suffix == ".nc":
        return
    saved = nib.load(tmp_path / f"part_bold{suffix}")
    np.testing.assert_allclose(world_by_nibabel(saved), world_of(recording), atol=2e-4)


def test_raw_and_compressed_files_hold_the_same_recording(real_data):
    raw = partita.load(real_data / "fmri" / "nibabel_functional.nii")
    compressed = partita.load(real_data / "fmri" / "nipy_functional.nii.gz")
    assert raw.attrs.pop("history") != compressed.attrs.pop("history")
    xr.testing.assert_identical(raw.compute(), compressed.compute())


def test_an_oblique_recording_says_so(real_data):
    with pytest.warns(UserWarning, match=r"nitime_fmri1.nii.gz: the voxel axes lie up to 12"):
        partita.load(real_data / "fmri" / "nitime_fmri1.nii.gz")


def test_lazy_chunks_are_the_parts_of_the_whole(real_data):
    path = real_data / "fmri" / "pymvpa_bold.nii.gz"
    lazy, whole = partita.load(path, chunks=100), partita.load(path, chunks=None)
    for start in (1300, 0, 700):
        part = slice(start, start + 30)
        xr.testing.assert_identical(lazy[part].compute(), whole[part])


def test_a_real_recording_whose_milliseconds_are_called_seconds_is_doubted(real_data):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*the voxel axes", UserWarning)
        with pytest.warns(UserWarning, match=r"2000 s apart\. If the number was meant in millisec"):
            partita.load(real_data / "fmri" / "pymvpa_example4d.nii.gz")
