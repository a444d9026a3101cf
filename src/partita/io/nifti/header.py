"""What a NIfTI header says of the values: where they are, how many, of which type."""

from __future__ import annotations

import gzip
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from partita.io.recognition import GZIP_MAGIC

LABELS = 1002  # NIFTI_INTENT_LABEL

_HEADER_BYTES: dict[int, Any] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


def read_header(path: Path) -> tuple[Any, bool]:
    """Return the NIfTI header of a file, unchecked, and whether the file is compressed."""
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP_MAGIC
    try:
        with gzip.open(path) if compressed else path.open("rb") as file:
            block = file.read(540)
    except (EOFError, OSError, zlib.error) as error:
        raise OSError(
            f"{path} is damaged or truncated: its header cannot be decompressed ({error}). Copy or "
            "download it again."
        ) from error
    for size, kind in _HEADER_BYTES.items():
        sizes = [int.from_bytes(block[:4], order) for order in ("little", "big")]
        if size in sizes and len(block) >= size:
            return kind(block[:size], check=False), compressed
    raise ValueError(
        f"{path} is no NIfTI file: it has {len(block)} bytes of header or a size field that is "
        "neither 348 nor 540. Files of other formats: nibabel.load(path), and load the image."
    )


def data_offset(header: Any) -> int:
    """Return the bytes before the first value, decompressed."""
    least = int(header["sizeof_hdr"]) + 4
    offset = float(header["vox_offset"])
    return max(int(offset), least) if np.isfinite(offset) else least


def count_dims(header: Any) -> int:
    """Return the number of axes, at most 5."""
    return int(min(header["dim"][0], 5))


def file_shape(header: Any, name: str | PathLike[str]) -> tuple[int, int, int, int, int]:
    """Return (volume, time, z, y, x), as the values lie in the file."""
    n_dims, *sizes = (int(number) for number in header["dim"])
    sizes = sizes[: max(n_dims, 0)]
    if not 2 <= n_dims <= 7 or any(size > 1 for size in sizes[5:]):
        raise ValueError(
            f"{name} has {n_dims} dimensions {tuple(sizes)}; a recording in NIfTI has 2 to 5: x, "
            "y, z, time, volume. Select a part of it with nibabel's image.slicer first."
        )
    if min(sizes) < 1:
        raise ValueError(
            f"{name} holds no values: its header gives the sizes {tuple(sizes)}. Check the program "
            "that wrote it."
        )
    x, y, z, time, volume = (*sizes[:5], *(1,) * (5 - len(sizes[:5])))
    return volume, time, z, y, x


def stored_dtype(header: Any, path: Path) -> np.dtype[Any]:
    """Return the dtype of the values in the file; refuse what are no real numbers."""
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except (KeyError, nib.spatialimages.HeaderDataError) as error:
        raise ValueError(
            f"{path} has the datatype code {int(header['datatype'])}, which NIfTI does not define. "
            "Check the program that wrote it."
        ) from error
    refuse_dtype(dtype, path)
    return dtype


def refuse_dtype(dtype: np.dtype[Any], name: str | PathLike[str]) -> None:
    """Refuse values that are not real numbers (TypeError)."""
    if dtype.kind not in "iufb":
        raise TypeError(
            f"{name} holds {dtype} values, and a recording holds real numbers. Convert it first, "
            "complex values for instance to their magnitude, and save it again."
        )


def scaling_of(header: Any) -> tuple[float, float]:
    """Return slope and inter; 1 and 0 where there is no slope."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    return slope, inter if np.isfinite(inter) else 0.0


def label_dtype(header: Any, suffix: str) -> np.dtype[Any] | None:
    """Return the integers that an image of labels holds; None for an image of anything else.

    Labels are what NIfTI's intent says so, and what BIDS calls ``dseg``: a segmentation.
    """
    if int(header["intent_code"]) != LABELS and suffix != "dseg":
        return None
    dtype = np.dtype(header.get_data_dtype()).newbyteorder("=")
    return dtype if dtype.kind in "iu" and scaling_of(header) == (1.0, 0.0) else None


def shortest(number: Any) -> float:
    """Return a header's number as the shortest decimal it prints as: 1.35, not 1.3500000238."""
    return float(str(np.asarray(number)[()]))
