"""Recordings to start from: simulated with known truth, shipped as samples, or fetched."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partita.datasets.calcium import simulate_calcium
    from partita.datasets.fluorescence import simulate_traces
    from partita.datasets.fmri import simulate_fmri
    from partita.datasets.fusi import simulate_fusi
    from partita.datasets.nunez_elizalde import fetch_nunez_elizalde_2022
    from partita.datasets.parts import simulate_parts
    from partita.datasets.shipped import load_sample, load_sample_truth, sample_path
    from partita.datasets.two_photon import simulate_two_photon

__all__ = [
    "fetch_nunez_elizalde_2022",
    "load_sample",
    "load_sample_truth",
    "sample_path",
    "simulate_calcium",
    "simulate_fmri",
    "simulate_fusi",
    "simulate_parts",
    "simulate_traces",
    "simulate_two_photon",
]

_HOMES = {
    "fetch_nunez_elizalde_2022": "nunez_elizalde",
    "load_sample": "shipped",
    "load_sample_truth": "shipped",
    "sample_path": "shipped",
    "simulate_calcium": "calcium",
    "simulate_fmri": "fmri",
    "simulate_fusi": "fusi",
    "simulate_parts": "parts",
    "simulate_traces": "fluorescence",
    "simulate_two_photon": "two_photon",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
