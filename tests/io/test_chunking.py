"""Lazy reading goes along the chunks of a file: none is decompressed twice in a pass."""

from __future__ import annotations

from collections import Counter
from itertools import product

import dask
import h5py
import numpy as np
import pytest
import xarray as xr

import partita

SHAPE = (60, 12, 20)
STORED = {
    "frames": (1, 12, 20),
    "blocks of time": (7, 12, 20),
    "tiles": (60, 4, 5),
    "bricks": (13, 4, 20),
    "small bricks": (5, 5, 3),
}


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


@pytest.fixture(params=list(STORED))
def stored(request):
    return STORED[request.param]


@pytest.fixture(autouse=True)
def _small_chunks():
    with dask.config.set({"array.chunk-size": "8KiB"}):  # of 57 KiB
        yield


def as_zarr(path, values, stored):
    zarr = pytest.importorskip("zarr")
    array = zarr.open_group(path, mode="w").create_array(
        "a", shape=SHAPE, chunks=stored, dtype="f4", dimension_names=("time", "y", "x")
    )
    array[:] = values
    return path


def as_hdf5(path, values, stored):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=values, chunks=stored, compression="gzip")
    return path


def as_netcdf(path, values, stored):
    dataset = xr.Dataset({"a": (("time", "y", "x"), values)})
    dataset.to_netcdf(path, engine="h5netcdf", encoding={"a": {"chunksizes": stored}})
    return path


@pytest.fixture
def reads_of_zarr(monkeypatch):
    store = pytest.importorskip("zarr.storage").LocalStore
    reads, get = Counter(), store.get

    async def counted(self, key, *args, **options):
        if "/c/" in key:
            reads[key] += 1
        return await get(self, key, *args, **options)

    monkeypatch.setattr(store, "get", counted)
    return reads


@pytest.fixture
def reads_of_hdf5(monkeypatch):
    reads, get = Counter(), h5py.Dataset.__getitem__

    def counted(self, key, *args, **options):
        if self.chunks and self.ndim == 3:
            spans = [range(n)[one] for n, one in zip(self.shape, key, strict=True)]
            touched = [
                range(span[0] // size, span[-1] // size + 1)
                for span, size in zip(spans, self.chunks, strict=True)
            ]
            reads.update(product(*touched))
        return get(self, key, *args, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    return reads


def n_stored(stored):
    return int(np.prod([-(-n // size) for n, size in zip(SHAPE, stored, strict=True)]))


def reads_once(path, values, reads, stored):
    options = {"frame_rate": 1} if path.suffix == ".h5" else {}
    recording = partita.load(path, **options)
    assert recording.data.npartitions > 1
    reads.clear()
    np.testing.assert_array_equal(recording.values, values)
    assert len(reads) == n_stored(stored)
    assert set(reads.values()) == {1}
    return recording


def test_each_chunk_of_a_zarr_store_is_read_once(tmp_path, values, stored, reads_of_zarr):
    reads_once(as_zarr(tmp_path / "a.zarr", values, stored), values, reads_of_zarr, stored)


@pytest.mark.parametrize(("write", "name"), [(as_hdf5, "a.h5"), (as_netcdf, "a.nc")])
def test_each_chunk_of_an_hdf5_file_is_read_once(
    tmp_path, values, stored, reads_of_hdf5, write, name
):
    reads_once(write(tmp_path / name, values, stored), values, reads_of_hdf5, stored)


def test_chunks_stay_near_the_size_that_dask_is_told(tmp_path, values, stored):
    recording = partita.load(as_netcdf(tmp_path / "a.nc", values, stored))
    largest = max(np.prod(stored) * 4, 8 << 10)
    assert max(np.prod(shape) * 4 for shape in product(*recording.chunks)) <= largest
