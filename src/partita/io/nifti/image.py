"""NIfTI files and nibabel images as labelled recordings that read their values when asked."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import xarray as xr

from partita._labels.attrs import storable
from partita._labels.checks import promote
from partita.io.chunking import chunks_by_dim
from partita.io.formats import Loaded
from partita.io.lazy_array import HEADERS
from partita.io.nifti.components import is_components, with_names
from partita.io.nifti.coordinates import COMPONENT, Described, describe
from partita.io.nifti.header import (
    count_dims,
    data_offset,
    file_shape,
    label_dtype,
    read_header,
    refuse_dtype,
    scaling_of,
    stored_dtype,
)
from partita.io.nifti.remainder import restore, without_times
from partita.io.nifti.scaled_voxels import ScaledVoxels
from partita.io.nifti.sidecar import FOURTH_AXIS, OWN, attrs_of, read_sidecars, stem
from partita.io.nifti.stamp import notes_on
from partita.io.nifti.timing import TIMING_FIELDS, unit_of_steps
from partita.io.recognition import GZIP_MAGIC
from partita.io.request import Wanted

# The suffix of a BIDS name says what was measured.
_MEASURED = {"pwd": "Power Doppler", "bold": "BOLD signal", "cbv": "Cerebral blood volume"}


def read_nifti(path: Path, wanted: Wanted, *, chunks: Any) -> Loaded:
    """Return the recording in a ``.nii`` or ``.nii.gz`` file, and its sidecar's fields.

    Raises
    ------
    ValueError
        If the header is not that of a NIfTI file, or its sidecar cannot be right.
    OSError
        If the file is truncated or damaged.
    """
    header, compressed = read_header(path)
    shape = file_shape(header, path)
    voxels = ScaledVoxels(
        path,
        shape,
        stored_dtype(header, path),
        offset=data_offset(header),
        scaling=scaling_of(header),
        compressed=compressed,
    )
    voxels.refuse_truncated()
    return _labelled(voxels, header, wanted, path=path, chunks=chunks)


def recording_from_image(image: Any, wanted: Wanted, *, chunks: Any) -> Loaded:
    """Return the recording in a nibabel image, with the sidecar of the file it came from.

    Raises
    ------
    ValueError
        If it has fewer than 2 or more than 5 dimensions, or no values.
    TypeError
        If its values are not real numbers.
    """
    path = Path(image.get_filename()) if image.get_filename() else None
    header = nib.Nifti1Header() if max(image.shape) < 2**15 else nib.Nifti2Header()
    if isinstance(image.header, nib.Nifti1Header):  # of which NIfTI-2 and pairs are kinds
        header = image.header.copy()
    elif image.affine is not None:
        header.set_sform(image.affine, code=1)
        header.set_xyzt_units("mm", unit_of_steps(image.header))
        header.set_data_shape(image.shape)
        header.set_zooms([abs(zoom) for zoom in image.header.get_zooms()])
    header.set_data_shape(image.shape)
    name = str(path or "the image")
    shape = file_shape(header, name)
    refuse_dtype(np.dtype(image.dataobj.dtype), name)
    values = _proxy_as_stored(image.dataobj, shape)
    if values is None:
        values = _image_values(image.dataobj, shape, lazy=chunks is not None)
    return _labelled(values, header, wanted, path=path, chunks=chunks)


def _image_values(dataobj: Any, shape: tuple[int, ...], *, lazy: bool) -> Any:
    """Return an image's values in the order (volume, time, z, y, x)."""
    if isinstance(dataobj, np.ndarray) or not lazy:
        values = np.asarray(dataobj)
    else:
        import dask.array as da

        values = da.from_array(dataobj, chunks=dataobj.shape, lock=True)
    return values.T.reshape(shape).astype(promote(np.dtype(dataobj.dtype)))


def _labelled(
    values: Any, header: Any, wanted: Wanted, *, path: Path | None, chunks: Any
) -> Loaded:
    fields, beside, told = _told(path, wanted)
    fourth = _fourth_axis(header, fields)
    described = describe(
        header, fields=fields, sidecar=beside, fourth=fourth, frame_rate=wanted.frame_rate
    )
    recording = xr.DataArray(
        _arranged(_materialised(values, described.dims, chunks), count_dims(header)),
        dims=described.dims,
        coords=described.coords,
        attrs={**_meaning(path, fields), **attrs_of(fields), **_untold(fields, described)},
    )
    labels = label_dtype(header, "" if path is None else stem(path).rpartition("_")[2])
    recording = recording if labels is None else recording.astype(labels)
    # Given no name, xarray takes that of the dask array.
    recording = recording.rename(None if path is None else stem(path).rpartition("_")[2])
    try:
        recording, notes = restore(recording, fields.get(OWN), described)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The field {OWN!r} of the sidecar {beside} is not as Partita writes it ({error}). "
            "Correct it, or remove that field to load the recording without it."
        ) from error
    if path is not None:
        if is_components(header):
            recording = with_names(recording, path)
        recording.encoding["source"] = str(path)
    notes = [*told, *notes_on(header, fields.get(OWN), beside), *notes]
    return Loaded(recording, notes, is_as_saved=OWN in fields)


def _fourth_axis(header: Any, fields: Mapping[str, Any]) -> str:
    own = fields.get(OWN)
    says = own.get(FOURTH_AXIS) if isinstance(own, Mapping) else None
    return COMPONENT if says == COMPONENT or is_components(header) else "time"


def _told(path: Path | None, wanted: Wanted) -> tuple[dict[str, Any], Path | None, list[str]]:
    """Return what sidecars say, less what the user says, where they say it, and what to tell."""
    if path is None:
        return {}, None, []
    fields, beside, notes = read_sidecars(path)
    if wanted.frame_rate is None:
        return fields, beside, notes
    fields = {field: value for field, value in fields.items() if field not in TIMING_FIELDS}
    if isinstance(fields.get(OWN), dict):
        fields[OWN] = without_times(fields[OWN])
    return fields, beside, []


def _untold(fields: Mapping[str, Any], described: Described) -> dict[str, Any]:
    """Return the times of other volumes than those of the file, as a sidecar may tell them."""
    if "time" in described.coords or OWN in fields or "VolumeTiming" not in fields:
        return {}
    return storable({"volume_timing": fields["VolumeTiming"]})


def _meaning(path: Path | None, fields: Mapping[str, Any]) -> dict[str, str]:
    if path is None or OWN in fields:
        return {}
    suffix = stem(path).rpartition("_")[2]
    return {"long_name": _MEASURED[suffix]} if suffix in _MEASURED else {}


def _materialised(values: Any, dims: tuple[str, ...], chunks: Any) -> Any:
    """Return (volume, time, z, y, x) as a dask array, or read where `chunks` is None."""
    if chunks is None:
        return values[...] if isinstance(values, ScaledVoxels) else values
    if chunks is HEADERS:
        return values.lazily(chunks)
    import dask.array as da

    by_dim = chunks_by_dim(chunks, dims)
    fourth = COMPONENT if COMPONENT in dims else "time"
    along = tuple(by_dim.get(axis, -1) for axis in ("volume", fourth, "z", "y", "x"))
    wanted = da.core.normalize_chunks(along, shape=values.shape, dtype=values.dtype)
    if isinstance(values, ScaledVoxels):
        return values.lazily(wanted)
    if isinstance(values, da.Array):
        return values.rechunk(wanted)
    return da.from_array(values, chunks=wanted)


def _arranged(values: Any, n_dims: int) -> Any:
    if n_dims == 5:
        return values.transpose(1, 2, 3, 4, 0)
    return values[(0,) * (5 - n_dims)]


def _order_of(proxy: Any) -> str:
    """Return the order of an image's values in its file: the first axis fastest, or the last."""
    return str(getattr(proxy, "order", getattr(proxy, "_order", "F")))


def _proxy_as_stored(dataobj: Any, shape: tuple[int, int, int, int, int]) -> ScaledVoxels | None:
    """Return where an image's values lie; None where it is no plain file on disk."""
    if type(dataobj) is not nib.arrayproxy.ArrayProxy:
        return None
    path = Path(str(dataobj.file_like))
    if not isinstance(dataobj.file_like, str | PathLike) or not path.is_file():
        return None
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP_MAGIC
    if path.suffix in (".bz2", ".zst") or _order_of(dataobj) != "F":
        return None
    voxels = ScaledVoxels(
        path,
        shape,
        np.dtype(dataobj.dtype),
        offset=int(dataobj.offset),
        scaling=(float(dataobj.slope), float(dataobj.inter)),
        compressed=compressed,
    )
    voxels.refuse_truncated()
    return voxels
