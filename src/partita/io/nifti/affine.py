"""The affine that a NIfTI header gives: sform, qform, or the voxel sizes alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from partita.io.lazy_array import Array
from partita.io.nifti.header import shortest


class HeaderAffine(NamedTuple):
    """What takes voxel numbers (i, j, k) to the scanner, with the qform and sform codes."""

    best: Array
    codes: tuple[int, int]
    qform: Array | None  # where it differs from the sform


def affine_of(header: Any, notes: list[str]) -> HeaderAffine:
    """Return the sform where it has a code, else the qform, else nibabel's guess from the sizes.

    What the user should be told is added to `notes`.
    """
    sizes = _voxel_sizes(header, notes)
    q_code, s_code = int(header["qform_code"]), int(header["sform_code"])
    sform = _sform(header) if s_code > 0 else None
    qform = _qform(header, sizes) if q_code > 0 else None
    for name, code, affine in (("sform", s_code, sform), ("qform", q_code, qform)):
        if code > 0 and affine is None:
            notes.append(
                f"the {name} of the header is not an affine (not finite, or flat); it is left out, "
                "and the place comes from what else the header says."
            )
    if sform is not None:
        differs = qform is not None and not np.allclose(qform, sform, rtol=1e-4, atol=1e-3)
        kept_q = q_code if qform is not None else 0
        return HeaderAffine(sform, (kept_q, s_code), qform if differs else None)
    if qform is not None:
        return HeaderAffine(qform, (q_code, 0), None)
    return HeaderAffine(_centred(header, sizes), (0, 0), None)


def _voxel_sizes(header: Any, notes: list[str]) -> Array:
    sizes = _all_shortest(header["pixdim"][1:4])
    negative = sizes < 0
    if negative.any():
        notes.append(
            f"voxel sizes in the header are negative (pixdim {sizes.tolist()}); their magnitude is "
            "used, and directions come from the affine."
        )
    sizes = np.abs(sizes)
    unusable = ~np.isfinite(sizes) | (sizes == 0)
    n_space = min(int(header["dim"][0]), 3)
    if unusable[:n_space].any() and int(header["sform_code"]) <= 0:
        notes.append(
            f"voxel sizes in the header are zero or not finite (pixdim {sizes.tolist()}); 1 is "
            "used in their place."
        )
    return np.where(unusable, 1.0, sizes)


def _sform(header: Any) -> Array | None:
    rows = [_all_shortest(header[f"srow_{row}"]) for row in "xyz"]
    return _usable(np.array([*rows, [0.0, 0.0, 0.0, 1.0]]))


def _qform(header: Any, sizes: Array) -> Array | None:
    imaginary = np.array([float(header[f"quatern_{part}"]) for part in "bcd"])
    squared = float(imaginary @ imaginary)
    if not np.isfinite(squared) or squared > 1 + 1e-5:
        return None
    quaternion = np.array([np.sqrt(max(0.0, 1 - squared)), *imaginary])
    rotation = nib.quaternions.quat2mat(quaternion)
    nearest = np.round(rotation)
    if np.abs(rotation - nearest).max() < 1e-6:  # float32 rounding of quarter turns
        rotation = nearest
    handedness = -1.0 if header["pixdim"][0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * sizes * [1.0, 1.0, handedness]
    affine[:3, 3] = [shortest(header[f"qoffset_{axis}"]) for axis in "xyz"]
    return _usable(affine)


def _usable(affine: Array) -> Array | None:
    if not np.isfinite(affine).all() or np.linalg.det(affine[:3, :3]) == 0:
        return None
    return affine


def _centred(header: Any, sizes: Array) -> Array:
    """Return what nibabel takes where there is no affine: x to the left, centred."""
    steps = sizes * [-1.0, 1.0, 1.0]
    n_dims = min(int(header["dim"][0]), 3)
    shape = np.array([*header["dim"][1 : n_dims + 1], *(1,) * (3 - n_dims)])
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -(shape - 1) / 2 * steps
    return affine


def _all_shortest(numbers: Array) -> Array:
    return np.array([shortest(number) for number in numbers])
