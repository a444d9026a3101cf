"""What is being written has short names of its own, and what killed saves left is removed."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import partita
from partita.io import unfinished

SUFFIXES = (".nc", ".zarr", ".nii", ".nii.gz")


def recording_of(fill=1.0):
    return xr.DataArray(
        np.full((40, 2, 6, 5), fill, np.float32),
        dims=("time", "z", "y", "x"),
        coords={"time": ("time", 0.5 * np.arange(40), {"units": "s"})},
    )


@pytest.fixture(params=SUFFIXES)
def suffix(request):
    if request.param == ".zarr":
        pytest.importorskip("zarr")
    return request.param


def hidden_in(folder):
    return [other.name for other in folder.iterdir() if other.name.startswith(".")]


KILLED = """
import os, sys, numpy as np, xarray as xr, partita
from partita.io import atomic
atomic._swap = os.replace = lambda *_: os._exit(9)
partita.save(xr.DataArray(np.ones((40, 2, 6, 5)), dims=("time", "z", "y", "x")), sys.argv[1])
"""


@pytest.mark.slow
def test_the_next_save_of_a_path_removes_what_a_killed_one_left(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    other = tmp_path / f"b{suffix}"
    partita.save(recording_of(), other)
    left = hidden_in(tmp_path)
    assert left
    partita.save(recording_of(), path)
    assert hidden_in(tmp_path) == []
    assert partita.load(path, chunks=None).identical(recording_of())


def test_what_another_save_is_writing_is_left_alone(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with unfinished.temporary(path) as (theirs,):
        theirs.write_bytes(b"half")
        partita.save(recording_of(), path)
        assert theirs.read_bytes() == b"half"
    assert hidden_in(tmp_path) == []


@pytest.mark.parametrize("days", [1, 30])
def test_what_another_machine_left_is_removed_when_it_is_old(tmp_path, monkeypatch, days):
    path = tmp_path / "a.nc"
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(unfinished, "_machine", lambda: "0123456789")
        left = path.with_name(unfinished._name_for(path))
    left.write_bytes(b"half")
    then = left.stat().st_mtime - days * 86400
    os.utime(left, (then, then))
    partita.save(recording_of(), path)
    assert left.exists() is (days == 1)


@pytest.mark.parametrize("length", [235, 251, 255])
def test_names_may_be_as_long_as_the_file_system_lets_them(tmp_path, suffix, length):
    length -= suffix == ".nii"  # its sidecar has a longer name
    path = tmp_path / ("é" * ((length - len(suffix)) // 2) + suffix)
    for fill in (1.0, 2.0):
        partita.save(recording_of(fill), path)
        assert float(partita.load(path, chunks=None).max()) == fill
    assert hidden_in(tmp_path) == []


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np, xarray as xr, partita
path, values = sys.argv[1], np.random.default_rng(0).normal(size=(60, 40, 40))
def recording(fill):
    array = xr.DataArray(values + fill, dims=("time", "y", "x"), name="r")
    return array.chunk(time=2)
partita.save(recording(0), path)
began = time.perf_counter()
partita.save(recording(0), path)
took = time.perf_counter() - began
for part in np.linspace(0.02, 1.1, 14):
    timer = threading.Timer(part * took, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        partita.save(recording(1), path)
        timer.join()
        time.sleep(0.01)
    except KeyboardInterrupt:
        pass
    left = sorted(os.listdir(os.path.dirname(path)))
    assert left == [os.path.basename(path)], (part, left)
    found = partita.load(path, chunks=None).values - values
    assert np.allclose(found, 0) or np.allclose(found, 1), part
"""


@pytest.mark.slow
def test_after_ctrl_c_there_is_the_old_recording_or_the_new_one_and_nothing_else(tmp_path, suffix):
    if suffix.startswith(".nii"):
        pytest.skip("the sidecar is beside")
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / f"a{suffix}")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
