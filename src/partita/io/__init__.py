"""Files to recordings and back: NIfTI with BIDS sidecars, NetCDF, Zarr; movies to recordings."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partita.io.components import write_components
    from partita.io.loading import load
    from partita.io.movies.choice import SeveralArrays
    from partita.io.recognition import name_format
    from partita.io.saving import save_recording
    from partita.io.stores import read_dataset, write_dataset

_HOME = {
    "SeveralArrays": "movies.choice",
    "load": "loading",
    "name_format": "recognition",
    "read_dataset": "stores",
    "save_recording": "saving",
    "write_components": "components",
    "write_dataset": "stores",
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
