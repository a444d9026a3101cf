"""`partita convert`: everything comes along, in chunks that are fast, or nothing is there."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import partita
from partita import _cli
from partita._cli import conversion

zarr = pytest.importorskip("zarr")


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Run every command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recording_like(n_times=50, **sizes):
    sizes = {"z": 2, "y": 6, "x": 5} | sizes
    values = np.random.default_rng(0).gamma(2.0, size=(n_times, *sizes.values()))
    return xr.DataArray(
        values.astype(np.float32),
        dims=("time", *sizes),
        coords={
            "time": ("time", 0.5 * np.arange(n_times), {"units": "s", "long_name": "time"}),
            "condition": ("time", np.resize(["rest", "task"], n_times)),
            "y": ("y", 0.1 * np.arange(sizes["y"]), {"units": "mm"}),
            "grid": ((), 0, {"affine": np.eye(4).ravel(), "qform_code": 1, "sform_code": 1}),
        },
        attrs={"units": "a.u.", "history": "zscore(ddof=0)", "repetition_time": 0.5},
        name="power",
    )


def test_everything_comes_along_and_history_says_where_from():
    recording = recording_like()
    partita.save(recording, "in.nc")
    assert _cli.main(["convert", "in.nc", "out.zarr", "--quiet"]) == 0
    converted = partita.load("out.zarr", chunks=None)
    history = "zscore(ddof=0)\nconvert(source='in.nc')"
    xr.testing.assert_identical(converted, recording.assign_attrs(history=history))


@pytest.mark.parametrize("kind", ["nii.gz", "npy", "zarr", "h5"])
def test_any_format_that_load_reads_is_converted(kind):
    recording = recording_like().drop_vars("condition")
    path = f"in.{kind}"
    if kind == "npy":
        np.save(path, recording.values)
    elif kind == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file.create_dataset("movie", data=recording.values, chunks=(50, 1, 2, 2))
    else:
        partita.save(recording, path)
    words = ["--frame-rate", "2"] if kind in ("npy", "h5") else []
    assert _cli.main(["convert", path, "out.zarr", *words, "--chunks", "time=7", "--quiet"]) == 0
    np.testing.assert_array_equal(partita.load("out.zarr").values, recording.values)
    np.testing.assert_allclose(partita.load("out.zarr")["time"], recording["time"])
    assert partita.load("out.zarr").encoding["preferred_chunks"]["time"] == 7


def test_chunks_hold_whole_samples_of_16_to_32_mb():
    movie = np.zeros((3000, 128, 128), np.float32)
    np.save("movie.npy", movie)
    _cli.main(["convert", "movie.npy", "out.zarr", "--quiet", "--frame-rate", "10"])
    chunks = partita.load("out.zarr").encoding["preferred_chunks"]
    assert (chunks["y"], chunks["x"]) == (128, 128)
    assert 16 << 20 <= chunks["time"] * 128 * 128 * 4 <= 32 << 20


def test_a_file_in_long_pieces_is_cut_into_shorter_ones_first(monkeypatch):
    monkeypatch.setattr(conversion, "_SHARE", 1.0)
    recording = recording_like(400, z=1, y=16, x=16)
    partita.save(recording, "in.zarr", chunks={"y": 4, "x": 4})
    reads = []
    write = conversion._write
    monkeypatch.setattr(
        conversion, "_write", lambda *a, **k: reads.append(a[0].chunksizes) or write(*a, **k)
    )
    limit = 4 * recording[:10].nbytes
    conversion.convert("in.zarr", Path("out.zarr"), options={}, chunks={"time": 10}, memory=limit)
    first, second = reads
    assert max(first["y"]) == 4
    assert set(first["time"]) == {400}
    assert max(second["y"]) == 16
    assert max(second["time"]) * recording[0].nbytes <= limit
    np.testing.assert_array_equal(partita.load("out.zarr").values, recording.values)
    assert sorted(path.name for path in Path().iterdir()) == ["in.zarr", "out.zarr"]


def test_no_block_is_larger_than_its_share_of_the_limit(monkeypatch):
    recording = recording_like(400, y=16, x=16)
    partita.save(recording, "in.nc")
    limit = 12 * recording[:10].nbytes
    written = conversion.convert(
        "in.nc", Path("out.zarr"), options={}, chunks={"time": 5}, memory=limit
    )
    largest = max(written.chunksizes["time"]) * recording[0].nbytes
    assert largest <= limit / 6


CONVERT = """
import ctypes, sys
from pathlib import Path
from partita._cli import conversion
def status(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))
def convert(source, out):
    options = {"options": {}, "chunks": {"time": 8}, "memory": 24 << 20}
    conversion.convert(source, Path(out), **options)
convert("small.nc", "warm.zarr")  # what libraries take by themselves does not count
ctypes.CDLL(None).malloc_trim(0)
before = status("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
convert("large.nc", "out.zarr")
print(status("VmHWM") - before)
"""


@pytest.mark.xdist_group("alone")
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from /proc")
@pytest.mark.slow
def test_the_memory_of_a_conversion_is_bounded_whatever_the_size():
    values = np.resize(np.random.default_rng(0).random(1 << 20, np.float32), (1200, 128, 256))
    large = xr.DataArray(values, dims=("time", "y", "x"))
    partita.save(large, "large.nc")
    partita.save(large[:64], "small.nc")
    done = subprocess.run(
        [sys.executable, "-c", CONVERT], capture_output=True, encoding="utf-8", check=True
    )
    assert large.nbytes > 6 * (24 << 20)
    assert int(done.stdout.splitlines()[-1]) < 24 << 20
    np.testing.assert_array_equal(partita.load("out.zarr")[-1], large[-1])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["out.nc"], "does not end in .zarr"),
        (["there.zarr"], "--force"),
        (["out.zarr", "--memory-limit", "1k"], "--memory-limit"),
        (["out.zarr", "--chunks", "time=0"], "at least 1"),
        (["out.zarr", "--chunks", "depth=2"], "depth"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, complaint, capsys):
    partita.save(recording_like(), "in.nc")
    partita.save(recording_like(10), "there.zarr")
    assert _cli.main(["convert", "in.nc", *words, "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
    assert partita.load("there.zarr").sizes["time"] == 10
    assert not Path("out.zarr").exists()


def test_force_replaces_a_store_and_nothing_else():
    partita.save(recording_like(), "in.nc")
    partita.save(recording_like(10), "there.zarr")
    assert _cli.main(["convert", "in.nc", "there.zarr", "--force", "--quiet"]) == 0
    assert partita.load("there.zarr").sizes["time"] == 50
    Path("folder.zarr").mkdir()
    assert _cli.main(["convert", "in.nc", "folder.zarr", "--force", "--quiet"]) == 2


def test_progress_is_one_line_that_ends_at_all_of_it(capsys):
    partita.save(recording_like(), "in.nc")
    assert _cli.main(["convert", "in.nc", "out.zarr", "--chunks", "time=7"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("convert: 12.0k/12.0k B, 00:")
    assert said.err.count("\n") == 1
    assert "out.zarr  (time 50, z 2, y 6, x 5)" in said.out


def test_warnings_of_the_file_are_said_once(capsys):
    np.save("movie.npy", np.zeros((20, 4, 3), np.uint8))
    _cli.main(["convert", "movie.npy", "out.zarr", "--quiet"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "frame rate" in line


@pytest.mark.slow
def test_a_convert_that_was_killed_leaves_no_store():
    np.save("movie.npy", np.zeros((3000, 8, 8), np.float32))
    command = [sys.executable, "-c", "from partita._cli import main; main()"]
    words = ["convert", "movie.npy", "out.zarr", "--chunks", "time=1", "--frame-rate", "9"]
    running = subprocess.Popen(
        [*command, *words, "--memory-limit", "1M"], stderr=subprocess.DEVNULL
    )
    while running.poll() is None and not list(Path().glob(".unfinished-*/*/c")):
        time.sleep(0.01)
    running.kill()
    running.wait()
    assert not Path("out.zarr").exists()
    (left,) = Path().glob(".unfinished-*.zarr")
    with pytest.raises(ValueError, match="was interrupted"):
        partita.load(left)
