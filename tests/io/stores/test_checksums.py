"""A bit that was flipped in what Partita wrote is never read as data."""

from __future__ import annotations

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
