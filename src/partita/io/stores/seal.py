"""A digest of what no check sum of NetCDF and Zarr covers: attributes, text, single numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

# A group of its own: who copies the variables and attributes to another file does not copy it.
_SEAL = "partita_seal"
_DIGEST = "digest"
# Addresses in the file, which say nothing that is not said by names.
_ADDRESSES = ("DIMENSION_LIST", "REFERENCE_LIST")


def seal_netcdf(file: Any) -> None:
    """Write the digest into a NetCDF file, a path or file object where all else is written."""
    with h5py.File(file, "r+") as opened:
        opened.create_group(_SEAL).attrs[_DIGEST] = _digest(_parts_of_netcdf(opened))


def seal_zarr(store: Path) -> None:
    """Write the digest into a Zarr store where all else is written."""
    about = {_DIGEST: _digest(_parts_of_zarr(store))}
    (store / _SEAL).mkdir()
    group = {"attributes": about, "zarr_format": 3, "node_type": "group"}
    (store / _SEAL / "zarr.json").write_text(json.dumps(group), encoding="utf-8")


def refuse_broken_netcdf(file: Any, path: Path) -> None:
    """Refuse an open NetCDF file with a seal that does not fit it (OSError)."""
    if _SEAL in file and file[_SEAL].attrs[_DIGEST] != _digest(_parts_of_netcdf(file)):
        raise OSError(_broken(path))


def refuse_broken_zarr(store: Path) -> None:
    """Refuse a Zarr store with a seal that does not fit it (OSError)."""
    seal = store / _SEAL / "zarr.json"
    if not seal.is_file():
        return
    found = json.loads(seal.read_bytes())["attributes"][_DIGEST]
    if found != _digest(_parts_of_zarr(store)):
        raise OSError(_broken(store))


def _digest(parts: Iterator[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _parts_of_netcdf(file: Any) -> Iterator[bytes]:
    for name in ("/", *sorted(set(file) - {_SEAL})):
        node = file[name]
        yield name.encode(errors="surrogateescape")
        for key in sorted(set(node.attrs) - {*_ADDRESSES}):
            yield _as_bytes(key, node.attrs[key])
        if isinstance(node, h5py.Dataset) and (not node.shape or node.dtype.kind in "OSU"):
            yield _as_bytes(node.shape, node[()])


def _parts_of_zarr(store: Path) -> Iterator[bytes]:
    folders = sorted(one.name for one in store.iterdir() if one.is_dir() and one.name != _SEAL)
    for name in ("", *folders):
        about = store / name / "zarr.json"
        if about.is_file():
            yield name.encode(errors="surrogateescape")
            yield about.read_bytes()


def _as_bytes(key: Any, value: Any) -> bytes:
    plain = value.tolist() if hasattr(value, "tolist") else value
    return ascii((key, plain)).encode()


def _broken(store: Path) -> str:
    return (
        f"attributes, labels or single numbers in {store.name} are not those that were saved; copy "
        "it again, or where another program has changed them on purpose, open it by "
        "xarray.open_dataset and write that to a new file"
    )
