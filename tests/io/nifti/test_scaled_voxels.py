"""Voxels are read where they are asked for, scaled, and never from a file that is not whole."""

from __future__ import annotations

import gzip
import pickle
import re
import tracemalloc

import dask
import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita
from partita.io.nifti import gzip_index


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


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    "selection",
    [
        {"time": slice(3, 9)}, {"time": slice(None, None, 3)}, {"time": slice(None, None, -2)},
        {"time": 4, "x": slice(None, None, -1)}, {"y": 1, "volume": 1}, {"time": [5, 1, 1]},
        {"time": slice(0, 0)},
    ],
)  # fmt: skip
def test_any_part_of_a_lazy_recording_is_the_part_of_the_whole(
    tmp_path, suffix, selection, image_of, frames, saved
):
    path = saved(image_of(frames(4, 3, 2, 12, 3)), tmp_path / f"a{suffix}")
    lazy, whole = partita.load(path, chunks=5), partita.load(path, chunks=None)
    xr.testing.assert_identical(lazy.isel(selection).compute(), whole.isel(selection))


def test_a_plain_file_is_mapped_and_only_the_frames_asked_for_are_read(
    tmp_path, image_of, frames, saved
):
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


def test_a_lazy_recording_can_be_pickled_and_has_the_same_name_each_time(
    tmp_path, image_of, frames, saved
):
    path = saved(image_of(frames(4, 3, 2, 12)), tmp_path / "a.nii.gz")
    first, second = partita.load(path), partita.load(path)
    assert first.data.name == second.data.name
    xr.testing.assert_identical(pickle.loads(pickle.dumps(first)).compute(), first.compute())


def test_a_file_that_changed_after_loading_is_not_read_on(tmp_path, image_of, frames, saved):
    path = saved(image_of(frames(4, 3, 2, 12)), tmp_path / "a.nii")
    recording = partita.load(path)
    saved(image_of(frames(4, 3, 2, 13)), path)
    with pytest.raises(OSError, match=r"a\.nii has been changed since it was opened. Load it"):
        recording.compute()


def test_a_gzip_file_in_several_members_is_read_through(tmp_path, image_of, frames):
    raw = image_of(frames(4, 3, 2, 12)).to_bytes()
    members = [raw[start : start + 300] for start in range(0, len(raw), 300)]
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"".join(gzip.compress(member) for member in members))
    gzip_index._indexes.clear()
    np.testing.assert_array_equal(partita.load(path, chunks=1).values, frames(4, 3, 2, 12).T)


def test_a_truncated_file_is_refused_at_once(tmp_path, nifti, naming):
    path = nifti(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(OSError, match=naming(path, "is truncated: it has 5142 bytes")):
        partita.load(path)


@pytest.mark.parametrize("missing", [1, 7, 500, 3000])
def test_a_truncated_gzip_file_is_refused_at_once(tmp_path, missing, nifti, naming):
    path = nifti(tmp_path / "a.nii.gz")
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(OSError, match=naming(path, "truncated|damaged")):
        partita.load(path)


def test_damage_that_the_size_hides_is_told_at_the_first_read(tmp_path, nifti, naming):
    path = nifti(tmp_path / "a.nii.gz", 16, 16, 4, 50)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 400] = bytes(400)
    path.write_bytes(raw)
    recording = partita.load(path, chunks=5)
    np.testing.assert_array_equal(recording[:5].shape, (5, 4, 16, 16))
    with pytest.raises(OSError, match=naming(path, "is damaged")):
        recording.compute()


def test_a_flipped_bit_is_told_by_the_check_sum(tmp_path, nifti, naming):
    path = tmp_path / "a.nii.gz"
    raw = nib.load(nifti(tmp_path / "a.nii")).to_bytes()
    stored = bytearray(gzip.compress(raw, compresslevel=0))
    stored[2000] ^= 1
    path.write_bytes(stored)
    gzip_index._indexes.clear()
    with pytest.raises(OSError, match=naming(path, "is damaged.*incorrect data check")):
        partita.load(path, chunks=None)


def test_data_that_end_before_the_header_says_are_refused_with_a_whole_gzip_file(
    tmp_path, nifti, naming
):
    raw = nib.load(nifti(tmp_path / "a.nii")).to_bytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(raw[:-100]) + b"\0\0")
    with pytest.raises(OSError, match=naming(path, "is truncated: it ends after 5052 of 5152")):
        partita.load(path)


def test_a_file_cut_after_loading_is_named_when_read(tmp_path, nifti, naming):
    path = nifti(tmp_path / "a.nii")
    recording = partita.load(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(OSError, match=naming(path, "changed")):
        recording.compute()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        recording.compute()
