"""Iconeus scans: written as MATLAB writes them, read as power Doppler in mm and s."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

import partita

X, Y, Z = 4, 6, 1  # along the probe, depth, across it
VOXELS = np.array(
    [[1e-4, 0, 0, -3e-4], [0, 4e-4, 0, -4e-4], [0, 0, -5e-5, -2e-3], [0, 0, 0, 1]]
)  # metres, from voxels that count from one


def write(path, shape, *, times=None, n_poses=1, extra=None):
    values = np.random.default_rng(0).gamma(2, 100, shape)
    poses = np.tile(np.eye(4), (n_poses, 1, 1))
    poses[:, :3, 3] = [[0.001, 0.002 + 0.0004 * pose, 0.003] for pose in range(n_poses)]
    with h5py.File(path, "w") as file:
        file["Data"] = values
        about = file.create_group("acqMetaData")
        about["voxelsToProbe"] = VOXELS
        about["probeToLab"] = poses if n_poses > 1 else poses[0]
        if times is not None:
            about["time"] = times
        file["scanMetaData/Subject_tag"] = np.array([[b"mouse-7"]], dtype=object)
        file["scanMetaData/Machine_SN"] = np.array([[b"SN 1"]], dtype=object)
        file["scanMetaData/Comment"] = np.array([[b""]], dtype=object)
    return path, values


def test_a_scan_of_one_plane_is_time_z_y_x(tmp_path):
    times = 0.4 * np.arange(1, 11)
    path, values = write(tmp_path / "a.source.scan", (10, Y, Z, X), times=times[None])
    recording = partita.load(path, chunks=3)
    assert recording.dims == ("time", "z", "y", "x")
    np.testing.assert_array_equal(recording, values.transpose(0, 2, 1, 3))
    np.testing.assert_allclose(recording.time, times)
    np.testing.assert_allclose(recording.x, -0.3 + 0.1 * np.arange(1, X + 1))
    np.testing.assert_allclose(recording.y, 2 + 0.05 * np.arange(1, Y + 1))
    np.testing.assert_allclose(recording.z, [0])
    assert recording.z.attrs["step"] == pytest.approx(0.4)
    assert recording.attrs["long_name"] == "Power Doppler"
    assert recording.attrs["subject"] == "mouse-7"
    assert recording.encoding["format"] == "Iconeus scan (HDF5)"


def test_the_affine_takes_positions_to_the_laboratory(tmp_path):
    path, _ = write(tmp_path / "a.scan", (10, Y, Z, X), times=np.arange(10.0))
    recording = partita.load(path)
    affine = recording.grid.attrs["affine"].reshape(4, 4)
    voxel = {"x": 2, "y": 5, "z": 0}
    ours = affine @ [*(float(recording[dim][voxel[dim]]) for dim in "xyz"), 1]
    probe = VOXELS @ [voxel["x"] + 1, voxel["z"] + 1, voxel["y"] + 1, 1]
    np.testing.assert_allclose(ours[:3], 1e3 * (probe[:3] + np.array([0.001, 0.002, 0.003])))


def test_a_scan_survives_nifti_and_netcdf(tmp_path):
    path, _ = write(tmp_path / "a.scan", (10, Y, Z, X), times=np.arange(10.0))
    recording = partita.load(path)
    partita.save(recording, tmp_path / "a.nc")
    xr.testing.assert_identical(partita.load(tmp_path / "a.nc"), recording)


def test_a_moving_probe_adds_poses_with_times_of_their_own(tmp_path):
    times = np.arange(15.0)
    path, values = write(tmp_path / "a.scan", (5, 3, 1, Y, Z, X), times=times, n_poses=3)
    recording = partita.load(path, chunks=2)
    assert recording.sizes == {"time": 5, "pose": 3, "z": Z, "y": Y, "x": X}
    np.testing.assert_array_equal(recording, values[:, :, 0].transpose(0, 1, 3, 2, 4))
    np.testing.assert_array_equal(recording.time, [0, 3, 6, 9, 12])
    np.testing.assert_array_equal(recording.pose_time, times.reshape(5, 3))
    assert recording.pose.attrs["affine"].size == 3 * 16


def test_one_round_of_poses_has_no_time(tmp_path):
    path, values = write(tmp_path / "a.scan", (3, 1, Y, Z, X), times=np.arange(3.0), n_poses=3)
    recording = partita.load(path)
    assert recording.dims == ("pose", "z", "y", "x")
    np.testing.assert_array_equal(recording, values[:, 0].transpose(0, 2, 1, 3))
    np.testing.assert_array_equal(recording.pose_time, [0, 1, 2])


def test_affines_in_matlabs_order_are_turned(tmp_path):
    path, _ = write(tmp_path / "a.scan", (10, Y, Z, X), times=np.arange(10.0))
    expected = partita.load(path).compute()
    with h5py.File(path, "a") as file:
        for name in ("voxelsToProbe", "probeToLab"):
            values = file["acqMetaData"][name][()]
            file["acqMetaData"][name][...] = values.T
    xr.testing.assert_identical(partita.load(path), expected)


def test_without_times_the_volumes_are_numbered(tmp_path, load_numbered):
    path, _ = write(tmp_path / "a.scan", (10, Y, Z, X))
    assert load_numbered(path).time.attrs["units"] == "1"
    np.testing.assert_allclose(partita.load(path, frame_rate=2.5).time, 0.4 * np.arange(10))


def test_a_layout_of_unknown_order_is_refused_and_may_be_named(tmp_path, naming):
    path, values = write(tmp_path / "a.scan", (5, 3, 2, Y, Z, X), n_poses=3)
    with pytest.raises(ValueError, match=naming(path, "order in time is not known.*'/Data'")):
        partita.load(path)
    dims = ("time", "pose", "repeat", "y", "z", "x")
    recording = partita.load(path, dataset="/Data", dims=dims, frame_rate=1)
    np.testing.assert_array_equal(recording, values.transpose(0, 1, 2, 4, 3, 5))


def test_the_binary_layout_is_refused_in_words(tmp_path, naming):
    path = tmp_path / "a.scan"
    path.write_bytes(b"scan" + bytes(400))
    with pytest.raises(ValueError, match=naming(path, "newer, binary layout.*NIfTI")):
        partita.load(path)
