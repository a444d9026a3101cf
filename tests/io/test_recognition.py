"""What a file is, by the bytes in it."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

import partita
from partita.io.formats import recognise


def test_other_formats_are_named(tmp_path, naming):
    path = tmp_path / "a.txt"
    path.write_text("time,x\n", encoding="utf-8")
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


@pytest.fixture
def path(tmp_path, frames):
    np.save(tmp_path / "a.npy", frames)
    return tmp_path / "a.npy"


def test_content_decides_and_not_the_suffix(tmp_path, path, frames):
    (tmp_path / "b.tif").write_bytes(path.read_bytes())
    np.testing.assert_array_equal(partita.load(tmp_path / "b.tif", frame_rate=1), frames)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"II+\0", "tiff"),
        (b"MM\0+", "tiff"),
        (b"RIFF\0\0\0\0AVI ", "video"),
        (b"\0\0\0\x20ftypisom", "video"),
        (b"\0\0\0\x20ftypqt  ", "video"),
        (b"\x1aE\xdf\xa3", "video"),
        (b"\x93NUMPY", "npy"),
        (b"MATLAB 5.0 MAT-file, Platform", "mat"),
        (b"CDF\1", "netcdf"),
        (b"\x1f\x8b", "nifti.gz"),
        (bytes(344) + b"n+1\0", "nifti"),
        (bytes(4) + b"n+2\0", "nifti"),
    ],
)
def test_formats_are_known_by_their_first_bytes(tmp_path, start, kind):
    (tmp_path / "a").write_bytes(start.ljust(600, b"\0"))
    assert recognise(tmp_path / "a").name == kind


@pytest.mark.parametrize("start", [b"RIFF\0\0\0\0WAVE", b"PK\x03\x04 no archive", b"%PDF-1.7"])
def test_other_files_are_refused_with_what_is_read(tmp_path, start, naming):
    (tmp_path / "a").write_bytes(start.ljust(600, b"\0"))
    with pytest.raises(ValueError, match=r"load reads NIfTI, .*TIFF, HDF5.*has no such content"):
        partita.load(tmp_path / "a")


@pytest.mark.parametrize("name", ["emg.csv", "traces.TSV"])
def test_text_is_a_table_by_its_suffix_and_what_is_no_text_is_none(tmp_path, name, naming):
    path = tmp_path / name
    path.write_text("a,b\n1,2\n")
    assert recognise(path).name == path.suffix[1:].lower()
    path.write_bytes(b"\x89HDF\r\n\x1a\n".ljust(600, b"\0"))
    assert recognise(path).name == "hdf5"
    path.write_bytes(b"a,b\0\0")
    with pytest.raises(ValueError, match=naming(path, "has no such content")):
        recognise(path)
