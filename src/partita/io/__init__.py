"""Files to recordings and back: NIfTI with BIDS sidecars, NetCDF, Zarr; movies to recordings."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partita.io.derivatives import write_components
    from partita.io.entries import SeveralArrays
    from partita.io.loading import load
    from partita.io.recognition import name_format
    from partita.io.saving import save_recording
    from partita.io.stores.netcdf_zarr import read_dataset, write_dataset

_HOME = {
    "SeveralArrays": "entries",
    "load": "loading",
    "name_format": "recognition",
    "read_dataset": "stores.netcdf_zarr",
    "save_recording": "saving",
    "write_components": "derivatives",
    "write_dataset": "stores.netcdf_zarr",
}

__all__ = [
    "SeveralArrays",
    "load",
    "name_format",
    "read_dataset",
    "save_recording",
    "write_components",
    "write_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
