"""Partita: take brain recordings apart into non-negative parts, with every label intact.

``import partita as pt`` loads numpy and xarray and nothing heavier; the rest comes on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from partita._version import __version__

if TYPE_CHECKING:
    from partita import datasets, decomposition, io, plotting, preprocess
    from partita._labels.sparse import from_sparse
    from partita.decomposition import NMF, PCA, FastICA, estimate_memory, load_model, save
    from partita.io import load

_HOME = {
    "FastICA": "partita.decomposition",
    "NMF": "partita.decomposition",
    "PCA": "partita.decomposition",
    "estimate_memory": "partita.decomposition",
    "from_sparse": "partita._labels.sparse",
    "load": "partita.io",
    "load_model": "partita.decomposition",
    "save": "partita.decomposition",
}
_ROOMS = ("datasets", "decomposition", "io", "plotting", "preprocess")

__all__ = [
    "NMF",
    "PCA",
    "FastICA",
    "__version__",
    "datasets",
    "decomposition",
    "estimate_memory",
    "from_sparse",
    "io",
    "load",
    "load_model",
    "plotting",
    "preprocess",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"partita.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'partita' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
