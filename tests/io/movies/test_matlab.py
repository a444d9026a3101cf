"""MATLAB files of both kinds: the same variable gives the same recording."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr
from scipy import io as sio
from scipy import sparse

import partita
from partita.io.movies.matlab import MatVariable


def write_73(path, **variables):
    """Write variables as MATLAB 7.3 does: HDF5 behind 512 bytes, axes in the other order."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            file[name] = np.asarray(values).T
            file[name].attrs["MATLAB_class"] = np.bytes_(values.dtype.name)
        file["#refs#/a"] = np.zeros((4, 4, 4))
        file["title"] = np.array([[97], [98]], np.uint16)
        file["title"].attrs["MATLAB_class"] = np.bytes_("char")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
    return path


def write_7(path, **variables):
    sio.savemat(path, variables, do_compression=True)
    return path


WRITERS = pytest.mark.parametrize("write", [write_7, write_73])


@WRITERS
def test_images_are_stacked_along_the_last_axis(tmp_path, frames, load_numbered, write):
    path = write(tmp_path / "a.mat", Y=frames.transpose(1, 2, 0), fs=np.array([[30.0]]))
    recording = load_numbered(path, chunks=5)
    assert recording.dims == ("time", "y", "x")
    assert recording.dtype == np.uint16
    assert recording.name == "Y"
    np.testing.assert_array_equal(recording, frames)


@WRITERS
def test_volumes_and_tables_are_in_the_order_of_size(tmp_path, load_numbered, write):
    volumes = np.random.default_rng(0).normal(size=(4, 5, 3, 7))  # y, x, z, time
    recording = load_numbered(write(tmp_path / "a.mat", V=volumes))
    assert recording.sizes == {"time": 7, "z": 3, "y": 4, "x": 5}
    np.testing.assert_array_equal(recording, volumes.transpose(3, 2, 0, 1))
    traces = np.random.default_rng(0).normal(size=(5, 40))
    recording = load_numbered(write(tmp_path / "a.mat", dff=traces))
    assert recording.sizes == {"time": 40, "neuron": 5}
    np.testing.assert_array_equal(recording, traces.T)


@WRITERS
def test_named_axes_are_those_of_matlab(tmp_path, frames, write):
    path = write(tmp_path / "a.mat", Y=frames)
    recording = partita.load(path, dims=("time", "y", "x"), frame_rate=10)
    np.testing.assert_array_equal(recording, frames)


@WRITERS
def test_variables_are_listed_and_chosen(tmp_path, frames, load_numbered, naming, write):
    path = write(tmp_path / "a.mat", raw=frames, registered=2 * frames, fs=np.array([[30.0]]))
    with pytest.raises(ValueError, match=naming(path, r"2 arrays: raw \(12 x 8 x 6, uint16\)")):
        partita.load(path)
    recording = load_numbered(path, dataset="registered", dims=("time", "y", "x"))
    np.testing.assert_array_equal(recording, 2 * frames)
    with pytest.raises(ValueError, match=naming(path, "has no array 'other'. It holds: raw")):
        partita.load(path, dataset="other")


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int16", "int32"])
def test_both_versions_give_identical_recordings(tmp_path, frames, load_numbered, dtype):
    values = (frames % 100).astype(dtype)
    first = load_numbered(write_7(tmp_path / "a.mat", Y=values))
    second = load_numbered(write_73(tmp_path / "b.mat", Y=values))
    assert first.dtype == dtype
    assert first.attrs.pop("history") == "load('a.mat')"
    del second.attrs["history"]
    xr.testing.assert_identical(first.compute(), second.compute())


def test_a_struct_of_version_73_is_chosen_by_path(tmp_path, frames, load_numbered):
    path = write_73(tmp_path / "a.mat", other=np.zeros((3, 3, 3)))
    with h5py.File(path, "a") as file:
        file["session/movie"] = frames.T
    recording = load_numbered(path, dataset="session/movie", dims=("time", "y", "x"))
    np.testing.assert_array_equal(recording, frames)


def test_version_7_is_read_once_and_not_before_it_is_used(
    tmp_path, frames, load_numbered, monkeypatch
):
    reads = []
    whole = MatVariable.whole
    monkeypatch.setattr(MatVariable, "whole", lambda self: reads.append(1) or whole(self))
    recording = load_numbered(write_7(tmp_path / "a.mat", Y=frames), chunks=2)
    assert not reads
    recording.compute()
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [(sparse.eye_array(5, format="csc"), "sparse"), ({"a": 1.0}, "struct"), ("text", "char")],
)
def test_what_is_no_full_array_is_refused(tmp_path, frames, naming, value, kind):
    path = write_7(tmp_path / "a.mat", Y=frames, other=value)
    with pytest.raises(TypeError, match=naming(path, f"{kind}.*full array of numbers")):
        partita.load(path, dataset="other")


@WRITERS
def test_complex_values_are_refused_and_not_made_real(tmp_path, naming, write):
    path = write(tmp_path / "a.mat", Y=np.full((4, 3, 5), 1 + 2j))
    with pytest.raises(TypeError, match=naming(path, "complex128 values.*magnitude")):
        partita.load(path, frame_rate=1).compute()


def test_complex_values_of_version_73_are_refused(tmp_path, naming):
    pair = np.zeros((4, 3, 5), [("real", float), ("imag", float)])  # as MATLAB writes them
    path = write_73(tmp_path / "a.mat", Y=pair)
    with pytest.raises(TypeError, match=naming(path, "real.*imag.*magnitude")):
        partita.load(path)


@pytest.mark.parametrize("kept", [100, 128, 150, 400])
def test_a_file_cut_short_is_refused(tmp_path, frames, naming, kept):
    path = write_7(tmp_path / "a.mat", Y=frames)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises((OSError, ValueError), match=naming(path, "")):
        partita.load(path, frame_rate=1).compute()


def test_damage_within_is_told_when_it_is_read(tmp_path, frames, load_numbered, naming):
    path = write_7(tmp_path / "a.mat", Y=frames)
    raw = bytearray(path.read_bytes())
    raw[-40:-10] = bytes(30)
    path.write_bytes(raw)
    with pytest.raises(OSError, match=naming(path, "damaged or truncated")):
        load_numbered(path).compute()


def test_a_cut_file_of_version_73_is_refused(tmp_path, frames, naming):
    path = write_73(tmp_path / "a.mat", Y=frames)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(OSError, match=naming(path, "damaged, truncated")):
        partita.load(path)


def test_what_matlab_keeps_for_itself_is_not_the_recording(tmp_path, load_numbered):
    workspace = np.arange(600, dtype=np.uint8).reshape(1, 600)
    sio.savemat(tmp_path / "a.mat", {"fs": 30.0, "movie": np.arange(40.0).reshape(4, 10)})
    sio.savemat(tmp_path / "b.mat", {"fs": 30.0, "xx_function_workspace__": workspace})
    for path in (tmp_path / "a.mat", tmp_path / "b.mat"):
        raw = path.read_bytes().replace(b"xx_function_workspace__", b"__function_workspace__\0")
        path.write_bytes(raw)
    assert load_numbered(tmp_path / "a.mat").sizes == {"time": 10, "neuron": 4}
    names = [one[0] for one in sio.whosmat(tmp_path / "b.mat")]
    assert any(name.startswith("__function_workspace__") for name in names)
    with pytest.raises(ValueError, match="no array with two axes"):
        partita.load(tmp_path / "b.mat")
