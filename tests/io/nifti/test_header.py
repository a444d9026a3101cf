"""What a NIfTI header says of the values, and what it cannot say."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import partita


def test_a_slope_that_is_not_a_number_scales_nothing(plain_file, spoilt):
    values = partita.load(plain_file).values
    spoilt(plain_file, scl_slope=2, scl_inter=np.nan)
    np.testing.assert_array_equal(partita.load(plain_file).values, 2 * values)
    spoilt(plain_file, scl_slope=np.nan, scl_inter=3)
    np.testing.assert_array_equal(partita.load(plain_file).values, values)


def test_data_may_begin_after_extensions(tmp_path, image_of, frames, saved):
    image = image_of(frames(4, 3, 2, 5))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 100))
    path = saved(image, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(partita.load(path).values, frames(4, 3, 2, 5).T)


def test_a_gzip_file_cut_in_its_header_is_refused(tmp_path, nifti, naming):
    path = nifti(tmp_path / "a.nii.gz")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(OSError, match=naming(path, "header cannot be decompressed")):
        partita.load(path)


@pytest.mark.parametrize("dim", [[1, 5], [6, 2, 2, 2, 2, 2, 2], [0]])
def test_shapes_that_are_no_recording_are_refused(tmp_path, dim, nifti, naming):
    path = nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]))
    header["dim"] = [*dim, *(1,) * (8 - len(dim))]
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=naming(path, "a recording in NIfTI has 2 to 5")):
        partita.load(path)


def test_a_file_without_values_is_refused(tmp_path, nifti, naming):
    path = nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]))
    header["dim"][2] = 0
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=naming(path, "holds no values")):
        partita.load(path)


def test_values_that_are_not_real_are_refused(tmp_path, nifti, naming):
    path = nifti(tmp_path / "a.nii", 3, 3, 2, 4, dtype=np.complex64)
    with pytest.raises(TypeError, match=naming(path, "complex64.*magnitude")):
        partita.load(path)
    with pytest.raises(TypeError, match="complex64"):
        partita.load(nib.load(path))


def test_an_undefined_datatype_is_refused(tmp_path, nifti, naming):
    path = nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    raw[70:72] = (999).to_bytes(2, "little")
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=naming(path, "datatype code 999")):
        partita.load(path)
