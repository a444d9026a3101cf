"""NIfTI files of known values, whole and spoilt."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest


def _image_of(values, affine=None, *, tr=0.3, units=("mm", "sec"), kind=nib.Nifti1Image):
    affine = np.diag([0.1, 0.05, 0.4, 1.0]) if affine is None else affine
    image = kind(values, affine)
    if units is not None:
        image.header.set_xyzt_units(*units)
    if values.ndim > 3:
        image.header["pixdim"][4] = tr
    return image


@pytest.fixture
def image_of():
    """Return what makes an image of values, in mm and seconds."""
    return _image_of


def _frames(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.fixture
def frames():
    """Return what makes values of any shape, (x, y, z, time)."""
    return _frames


def _saved(image, path, sidecar=None):
    nib.save(image, path)
    if sidecar is not None:
        beside = path.parent / (path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
        beside.write_text(json.dumps(sidecar), encoding="utf-8")
    return path


@pytest.fixture
def saved():
    """Return what saves an image, and a sidecar beside it."""
    return _saved


def _spoilt(path, **fields):
    """Write other values into the header of a .nii file, unchecked."""
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        if isinstance(value, dict):
            for place, number in value.items():
                header[name][place] = number
        else:
            header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    return path


@pytest.fixture
def spoilt():
    """Return what writes other values into a header."""
    return _spoilt


def _world_of(recording):
    """Return scanner millimetres of every voxel (z, y, x, 3) from the recording's coordinates."""
    z, y, x = np.meshgrid(recording.z, recording.y, recording.x, indexing="ij")
    affine = recording.grid.attrs["affine"].reshape(4, 4)
    return np.stack([x, y, z, np.ones_like(x)], axis=-1) @ affine.T[:, :3]


@pytest.fixture
def world_of():
    """Return what says where each voxel of a recording lies."""
    return _world_of


def _world_by_nibabel(image):
    k, j, i = np.meshgrid(*[np.arange(n) for n in image.shape[2::-1]], indexing="ij")
    return nib.affines.apply_affine(image.affine, np.stack([i, j, k], axis=-1))


@pytest.fixture
def world_by_nibabel():
    """Return what says where each voxel lies by nibabel."""
    return _world_by_nibabel


def _nifti(path, *shape, dtype=np.float32, sidecar=None):
    values = np.random.default_rng(0).normal(size=shape or (4, 3, 2, 50)).astype(dtype)
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    if sidecar is not None:
        text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
        (path.parent / f"{path.name.split('.')[0]}.json").write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def nifti():
    """Return what writes a file of so many voxels, and a sidecar beside it."""
    return _nifti


@pytest.fixture
def plain_file(tmp_path, image_of, frames, saved):
    """Return the path of a file whose header is as it should be."""
    return saved(image_of(frames(4, 3, 2, 5)), tmp_path / "odd.nii")
