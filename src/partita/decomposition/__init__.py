"""Estimators that take a labelled recording apart, and their way to a file and back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partita.decomposition.linear import PCA, FastICA
    from partita.decomposition.memory import estimate_memory
    from partita.decomposition.nmf import NMF
    from partita.decomposition.persistence import load_model, save

_HOME = {
    "FastICA": "linear",
    "NMF": "nmf",
    "PCA": "linear",
    "estimate_memory": "memory",
    "load_model": "persistence",
    "save": "persistence",
}

__all__ = ["NMF", "PCA", "FastICA", "estimate_memory", "load_model", "save"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
