"""What `load` refuses, each in words that name the file."""

from __future__ import annotations

import gzip
import json
import re
import sys

import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita
from partita.io.nifti import gzip_index
from partita.io.stores.netcdf_zarr import write_dataset


def nifti(path, *shape, dtype=np.float32, sidecar=None):
    values = np.random.default_rng(0).normal(size=shape or (4, 3, 2, 50)).astype(dtype)
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    if sidecar is not None:
        text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
        (path.parent / f"{path.name.split('.')[0]}.json").write_text(text)
    return path


def naming(path, words):
    return f"{re.escape(str(path))}.*{words}"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=naming(tmp_path / "no.nii", "Check the name")):
        partita.load(tmp_path / "no.nii")
    with pytest.raises(FileNotFoundError, match="no folder"):
        partita.load(tmp_path / "none" / "no.nii")


@pytest.mark.parametrize("several", [False, True])
def test_what_an_interrupted_save_has_left_is_refused(tmp_path, several):
    saved = partita.io.save_recording(
        xr.DataArray(np.zeros((3, 2)), dims=("time", "x")), tmp_path / "a.nc"
    )
    left = saved.rename(tmp_path / ".unfinished-0a1b2c3d-a.nc")
    with pytest.raises(
        ValueError, match=naming(left, "was interrupted.*Delete it, and save again")
    ):
        partita.load([left] if several else left)


def test_a_folder_is_named_with_what_it_holds(tmp_path):
    with pytest.raises(IsADirectoryError, match=naming(tmp_path, "It holds no recording")):
        partita.load(tmp_path)
    nifti(tmp_path / "a.nii")
    with pytest.raises(IsADirectoryError, match=r"It holds a\.nii"):
        partita.load(str(tmp_path))


def test_other_formats_are_named(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("time,x\n")
    with pytest.raises(ValueError, match=naming(path, "has no such content")):
        partita.load(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        partita.load(path)
    nib.save(nib.Nifti1Pair(np.zeros((2, 2, 2), np.float32), np.eye(4)), tmp_path / "b.img")
    with pytest.raises(ValueError, match=r"half of a pair.*partita.load\(nibabel.load"):
        partita.load(tmp_path / "b.hdr")
    path.write_bytes(gzip.compress(b"a table"))
    with pytest.raises(ValueError, match="is no NIfTI file"):
        partita.load(path)


@pytest.mark.parametrize("given", [np.zeros((3, 3)), xr.DataArray([1.0]), 3])
def test_what_is_neither_path_nor_image_is_refused(given):
    with pytest.raises(TypeError, match=r"a path or a nibabel image.*xr.DataArray\(values"):
        partita.load(given)


def test_a_truncated_file_is_refused_at_once(tmp_path):
    path = nifti(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(OSError, match=naming(path, "is truncated: it has 5142 bytes")):
        partita.load(path)


@pytest.mark.parametrize("missing", [1, 7, 500, 3000])
def test_a_truncated_gzip_file_is_refused_at_once(tmp_path, missing):
    path = nifti(tmp_path / "a.nii.gz")
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(OSError, match=naming(path, "truncated|damaged")):
        partita.load(path)


def test_a_gzip_file_cut_in_its_header_is_refused(tmp_path):
    path = nifti(tmp_path / "a.nii.gz")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(OSError, match=naming(path, "header cannot be decompressed")):
        partita.load(path)


def test_damage_that_the_size_hides_is_told_at_the_first_read(tmp_path):
    path = nifti(tmp_path / "a.nii.gz", 16, 16, 4, 50)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 400] = bytes(400)
    path.write_bytes(raw)
    recording = partita.load(path, chunks=5)
    np.testing.assert_array_equal(recording[:5].shape, (5, 4, 16, 16))
    with pytest.raises(OSError, match=naming(path, "is damaged")):
        recording.compute()


def test_a_flipped_bit_is_told_by_the_check_sum(tmp_path):
    path = tmp_path / "a.nii.gz"
    raw = nib.load(nifti(tmp_path / "a.nii")).to_bytes()
    stored = bytearray(gzip.compress(raw, compresslevel=0))
    stored[2000] ^= 1
    path.write_bytes(stored)
    gzip_index._indexes.clear()
    with pytest.raises(OSError, match=naming(path, "is damaged.*incorrect data check")):
        partita.load(path, chunks=None)


def test_data_that_end_before_the_header_says_are_refused_with_a_whole_gzip_file(tmp_path):
    raw = nib.load(nifti(tmp_path / "a.nii")).to_bytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(raw[:-100]) + b"\0\0")
    with pytest.raises(OSError, match=naming(path, "is truncated: it ends after 5052 of 5152")):
        partita.load(path)


def test_a_file_cut_after_loading_is_named_when_read(tmp_path):
    path = nifti(tmp_path / "a.nii")
    recording = partita.load(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(OSError, match=naming(path, "changed")):
        recording.compute()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        recording.compute()


@pytest.mark.parametrize("dim", [[1, 5], [6, 2, 2, 2, 2, 2, 2], [0]])
def test_shapes_that_are_no_recording_are_refused(tmp_path, dim):
    path = nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]))
    header["dim"] = [*dim, *(1,) * (8 - len(dim))]
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=naming(path, "a recording in NIfTI has 2 to 5")):
        partita.load(path)


def test_a_file_without_values_is_refused(tmp_path):
    path = nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]))
    header["dim"][2] = 0
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=naming(path, "holds no values")):
        partita.load(path)


def test_values_that_are_not_real_are_refused(tmp_path):
    path = nifti(tmp_path / "a.nii", 3, 3, 2, 4, dtype=np.complex64)
    with pytest.raises(TypeError, match=naming(path, "complex64.*magnitude")):
        partita.load(path)
    with pytest.raises(TypeError, match="complex64"):
        partita.load(nib.load(path))


def test_an_undefined_datatype_is_refused(tmp_path):
    path = nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    raw[70:72] = (999).to_bytes(2, "little")
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=naming(path, "datatype code 999")):
        partita.load(path)


@pytest.mark.parametrize(
    ("sidecar", "words"),
    [
        ("{'TaskName': 1}", r"a\.json is not JSON.*move it away"),
        ("[1, 2]", r"a\.json holds a JSON list"),
        ({"VolumeTiming": [0, 1]}, r"VolumeTiming in .*a\.json has 2 entries.*has 50 volumes"),
        ({"VolumeTiming": "0, 1"}, r"VolumeTiming in .*a\.json is not a list of numbers"),
        ({"VolumeTiming": [0, None] * 25}, r"VolumeTiming in .*a\.json is not a list of numbers"),
        ({"RepetitionTime": "2"}, r"RepetitionTime in .*a\.json is not a number: '2'"),
        ({"RepetitionTime": -2}, r"RepetitionTime in .*a\.json must be above 0 and is -2"),
        ({"DelayAfterTrigger": True}, r"DelayAfterTrigger in .*a\.json is not a number"),
        (
            {"Partita": {"Coordinates": [1]}},
            r"'Partita' of the sidecar .*a\.json .*remove that field",
        ),
        ({"Partita": {"Coordinates": {"x": {}}}}, r"a\.json is not as Partita writes it"),
        ({"Partita": {"Dimensions": 4}}, r"a\.json is not as Partita writes it"),
    ],
)
def test_a_sidecar_that_cannot_be_right_is_refused(tmp_path, sidecar, words):
    path = nifti(tmp_path / "a.nii", sidecar=sidecar)
    with pytest.raises(ValueError, match=words):
        partita.load(path)


def test_a_sidecar_in_another_encoding_is_refused(tmp_path):
    path = nifti(tmp_path / "a.nii")
    (tmp_path / "a.json").write_bytes('{"Manufacturer": "Müller"}'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.json is not JSON"):
        partita.load(path)


def test_a_damaged_netcdf_file_is_named(tmp_path):
    path = write_dataset(xr.Dataset({"a": ("time", np.zeros(5000))}), tmp_path / "a.nc")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(OSError, match=naming(path, "damaged, truncated or of another format")):
        partita.load(path)


def test_a_netcdf_file_without_variables_is_refused(tmp_path):
    path = write_dataset(xr.Dataset(), tmp_path / "a.nc")
    with pytest.raises(ValueError, match=naming(path, "holds no variable.*copy or download it")):
        partita.load(path)


def test_a_netcdf_file_of_several_variables_is_refused(tmp_path):
    both = xr.Dataset({"a": ("time", np.zeros(5)), "b": ("time", np.zeros(5))})
    with pytest.raises(ValueError, match=r"2 variables \['a', 'b'\].*Choose it"):
        partita.load(write_dataset(both, tmp_path / "a.nc"))
    model = both.rename(a="maps", b="signals")
    with pytest.raises(ValueError, match=r"a saved model.*partita.load_model"):
        partita.load(write_dataset(model, tmp_path / "b.nc"))


def test_zarr_without_its_package_names_the_command(tmp_path, monkeypatch):
    pytest.importorskip("zarr")
    path = partita.io.save_recording(
        xr.DataArray(np.zeros((3, 2)), dims=("time", "x")), tmp_path / "a.zarr"
    )
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "partita\[zarr\]"'):
        partita.load(path)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "partita\[zarr\]"'):
        partita.io.save_recording(xr.DataArray(np.zeros((3, 2)), dims=("time", "x")), path)
