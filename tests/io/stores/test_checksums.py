"""A bit that was flipped in what Partita wrote is never read as data."""

from __future__ import annotations

import shutil
import struct

import numpy as np
import pytest
import xarray as xr

import partita
from partita.io import read_dataset, write_dataset

VALUES = np.random.default_rng(0).normal(size=(40, 6, 5)).astype(np.float32)
DEPTH = np.random.default_rng(1).normal(size=(6, 5))
TIME = 0.3 * np.arange(40) + np.random.default_rng(2).random(40) / 10


@pytest.fixture(params=[".nc", ".zarr"])
def suffix(request):
    if request.param == ".zarr":
        pytest.importorskip("zarr")
    return request.param


def recording_of(*, lazy):
    recording = xr.DataArray(
        VALUES,
        dims=("time", "y", "x"),
        coords={"time": ("time", TIME, {"units": "s"}), "depth": (("y", "x"), DEPTH)},
        name="power",
    )
    return recording.chunk(time=13) if lazy else recording


def flip(path, name, values):
    """Flip one bit of a variable where it is stored."""
    if path.suffix == ".nc":
        raw, part = bytearray(path.read_bytes()), values.tobytes()[:12]
        assert raw.count(part) == 1
        place, file = raw.index(part) + 7, path
    else:
        file = next(one for one in sorted((path / name / "c").rglob("*")) if one.is_file())
        raw = bytearray(file.read_bytes())
        place = len(raw) // 2
    raw[place] ^= 1
    file.write_bytes(raw)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("chunks", ["auto", None])
@pytest.mark.parametrize(("name", "values"), [("power", VALUES), ("time", TIME), ("depth", DEPTH)])
def test_a_flipped_bit_is_refused_by_name(tmp_path, suffix, lazy, chunks, name, values):
    path = tmp_path / f"a{suffix}"
    partita.save(recording_of(lazy=lazy), path)
    flip(path, name, values)
    with pytest.raises(OSError, match=f"a{suffix}"):
        partita.load(path, chunks=chunks).compute()


def test_a_flipped_bit_of_a_dataset_is_refused_by_name(tmp_path, suffix):
    path = write_dataset(recording_of(lazy=False).to_dataset(), tmp_path / f"a{suffix}")
    flip(path, "power", VALUES)
    with pytest.raises(OSError, match=f"a{suffix}"):
        read_dataset(path)


def test_a_flipped_bit_of_a_model_is_refused_by_name(tmp_path, suffix):
    model = partita.PCA(2).fit(recording_of(lazy=False))
    path = tmp_path / f"a{suffix}"
    partita.save(model, path)
    flip(path, "signals_", model.signals_.values)
    with pytest.raises(OSError, match=f"a{suffix}"):
        partita.load_model(path)


@pytest.mark.parametrize("shape", [(3000, 64, 64), (3, 2000, 300), (7, 1), (60_000,)])
@pytest.mark.parametrize("block", [None, 50, 333])
def test_sums_cover_about_a_megabyte_and_lie_within_the_blocks(tmp_path, shape, block):
    h5py = pytest.importorskip("h5py")
    dims = ("time", "y", "x")[: len(shape)]
    values = xr.DataArray(np.zeros(shape, np.float32), dims=dims, name="a")
    if block:
        values = values.chunk(time=block)
    path = write_dataset(values.to_dataset(), tmp_path / "a.nc")
    with h5py.File(path) as file:
        sizes = file["a"].chunks
        assert file["a"].fletcher32
    assert np.prod(sizes) * 4 <= 1.2 * (1 << 20)
    if block and block < shape[0]:
        assert block % sizes[0] == 0


LABELLED = recording_of(lazy=False).assign_attrs(subject="MOUSE-SEVEN", rate=7.0625)
LABELLED = LABELLED.assign_coords(
    region=("y", ["CORTEX", "b", "c", "d", "e", "f"]),
    tag="RUN-THREE",
    day=3.28125,
    start=np.datetime64("2026-01-02T03:04:05", "ns"),
)
NEEDLES = [b"MOUSE-SEVEN", b"CORTEX", b"RUN-THREE", b"since 2026", struct.pack("<d", 3.28125)]


@pytest.mark.parametrize("needle", NEEDLES)
@pytest.mark.parametrize("read", [partita.load, read_dataset])
def test_a_flipped_bit_of_an_attribute_a_text_or_a_single_number_is_refused(
    tmp_path, suffix, needle, read
):
    path = tmp_path / f"a{suffix}"
    partita.save(LABELLED, path)
    assert partita.load(path, chunks=None).identical(LABELLED)
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    flipped = [one for one in files if one.is_file() and needle in one.read_bytes()]
    if not flipped and suffix == ".zarr":
        pytest.skip("packed, and under a check sum of Zarr")
    for one in flipped:
        raw = bytearray(one.read_bytes())
        raw[raw.rindex(needle)] ^= 1
        one.write_bytes(raw)
    with pytest.raises(OSError, match=rf"a\{suffix}.*(damaged|do not match)"):
        read(path)


def test_a_store_that_lost_a_coordinate_is_refused(tmp_path):
    pytest.importorskip("zarr")
    path = tmp_path / "a.zarr"
    partita.save(LABELLED, path)
    shutil.rmtree(path / "depth")
    with pytest.raises(OSError, match="damaged"):
        partita.load(path)


def test_what_xarray_has_changed_and_written_anew_is_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    partita.save(LABELLED, path)
    about = {} if suffix == ".nc" else {"engine": "zarr", "consolidated": False}
    with xr.open_dataset(path, decode_timedelta=False, **about) as dataset:
        changed = dataset.load().assign_attrs(subject="another")
    anew = tmp_path / f"b{suffix}"
    if suffix == ".nc":
        changed.to_netcdf(anew, engine="h5netcdf")
    else:
        changed.drop_encoding().to_zarr(anew, consolidated=False)
    assert partita.load(anew).attrs["rate"] == 7.0625
