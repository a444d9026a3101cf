"""Nothing that is in a file runs, and none takes values from outside its own folder unasked."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import xarray as xr

import partita
from partita.decomposition.checkpoints import Checkpoint
from partita.io import read_dataset

FRAMES = np.arange(60.0).reshape(5, 4, 3)


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def canary(tmp_path):
    """Return objects that tell when they are unpickled, and where they would."""
    place = tmp_path / "sung"
    return np.array([Canary(place)] * 3, object), place


def npy(folder, objects):
    np.save(folder / "a.npy", objects, allow_pickle=True)
    return folder / "a.npy"


def npz(folder, objects):
    np.savez(folder / "a.npz", numbers=FRAMES, objects=objects)
    return folder / "a.npz"


def npz_of_objects(folder, objects):
    np.savez(folder / "a.npz", objects=objects)
    return folder / "a.npz"


def npz_with_a_raw_pickle(folder, objects):
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        archive.writestr("a.npy", pickle.dumps(list(objects)))
    return folder / "a.npz"


def zarr_2(folder, objects, *, under="filters", codec="pickle"):
    """Write a store of format 2 by hand, as a program with such a codec would."""
    store = folder / "a.zarr"
    array = store / "a"
    array.mkdir(parents=True)
    about = {
        "zarr_format": 2, "shape": [3], "chunks": [3], "dtype": "|O", "fill_value": None,
        "order": "C", "compressor": None, "filters": None,
    }  # fmt: skip
    one = {"id": codec, "protocol": 5}
    about[under] = [one] if under == "filters" else one
    (store / ".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
    (array / ".zarray").write_text(json.dumps(about), encoding="utf-8")
    (array / ".zattrs").write_text('{"_ARRAY_DIMENSIONS": ["time"]}', encoding="utf-8")
    buffer = io.BytesIO()
    pickle.dump([*objects.tolist(), "|O", (3,)], buffer)
    (array / "0").write_bytes(buffer.getvalue())
    return store


def zarr_2_after_text(folder, objects):
    store = zarr_2(folder, objects)
    path = store / "a" / ".zarray"
    about = json.loads(path.read_text(encoding="utf-8"))
    about["filters"].insert(0, {"id": "vlen-utf8"})
    path.write_text(json.dumps(about), encoding="utf-8")
    return store


def zarr_2_alone(folder, objects):
    return zarr_2(folder, objects) / "a"


def zarr_2_compressor(folder, objects):
    return zarr_2(folder, objects, under="compressor")


def zarr_3(folder, objects, codecs=None):
    store = folder / "a.zarr"
    (store / "a" / "c").mkdir(parents=True)
    (store / "zarr.json").write_text(
        '{"zarr_format": 3, "node_type": "group", "attributes": {}}', encoding="utf-8"
    )
    about = {
        "zarr_format": 3, "node_type": "array", "shape": [3], "data_type": "string",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "", "attributes": {}, "dimension_names": ["time"],
        "codecs": codecs or [{"name": "vlen-utf8"}, {"name": "numcodecs.pickle"}],
    }  # fmt: skip
    (store / "a" / "zarr.json").write_text(json.dumps(about), encoding="utf-8")
    (store / "a" / "c" / "0").write_bytes(pickle.dumps(objects.tolist()))
    return store


def zarr_3_in_shards(folder, objects):
    inner = [{"name": "vlen-utf8"}, "pickle"]
    shards = {"name": "sharding_indexed", "configuration": {"chunk_shape": [3], "codecs": inner}}
    return zarr_3(folder, objects, [shards])


def zarr_consolidated(folder, objects):
    store = zarr_2(folder, objects, codec="vlen-utf8")
    about = {"metadata": {"a/.zarray": {"filters": [{"id": "pickle"}]}}}
    (store / ".zmetadata").write_text(json.dumps(about), encoding="utf-8")
    return store


def zarr_3_in_the_index_of_shards(folder, objects):
    about = {"chunk_shape": [3], "codecs": [{"name": "vlen-utf8"}], "index_codecs": ["pickle"]}
    return zarr_3(folder, objects, [{"name": "sharding_indexed", "configuration": about}])


def zarr_3_by_another_name(folder, objects):
    return zarr_3(folder, objects, [{"name": "https://codecs.zarr.dev/numcodecs/Pickle"}])


def zarr_3_consolidated(folder, objects, name="a"):
    """Write a store whose array says nothing of a codec that the group says it has."""
    store = zarr_3(folder, objects)
    path = store / "a" / "zarr.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    harmless = {**about, "codecs": [{"name": "vlen-utf8"}]}
    path.write_text(json.dumps(harmless), encoding="utf-8")
    (store / "a").rename(store / name)
    together = {"kind": "inline", "must_understand": False, "metadata": {name: about}}
    group = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    group["consolidated_metadata"] = together
    (store / "zarr.json").write_text(json.dumps(group), encoding="utf-8")
    return store


def zarr_3_of_a_name_of_ours(folder, objects):
    return zarr_3_consolidated(folder, objects, "attributes")


def zarr_3_of_a_name_with_a_dot(folder, objects):
    return zarr_3_consolidated(folder, objects, "a.zattrs")


def mat(folder, objects):
    scipy.io.savemat(folder / "a.mat", {"movie": FRAMES, "a": pickle.dumps(objects[0])})
    return folder / "a.mat"


def hdf5(folder, objects):
    with h5py.File(folder / "a.h5", "w") as file:
        file["a"] = np.void(pickle.dumps(objects[0]))
        file["b"] = FRAMES
        file["b"].attrs["pickled"] = np.void(pickle.dumps(objects[0]))
    return folder / "a.h5"


def netcdf(folder, objects):
    with h5py.File(folder / "a.nc", "w") as file:
        file.attrs["_NCProperties"] = "version=2"
        file["b"] = FRAMES
        for name in ("partita_model", "partita_recording", "partita_checkpoint"):
            file.attrs[name] = np.void(pickle.dumps(objects[0]))
    return folder / "a.nc"


PICKLED = [
    npy, npz, npz_of_objects, npz_with_a_raw_pickle, zarr_2, zarr_2_alone, zarr_2_after_text,
    zarr_2_compressor, zarr_3, zarr_3_in_shards, zarr_3_in_the_index_of_shards,
    zarr_3_by_another_name, zarr_3_consolidated, zarr_3_of_a_name_of_ours,
    zarr_3_of_a_name_with_a_dot, zarr_consolidated, hdf5, netcdf, mat,
]  # fmt: skip


def load_whole(path):
    partita.load(path).compute()


def recall(path):
    Checkpoint(path, {}).recall()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("read", [load_whole, read_dataset, partita.load_model, recall])
@pytest.mark.parametrize("write", PICKLED)
def test_nothing_is_ever_unpickled(tmp_path, canary, write, read):
    if "zarr" in write.__name__:
        pytest.importorskip("zarr")
    objects, place = canary
    path = write(tmp_path, objects)
    if "zarr" in write.__name__ and read is not recall:
        with pytest.raises(TypeError, match="pickled Python objects, which are never unpickled"):
            read(path)
    elif write not in {load_whole: (npz, hdf5, mat), read_dataset: (hdf5, netcdf)}.get(read, ()):
        with pytest.raises((OSError, TypeError, ValueError)):
            read(path)
    else:
        read(path)
    assert not place.exists()


def test_words_that_name_no_codec_are_no_reason_to_refuse(tmp_path):
    pytest.importorskip("zarr")
    about = {"units": "pickle", "filters": "numcodecs.pickle"}
    array = xr.DataArray(np.ones(3), dims="pickle", attrs=about)
    partita.save(array, tmp_path / "a.zarr")
    assert partita.load(tmp_path / "a.zarr", chunks=None).attrs == about


# Values from elsewhere


@pytest.fixture
def places(tmp_path):
    """Return a folder for a file, and a file of the user's outside it."""
    inside, outside = tmp_path / "downloaded", tmp_path / "private"
    inside.mkdir()
    outside.mkdir()
    with h5py.File(outside / "own.h5", "w") as file:
        file["a"] = FRAMES
        file.create_dataset("time", data=np.arange(5.0))
    FRAMES.tofile(outside / "own.raw")
    return inside, outside


def linked(file, source):
    file["a"] = h5py.ExternalLink(source.with_name("own.h5"), "/a")


def linked_from_afar(file, source):
    file["deep/link"] = h5py.ExternalLink(source.with_name("own.h5"), "/a")
    file["a"] = h5py.SoftLink("/deep/link")


def virtual(file, source):
    layout = h5py.VirtualLayout(FRAMES.shape, FRAMES.dtype)
    layout[...] = h5py.VirtualSource(source.with_name("own.h5"), "a", FRAMES.shape)
    file.create_virtual_dataset("a", layout)


def virtual_of_virtual(file, source):
    with h5py.File(Path(file.filename).with_name("between.h5"), "w") as between:
        virtual(between, source)
    layout = h5py.VirtualLayout(FRAMES.shape, FRAMES.dtype)
    layout[...] = h5py.VirtualSource("between.h5", "a", FRAMES.shape)
    file.create_virtual_dataset("a", layout)


def stored_elsewhere(file, source):
    raw = [(str(source.with_name("own.raw")), 0, FRAMES.nbytes)]
    file.create_dataset("a", FRAMES.shape, FRAMES.dtype, external=raw)


WAYS = [linked, linked_from_afar, virtual, virtual_of_virtual, stored_elsewhere]


@pytest.mark.filterwarnings("ignore:.*frame rate")
@pytest.mark.parametrize("suffix", [".h5", ".mat", ".nc"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dataset", [None, "a"])
def test_values_from_outside_the_folder_are_read_only_where_that_is_allowed(
    places, way, dataset, suffix
):
    inside, outside = places
    path = inside / f"a{suffix}"
    with h5py.File(path, "w", userblock_size=512 if suffix == ".mat" else 0) as file:
        if suffix == ".nc":
            file.attrs["_NCProperties"] = "version=2"
        way(file, outside / "own.h5")
    if suffix == ".mat":
        raw = bytearray(path.read_bytes())
        raw[:10] = b"MATLAB 7.3"
        path.write_bytes(raw)
    with pytest.raises(PermissionError, match=r"outside its own folder.*allow_external=True"):
        partita.load(path, dataset=dataset)
    if suffix == ".nc":
        return  # such a file is none that another program wrote
    recording = partita.load(path, dataset=dataset, allow_external=True)
    np.testing.assert_array_equal(np.sort(recording.values.ravel()), FRAMES.ravel())


def test_models_are_never_made_of_other_files(places):
    inside, outside = places
    with h5py.File(inside / "a.nc", "w") as file:
        file.attrs["_NCProperties"] = "version=2"
        stored_elsewhere(file, outside / "own.h5")
    with pytest.raises(PermissionError, match="outside its own folder"):
        partita.load_model(inside / "a.nc")


@pytest.mark.parametrize("what", ["data", "timestamps", "imaging_plane"])
def test_a_series_of_nwb_is_not_of_other_files_either(places, what):
    inside, outside = places
    with h5py.File(inside / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        group = file.create_group("acquisition/movie")
        group.attrs["neurodata_type"] = "TwoPhotonSeries"
        group["data"] = FRAMES
        if what == "data":
            del group["data"]
            group["data"] = h5py.ExternalLink(outside / "own.h5", "/a")
        elif what == "timestamps":
            group["timestamps"] = h5py.ExternalLink(outside / "own.h5", "/time")
        else:
            group["imaging_plane"] = h5py.ExternalLink(outside / "own.h5", "/")
    with pytest.raises(PermissionError, match="outside its own folder"):
        partita.load(inside / "a.nwb")
    partita.load(inside / "a.nwb", allow_external=True, frame_rate=5).compute()


def test_an_ome_tiff_takes_no_frames_from_outside_its_folder(places):
    tifffile = pytest.importorskip("tifffile")
    inside, outside = places
    pages = FRAMES.astype(np.uint16)
    tifffile.imwrite(outside / "own.tif", pages, metadata=None)
    xml = f"""<?xml version="1.0"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="3" SizeY="4" SizeC="1" SizeZ="1"
SizeT="5" TimeIncrement="0.1"><Channel ID="Channel:0" SamplesPerPixel="1"/>
{
        "".join(
            f'<TiffData IFD="{t}" FirstT="{t}" PlaneCount="1"><UUID FileName="../private/own.tif">'
            "urn:uuid:00000000-0000-0000-0000-000000000002</UUID></TiffData>"
            for t in range(5)
        )
    }
</Pixels></Image></OME>"""
    tifffile.imwrite(inside / "a.ome.tif", pages * 0, description=xml, metadata=None)
    with pytest.raises(PermissionError, match="outside its own folder"):
        partita.load(inside / "a.ome.tif")
    allowed = partita.load(inside / "a.ome.tif", allow_external=True)
    np.testing.assert_array_equal(allowed, pages)


def test_damaged_metadata_of_a_store_are_said(tmp_path):
    pytest.importorskip("zarr")
    partita.save(partita.datasets.load_sample(), tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "zarr.json").write_text('{"zarr_format": 3,', encoding="utf-8")
    with pytest.raises(OSError, match=r"zarr\.json cannot be read as Zarr: it is damaged"):
        partita.load(tmp_path / "a.zarr")
