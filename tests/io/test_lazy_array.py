"""Whatever file an array lies in, it is indexed as numpy's arrays are."""

from __future__ import annotations

import gzip
import pickle

import h5py
import numpy as np
import pytest
import xarray as xr
from dask.base import tokenize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import io as sio

from partita.io.lazy_array import Joined, LazyArray, ascending
from partita.io.movies.description import Wanted
from partita.io.movies.hdf5 import Hdf5Values, read_hdf5
from partita.io.movies.matlab import read_mat
from partita.io.movies.npy import read_npy, read_npz
from partita.io.nifti.scaled_voxels import ScaledVoxels
from partita.io.stores.chunked_variable import ChunkedVariable
from partita.io.stores.netcdf_zarr import opened

VALUES = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)


class InMemory(LazyArray):
    """Reads from an array as files are read: by slices with positive steps."""

    def __init__(self, values):
        super().__init__(values.shape, values.dtype)
        self.values = values

    def read(self, slices):
        assert len(slices) == self.ndim
        assert all(type(one) is slice and (one.step or 1) > 0 for one in slices)
        return self.values[slices]


def plain_hdf5(path, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=VALUES, **options)
    return path


def voxels(path, content):
    path.write_bytes(content)
    return ScaledVoxels(
        path, (5, 4, 3, 1, 1), np.dtype("<f4"), offset=3, scaling=(2.0, 1.0),
        compressed=path.suffix == ".gz",
    )  # fmt: skip


def variable(path, write):
    dataset = xr.Dataset({"a": (("time", "y", "x"), VALUES)})
    write(dataset, path)
    lazy = opened(path)["a"].variable
    return ChunkedVariable(path, "a", lazy, {"time": 2, "y": 4}, whole=False)


def npy(folder):
    np.save(folder / "a.npy", np.asfortranarray(VALUES))
    return read_npy(folder / "a.npy", Wanted()).values


def npz(folder):
    np.savez_compressed(folder / "a.npz", a=VALUES)
    return read_npz(folder / "a.npz", Wanted()).values


def mat(folder):
    sio.savemat(folder / "a.mat", {"a": VALUES}, do_compression=True)
    return read_mat(folder / "a.mat", Wanted()).values


def tiff(folder, **options):
    tifffile = pytest.importorskip("tifffile")
    from partita.io.movies.tiff import read_tiff

    tifffile.imwrite(folder / "a.tif", VALUES, photometric="minisblack", **options)
    return read_tiff(folder / "a.tif", Wanted()).values


def as_zarr(folder):
    pytest.importorskip("zarr")
    return variable(
        folder / "a.zarr",
        lambda dataset, path: dataset.chunk(time=2).to_zarr(path, consolidated=False),
    )


def joined(folder):
    parts = [folder / f"{number}.npy" for number in range(3)]
    for path, part in zip(parts, (VALUES[:2], VALUES[2:3], VALUES[3:]), strict=True):
        np.save(path, part)
    return Joined([read_npy(path, Wanted()).values for path in parts], 0)


KINDS = {
    "memory": lambda folder: InMemory(VALUES),
    "nifti": lambda folder: voxels(folder / "a.nii", b"abc" + VALUES.tobytes()),
    "nifti.gz": lambda folder: voxels(
        folder / "a.nii.gz", gzip.compress(b"abc" + VALUES.tobytes())
    ),
    "netcdf": lambda folder: variable(
        folder / "a.nc", lambda dataset, path: dataset.to_netcdf(path, engine="h5netcdf")
    ),
    "zarr": as_zarr,
    "npy": npy,
    "npz": npz,
    "mat": mat,
    "hdf5": lambda folder: read_hdf5(plain_hdf5(folder / "a.h5"), Wanted()).values,
    "hdf5, turned": lambda folder: Hdf5Values(
        plain_hdf5(folder / "b.h5", chunks=(2, 2, 2)), "a", reversed_axes=True
    ),
    "tiff": tiff,
    "tiff, compressed": lambda folder: tiff(folder, compression="zlib"),
    "joined": joined,
    "joined frames": lambda folder: Joined([InMemory(one) for one in VALUES], None),
}


@pytest.fixture(scope="module", params=list(KINDS))
def array(request, tmp_path_factory):
    """Return an array in a file, and the same in memory."""
    lazy = KINDS[request.param](tmp_path_factory.mktemp("arrays"))
    truth = VALUES
    if isinstance(lazy, ScaledVoxels):
        truth = (VALUES.astype(float) * 2 + 1).astype(np.float32).reshape(lazy.shape)
    return lazy, truth.T if request.param == "hdf5, turned" else truth


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_basic_index_gives_what_numpy_gives(array, data):
    lazy, truth = array
    key = data.draw(hnp.basic_indices(truth.shape, allow_newaxis=True, allow_ellipsis=True))
    found = lazy[key]
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, truth[key], strict=True)


@pytest.mark.parametrize(
    "key",
    [..., (..., -1), (slice(None, None, -2), ..., None), (0, -1), -3, (None, ..., slice(9, 2))],
)
def test_the_last_of_an_axis_steps_and_new_axes_are_those_of_numpy(array, key):
    lazy, truth = array
    np.testing.assert_array_equal(lazy[key], truth[key], strict=True)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (5, "index 5 is out of bounds for axis 0 with size 5"),
        ((0, -5), "index -5 is out of bounds for axis 1 with size 4"),
        ((0, 0, 0, 0), "has 3 axes, and 4 were indexed"),
        ((..., 0, ...), "can only have a single ellipsis"),
        ([0, 1], "whole numbers and slices.*asked for by list.*Read them first"),
        (np.array([True] * 5), "asked for by ndarray"),
        (True, "asked for by bool"),
        (1.0, "asked for by float"),
    ],
)
def test_other_indices_are_refused(key, words):
    with pytest.raises(IndexError, match=words):
        InMemory(VALUES)[key]


@given(st.data())
def test_slices_that_are_read_ascend_and_name_every_value_once(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4))
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    slices, after = ascending(key, shape)
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    read = values[slices]
    np.testing.assert_array_equal(read[after], values[key], strict=True)
    assert read.size == values[key].size


def test_an_array_as_dasks_is_the_same_in_any_chunks(array):
    lazy, truth = array
    chunks = (2, *truth.shape[1:])
    np.testing.assert_array_equal(lazy.lazily(chunks)[::-1, 1:].compute(), truth[::-1, 1:])
    assert lazy.lazily(chunks).name == lazy.lazily(chunks).name


@pytest.mark.parametrize(
    "array", [kind for kind in KINDS if kind not in ("memory", "joined frames")], indirect=True
)
def test_an_array_in_files_goes_to_another_process_and_keeps_its_name(array):
    lazy, truth = array
    again = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(again[1], truth[1])
    assert tokenize(again) == tokenize(lazy)
