"""A disk that is full costs what could not be written, and nothing else."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys

import dask
import dask.local
import numpy as np
import pytest
import xarray as xr

from partita.io import read_dataset, write_dataset
from partita.io.stores.full_disk import PatientFile, write_at

# A file may grow to so many bytes only; the signal is ignored by Python.
FULL = """
import gc, os, resource, sys
import numpy as np, xarray as xr, partita
name, what, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
values = np.random.default_rng(0).normal(size=(400, 40, 40)).astype("float32")
thing = xr.DataArray(values, dims=("time", "y", "x"))
if what == "lazy":
    thing = thing.chunk(time=399)
if what == "model":
    thing = partita.PCA(2).fit(thing)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    partita.save(thing, name)
except OSError as error:
    print(error)
gc.collect()
print(sorted(os.listdir(".")), thing.maps_.shape if what == "model" else "")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.nc", "memory"), ("a.nc", "lazy"), ("a.nc", "model"), ("prefix", "model"),
        ("a.zarr", "lazy"), ("a.nii.gz", "memory"),
    ],
)  # fmt: skip
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, name, what):
    pytest.importorskip("resource")
    if name == "a.zarr":
        pytest.importorskip("zarr")
    most = 1 << (12 if what == "model" else 19)
    command = [sys.executable, "-W", "ignore", "-c", FULL, name, what, str(most)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    said, left = ended.stdout.splitlines()
    assert re.search(rf"{name}\S* .*could not be written.*File too large", said)
    assert left.startswith("[] ")


class Small:
    """Stands for `write_at` on a disk that takes so many bytes."""

    def __init__(self, room):
        self.room, self.write = room, write_at

    def __call__(self, file, values, place):
        if place + len(values) > self.room:
            raise OSError(28, "No space left on device")
        return self.write(file, values, place)


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 100, 5000, 60_000, 300_000])
@pytest.mark.parametrize("lazy", [False, True])
def test_wherever_the_disk_ends_the_old_file_stays(tmp_path, monkeypatch, room, lazy):
    old = write_dataset(xr.Dataset({"a": ("y", [1.0, 2.0])}), tmp_path / "a.nc")
    values = np.random.default_rng(0).normal(size=(50, 40, 40))
    new = xr.Dataset({"b": (("time", "y", "x"), values), "c": ("time", np.arange(50.0))})
    with monkeypatch.context() as patched:
        patched.setattr("partita.io.stores.full_disk.write_at", Small(room))
        with pytest.raises(OSError, match=r"a\.nc could not be written.*No space left"):
            write_dataset(new.chunk(time=7) if lazy else new, old)
        gc.collect()
    assert [other.name for other in tmp_path.iterdir()] == ["a.nc"]
    assert list(read_dataset(old)) == ["a"]


def test_a_lazy_recording_is_not_computed_after_the_disk_is_full(tmp_path, monkeypatch):
    done = []

    def counted(block):
        done.append(1)
        return block

    values = xr.DataArray(np.ones((200, 40, 40)), dims=("time", "y", "x"), name="a").chunk(time=1)
    counting = values.copy(
        data=values.data.map_blocks(counted, dtype=float, meta=np.empty((0,) * 3))
    )
    monkeypatch.setattr("partita.io.stores.full_disk.write_at", Small(100_000))
    with pytest.raises(OSError, match="could not be written"):
        write_dataset(counting.to_dataset(), tmp_path / "a.nc")
    assert len(done) < 100


def elsewhere(graph, keys, **options):
    """Stand for a scheduler of dask that works in other processes."""
    return dask.local.get_sync(graph, keys, **options)


@pytest.mark.parametrize("room", [100, 5000, 100_000])
def test_a_full_disk_is_an_error_too_where_dask_works_elsewhere(tmp_path, monkeypatch, room):
    values = np.random.default_rng(0).normal(size=(50, 40, 40))
    new = xr.Dataset({"b": (("time", "y", "x"), values), "c": ("time", np.arange(50.0))})
    with monkeypatch.context() as patched, dask.config.set(scheduler=elsewhere):
        patched.setattr("partita.io.stores.full_disk.write_at", Small(room))
        with pytest.raises(OSError, match=r"a\.nc could not be written.*No space left"):
            write_dataset(new.chunk(time=7), tmp_path / "a.nc")
        gc.collect()
    assert not list(tmp_path.iterdir())
    with dask.config.set(scheduler=elsewhere):
        write_dataset(new.chunk(time=3, y=7, x=40), tmp_path / "a.nc")
    assert read_dataset(tmp_path / "a.nc").identical(new)


def test_what_was_dropped_is_read_back_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr("partita.io.stores.full_disk.write_at", Small(4))
    file = PatientFile(tmp_path / "a")
    file.write(b"abcd")
    file.write(b"efgh")
    file.seek(2)
    assert file.read(4) == b"cdef"
    assert file.seek(0, os.SEEK_END) == 8
    file.close()
    with pytest.raises(OSError, match="No space"):
        file.refuse_lost()


class Interrupting:
    """Stands for `write_at` while Ctrl-C is pressed, at the write of a number."""

    def __init__(self, number):
        self.left = number

    def __call__(self, file, values, place):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)
        return write_at(file, values, place)


@pytest.fixture
def ctrl_c(monkeypatch):
    """Press Ctrl-C at the write of a number; return what tells whether it came so far."""
    # A process that a shell has started in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def press(number):
        pressed = Interrupting(number)
        monkeypatch.setattr("partita.io.stores.full_disk.write_at", pressed)
        return lambda: pressed.left <= 0

    yield press
    signal.signal(signal.SIGINT, before)


LARGE = xr.Dataset(
    {"b": (("time", "y", "x"), np.random.default_rng(0).normal(size=(50, 40, 40)))},
    coords={"time": np.arange(50.0)},
)


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
def test_ctrl_c_in_the_midst_of_a_write_leaves_the_old_file(tmp_path, ctrl_c, lazy):
    """It would be lost in the library, which goes on without what was to be written."""
    old = write_dataset(xr.Dataset({"a": ("y", [1.0, 2.0])}), tmp_path / "a.nc")
    new, whole = LARGE.chunk(time=10) if lazy else LARGE, old.read_bytes()
    for number in range(1, 200):
        came = ctrl_c(number)
        with dask.config.set(scheduler="synchronous"):
            try:
                write_dataset(new, old, overwrite=True)
            except KeyboardInterrupt:
                gc.collect()
                assert old.read_bytes() == whole
                assert [one.name for one in tmp_path.iterdir()] == ["a.nc"]
            else:
                break
    assert not came()
    assert number > 5
    xr.testing.assert_identical(read_dataset(old), LARGE)


def test_a_program_that_only_takes_note_of_ctrl_c_has_its_file_whole(tmp_path, ctrl_c):
    noted = []
    before = signal.signal(signal.SIGINT, lambda *about: noted.append(about))
    try:
        for number in (1, 3, 5):
            ctrl_c(number)
            write_dataset(LARGE, tmp_path / "a.nc")
            xr.testing.assert_identical(read_dataset(tmp_path / "a.nc"), LARGE)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(noted) == 3
