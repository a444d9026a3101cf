"""Figures of maps, signals and components; matplotlib is imported when the first is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from partita.plotting.components import plot_components
    from partita.plotting.maps import plot_map
    from partita.plotting.motion import plot_motion
    from partita.plotting.signals import plot_signals

__all__ = ["plot_components", "plot_map", "plot_motion", "plot_signals"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "components": ["plot_components"],
        "maps": ["plot_map"],
        "motion": ["plot_motion"],
        "signals": ["plot_signals"],
    },
)
