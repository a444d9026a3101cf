"""Recordings to start from: simulated with known truth, shipped as samples, or fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from partita.datasets.calcium import simulate_calcium
    from partita.datasets.cell_traces import simulate_traces
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

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "calcium": ["simulate_calcium"],
        "cell_traces": ["simulate_traces"],
        "fmri": ["simulate_fmri"],
        "fusi": ["simulate_fusi"],
        "nunez_elizalde": ["fetch_nunez_elizalde_2022"],
        "parts": ["simulate_parts"],
        "shipped": ["load_sample", "load_sample_truth", "sample_path"],
        "two_photon": ["simulate_two_photon"],
    },
)
