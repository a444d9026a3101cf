"""Estimators that take a labelled recording apart, and their way to a file and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from partita.decomposition.linear import PCA, FastICA
    from partita.decomposition.memory import estimate_memory
    from partita.decomposition.nmf import NMF
    from partita.decomposition.persistence import load_model, save

__all__ = ["NMF", "PCA", "FastICA", "estimate_memory", "load_model", "save"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "linear": ["FastICA", "PCA"],
        "memory": ["estimate_memory"],
        "nmf": ["NMF"],
        "persistence": ["load_model", "save"],
    },
)
