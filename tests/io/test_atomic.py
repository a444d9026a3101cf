"""Files and stores are whole or not there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import partita
from partita.io import read_dataset, save_recording, unfinished, write_dataset


def recording_of():
    values = np.random.default_rng(0).normal(size=(20, 2, 3, 4)).astype(np.float32)
    return xr.DataArray(
        values,
        dims=("time", "sign", "y", "x"),
        coords={
            "time": ("time", 0.3 * np.arange(20), {"units": "s"}),
            "sign": ["positive", "negative"],
            "run": ("time", np.repeat(["a", "b"], 10)),
            "depth": (("y", "x"), np.arange(12.0).reshape(3, 4)),
        },
        name="pwd",
        attrs={"units": "1", "history": "zscore(ddof=0)"},
    )


@pytest.fixture
def two(tmp_path):
    """Return a store in place and what shall replace it."""
    pytest.importorskip("zarr")
    path = save_recording(recording_of(), tmp_path / "a.zarr")
    return path, recording_of() + 1


def names_in(folder):
    return sorted(other.name for other in folder.iterdir())


def crash_at(monkeypatch, number):
    """Let the process die, as it were, at a rename: nothing after it is done, not even tidying."""
    renames = []
    rename = Path.rename

    def dying(self, target):
        renames.append(target)
        if len(renames) >= number:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", dying)
    monkeypatch.setattr(unfinished, "remove", lambda _: None)


def test_a_crash_between_the_renames_leaves_both_stores_whole(two, monkeypatch):
    path, newer = two
    with monkeypatch.context() as patched:
        crash_at(patched, 3)
        with pytest.raises(KeyboardInterrupt):
            save_recording(newer, path)
    assert not path.exists()
    found = f"interrupted.*{re.escape(str(path))}.previous and {re.escape(str(path))}.new"
    for read in (partita.load, read_dataset):
        with pytest.raises(FileNotFoundError, match=found):
            read(path)
    older = partita.load(path.with_name("a.zarr.previous"), chunks=None)
    xr.testing.assert_identical(older, recording_of())
    xr.testing.assert_identical(partita.load(path.with_name("a.zarr.new"), chunks=None), newer)
    # A later save does not take away what was set aside.
    save_recording(newer, path)
    save_recording(recording_of(), path)
    xr.testing.assert_identical(partita.load(path, chunks=None), recording_of())
    xr.testing.assert_identical(
        partita.load(path.with_name("a.zarr.previous"), chunks=None), recording_of()
    )


@pytest.mark.parametrize("number", [1, 2])
def test_a_crash_before_the_swap_leaves_the_old_store(two, monkeypatch, number):
    path, newer = two
    with monkeypatch.context() as patched:
        crash_at(patched, number)
        with pytest.raises(KeyboardInterrupt):
            save_recording(newer, path)
    xr.testing.assert_identical(partita.load(path, chunks=None), recording_of())


def test_a_store_that_cannot_be_moved_into_place_gives_way_to_the_old_one(two, monkeypatch):
    path, newer = two
    rename = Path.rename

    def refusing(self, target):
        if self.name.endswith(".new"):
            raise OSError("refused")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(OSError, match="refused"):
        save_recording(newer, path)
    assert names_in(path.parent) == ["a.zarr"]
    xr.testing.assert_identical(partita.load(path, chunks=None), recording_of())


def test_a_finished_save_leaves_nothing_beside(two):
    path, newer = two
    save_recording(newer, path)
    assert names_in(path.parent) == ["a.zarr"]


def test_what_is_no_store_is_not_replaced_by_one(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not a Zarr store, so it is not replaced"):
        save_recording(recording_of(), tmp_path / "a.zarr")
    assert (tmp_path / "a.zarr" / "thesis.txt").exists()


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_dataset(recording_of().to_dataset(), tmp_path / "a.nc")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_dataset(xr.Dataset(), path)
    assert names_in(tmp_path) == ["a.nc"]
    xr.testing.assert_identical(read_dataset(path), recording_of().to_dataset())
