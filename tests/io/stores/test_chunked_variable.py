"""A chunk that is lost, damaged or changed while it is worked with: which one, of which file."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import dask
import h5py
import numpy as np
import pytest
import xarray as xr

import partita as pt
from partita._solvers.matrices import streamed
from partita.decomposition import out_of_core

zarr = pytest.importorskip("zarr")


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    values = rng.gamma(0.5, size=(60, 3)) @ rng.gamma(0.5, size=(3, 80))
    values = values.reshape(60, 8, 10).astype(np.float32) + rng.random((60, 8, 10), np.float32)
    return xr.DataArray(values, dims=("time", "y", "x"), name="movie")


@pytest.fixture
def store(recording, tmp_path):
    pt.save(recording, tmp_path / "a.zarr", chunks={"time": 20})
    return tmp_path / "a.zarr"


def checked_store(recording, path, codec):
    """Write a store that Partita did not write, each chunk with its checksum or compressed."""
    compressors = {
        "crc32c": zarr.codecs.Crc32cCodec(),
        "blosc": zarr.codecs.BloscCodec(),
        "zstd": zarr.codecs.ZstdCodec(checksum=True),
    }
    encoding = {"movie": {"chunks": (20, 8, 10), "compressors": [compressors[codec]]}}
    recording.to_dataset().to_zarr(path, encoding=encoding, consolidated=False)


@pytest.mark.parametrize("codec", ["crc32c", "blosc", "zstd"])
def test_a_damaged_chunk_is_named_with_its_file(recording, codec, tmp_path):
    checked_store(recording, tmp_path / "b.zarr", codec)
    lazy = pt.load(tmp_path / "b.zarr", chunks=15)
    file = tmp_path / "b.zarr/movie/c/1/0/0"
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    file.write_bytes(content)
    where = rf"Chunk \(1, 0, 0\) of movie \(time 20 to 39.*{re.escape(str(file))}"
    with pytest.raises(OSError, match=where) as caught:
        lazy.compute()
    assert caught.value.__cause__ is not None
    np.testing.assert_array_equal(lazy[:15], recording[:15])


def test_a_chunk_that_is_gone_is_not_read_as_zeros(store):
    lazy = pt.load(store)
    (store / "movie/c/2/0/0").unlink()
    with pytest.raises(OSError, match=r"Chunk \(2, 0, 0\) of movie \(time 40 to 59.*no longer"):
        lazy.compute()


def test_chunks_of_zeros_are_written_too(recording, tmp_path):
    pt.save(0 * recording, tmp_path / "a.zarr", chunks={"time": 20})
    assert not pt.load(tmp_path / "a.zarr").values.any()


def test_chunks_that_a_foreign_store_leaves_out_are_its_fill_value(tmp_path):
    options = {"chunks": (2, 5), "dtype": "f4", "dimension_names": ("time", "neuron")}
    zarr.open_group(tmp_path / "b.zarr", mode="w").create_array("rates", shape=(4, 5), **options)
    assert not pt.load(tmp_path / "b.zarr").values.any()


def test_a_store_that_disappears_says_so(store, tmp_path):
    lazy = pt.load(store)
    shutil.rmtree(store)
    with pytest.raises(OSError, match=r"a\.zarr is no longer there"):
        lazy.compute()


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
def test_a_store_that_was_written_anew_is_not_mixed_with_the_old(recording, suffix, tmp_path):
    pt.save(recording, tmp_path / f"a{suffix}")
    lazy = pt.load(tmp_path / f"a{suffix}")
    pt.save(recording[:30].astype("f8"), tmp_path / f"a{suffix}")
    with pytest.raises(OSError, match="has been changed since it was opened"):
        lazy.compute()


def test_a_store_may_be_read_while_it_is_written_anew(store, recording):
    pt.save(pt.load(store) * 2, store, overwrite=True)
    np.testing.assert_array_equal(pt.load(store), 2 * recording)


def test_stores_may_be_read_by_other_processes(store, recording):
    with dask.config.set(scheduler="processes"):
        np.testing.assert_array_equal(pt.load(store, chunks=20)[:20].compute(), recording[:20])


def damage_hdf5(path, chunk):
    """Overwrite one compressed chunk of an HDF5 file, its size and the times of the file kept."""
    with h5py.File(path, "r") as file:
        about = file["movie"].id.get_chunk_info(chunk)
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(about.byte_offset)
        file.write(bytes(about.size))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_damaged_chunk_of_hdf5_is_named(recording, tmp_path):
    encoding = {"movie": {"chunksizes": (20, 8, 10), "compression": "gzip"}}
    recording.to_dataset().to_netcdf(tmp_path / "a.nc", engine="h5netcdf", encoding=encoding)
    damage_hdf5(tmp_path / "a.nc", 1)
    with pytest.raises(OSError, match=r"Chunk \(1, 0, 0\) of movie \(time 20 to 39.*a\.nc"):
        pt.load(tmp_path / "a.nc").compute()


def test_a_truncated_hdf5_is_named(recording, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("movie", data=recording.values, chunks=(20, 8, 10))
    lazy = pt.load(tmp_path / "a.h5", frame_rate=1)
    os.truncate(tmp_path / "a.h5", (tmp_path / "a.h5").stat().st_size - 9000)
    with pytest.raises(OSError, match=r"a\.h5"):
        lazy.compute()


def test_a_fit_whose_store_breaks_keeps_its_best_factors(store, monkeypatch, tmp_path):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    file = Path(store / "movie/c/1/0/0")

    def lose_a_chunk(state):
        if state.iteration == 2:
            file.unlink()

    model = pt.NMF(3, random_state=0, tol=1e-9)
    with pytest.raises(OSError, match=r"Chunk \(1, 0, 0\) of movie"):
        model.fit(pt.load(store), callback=lose_a_chunk, checkpoint=tmp_path / "fit.nc")
    assert not model.converged_
    assert model.n_iter_ == 2
    assert np.isnan(model.optimality_["residual"]).all()
    assert np.isnan(model.reconstruction_err_)
    left = pt.load(store.parent / "a.zarr")
    assert left.sizes["time"] == model.signals_.sizes["time"] == 60
    assert (model.maps_ >= 0).all()
    assert (tmp_path / "fit.nc").is_file()
    assert sorted(path.name for path in store.parent.iterdir()) == ["a.zarr", "fit.nc"]


def torn(file):
    file.write_bytes(file.read_bytes()[:50])


def flipped(file):
    """Change one byte of what a checksum was made of."""
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)


def shortened(file):
    os.truncate(file, file.stat().st_size // 2)


HARMS = {
    "checksum": ("b.zarr", lambda path: flipped(path / "movie/c/1/0/0"), "1, 0, 0"),
    "truncated chunk": ("a.zarr", lambda path: torn(path / "movie/c/1/0/0"), "1, 0, 0"),
    "lost chunk": ("a.zarr", lambda path: (path / "movie/c/1/0/0").unlink(), "1, 0, 0"),
    "removed store": ("a.zarr", shutil.rmtree, None),
    "damaged NetCDF": ("a.nc", lambda path: damage_hdf5(path, 1), "1, 0, 0"),
    "truncated NetCDF": ("a.nc", shortened, None),
    "truncated HDF5": ("a.h5", shortened, None),
}


def stored(recording, name, folder):
    """Write a recording as that kind of file, in three chunks along time; return it lazily."""
    path = folder / name
    if name == "b.zarr":
        checked_store(recording, path, "crc32c")
    elif name == "a.h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("movie", data=recording.values, chunks=(20, 8, 10))
        return pt.load(path, frame_rate=1)
    elif name == "a.nc":
        encoding = {"movie": {"chunksizes": (20, 8, 10), "compression": "gzip"}}
        recording.to_dataset().to_netcdf(path, engine="h5netcdf", encoding=encoding)
    else:
        pt.save(recording, path, chunks={"time": 20})
    return pt.load(path)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("name", "harm", "chunk"), HARMS.values(), ids=list(HARMS))
@pytest.mark.parametrize("phase", ["survey", "start", "iterations", "certificate"])
def test_whenever_a_store_breaks_the_fit_names_it_and_overwrites_nothing(
    recording, monkeypatch, tmp_path, phase, name, harm, chunk
):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    lazy = stored(recording, name, tmp_path)
    model, left, passes = pt.NMF(3, random_state=0, tol=1e-9), {}, []
    before = model.fit(recording).maps_

    def break_it():
        harm(tmp_path / name)
        left.update(contents(tmp_path))

    def count(self, *args, **options):
        passes.append(None)
        if len(passes) == {"survey": 1, "start": 3}.get(phase):
            break_it()
        return run(self, *args, **options)

    def look(state):
        if phase in ("iterations", "certificate") and state.iteration == 2:
            break_it()
            return phase == "certificate"
        return False

    run = streamed.Stream.run
    monkeypatch.setattr(streamed.Stream, "run", count)
    where = re.escape(name) if chunk is None else rf"Chunk \({chunk}\) of movie.*{name}"
    with pytest.raises(OSError, match=where):
        model.fit(lazy, callback=look)
    assert contents(tmp_path) == left
    if phase in ("survey", "start"):
        xr.testing.assert_identical(model.maps_, before)
        return
    assert model.n_iter_ == 2
    assert not model.converged_
    assert np.isnan(model.reconstruction_err_)
    assert (model.maps_ >= 0).all()


def test_a_fit_that_cannot_begin_leaves_the_estimator_as_it_was(store, monkeypatch):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    lazy = pt.load(store)
    (store / "movie/c/0/0/0").unlink()
    for model in (pt.NMF(3), pt.PCA(3)):
        with pytest.raises(OSError, match=r"Chunk \(0, 0, 0\) of movie"):
            model.fit(lazy)
        assert not hasattr(model, "maps_")
