"""What `partita info` says of movies, as microscopes and laboratories write them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy import io as sio

from partita import _cli

SIZES = "time 12, y 8, x 6"


@pytest.fixture
def frames():
    return np.random.default_rng(0).poisson(100, (12, 8, 6)).astype(np.uint16)


@pytest.fixture
def told(capsys):
    """Return a teller of what info says of a file: the text after each label, and warnings."""

    def tell(path, *arguments):
        assert _cli.main(["info", str(path), *arguments]) == 0
        said = capsys.readouterr()
        facts = (line.split(maxsplit=1) for line in said.out.splitlines())
        return dict(facts), said.err

    return tell


def test_tiff(tmp_path, frames, told):
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TYX", "fps": 20})
    facts, warned = told(path)
    assert facts["file"] == str(path)
    assert "TIFF" in facts["format"]
    assert facts["sizes"] == SIZES
    assert facts["memory"].startswith("0.0 MB as uint16")
    assert facts["time"] == "0 to 0.55 s, step 0.05"
    assert facts["y"] == "8, without coordinate"
    assert warned == ""


def test_a_tiff_without_a_rate_is_numbered_and_said_to_be(tmp_path, frames, told):
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, frames, photometric="minisblack")
    facts, warned = told(path)
    assert facts["time"] == "0 to 11, step 1"
    assert "nothing says the frame rate" in warned
    facts, warned = told(path, "--frame-rate", "4")
    assert facts["time"] == "0 to 2.75 s, step 0.25"
    assert warned == ""


def test_nwb(tmp_path, frames, told):
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        series = file.create_group("acquisition/movie")
        series.attrs["neurodata_type"] = "TwoPhotonSeries"
        series["data"] = frames.transpose(0, 2, 1)
        series["data"].attrs["unit"] = "photons"
        series["starting_time"] = 0.0
        series["starting_time"].attrs["rate"] = 20.0
    facts, _ = told(path)
    assert facts["format"] == "NWB TwoPhotonSeries, /acquisition/movie"
    assert facts["values"] == "movie [photons]"
    assert facts["sizes"] == SIZES
    assert facts["time"] == "0 to 0.55 s, step 0.05"


def test_matlab(tmp_path, frames, told):
    path = tmp_path / "a.mat"
    sio.savemat(path, {"Y": frames.transpose(1, 2, 0), "fs": 30.0})
    facts, _ = told(path, "--frame-rate", "30")
    assert "MATLAB" in facts["format"]
    assert "Y" in facts["values"]
    assert facts["sizes"] == SIZES
    sio.savemat(path, {"first": frames, "second": frames[:5]})
    facts, _ = told(path)
    assert "choose one with --dataset NAME" in facts["holds"]
    assert facts["second"].startswith("5 x 8 x 6, uint16")


def test_an_iconeus_scan(tmp_path, told):
    path = tmp_path / "a.scan"
    with h5py.File(path, "w") as file:
        file["Data"] = np.random.default_rng(0).gamma(2, 100, (10, 6, 1, 4))
        about = file.create_group("acqMetaData")
        about["voxelsToProbe"] = np.diag([1e-4, 4e-4, 5e-5, 1])
        about["probeToLab"] = np.eye(4)
        about["time"] = 0.4 * np.arange(10)[None]
        file["scanMetaData/Subject_tag"] = np.array([[b"mouse-7"]], dtype=object)
    facts, _ = told(path)
    assert facts["format"] == "Iconeus scan (HDF5)"
    assert facts["sizes"].startswith("time 10, z 1, y ")
    assert facts["time"] == "0 to 3.6 s, step 0.4"
    assert "mm, step 0.1" in facts["x"]
    assert facts["subject"] == "mouse-7"


def test_avi(tmp_path, told):
    av = pytest.importorskip("av")
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "gray"
        for level in range(10):
            frame = np.full((32, 48), 20 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode(None))
    facts, _ = told(path)
    assert "AVI" in facts["format"] or "video" in facts["format"].lower()
    assert facts["sizes"] == "time 10, y 32, x 48"
    assert "uint8" in facts["memory"]
    assert facts["time"] == "0 to 0.36 s, step 0.04"


@pytest.mark.parametrize("kind", ["h5", "npy", "npz", "mat"])
def test_axes_that_no_file_names_are_said_to_be_taken(tmp_path, frames, told, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "h5":
        with h5py.File(path, "w") as file:
            file["movie"] = frames
    elif kind == "mat":
        sio.savemat(path, {"movie": frames.transpose(1, 2, 0)})
    else:
        np.save(path, frames) if kind == "npy" else np.savez(path, movie=frames)
    facts, _ = told(path, "--frame-rate", "30")
    order = "y, x, time" if kind == "mat" else "time, y, x"
    assert facts["axes"] == f"taken as {order}; say otherwise: --dims x,y,time"
    named = ["--dims", order.replace(" ", "")]
    assert "axes" not in told(path, "--frame-rate", "30", *named)[0]
