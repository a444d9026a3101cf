"""Recordings made ready for a decomposition: pure functions from DataArray to DataArray."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partita.preprocess.baselines import delta_f_over_f, estimate_baseline
    from partita.preprocess.motion import apply_motion, estimate_motion, register
    from partita.preprocess.scaling import zscore
    from partita.preprocess.signs import merge_sign, rectify, split_sign

__all__ = [
    "apply_motion",
    "delta_f_over_f",
    "estimate_baseline",
    "estimate_motion",
    "merge_sign",
    "rectify",
    "register",
    "split_sign",
    "zscore",
]

_HOMES = {
    "apply_motion": "motion",
    "delta_f_over_f": "baselines",
    "estimate_baseline": "baselines",
    "estimate_motion": "motion",
    "merge_sign": "signs",
    "rectify": "signs",
    "register": "motion",
    "split_sign": "signs",
    "zscore": "scaling",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
