"""Partita: take brain recordings apart into non-negative parts, with every label intact.

``import partita as pt`` loads numpy and xarray and nothing heavier; the rest comes on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from partita import datasets, decomposition, io, plotting, preprocess
    from partita._labels.sparse import from_sparse
    from partita._version import __version__
    from partita.decomposition import NMF, PCA, FastICA, estimate_memory, load_model, save
    from partita.io import load

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

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submodules={"datasets", "decomposition", "io", "plotting", "preprocess"},
    submod_attrs={
        "_labels.sparse": ["from_sparse"],
        "_version": ["__version__"],
        "decomposition": ["FastICA", "NMF", "PCA", "estimate_memory", "load_model", "save"],
        "io": ["load"],
    },
)
