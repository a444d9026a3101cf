"""Files to recordings and back: NIfTI with BIDS sidecars, NetCDF, Zarr; movies to recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from partita.io.derivatives import write_components
    from partita.io.entries import SeveralArrays
    from partita.io.formats import name_format
    from partita.io.loading import load
    from partita.io.saving import save_recording
    from partita.io.stores.netcdf_zarr import read_dataset, write_dataset

__all__ = [
    "SeveralArrays",
    "load",
    "name_format",
    "read_dataset",
    "save_recording",
    "write_components",
    "write_dataset",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "derivatives": ["write_components"],
        "entries": ["SeveralArrays"],
        "formats": ["name_format"],
        "loading": ["load"],
        "saving": ["save_recording"],
        "stores.netcdf_zarr": ["read_dataset", "write_dataset"],
    },
)
