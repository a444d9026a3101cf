"""A recording to NIfTI with its BIDS sidecar, in blocks, on the place where it lies."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
import xarray as xr

from partita._labels.placement import grid_affine
from partita.io.atomic import replacing
from partita.io.inheritance import read_fields
from partita.io.nifti.coordinates import COMPONENT, describe
from partita.io.nifti.geometry import (
    grid_codes,
    space_unit_is_known,
    voxel_affine,
)
from partita.io.nifti.header import LABELS, read_header
from partita.io.nifti.remainder import remainder
from partita.io.nifti.sidecar import FOURTH_AXIS, OWN, fields_of, sidecar_path, stem
from partita.io.nifti.stamp import MARK, stamp_in, stamp_of
from partita.io.nifti.timing import timing_fields
from partita.io.overwriting import another

_FILE_ORDER = ("volume", "time", "z", "y", "x")
_BLOCK_BYTES = 64 << 20
_GZIP_LEVEL = 4
_ALIGNED_CODE = 2  # "coordinates aligned to something": what nibabel writes where none is known


def write_nifti(
    recording: xr.DataArray, path: Path, *, chunks: Any = None, overwrite: bool = False
) -> Path:
    """Write a recording to ``.nii`` or ``.nii.gz`` and its ``.json``; see `save_recording`."""
    if chunks is not None:
        raise ValueError(
            f"NIfTI has no chunks, and chunks={chunks!r} was given for {path.name}. Leave it "
            "out, or save as .zarr."
        )
    volumes, fourth = as_volumes(recording)
    _refuse_dims(volumes, path)
    dtype = _storable_dtype(recording.dtype, path)
    is_timed = "time" in volumes.dims and "time" in volumes.coords
    timing, step = timing_fields(volumes["time"]) if is_timed else ({}, 0.0)
    values = _in_file_order(volumes)
    header = header_for(volumes, values.shape, dtype=dtype, step=step)
    if _are_labels(recording):
        header["intent_code"] = LABELS
    fields, verbatim = fields_of(recording.attrs)
    fields.update(timing)
    own: dict[str, Any] = {"Attributes": verbatim}
    if fourth != "time":
        own[FOURTH_AXIS] = fourth
    described = describe(header, fields=fields, sidecar=None, fourth=fourth)
    fields[OWN] = {**own, **remainder(recording, described)}
    fields[OWN]["Stamp"] = stamp_of(header, fields)
    header["descrip"] = f"{MARK} {fields[OWN]['Stamp']}"
    text = json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
    if not overwrite:
        _refuse_other(path, text)
    with replacing(sidecar_path(path), path) as (temporary_json, temporary):
        temporary_json.write_text(text, encoding="utf-8")
        with _opened_for_writing(temporary, compressed=path.suffix == ".gz") as file:
            _write_header(header, file)
            _write_values(values, dtype, file)
    return path


def _are_labels(recording: xr.DataArray) -> bool:
    """Tell whether a recording is one image of integers that says what it is: they stay so."""
    is_one = set(recording.dims) <= {"z", "y", "x"}
    return is_one and recording.dtype.kind in "iu" and "long_name" in recording.attrs


def as_volumes(recording: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Return maps with their components in the place of times, and what the fourth axis is."""
    if COMPONENT not in recording.dims or "time" in recording.dims:
        return recording, "time"
    volumes = recording.drop_vars("time", errors="ignore").rename({COMPONENT: "time"})
    return volumes.drop_vars("time", errors="ignore"), COMPONENT


def _refuse_other(path: Path, text: str) -> None:
    """Refuse to replace an image or a sidecar that another program wrote, or of another image.

    The sidecar of another image may say the same.
    """
    beside = sidecar_path(path)
    twins = [path.with_name(stem(path) + suffix) for suffix in (".nii", ".nii.gz")]
    others = [twin for twin in twins if twin.name != path.name and os.path.exists(twin)]
    says_other = others and beside.is_file() and beside.read_bytes() != text.encode()
    if beside.exists() and (says_other or not _is_our_sidecar(beside)):
        found = f"description, of {others[0].name}" if says_other else None
        raise FileExistsError(another(beside, found, f"the sidecar of {path.name}"))
    if path.is_file() and not _is_our_sidecar(beside) and not _is_our_image(path):
        raise FileExistsError(another(path, None, "a recording"))


def _is_our_image(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return stamp_in(read_header(path)[0]) is not None
    return False


def _is_our_sidecar(path: Path) -> bool:
    with contextlib.suppress(ValueError):
        return OWN in read_fields(path)
    return False


def _refuse_dims(recording: xr.DataArray, path: Path) -> None:
    foreign = [dim for dim in recording.dims if dim not in _FILE_ORDER]
    if foreign:
        remedy = f"select along {foreign[0]!r}"
        if "sign" in foreign:
            remedy = "make one of both signs: partita.preprocess.merge_sign(maps)"
        raise ValueError(
            f"NIfTI holds the dimensions time (or component), z, y, x and volume, and this "
            f"recording also has {foreign}. Save it as {_netcdf_name(path)} instead, or {remedy}."
        )
    if not {"x", "y", "z"} & set(recording.dims) or recording.size == 0:
        raise ValueError(
            f"NIfTI holds images, and this recording has the sizes {dict(recording.sizes)}. Save "
            f"it as {_netcdf_name(path)} instead."
        )


def _storable_dtype(dtype: np.dtype[Any], path: Path) -> np.dtype[Any]:
    """Return the dtype to write: as it is, truth values as uint8."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind in "iuf" and dtype.itemsize <= 8:
        return dtype.newbyteorder("<")
    raise TypeError(
        f"A recording in NIfTI holds real numbers of up to 64 bits, and this one {dtype}. Convert "
        f"it first, or save it as {_netcdf_name(path)} instead."
    )


def _netcdf_name(path: Path) -> str:
    return sidecar_path(path).with_suffix(".nc").name


def _in_file_order(recording: xr.DataArray) -> Any:
    """Return the values (volume, time, z, y, x), missing axes with one entry."""
    missing = [dim for dim in _FILE_ORDER if dim not in recording.dims]
    return recording.variable.set_dims([*missing, *recording.dims]).transpose(*_FILE_ORDER).data


def header_for(
    recording: xr.DataArray, shape: tuple[int, ...], *, dtype: np.dtype[Any], step: float
) -> Any:
    """Return the NIfTI header of a recording.

    Parameters
    ----------
    recording : xarray.DataArray
        Its coordinates say where the voxels lie.
    shape : tuple of int, (volume, time, z, y, x)
        Of the file.
    dtype : numpy.dtype
        Of the values in the file.
    step : float
        Seconds between volumes; 0 where unknown.
    """
    has = [("time" in recording.dims), ("volume" in recording.dims)]
    n_dims = 5 if has[1] else 4 if has[0] else 3 if "z" in recording.dims else 2
    sizes = shape[::-1][:n_dims]
    header = nib.Nifti1Header() if max(sizes) < 2**15 else nib.Nifti2Header()
    header.set_data_shape(sizes)
    header.set_data_dtype(dtype)
    affine = voxel_affine(recording)
    zooms = _set_affine(header, recording, affine)
    header["pixdim"][1:6] = [*zooms, step, 1.0]
    space_unit = "mm" if space_unit_is_known(recording) else "unknown"
    header.set_xyzt_units(space_unit, "sec" if step > 0 else "unknown")
    header["vox_offset"] = int(header["sizeof_hdr"]) + 4
    return header


def _set_affine(
    header: Any, recording: xr.DataArray, affine: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Set sform and qform, and return the voxel sizes: those of the qform, which has no others."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    q_code, s_code = grid_codes(recording)
    if q_code > 0:
        own = np.linalg.inv(grid_affine(recording)) @ affine
        other = recording.coords["grid"].attrs if "grid" in recording.coords else {}
        qform = grid_affine(recording, "qform_affine") @ own if "qform_affine" in other else affine
        header.set_qform(qform, code=q_code)
        sizes = np.linalg.norm(qform[:3, :3], axis=0)
    if s_code > 0:
        header.set_sform(affine, code=s_code)
    else:
        header.set_sform(affine, code=0)
    if not _agrees(header, affine, sizes):
        header.set_sform(affine, code=max(q_code, _ALIGNED_CODE))
    return sizes


def _agrees(header: Any, affine: np.ndarray[Any, Any], sizes: np.ndarray[Any, Any]) -> bool:
    tried = header.copy()
    tried["pixdim"][1:4] = sizes
    return bool(np.allclose(tried.get_best_affine(), affine, rtol=1e-6, atol=1e-4 * sizes.min()))


@contextlib.contextmanager
def _opened_for_writing(path: Path, *, compressed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not compressed:
            yield file
            return
        # No name and no time in the gzip header: equal recordings give equal files.
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as stream:
            yield stream  # type: ignore[misc]


def _write_header(header: Any, file: BinaryIO) -> None:
    file.write(header.binaryblock)
    file.write(b"\0" * 4)  # no extensions


def _write_values(values: Any, dtype: np.dtype[Any], file: BinaryIO) -> None:
    """Write (volume, time, z, y, x), holding one block in memory at a time."""
    frame = int(np.prod(values.shape[2:])) * dtype.itemsize
    longest = max(1, _BLOCK_BYTES // max(frame, 1))
    for volume in range(values.shape[0]):
        for start, stop in _blocks(values, longest):
            block = np.asarray(values[volume, start:stop])
            file.write(np.ascontiguousarray(block, dtype).data)


def _blocks(values: Any, longest: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of time: a dask array's own chunks, anything else in even blocks."""
    if hasattr(values, "chunks"):
        stops = np.cumsum(values.chunks[1]).tolist()
    else:
        stops = [*range(longest, values.shape[1], longest), values.shape[1]]
    yield from zip([0, *stops[:-1]], stops, strict=True)
